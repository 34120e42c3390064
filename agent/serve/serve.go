package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"
)

const (
	headerTimeout = 5 * time.Second  // for the head of a request, and the TLS handshake
	bodyTimeout   = 30 * time.Second // for a request as a whole
	answerTimeout = 10 * time.Second // for an answer, once it is known
	idleTimeout   = 90 * time.Second
	stopTimeout   = 6 * time.Second // for requests that are being answered
	maxHeader     = 16 << 10
	maxConns      = 128
	maxBodies     = 4 // read at one time
)

// Deps are what a Server needs from outside. Every field may be left empty.
type Deps struct {
	Log     *slog.Logger
	Version string // of the program
	Now     func() time.Time
	// Listen opens the socket.
	Listen func(network, address string) (net.Listener, error)
	// Step is called with a name before every change of the disk and every
	// hook. Tests end the process there; an error is taken for the failure of
	// that step.
	Step func(name string) error
}

// Server is an instance.
type Server struct {
	config  Config
	log     *slog.Logger
	version string
	now     func() time.Time
	listen  func(network, address string) (net.Listener, error)
	step    func(string) error
	host    string

	right  *rate.Limiter // requests that bear the token
	wrong  *rate.Limiter // all others
	bodies chan struct{}

	serverState
}

// serverState is what Run opens.
type serverState struct {
	disk    *disk
	started time.Time
	// whole ends when the process is asked to stop; an update is bound to it and
	// not to its request, so that a caller who goes away leaves nothing half done.
	whole   context.Context
	working sync.Mutex
	// loaded are the targets of which it is known that the application loaded
	// what is on the disk: none after a start. Guarded by working.
	loaded map[string]bool
}

// New makes a server of a Config that Check found right. Nothing is opened
// before Run.
func New(c Config, d Deps) *Server {
	c = c.withDefaults()
	s := &Server{
		config: c, log: d.Log, version: d.Version, now: d.Now, listen: d.Listen, step: d.Step,
		right:  rate.NewLimiter(rate.Limit(c.Rate), 2*c.Rate),
		wrong:  rate.NewLimiter(wrongPerSecond, wrongBurst),
		bodies: make(chan struct{}, maxBodies),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.listen == nil {
		s.listen = net.Listen
	}
	if s.step == nil {
		s.step = func(string) error { return nil }
	}
	return s
}

// Run serves until ctx ends; then it returns nil. An update that runs at that
// moment is taken back. Errors are of the start: the address or the directory
// is in use (store.ErrLocked), a file cannot be read.
func (s *Server) Run(ctx context.Context) (err error) {
	if s.host, err = os.Hostname(); err != nil {
		return err
	}
	if s.config.ID == "" {
		s.config.ID = s.host
	}
	if s.disk, err = openDisk(s.config.Dir, s.step, s.now); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.disk.close()) }()
	s.started, s.loaded = s.now(), map[string]bool{}
	s.working.Lock() // until what a crash left is put back, the answer is: busy
	l, err := s.open()
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	s.whole = ctx
	g.Go(func() error { s.recover(ctx); return nil })
	server := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	g.Go(func() error {
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		if err := server.Shutdown(end); err != nil {
			return server.Close()
		}
		return nil
	})
	s.log.Info("serving as an instance", "address", l.Addr().String(), "tls", s.config.Cert != "", "dir", s.config.Dir, "id", s.config.ID)
	err = g.Wait()
	s.working.Lock() // a handler that Shutdown did not wait for still has the disk
	return err
}

// open reads the certificate and the token once, so that a start fails where
// every request would, and opens the socket.
func (s *Server) open() (net.Listener, error) {
	if _, err := s.config.tokens(); err != nil {
		return nil, err
	}
	secure, err := s.config.tls(s.log)
	if err != nil {
		return nil, err
	}
	l, err := s.listen("tcp", s.config.Listen)
	if err != nil {
		return nil, fmt.Errorf("serve.listen: %w", err)
	}
	return wrapListener(l, maxConns, secure), nil
}
