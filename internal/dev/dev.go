package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/droverhq/drover/internal/client"
)

// Times of the supervisor.
const (
	restartAfter = 5 * time.Second
	startLimit   = 90 * time.Second // until everything is ready
	readyLimit   = 10 * time.Second // for one child that was started again
	agentsEnd    = 1500 * time.Millisecond
	instancesEnd = 500 * time.Millisecond
	allEnd       = 6500 * time.Millisecond // after a signal; the rest is killed then
	pollEvery    = 50 * time.Millisecond
)

// Config is what to run.
type Config struct {
	Dir       string // absolute
	Peers     int    // 1, 3, 5 or 7
	Agents    int
	Instances int
	HTTPPort  int // of the first peer; the others follow
	TLS       bool
	Empty     bool // no example documents
	NoRestart bool
	Drover    string // the programs
	Agent     string
}

// Validate names the flag that is wrong.
func (c Config) Validate() error {
	switch {
	case c.Peers < 1 || c.Peers > 7 || c.Peers%2 == 0:
		return fmt.Errorf("--peers %d: use 1, 3, 5 or 7; an even number tolerates no more than the odd one below it", c.Peers)
	case c.Agents < 0 || c.Agents > 1000:
		return fmt.Errorf("--agents %d: use 0 to 1000", c.Agents)
	case c.Instances < 0 || c.Instances > 100:
		return fmt.Errorf("--instances %d: use 0 to 100", c.Instances)
	case c.HTTPPort < 1 || c.HTTPPort+c.Peers-1 > 65535:
		return fmt.Errorf("--http-port %d: use 1 to %d", c.HTTPPort, 65536-c.Peers)
	}
	return nil
}

// Deps are what a Supervisor works with.
type Deps struct {
	Progress io.Writer // one line a step
	Examples fs.FS     // manifests of the example documents
	Webhooks fs.FS     // those for instances
	Ready    func(File)
}

// Supervisor runs one fleet.
type Supervisor struct {
	cfg      Config
	deps     Deps
	fleet    *fleet
	children []*child
	events   chan event
	spawn    *spawner
	api      *client.Client
}

// New makes a Supervisor; Run does the work.
func New(cfg Config, deps Deps) *Supervisor {
	return &Supervisor{cfg: cfg, deps: deps, events: make(chan event)}
}

// event is what a child's goroutine tells the loop.
type event struct {
	child *child
	kind  eventKind
	err   error
}

type eventKind int

const (
	ended eventKind = iota
	restart
	ready
)

// Run starts the fleet, or resumes it, and looks after it until ctx ends. Then
// it ends every child within 8 s and returns nil.
func (s *Supervisor) Run(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(s.cfg.Dir, lockFile))
	if err != nil {
		return fmt.Errorf("%s: %w", s.cfg.Dir, err)
	}
	defer unlock()
	if err := os.Remove(s.path(FileName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if s.fleet, err = loadFleet(s.path(fleetFile)); err != nil {
		return err
	}
	if s.spawn, err = newSpawner(); err != nil {
		return err
	}
	defer s.spawn.close()
	defer s.end() // before the spawner: its end would kill them
	startCtx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := s.start(startCtx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	if err := s.write(); err != nil {
		return err
	}
	if s.deps.Ready != nil {
		s.deps.Ready(s.file())
	}
	return s.look(ctx)
}

// look waits for children to die, and starts them again.
func (s *Supervisor) look(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			s.say("stopping")
			return nil
		case e := <-s.events:
			switch e.kind {
			case ended:
				if err := s.died(ctx, e); err != nil {
					return err
				}
			case restart:
				if err := s.run(e.child); err != nil {
					s.say("%s could not be started again: %v", e.child.name, err)
					s.later(ctx, e.child, restart, restartAfter)
					continue
				}
				s.say("%s is started again (pid %d)", e.child.name, e.child.pid())
				s.whenReady(ctx, e.child)
			case ready:
				if err := s.write(); err != nil {
					return err
				}
			}
		}
	}
}

func (s *Supervisor) died(ctx context.Context, e event) error {
	if !slices.Contains(s.children, e.child) {
		return nil // it had left before the fleet was ready
	}
	if e.child.left() {
		s.say("%s has left the cluster", e.child.name)
		s.children = slices.DeleteFunc(s.children, func(c *child) bool { return c == e.child })
		return s.write()
	}
	if s.cfg.NoRestart {
		s.say("%s ended: %v", e.child.name, e.err)
		return nil
	}
	s.say("%s ended: %v; it is started again in %d s", e.child.name, e.err, int(restartAfter.Seconds()))
	s.later(ctx, e.child, restart, restartAfter)
	return nil
}

// later sends an event after a time, unless ctx ends before.
func (s *Supervisor) later(ctx context.Context, c *child, kind eventKind, after time.Duration) {
	go func() {
		select {
		case <-time.After(after):
		case <-ctx.Done():
			return
		}
		s.send(ctx, event{child: c, kind: kind})
	}()
}

func (s *Supervisor) send(ctx context.Context, e event) {
	select {
	case s.events <- e:
	case <-ctx.Done():
	}
}

// whenReady has dev.json written anew when a child that was started again
// serves, or has had time enough for it.
func (s *Supervisor) whenReady(ctx context.Context, c *child) {
	go func() {
		limited, cancel := context.WithTimeout(ctx, readyLimit)
		defer cancel()
		_ = s.until(limited, func(ctx context.Context) string { return c.ready(ctx, s.api) }) // written all the same
		s.send(ctx, event{child: c, kind: ready})
	}()
}

func (s *Supervisor) say(format string, args ...any) {
	fmt.Fprintf(s.deps.Progress, format+"\n", args...)
}

func (s *Supervisor) path(name string) string { return filepath.Join(s.cfg.Dir, name) }

// until calls what is missing until that is nothing, and returns it when ctx
// ends before.
func (s *Supervisor) until(ctx context.Context, missing func(context.Context) string) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		what := missing(ctx)
		if what == "" {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %s", ctx.Err(), what)
		}
	}
}
