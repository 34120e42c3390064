package cluster

import (
	"context"
	"slices"
	"time"

	"github.com/droverhq/drover/fsm"
)

// Timing of the leader's word on who is alive.
const (
	checkInterval = time.Second
	deadAfter     = 3 * time.Second // without an answer
)

// ownDuties are those of this package; push and others add theirs.
func (c *core) ownDuties() []duty {
	return []duty{
		{"peer liveness", c.watchPeers},
		{"feature level", c.raiseFeature},
		{"voters", c.manageVoters},
	}
}

// liveness lets gossip hurry the next look at the peers. It never says who is
// alive: only an answer to a call does.
type liveness struct{ hurry chan struct{} }

func newLiveness() *liveness { return &liveness{hurry: make(chan struct{}, 1)} }

func (l *liveness) look() {
	select {
	case l.hurry <- struct{}{}:
	default:
	}
}

// watchPeers asks every peer how it is and writes into the state who is alive.
func (c *core) watchPeers(ctx context.Context, term uint64) error {
	heard := map[string]time.Time{}
	began := time.Now()
	tick := time.NewTicker(checkInterval)
	defer tick.Stop()
	for {
		now := time.Now()
		for id := range c.askAll(ctx) {
			heard[id] = now
		}
		var alive []string
		changed := false
		for _, p := range c.rows() {
			last := began // a new leader gives everybody time to answer, unless they are known to be dead
			if t, ok := heard[p.ID]; ok {
				last = t
			} else if !p.Alive {
				last = time.Time{}
			}
			up := time.Since(last) < deadAfter
			if up {
				alive = append(alive, p.ID)
			}
			if up != p.Alive {
				changed = true
				c.drop(p.ID) // a pooled connection would fail the first call (trap 12)
			}
		}
		if changed {
			slices.Sort(alive)
			_, err := c.propose(ctx, fsm.Command{Actor: peerActor(c.id), Term: term, Body: fsm.SetLiveness{Alive: alive}})
			if err != nil {
				return err
			}
		}
		select {
		case <-tick.C:
		case <-c.alive.hurry:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// raiseFeature raises the feature level of the cluster once every member has
// it, so that no command is written which a member cannot apply.
func (c *core) raiseFeature(ctx context.Context, term uint64) error {
	for {
		moved := c.store.Watch().Changed()
		var have, lowest uint64
		c.store.View(func(s *fsm.State) {
			if s.Cluster() == nil {
				return
			}
			have = s.Cluster().Feature
			lowest = lowestFeature(s.Peers())
		})
		if lowest > have {
			_, err := c.propose(ctx, fsm.Command{Actor: peerActor(c.id), Term: term, Body: fsm.RaiseFeature{Level: lowest}})
			if err != nil {
				return err
			}
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := pause(ctx, checkInterval); err != nil {
			return err
		}
	}
}

func lowestFeature(peers []*fsm.Peer) uint64 {
	if len(peers) == 0 {
		return 0
	}
	return slices.MinFunc(peers, func(a, b *fsm.Peer) int { return int(a.Feature) - int(b.Feature) }).Feature
}
