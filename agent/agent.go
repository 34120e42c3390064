package agent

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/droverhq/drover/agent/store"
	"github.com/droverhq/drover/wire"
)

// Deps are what an agent needs from outside. Every field may be left empty.
type Deps struct {
	Log     *slog.Logger
	Version string
	// Now is the system clock, used for TLS checks.
	Now func() time.Time
	// Random is in [0,1): it spreads calls over time.
	Random func() float64
	// Dial opens TCP connections.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Listen opens the socket of serve.
	Listen func(network, address string) (net.Listener, error)
	// Step is called with a name before every step of an apply. Tests end the
	// process there; an error is taken for the failure of that step.
	Step func(name string) error
}

// Agent is the node side of one node.
type Agent struct {
	config  Config
	log     *slog.Logger
	version string
	process string
	random  func() float64
	netDial func(ctx context.Context, network, address string) (net.Conn, error)
	// netListen is nil where nobody gave one.
	netListen func(network, address string) (net.Listener, error)
	step      func(string) error
	now       func() time.Time
	extraCA   []byte

	agentState
}

// agentState is what Run opens.
type agentState struct {
	root     *os.Root
	identity atomic.Pointer[Identity]
	clock    *clock
	numbers  *numbers
	board    *board
	mailbox  *mailbox
	worker   *worker
	keeper   *keeper
}

// New makes an agent. Nothing is opened before Run.
func New(c Config, d Deps) *Agent {
	a := &Agent{
		config: c, log: d.Log, version: d.Version, random: d.Random, netDial: d.Dial, netListen: d.Listen, step: d.Step, now: d.Now,
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.random == nil {
		a.random = mathrand.Float64
	}
	if a.netDial == nil {
		a.netDial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	if a.step == nil {
		a.step = func(string) error { return nil }
	}
	if a.now == nil {
		a.now = time.Now
	}
	return a
}

// Run keeps the node up to date, and serves, as the configuration says, until
// ctx ends; then it returns nil. Errors are of the start: the directory is in
// use (store.ErrLocked), the node is not enrolled (ErrNotEnrolled), a file
// cannot be read; for a node that only serves: the address is taken.
func (a *Agent) Run(ctx context.Context) error {
	channel, err := a.config.hasChannel()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	if channel {
		g.Go(func() error { return a.keep(ctx) })
	} else {
		a.log.Info("this node is not enrolled and has no peers: it only serves")
	}
	if a.config.Serve != nil {
		g.Go(func() error { return a.serve(ctx, channel) })
	}
	return g.Wait()
}

// keep holds the channel.
func (a *Agent) keep(ctx context.Context) (err error) {
	s, err := store.Open(a.config.Dir, a.step)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := a.open(s); err != nil {
		return err
	}
	a.worker.start(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.worker.run(ctx) })
	g.Go(func() error { return a.keeper.run(ctx) })
	if err := g.Wait(); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// open reads the agent's own small files.
func (a *Agent) open(s *store.Store) error {
	a.root = s.Root()
	id, err := loadIdentity(a.root)
	if err != nil {
		return err
	}
	if a.config.Node != "" && a.config.Node != id.Node {
		return fmt.Errorf("the configuration names the node %q, it is enrolled as %q", a.config.Node, id.Node)
	}
	if a.config.CA != "" {
		if a.extraCA, err = readPool(a.config.CA); err != nil {
			return err
		}
		a.extraCA = append([]byte("\n"), a.extraCA...)
	}
	if err := makeState(a.root); err != nil {
		return err
	}
	if a.numbers, err = loadNumbers(a.root); err != nil {
		return err
	}
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return err
	}
	a.process = wire.Base64(raw)
	a.identity.Store(id)
	a.clock = loadClock(a.root, a.now)
	a.board, a.mailbox = newBoard(), newMailbox()
	a.worker = newWorker(a, s)
	a.keeper = newKeeper(a)
	if len(a.keeper.schedule.addresses()) == 0 {
		return errors.New("no controller is known: give peers in the configuration, or enrol the node")
	}
	return nil
}
