package push

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/instance"
)

// Instances is how nodes are called that serve their configuration over HTTP.
type Instances struct {
	// Allow lists networks that may be called though they are private.
	Allow []netip.Prefix
	// Timeout of one request; 10 s where it is 0.
	Timeout time.Duration
	// Interval between two looks at an instance, give or take a fifth; 10 s where
	// it is 0.
	Interval time.Duration
	// Files is the directory below which discoveries find their files; "" for none.
	Files string
}

func (i Instances) withDefaults() Instances {
	if i.Timeout <= 0 {
		i.Timeout = 10 * time.Second
	}
	if i.Interval <= 0 {
		i.Interval = 10 * time.Second
	}
	return i
}

// How many requests may be under way at a time. One that takes longer than
// slowAfter gives its place away, so that hung instances never delay the others.
const (
	callsAtOnce = 64
	slowAfter   = time.Second
)

// places are those for requests. Instances that did not answer the last time
// have their own: however many they are, they take none from the others.
type places struct{ sound, doubtful chan struct{} }

func newPlaces() places {
	return places{make(chan struct{}, callsAtOnce), make(chan struct{}, callsAtOnce)}
}

// of are the places for an instance of which the state has this row.
func (p places) of(row *fsm.Row) chan struct{} {
	if row != nil && row.Unreachable() != nil {
		return p.doubtful
	}
	return p.sound
}

// call runs one request when there is a place for it.
func call(ctx context.Context, at chan struct{}, request func(context.Context) error) error {
	select {
	case at <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	free := func() { <-at }
	if ctx.Err() != nil { // when both are ready, select takes any
		free()
		return ctx.Err()
	}
	slow := time.AfterFunc(slowAfter, free)
	err := request(ctx)
	if slow.Stop() {
		free()
	}
	return err
}

// served is one instance of this peer.
type served struct {
	settings *fsm.Instance
	cancel   context.CancelFunc
	ending   bool
	done     chan struct{}
}

func (o *served) end() {
	o.ending = true
	o.cancel()
}

// over tells whether its last call has ended, too.
func (o *served) over() bool {
	select {
	case <-o.done:
		return true
	default:
		return false
	}
}

// ownersEvery bounds how often it is looked which instances are this peer's.
const ownersEvery = 100 * time.Millisecond

// keepInstances serves the instances that the state gives to this peer, each on
// a goroutine of its own, until ctx ends.
func (s *Server) keepInstances(ctx context.Context) error {
	mine := map[uint32]*served{}
	defer func() {
		for _, one := range mine {
			one.cancel()
			<-one.done
		}
	}()
	for {
		changed := s.deps.Store.Watch().Changed()
		s.serveOwn(ctx, mine)
		pause(ctx, ownersEvery)
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// serveOwn begins and ends what has changed. An instance is called by one
// goroutine at a time: two calls must not overtake each other.
func (s *Server) serveOwn(ctx context.Context, mine map[uint32]*served) {
	wanted := s.ownInstances()
	for ord, one := range mine {
		if n := wanted[ord]; n == nil || n.Instance != one.settings {
			one.end()
		}
		if one.ending && one.over() {
			delete(mine, ord)
		}
	}
	for ord, n := range wanted {
		if old := mine[ord]; old == nil || old.ending {
			mine[ord] = s.serveInstance(ctx, n, old)
		}
	}
}

func (s *Server) ownInstances() map[uint32]*fsm.Node {
	mine := map[uint32]*fsm.Node{}
	s.deps.Store.View(func(state *fsm.State) {
		for n := range state.Instances {
			if state.Owner(n) == s.config.Peer {
				mine[n.Ordinal] = n
			}
		}
	})
	return mine
}

// serveInstance begins to call an instance, when the calls before have ended.
func (s *Server) serveInstance(ctx context.Context, n *fsm.Node, before *served) *served {
	serve, cancel := context.WithCancel(ctx)
	one := &served{settings: n.Instance, cancel: cancel, done: make(chan struct{})}
	s.serving.Go(func() {
		defer close(one.done)
		defer cancel()
		if before != nil {
			<-before.done
		}
		newCaller(ctx, s, n).run(serve)
	})
	return one
}

// target opens what is sealed of an instance's settings.
func (s *Server) target(n *fsm.Node) (instance.Target, error) {
	in := n.Instance
	t := instance.Target{ID: n.ID, URL: in.URL, TLS: instance.TLS{
		CA: in.TLS.CA, ServerName: in.TLS.ServerName, Certificate: in.TLS.Cert,
	}}
	var err error
	if t.Token, err = s.unseal(in.Token); err == nil {
		t.TLS.Key, err = s.unseal(in.TLS.Key)
	}
	return t, err
}

func (s *Server) unseal(sealed []byte) (instance.Token, error) {
	if len(sealed) == 0 {
		return instance.Token{}, nil
	}
	text, err := s.deps.Open(sealed)
	if err != nil {
		return instance.Token{}, fmt.Errorf("a token or key that is kept sealed cannot be opened: %w", err)
	}
	return instance.NewToken(string(text)), nil
}

// offline tells whether a failed call says that the instance cannot be reached
// now: that uses up no attempt, because nothing was tried.
func offline(err error) bool {
	var e *instance.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case instance.CodeUnreachable, instance.CodeNotAllowed, instance.CodeBadSettings:
		return true
	}
	return false
}

// reasonOf is a failed call in a word and a sentence.
func reasonOf(err error) (code, message string) {
	var e *instance.Error
	if errors.As(err, &e) {
		return string(e.Code), cut(e.Error(), maxMessage)
	}
	return "failed", cut(err.Error(), maxMessage)
}
