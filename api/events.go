package api

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/droverhq/drover/fsm"
)

// Bounds of event streams.
const (
	nodesInEvent = 500 // above it an event only tells how many
)

// getEvents is the event stream (SSE). An event says what something is now;
// the id, on the last event of an index, is where any peer resumes.
func (s *Server) getEvents(c *call) error {
	leave, err := s.streams.enter(c.who.key())
	if err != nil {
		return err
	}
	defer leave()
	at, gap, err := s.resume(c)
	if err != nil {
		return err
	}
	st := &stream{server: s, call: c, out: http.NewResponseController(c.Response()), at: at, dirty: map[uint32]struct{}{}, seen: map[uint64]pushState{}}
	h := c.Response().Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	c.at = at
	c.Response().WriteHeader(http.StatusOK)
	// The server's limits are for requests that end; a recorder has none.
	if err := st.out.SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	st.greet(gap)
	st.run()
	return nil
}

// resume finds where a stream begins: behind the event that the client saw
// last, or now. gap tells that something between is not known any more.
func (s *Server) resume(c *call) (at fsm.Position, gap bool, err error) {
	text := c.Request().Header.Get("Last-Event-ID")
	if text == "" {
		return s.position(), false, nil
	}
	at, ok := parsePosition(text)
	if !ok {
		return at, false, failure(codeBadRequest, "Last-Event-ID is %q; send back the id of an event, of the form epoch.index", clip(text, 60))
	}
	if s.mayCome(at) { // another peer was ahead of this one
		_ = s.awaitIndex(c, at) // or else there is a gap
	}
	if _, ok := s.deps.Store.Since(at); ok {
		return at, false, nil
	}
	return s.position(), true, nil
}

// stream is one client of the event stream, and where it stands.
type stream struct {
	server  *Server
	call    *call
	out     *http.ResponseController
	at      fsm.Position         // all up to here was sent, but for dirty
	dirty   map[uint32]struct{}  // nodes whose changes wait to be sent together
	gone    []string             // ids of removed nodes, likewise
	recount bool                 // counts that were sent may be a little old
	nodes   time.Time            // when nodes were sent last
	seen    map[uint64]pushState // pushes as they were sent last
	buf     bytes.Buffer
	events  int // in buf
	failed  bool
}

func (t *stream) greet(gap bool) {
	t.buf.WriteString("retry: 1000\n") // milliseconds until a browser comes back
	if gap {
		t.event("gap", gapEvent{t.at.Index})
	}
	t.mark()
	t.flush()
}

// run sends what changes until the client goes, its session ends, or the
// server stops.
func (t *stream) run() {
	s := t.server
	heartbeat := time.NewTicker(s.config.Streams.Heartbeat)
	defer heartbeat.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	for !t.failed {
		moved := s.deps.Store.Watch().Changed()
		wait, ok := t.advance()
		if !ok {
			return
		}
		due.Reset(wait)
		select {
		case <-moved:
			if !t.pause(due) {
				return
			}
		case <-due.C:
		case <-heartbeat.C:
			t.beat()
		case <-t.call.ctx().Done():
			return
		case <-s.streams.closed:
			return
		}
	}
}

// streamPause is how long a stream rests between two looks at the state: under
// load it takes several commands at once.
const streamPause = 20 * time.Millisecond

func (t *stream) pause(timer *time.Timer) (goOn bool) {
	timer.Reset(min(streamPause, t.server.config.Streams.Coalesce))
	select {
	case <-timer.C:
		return true
	case <-t.call.ctx().Done():
	case <-t.server.streams.closed:
	}
	return false
}

// advance sends what is new. It answers how long the nodes that changed can
// wait, and false where the stream has to end.
func (t *stream) advance() (wait time.Duration, ok bool) {
	s, now := t.server, t.server.now()
	moved, reaches := s.deps.Store.Since(t.at)
	valid := true
	s.deps.Store.View(func(st *fsm.State) {
		if valid = s.stillValid(st, t.call.who, now); !valid {
			return
		}
		if !reaches {
			t.gap(st)
			return
		}
		for _, m := range moved {
			t.take(st, m)
		}
		if wait = s.config.Streams.Coalesce - now.Sub(t.nodes); wait <= 0 && t.changed() {
			t.nodes, t.recount = now, false
			t.sendNodes(st)
			t.sendPushes(st)
		}
	})
	if !valid {
		return 0, false
	}
	t.write()
	if !t.changed() {
		wait = time.Hour
	}
	return max(wait, 0), true
}

