package push

import (
	"time"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/wire"
)

// link is the connection of a session, as the rules need it.
type link interface {
	// send queues a frame; it never blocks and never fails.
	send(frame *frame)
	// tell queues a message for this session alone.
	tell(m wire.Message)
	// close ends the connection after what is queued, with a close code.
	close(code int, reason string)
}

// session is one connection of a node, from its hello to its end. It is
// guarded by core.mu.
type session struct {
	link
	id    uint64 // unique for ever: the peer's run and a counter
	ord   uint32
	node  string
	hello wire.Hello
	nonce string // the challenge that hello answered
	last  held
	seq   uint64 // of the last report, hello being 1

	inflight *frame
	pending  []fsm.Report // not yet in the log; errors are never merged
	acked    *frame       // the update whose confirmation is the last pending report
	errorSeq uint64       // of the last error: nothing is sent until the state holds it

	welcome delivery
	retry   retry
	dirty   bool
}

// held is what a node last said it holds.
type held struct {
	manifest  fsm.Sum
	at        fsm.Position
	confirmed bool
	targets   map[string]fsm.Sum // where it listed them
}

// delivery is what this session was told beside updates.
type delivery struct {
	audience fsm.Sum
	done     bool
	full     bool   // send all contents: a base did not match
	asked    bool   // a status was asked for and has not come
	resynced uint64 // the Row.Resync that was asked for
}

// retry is when a failed update may be sent again.
type retry struct {
	since    uint64
	attempts int
	at       time.Time
}

// report numbers what the node said and puts it where the collector finds it.
// Of several reports that are no errors the latest wins.
func (s *session) report(r fsm.Report) {
	s.seq++
	r.Node, r.Session, r.Seq = s.ord, s.id, s.seq
	r.Manifest, r.At, r.Confirmed = s.last.manifest, s.last.at, s.last.confirmed
	if n := len(s.pending); n > 0 && s.pending[n-1].Tried == nil {
		r.Open = s.pending[n-1].Open
		s.pending[n-1] = r
		return
	}
	s.pending = append(s.pending, r)
}

// open is the report that begins the session, or tells it again.
func (s *session) open() *fsm.Open {
	return &fsm.Open{
		Connection: s.hello.Connection, Process: s.hello.Process,
		AgentVersion: s.hello.AgentVersion, Facts: s.hello.Facts,
	}
}

// settled drops the reports that the log has taken.
func (s *session) settled(seq uint64) {
	for len(s.pending) > 0 && s.pending[0].Seq <= seq {
		s.pending = s.pending[1:]
	}
	if len(s.pending) == 0 {
		s.pending = nil
	}
}

func (s *session) raise(at fsm.Position) {
	if s.last.at.Less(at) {
		s.last.at = at
	}
}
