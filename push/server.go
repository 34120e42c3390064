package push

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/discovery"
	"github.com/droverhq/drover/push/instance"
	"github.com/droverhq/drover/push/socket"
	"github.com/droverhq/drover/wire"
)

// Config is what a Server must be told.
type Config struct {
	Peer      string // id of this peer
	Instances Instances
}

// Cluster is what delivery needs of the peers: package cluster has it.
type Cluster interface {
	// Propose returns once this peer's own state has the command.
	Propose(ctx context.Context, c fsm.Command) (fsm.Result, error)
	// Quorum tells whether a leader is known, and if not, for how long.
	Quorum() (ok bool, lost time.Duration)
}

// Deps are what a Server works with. Sign signs a text with the cluster's key
// (wire.Sign). Open gives back what was sealed with the cluster's key.
type Deps struct {
	Store   *fsm.Store
	Cluster Cluster
	Sign    func(text string) string
	Open    func(sealed []byte) ([]byte, error)
	Log     *slog.Logger
}

// Server holds the sessions of this peer's agents and delivers to them.
type Server struct {
	config Config
	deps   Deps
	core   *core

	upgrader websocket.Upgrader
	writers  *writers
	poller   socket.Poller
	admission
	calling

	kicked  chan struct{} // the planner has something to look at
	heard   chan struct{} // the collector has something to say
	serving sync.WaitGroup

	mu       sync.Mutex
	gone     gone
	stopping bool
	told     bool // sessions know that there is no quorum
}

// calling is what instances are called with.
type calling struct {
	http   *instance.Client
	places places // for requests to instances
	prints *fingerprints
	finder *discovery.Finder
}

// New makes a Server. It has no effect before Run.
func New(config Config, deps Deps) *Server {
	config.Instances = config.Instances.withDefaults()
	var seed [24]byte
	_, _ = rand.Read(seed[:])
	run := binary.BigEndian.Uint64(seed[16:]) >> 24
	random := mathrand.New(mathrand.NewPCG(binary.BigEndian.Uint64(seed[:]), binary.BigEndian.Uint64(seed[8:])))
	client := instance.NewClient(instance.Rules{Allow: config.Instances.Allow, Timeout: config.Instances.Timeout})
	return &Server{
		config: config, deps: deps,
		core: newCore(config.Peer, run, deps.Sign, random),
		upgrader: websocket.Upgrader{
			Subprotocols: []string{wire.Subprotocol}, ReadBufferSize: 256, WriteBufferSize: 256, // for the handshake
			WriteBufferPool: &sync.Pool{}, HandshakeTimeout: helloTime,
			CheckOrigin: func(r *http.Request) bool { return r.Header.Get("Origin") == "" },
		},
		writers:   newWriters(),
		admission: admission{verifying: make(chan struct{}, verifyCount), claims: claims{recent: map[uint32][]time.Time{}}},
		calling: calling{
			http: client, places: newPlaces(), prints: newFingerprints(),
			finder: discovery.New(discovery.Config{Files: config.Instances.Files}, discovery.Deps{Client: client}),
		},
		kicked: make(chan struct{}, 1), heard: make(chan struct{}, 1),
	}
}

// admission is how agents are let in.
type admission struct {
	verifying chan struct{} // has room for the handshakes that are checked at a time
	claims    claims
}

// verifyCount is the number of handshakes that are checked at a time.
const verifyCount = 2

// writerCount is the number of goroutines that write small frames.
const writerCount = 8

// Run plans, collects and keeps sessions alive until ctx ends; then it closes
// all sessions and waits for their readers.
func (s *Server) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	s.writers.start(writerCount, ctx.Done())
	var reading sync.WaitGroup
	s.startReaders(&reading)
	peers := s.urls() // before anybody is welcomed
	g.Go(func() error { return s.work(ctx) })
	g.Go(func() error { return s.collectLoop(ctx) })
	g.Go(func() error { return s.keepInstances(ctx) })
	g.Go(func() error { return s.keepHouse(ctx, peers) })
	g.Go(func() error {
		<-ctx.Done()
		s.shutSessions()
		return nil
	})
	err := g.Wait()
	s.serving.Wait()
	_ = s.poller.Close() // no session is left
	reading.Wait()
	s.writers.group.Wait()
	s.http.Close()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (s *Server) shutSessions() {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	for _, session := range s.core.sessions {
		if c, ok := session.link.(*conn); ok {
			c.shut()
		}
	}
}

func (s *Server) stops() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// Sessions is the number of agents that are connected to this peer.
func (s *Server) Sessions() int {
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	return len(s.core.sessions) - s.core.instances
}

// drainSpread is the time over which agents come back to other peers when this
// one is stopped.
const drainSpread = 2 * time.Second

// Drain asks all agents to go to other peers, and returns when they have gone,
// or when ctx ends. It is the first step of a planned stop.
func (s *Server) Drain(ctx context.Context) {
	s.mu.Lock()
	s.stopping = true
	s.mu.Unlock()
	peers := s.urls()
	s.core.mu.Lock()
	for _, session := range s.core.sessions {
		after := mathrand.Int64N(int64(drainSpread / time.Millisecond))
		session.tell(wire.Goaway{Reason: wire.GoawayShutdown, RetryAfterMS: after, Peers: peers})
	}
	s.core.mu.Unlock()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for s.Sessions() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// urls are those of the other peers first, this one last.
func (s *Server) urls() []string {
	var urls []string
	own := ""
	s.deps.Store.View(func(state *fsm.State) {
		for _, p := range state.Peers() {
			switch {
			case p.URL == "":
			case p.ID == s.config.Peer:
				own = p.URL
			default:
				urls = append(urls, p.URL)
			}
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if own != "" && !s.stopping {
		urls = append(urls, own)
	}
	return urls
}

func (s *Server) kick(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