// changed tells whether something waits to be sent.
func (t *stream) changed() bool { return len(t.dirty) > 0 || len(t.gone) > 0 || t.recount }

// gap: the client has to read everything anew.
func (t *stream) gap(st *fsm.State) {
	t.at = st.Position()
	clear(t.dirty)
	clear(t.seen)
	t.gone = nil
	t.event("gap", gapEvent{t.at.Index})
}

// write sends the events that were made since the last time. Only when nothing
// waits any more may the client resume from here.
func (t *stream) write() {
	if t.events == 0 {
		return
	}
	if !t.changed() {
		t.mark()
	}
	t.flush()
}

// mark gives the last event its id; behind no event it moves on where the
// client resumes, and nothing else.
func (t *stream) mark() {
	if t.events > 0 { // the event is still open: its blank line is not written yet
		t.buf.Truncate(t.buf.Len() - 1)
	}
	t.buf.WriteString("id: " + formatPosition(t.at) + "\n\n")
}

// beat keeps the connection alive through proxies.
func (t *stream) beat() {
	t.buf.WriteString(": heartbeat\n")
	if !t.changed() {
		t.mark()
	} else {
		t.buf.WriteByte('\n')
	}
	t.flush()
}

// flush writes the buffer to the client. One that does not take it in time is
// dropped: it comes back, and resumes.
func (t *stream) flush() {
	if err := t.out.SetWriteDeadline(time.Now().Add(t.server.config.Streams.Write)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		t.failed = true
		return
	}
	_, err := t.call.Response().Write(t.buf.Bytes())
	if err == nil {
		err = t.out.Flush()
	}
	if err == nil { // HTTP/2 would end the stream when the time is over, written or not
		err = t.out.SetWriteDeadline(time.Time{})
	}
	t.failed = err != nil && !errors.Is(err, http.ErrNotSupported)
	t.buf.Reset()
	t.events = 0
}

// event appends an event without an id.
func (t *stream) event(kind string, data any) {
	text, err := json.Marshal(data, json.Deterministic(true))
	if err != nil { // structs of strings and numbers always encode, unless a string is not UTF-8
		t.server.log.Error("an event cannot be encoded", "kind", kind, "err", err)
		return
	}
	t.buf.WriteString("event: " + kind + "\ndata: ")
	t.buf.Write(text)
	t.buf.WriteString("\n\n")
	t.events++
}

// take makes the events of one command, and remembers which nodes changed.
func (t *stream) take(st *fsm.State, m fsm.Moved) {
	t.at = m.Position
	for _, e := range m.Events {
		switch e.Kind {
		case fsm.EventRevision:
			if r := st.Revision(e.Revision); r != nil {
				t.event("revision", revisionEventOf(r, m.Position.Index))
			}
		case fsm.EventPush:
			if p := st.Push(e.Push); p != nil {
				t.sendPush(st, p)
			}
		case fsm.EventPeer:
			t.event("peer", t.peerEventOf(st, e.Peer, m.Position.Index))
		case fsm.EventNode:
			for _, ord := range e.Nodes {
				t.dirty[ord] = struct{}{}
			}
			if e.Removed != "" {
				t.gone = append(t.gone, e.Removed)
			}
		}
	}
}

// sendNodes tells what the changed nodes are now.
func (t *stream) sendNodes(st *fsm.State) {
	if len(t.dirty)+len(t.gone) == 0 {
		return
	}
	if n := len(t.dirty) + len(t.gone); n > nodesInEvent {
		t.event("node", manyEvent{t.at.Index, n})
	} else {
		e := nodesEvent{Index: t.at.Index}
		for ord := range t.dirty {
			if n := st.NodeAt(ord); n != nil {
				e.Nodes = append(e.Nodes, nodeChange{n.ID, st.Status(ord), st.Row(ord).Connected, st.Converged(ord), false})
			}
		}
		for _, id := range t.gone {
			if st.Node(id) == nil {
				e.Nodes = append(e.Nodes, nodeChange{ID: id, Status: fsm.Offline, Removed: true})
			}
		}
		slices.SortFunc(e.Nodes, func(a, b nodeChange) int { return strings.Compare(a.ID, b.ID) })
		t.event("node", e)
	}
	clear(t.dirty)
	t.gone = nil
}
