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
	ring []Moved
	next int
	// start is the position before the oldest entry: a follower that stands
	// below it has missed something.
	start Position
}

func newFeed() feed { return feed{ring: make([]Moved, 0, 64)} }

func (f *feed) add(epoch, index uint64, events []Event) {
	if len(events) == 0 {
		return
	}
	m := Moved{Position{epoch, index}, events}
	if len(f.ring) < feedLength {
		f.ring = append(f.ring, m)
		return
	}
	f.start = f.ring[f.next].Position
	f.ring[f.next] = m
	f.next = (f.next + 1) % feedLength
}

// Since returns what changed after a position, oldest first. ok is false where
// some of that is not kept any more, or the position is of another epoch: then
// the follower must read everything anew.
func (t *Store) Since(at Position) (moved []Moved, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	f := &t.feed
	if at.Epoch != t.state.Epoch() || at.Less(f.start) || t.state.Position().Less(at) {
		return nil, false
	}
	for i := len(f.ring) - 1; i >= 0; i-- {
		m := f.ring[(f.next+i)%len(f.ring)]
		if !at.Less(m.Position) {
			break
		}
		moved = append(moved, m)
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
