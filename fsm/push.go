package fsm

import (
	"cmp"
	"maps"
	"slices"
)

// Push is the delivery of one revision to a fixed set of nodes. While it runs,
// its counts follow from the rows; they are frozen when it ends.
type Push struct {
	Revision     uint64
	State        string
	Targets      NodeSet
	Documents    []string
	Started      int64
	Finished     int64
	Frozen       Counts
	SupersededBy uint64
}

// States of a push.
const (
	PushRunning    = "running"
	PushDone       = "done"
	PushFailures   = "done_with_failures"
	PushSuperseded = "superseded"
)

// Counts is how many targets of a push have each status.
type Counts struct {
	Acked      int `cbor:"1,keyasint,omitempty" json:"acked"`
	Pending    int `cbor:"2,keyasint,omitempty" json:"pending"`
	InFlight   int `cbor:"3,keyasint,omitempty" json:"in_flight"`
	Retrying   int `cbor:"4,keyasint,omitempty" json:"retrying"`
	DeadLetter int `cbor:"5,keyasint,omitempty" json:"dead_letter"`
	Reverted   int `cbor:"6,keyasint,omitempty" json:"reverted"`
	Offline    int `cbor:"7,keyasint,omitempty" json:"offline"`
}

// Total is the number of targets.
func (c Counts) Total() int {
	return c.Acked + c.Pending + c.InFlight + c.Retrying + c.DeadLetter + c.Reverted + c.Offline
}

// Add counts one more target with a status.
func (c *Counts) Add(status Status) {
	switch status {
	case Acked:
		c.Acked++
	case Pending:
		c.Pending++
	case InFlight:
		c.InFlight++
	case Retrying:
		c.Retrying++
	case DeadLetter:
		c.DeadLetter++
	case Reverted:
		c.Reverted++
	case Offline:
		c.Offline++
	}
}

// EndPush ends a push that has nothing left to do. The leader proposes it; the
// state counts for itself whether that is so.
type EndPush struct {
	Revision uint64 `cbor:"1,keyasint"`
}

// Kind is the persisted number of the command.
func (EndPush) Kind() Kind { return 26 }

// startPush begins the delivery of a revision. Running pushes that touch one
// of its documents are superseded: the latest wishes win.
func (s *State) startPush(rev *Revision, names []string, targets NodeSet) {
	for _, number := range slices.Clone(s.running) {
		old := s.pushes[number]
		if slices.ContainsFunc(old.Documents, func(d string) bool { return slices.Contains(names, d) }) {
			s.endPush(old, PushSuperseded, rev.Number)
		}
	}
	if before := s.pushes[rev.Number-1]; before != nil {
		targets = targets.sharing(before.Targets)
	}
	p := &Push{Revision: rev.Number, State: PushRunning, Targets: targets, Documents: names, Started: s.now}
	s.pushes[p.Revision] = p
	s.running = append(s.running, p.Revision)
	if targets.Len() == 0 {
		s.endPush(p, PushDone, 0)
		return
	}
	s.event(Event{Kind: EventPush, Push: p.Revision})
}

func (s *State) applyEndPush(c EndPush) error {
	p := s.pushes[c.Revision]
	if p == nil || p.State != PushRunning {
		return errorf(CodeConflict, "push %d does not run", c.Revision)
	}
	state, over := s.PushEnds(p)
	if !over {
		return errorf(CodeConflict, "push %d has nodes left to reach", c.Revision)
	}
	s.endPush(p, state, 0)
	return nil
}

// PushEnds tells whether a running push has nothing left to do: every target
// holds what is desired, or waits for a person. Offline ones keep it open
// until its deadline.
func (s *State) PushEnds(p *Push) (state string, over bool) {
	c := s.PushCounts(p)
	late := s.now-p.Started > s.settings.PushDeadline
	switch {
	case c.Acked == c.Total():
		return PushDone, true
	case late, c.Acked+c.DeadLetter+c.Reverted == c.Total():
		return PushFailures, true
	}
	return PushRunning, false
}

func (s *State) endPush(p *Push, state string, by uint64) {
	next := *p
	next.Frozen = s.PushCounts(p)
	next.State, next.Finished, next.SupersededBy = state, s.now, by
	s.pushes[p.Revision] = &next
	s.running = slices.DeleteFunc(s.running, func(n uint64) bool { return n == p.Revision })
	s.event(Event{Kind: EventPush, Push: p.Revision})
}

// PushCounts counts the targets of a push by status. Nodes that were removed
// since are not counted.
func (s *State) PushCounts(p *Push) Counts {
	if p.State != PushRunning {
		return p.Frozen
	}
	return s.liveCounts(p)
}

// liveCounts counts the targets by what they are now, also after the push has
// ended: a node that holds what is desired now holds this revision, or one
// that came after it.
func (s *State) liveCounts(p *Push) Counts {
	var c Counts
	for ord := range p.Targets.All() {
		if s.rows[ord] != nil {
			c.Add(s.Status(ord))
		}
	}
	return c
}

// Push returns the push of a revision, or nil.
func (s *State) Push(revision uint64) *Push { return s.pushes[revision] }

// Pushes returns all pushes, the newest first.
func (s *State) Pushes() []*Push {
	return slices.SortedFunc(maps.Values(s.pushes), func(a, b *Push) int { return cmp.Compare(b.Revision, a.Revision) })
}

// Running returns the pushes that run, oldest first.
func (s *State) Running() []*Push {
	out := make([]*Push, len(s.running))
	for i, n := range s.running {
		out[i] = s.pushes[n]
	}
	return out
}
