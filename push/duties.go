package push

import (
	"context"
	"errors"
	"time"

	"github.com/droverhq/drover/fsm"
)

// How often the leader looks for pushes that are over, and applies retention.
const (
	endPushesEvery = 100 * time.Millisecond
	pruneEvery     = 10 * time.Minute
)

// EndPushes is a leader duty: it ends the pushes that have nothing left to do.
// Its scope is the term.
func (s *Server) EndPushes(ctx context.Context, term uint64) error {
	for {
		changed := s.deps.Store.Watch().Changed()
		for _, revision := range s.pushesOver() {
			if _, err := s.deps.Cluster.Propose(ctx, fsm.Command{Term: term, Body: fsm.EndPush{Revision: revision}}); err != nil {
				s.deps.Log.Debug("push not ended", "revision", revision, "error", err)
			}
		}
		pause(ctx, endPushesEvery)
		select {
		case <-changed:
		case <-time.After(time.Minute): // the deadline of a push is a matter of the clock
		case <-ctx.Done():
			return nil
		}
	}
}

// pushesOver lists the pushes that have nothing left to do. To count one takes
// long in a large fleet, so the state is let go after each.
func (s *Server) pushesOver() (over []uint64) {
	var running []*fsm.Push
	s.deps.Store.View(func(state *fsm.State) { running = state.Running() })
	for _, p := range running {
		s.deps.Store.View(func(state *fsm.State) {
			if _, ends := state.PushEnds(p); ends && state.Push(p.Revision) == p {
				over = append(over, p.Revision)
			}
		})
	}
	return over
}

// Prune is a leader duty: it applies retention.
func (s *Server) Prune(ctx context.Context, term uint64) error {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		_, err := s.deps.Cluster.Propose(ctx, fsm.Command{Term: term, Body: fsm.Prune{}})
		if err != nil && !errors.Is(err, context.Canceled) {
			s.deps.Log.Warn("retention was not applied", "error", err)
		}
	}
}
