package push

import (
	"slices"
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
	hello hello
	nonce string // the challenge that hello answered
	last  held
	seq   uint64 // of the last report, hello being 1

	inflight *offer
	pending  []fsm.Report // not yet in the log; errors are not merged, see maxPending
	acked    *offer       // the last one that the node has confirmed

	welcome delivery
	retry   retry
	called
	dirty bool
}

// hello is what is needed again of what the node began with. The rest is long,
// and in the state.
type hello struct {
	process    string
	connection uint64
	nonce      string
}

// instant is a time in Unix nanoseconds, zero for none: a third of a time.Time.
type instant int64

func instantOf(t time.Time) instant {
	if t.IsZero() {
		return 0
	}
	return instant(t.UnixNano())
}

func (m instant) time() time.Time { return time.Unix(0, int64(m)) }

// called is what a session with an instance has beside that of an agent.
type called struct {
	instance bool          // the node is called over HTTP
	observed *fsm.Observed // for the next report
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
	opened   bool    // the state has shown this session
	full     bool    // send all contents: a base did not match
	asked    bool    // a status was asked for and has not come
	behind   bool    // the plan has looked while an update was in flight
	listed   bool    // it has just listed what it holds: look for drift
	resynced uint64  // the Row.Resync that was asked for
	sentAway instant // when it was asked to go to another peer
}

// retry is when a failed update may be sent again.
type retry struct {
	since    uint64
	attempts int
	at       instant
	notUntil instant // what the node itself asked for
	errorSeq uint64  // of the last error: nothing is sent until the state holds it
}

// maxPending bounds what one session keeps for the log. A node is sent nothing
// after an error until the state holds it, so that an honest one stays far
// below.
const maxPending = 8

// report numbers what the node said and puts it where the collector finds it.
// Of several reports that are no errors the latest wins; it keeps the versions
// that one before it has confirmed of the same manifest.
func (s *session) report(r fsm.Report) {
	s.seq++
	r.Node, r.Session, r.Seq = s.ord, s.id, s.seq
	r.Manifest, r.At, r.Confirmed = s.last.manifest, s.last.at, s.last.confirmed
	r.Observed, s.observed = s.observed, nil
	n := len(s.pending)
	if n == 0 || n < maxPending && (s.pending[n-1].Tried != nil || r.Tried != nil && s.pending[n-1].Versions != nil) {
		s.pending = append(s.pending, r)
		return
	}
	last := s.pending[n-1]
	r.Open = last.Open
	if r.Observed == nil {
		r.Observed = last.Observed
	}
	if r.Drifted == nil && r.Manifest == last.Manifest {
		r.Drifted = last.Drifted
	}
	if r.Versions == nil && r.Confirmed && r.Manifest == last.Manifest {
		r.Versions = last.Versions
	}
	s.pending[n-1] = r
}

// owes tells whether the log still lacks an error of the node, which it says
// only once.
func (s *session) owes() bool {
	return slices.ContainsFunc(s.pending, func(r fsm.Report) bool { return r.Tried != nil })
}

// size is about how many bytes the pending reports are in the log.
func (s *session) size() int {
	n := 0
	for _, r := range s.pending {
		n += reportSize(r)
	}
	return n
}

func reportSize(r fsm.Report) int {
	n := 160 + versionsSize(r.Versions) + 64*len(r.Drifted)
	if r.Observed != nil {
		n += 128 * (len(r.Observed.Baselines) + len(r.Observed.Unmanaged))
	}
	for _, p := range r.Problems {
		n += problemSize(p)
	}
	if r.Open != nil {
		n += len(r.Open.Process) + len(r.Open.AgentVersion)
		for k, v := range r.Open.Facts {
			n += len(k) + len(v) + 4
		}
	}
	return n
}

func versionsSize(list []fsm.DocVersion) int {
	n := 0
	for _, v := range list {
		n += len(v.Document) + len(v.Target) + 16
	}
	return n
}

func problemSize(p fsm.Problem) int {
	return 32 + len(p.Target) + len(p.Stage) + len(p.Code) + len(p.Pointer) + len(p.Message) + len(p.LogTail)
}

// open is the report that begins the session, or tells it again.
func (s *session) open(version string, facts map[string]string) *fsm.Open {
	return &fsm.Open{
		Connection: s.hello.connection, Process: s.hello.process, AgentVersion: version, Facts: facts,
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
