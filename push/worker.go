package push

import (
	"context"
	"errors"
	"time"

	"github.com/droverhq/drover/fsm"
)

// work is the planner: it waits until the state or a session has moved, and
// sends what then differs. However often they move while it works, it looks at
// each session once.
func (s *Server) work(ctx context.Context) error {
	make := newFoundry(s.deps.Sign)
	var seen fsm.Position
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		changed := s.deps.Store.Watch().Changed()
		next, at, err := s.round(make, seen)
		if err != nil {
			s.deps.Log.Error("an update cannot be made; its nodes wait for the next change", "error", err)
		}
		seen = at
		wait := time.Hour
		if !next.IsZero() {
			wait = max(time.Until(next), time.Millisecond)
		}
		timer.Reset(wait)
		select {
		case <-changed:
		case <-s.kicked:
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// round looks once at everything that has moved since a position.
func (s *Server) round(f *foundry, seen fsm.Position) (next time.Time, at fsm.Position, err error) {
	quorum, _ := s.deps.Cluster.Quorum()
	conditions := conditions{now: time.Now(), quorum: quorum, peers: s.urls()}
	var p plan
	s.deps.Store.ViewSince(seen, func(state *fsm.State, moved []fsm.Moved, ok bool) {
		at = state.Position()
		if state.Cluster() == nil {
			return
		}
		if ok {
			s.core.markMoved(state, moved)
		} else { // too far behind, or another state: look at everything
			s.core.markAll()
		}
		p = s.core.plan(state, conditions)
	})
	if p.wishes == 0 {
		return p.next, at, nil
	}
	return p.next, at, s.core.dispatch(p, f)
}

// How long confirmations are collected before they are proposed: as long as
// more keep coming, but no longer than the second.
const (
	collectFor  = 5 * time.Millisecond
	collectMost = 50 * time.Millisecond
	retryAfter  = 200 * time.Millisecond
)

// collectLoop replicates what nodes say: one command at a time, so that all
// that is heard meanwhile goes into the next.
func (s *Server) collectLoop(ctx context.Context) error {
	for {
		select {
		case <-s.heard:
		case <-ctx.Done():
			return ctx.Err()
		}
		s.settle(ctx)
		for {
			d, more := s.collect()
			if !more {
				break
			}
			res, err := s.deps.Cluster.Propose(ctx, fsm.Command{Body: d.command})
			if err != nil {
				s.mu.Lock()
				s.gone.putBack(gone{d.command.Closed, d.command.Unreachable})
				s.mu.Unlock()
				if errors.Is(err, fsm.ErrTooLarge) || errors.Is(err, fsm.ErrUnknownCommand) {
					s.deps.Log.Error("reports that cannot be logged; their sessions end", "error", err)
					s.core.refused(d)
					continue
				}
				s.core.failed(d)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				s.deps.Log.Debug("reports wait for a leader", "error", err)
				pause(ctx, retryAfter)
				continue
			}
			s.core.done(d, res.Outcome)
			s.kick(s.kicked)
		}
	}
}

func (s *Server) collect() (d said, more bool) {
	gone := s.takeGone()
	s.deps.Store.View(func(state *fsm.State) { d, more = s.core.collect(state.AsWanted, gone) })
	return d, more
}

// settle waits while confirmations keep coming.
func (s *Server) settle(ctx context.Context) {
	waiting := s.core.waiting()
	for spent := collectFor; spent <= collectMost; spent += collectFor {
		pause(ctx, collectFor)
		now := s.core.waiting()
		if now < waiting+waiting/8+8 {
			return
		}
		waiting = now
	}
}

// waiting is the number of sessions with something to say.
func (c *core) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.unsaid)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (s *Server) takeGone() gone {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gone.take()
}

// tellGone leaves for the collector what it has to tell the state.
func (s *Server) tellGone(g gone) {
	s.mu.Lock()
	s.gone.add(g)
	s.mu.Unlock()
	s.kick(s.heard)
}
