package api

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/droverhq/drover/api/credential"
	"github.com/droverhq/drover/fsm"
)

// Server serves the HTTP API of one peer.
type Server struct {
	config    Config
	deps      Deps
	log       *slog.Logger
	now       func() time.Time
	echo      *echo.Echo
	origin    *http.CrossOriginProtection
	hasher    *credential.Hasher
	limits    *limiters
	idle      *idle
	notes     *notebook
	schemas   *schemaCache
	streams   *streams
	verifying chan struct{} // holds the one audit verification
	metrics   *metrics

	draining atomic.Bool
}

// New makes a Server; Run must be called for it to record refused requests.
func New(config Config, deps Deps) (*Server, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if deps.Store == nil || deps.Proposer == nil || deps.Control == nil {
		return nil, errors.New("a Server needs a Store, a Proposer and a Control")
	}
	config = config.withDefaults()
	s := &Server{
		config:    config,
		deps:      deps,
		log:       deps.Log,
		now:       time.Now,
		origin:    http.NewCrossOriginProtection(),
		hasher:    credential.NewHasher(config.PasswordCost, config.PasswordsAtOnce),
		limits:    newLimiters(config),
		idle:      newIdle(config.SessionIdle, config.SessionMax),
		notes:     newNotebook(),
		schemas:   newSchemaCache(),
		streams:   newStreams(config),
		verifying: make(chan struct{}, 1),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	for _, o := range config.Origins {
		if err := s.origin.AddTrustedOrigin(o); err != nil {
			return nil, err
		}
	}
	var err error
	if s.metrics, err = newMetrics(s); err != nil {
		return nil, err
	}
	s.echo = s.router(routes())
	return s, nil
}

// Run records refused requests in the audit until ctx ends, and then ends the
// event streams. It returns nil.
func (s *Server) Run(ctx context.Context) error {
	s.writeNotes(ctx)
	s.streams.close()
	return nil
}

// Drain makes /readyz answer 503, so that load balancers send nobody here any
// more, and ends the event streams, whose clients then resume elsewhere.
func (s *Server) Drain() {
	s.draining.Store(true)
	s.streams.close()
}

// Handler serves everything on the API port.
func (s *Server) Handler() http.Handler { return s.outermost(s.echo) }

// Limits of the HTTP server. Event streams lift those on reading and writing
// for themselves.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// HTTPServer is an http.Server with this API's handler and limits. conf is nil
// on plain HTTP.
func (s *Server) HTTPServer(conf *tls.Config) *http.Server {
	return &http.Server{
		Handler:           s.Handler(),
		TLSConfig:         conf,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

// position is that of this peer's state.
func (s *Server) position() (at fsm.Position) {
	s.deps.Store.View(func(st *fsm.State) { at = st.Position() })
	return at
}
