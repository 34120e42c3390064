package fsm

import (
	"slices"
)

// Kinds of Event.
const (
	EventRevision = "revision"
	EventPush     = "push"
	EventNode     = "node"
	EventPeer     = "peer"
)

// Event says what a command changed; what it is now is read from the state.
type Event struct {
	Kind     string
	Revision uint64
	Push     uint64
	Nodes    []uint32
	Removed  string // id of a node that is gone
	Peer     string
}

// Moved is all that one command changed.
type Moved struct {
	Position Position
	Events   []Event
}

// feedLength is the number of commands whose events are kept for followers
// that come back.
const feedLength = 8192

// feed is a ring of what the latest commands changed.
type feed struct {
	ring []happened
	next int
	// start is the position before the oldest entry: a follower that stands
	// below it has missed something.
	start Position
}

// happened is a Moved that takes less: most commands change one node, and its
// event is made when it is asked for.
type happened struct {
	at     Position
	events []Event
	node   uint32 // where events is empty
}

func newFeed() feed { return feed{ring: make([]happened, 0, 64)} }

func (f *feed) add(epoch, index uint64, events []Event) {
	if len(events) == 0 {
		return
	}
	h := happened{at: Position{epoch, index}, events: events}
	if e := events[0]; len(events) == 1 && e.Kind == EventNode && e.Removed == "" && len(e.Nodes) == 1 {
		h.events, h.node = nil, e.Nodes[0]
	}
	if len(f.ring) < feedLength {
		f.ring = append(f.ring, h)
		return
	}
	f.start = f.ring[f.next].at
	f.ring[f.next] = h
	f.next = (f.next + 1) % feedLength
}

func (h happened) moved() Moved {
	if h.events == nil {
		return Moved{h.at, []Event{{Kind: EventNode, Nodes: []uint32{h.node}}}}
	}
	return Moved{h.at, h.events}
}

// Since returns what changed after a position, oldest first. ok is false where
// some of that is not kept any more, or the position is of another epoch: then
// the follower must read everything anew.
func (t *Store) Since(at Position) (moved []Moved, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.since(at)
}

// ViewSince is View together with Since: f is told all that has moved up to the
// state that it sees, and nothing behind it.
func (t *Store) ViewSince(at Position, f func(state *State, moved []Moved, ok bool)) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	moved, ok := t.since(at)
	f(t.state, moved, ok)
}

func (t *Store) since(at Position) (moved []Moved, ok bool) {
	f := &t.feed
	if at.Epoch != t.state.Epoch() || at.Less(f.start) || t.state.Position().Less(at) {
		return nil, false
	}
	for i := len(f.ring) - 1; i >= 0; i-- {
		h := f.ring[(f.next+i)%len(f.ring)]
		if !at.Less(h.at) {
			break
		}
		moved = append(moved, h.moved())
	}
	slices.Reverse(moved)
	return moved, true
}

func (s *State) event(e Event) { s.moved = append(s.moved, e) }

// eventNode adds a node to the one node event of the command.
func (s *State) eventNode(ord uint32) {
	for i := range s.moved {
		if e := &s.moved[i]; e.Kind == EventNode && e.Removed == "" {
			e.Nodes = append(e.Nodes, ord)
			return
		}
	}
	s.event(Event{Kind: EventNode, Nodes: []uint32{ord}})
}
