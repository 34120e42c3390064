package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// NoQuorumAfter is how long requests wait for a leader: once there was none for
// this long, they are refused at once.
const NoQuorumAfter = 2 * time.Second

// View is who leads, as this peer sees it. A follower knows a leader only while
// heartbeats arrive; a leader stops being one when its lease ends, which is
// when it has not heard from a majority.
type View struct {
	Leader string    // id of the leading peer; "" = none
	Self   bool      // this peer leads
	Term   uint64    // of the leader; without one, the last that is known
	Since  time.Time // when the leader was first seen, or lost
}

// view holds the latest View.
type view struct {
	mu      sync.Mutex
	now     View
	changed chan struct{}
}

func newView() *view {
	return &view{now: View{Since: time.Now()}, changed: make(chan struct{})}
}

// get returns the view and a channel that is closed when it changes.
func (v *view) get() (View, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now, v.changed
}

func (v *view) set(leader string, self bool, term uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if leader == v.now.Leader && self == v.now.Self && (leader == "" || term == v.now.Term) {
		return
	}
	v.now = View{Leader: leader, Self: self, Term: term, Since: time.Now()}
	close(v.changed)
	v.changed = make(chan struct{})
}

// look asks Raft who leads. A peer that Raft names as the leader although it is
// this one and does not lead counts as none.
func (v *view) look(r *raft.Raft, self string) {
	_, id := r.LeaderWithID()
	leads := r.State() == raft.Leader
	switch {
	case leads:
		v.set(self, true, r.CurrentTerm())
	case string(id) == self:
		v.set("", false, r.CurrentTerm())
	default:
		v.set(string(id), false, r.CurrentTerm())
	}
}

// lookInterval bounds how late the view is when Raft drops an observation: it
// never waits for an observer.
const lookInterval = 50 * time.Millisecond

// follow keeps the view up to date until ctx ends.
func (v *view) follow(ctx context.Context, r *raft.Raft, self string) {
	seen := make(chan raft.Observation, 16)
	o := raft.NewObserver(seen, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState:
			return true
		}
		return false
	})
	r.RegisterObserver(o)
	defer r.DeregisterObserver(o)
	defer v.set("", false, 0)
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		v.look(r, self)
		select {
		case <-seen:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
