package push

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/discovery"
)

// Discover is a leader duty: it asks the sources of instances, each on its
// interval, and writes into the state what has changed. Its scope is the term.
func (s *Server) Discover(ctx context.Context, term uint64) error {
	type run struct {
		source *fsm.Discovery
		cancel context.CancelFunc
	}
	running := map[string]run{}
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		changed := s.deps.Store.Watch().Changed()
		wanted := s.sources()
		for id, r := range running {
			if !sameSource(wanted[id], r.source) {
				r.cancel()
				delete(running, id)
			}
		}
		for id, source := range wanted {
			if _, found := running[id]; !found {
				ctx, cancel := context.WithCancel(ctx)
				running[id] = run{source, cancel}
				asking.Go(func() { s.askSource(ctx, term, source) })
			}
		}
		pause(ctx, ownersEvery)
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *Server) sources() map[string]*fsm.Discovery {
	out := map[string]*fsm.Discovery{}
	s.deps.Store.View(func(state *fsm.State) {
		for _, d := range state.Discoveries() {
			out[d.ID] = d
		}
	})
	return out
}

// sameSource tells whether a source is asked for the same: what it last answered
// is no setting.
func sameSource(a, b *fsm.Discovery) bool {
	return a != nil && b != nil && a.Type == b.Type && a.Config == b.Config && a.Interval == b.Interval &&
		slices.Equal(a.Secret, b.Secret) && slices.Equal(a.Token, b.Token) && slices.Equal(a.Accepts, b.Accepts) && maps.Equal(a.Labels, b.Labels)
}

// askSource asks one source until ctx ends.
func (s *Server) askSource(ctx context.Context, term uint64, d *fsm.Discovery) {
	source, unusable := discovery.Decode(d)
	for ctx.Err() == nil {
		answer, err := fsm.Discovered{ID: d.ID}, unusable
		if err == nil {
			answer.Found, err = s.find(ctx, d, source)
		}
		if err != nil {
			answer.Error = cut(err.Error(), maxMessage)
			s.deps.Log.Warn("a source of instances gave none; those known stay as they are", "discovery", d.ID, "error", err)
		}
		if ctx.Err() == nil && s.news(answer) {
			_, err := s.deps.Cluster.Propose(ctx, fsm.Command{Term: term, Body: answer})
			if errors.Is(err, fsm.ErrTooLarge) {
				answer = fsm.Discovered{ID: d.ID, Error: fmt.Sprintf("the source names %d instances, which is too much for one entry of the log: divide it", len(answer.Found))}
				_, err = s.deps.Cluster.Propose(ctx, fsm.Command{Term: term, Body: answer})
			}
			if err != nil {
				s.deps.Log.Debug("what a source answered was not written", "discovery", d.ID, "error", err)
			}
		}
		pause(ctx, jitter(source.Every()))
	}
}

// news tells whether an answer changes the state.
func (s *Server) news(answer fsm.Discovered) (changes bool) {
	s.deps.Store.View(func(state *fsm.State) { changes = state.Changes(answer) })
	return changes
}

func (s *Server) find(ctx context.Context, d *fsm.Discovery, source discovery.Source) ([]fsm.Found, error) {
	secret, err := s.unseal(d.Secret)
	if err != nil {
		return nil, err
	}
	found, err := s.finder.Find(ctx, source, discovery.Secrets{Consul: secret})
	out := make([]fsm.Found, len(found))
	for i, f := range found {
		out[i] = fsm.Found{Node: f.Key, URL: f.URL, Labels: f.Labels, Accepts: f.Accepts}
	}
	return out, err
}
