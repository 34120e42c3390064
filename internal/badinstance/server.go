package badinstance

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Paths of the four endpoints.
const (
	Update  = "/admin/config-update"
	Info    = "/admin/instance-info"
	Version = "/admin/config-version"
	Reload  = "/admin/reload-config"
)

// Config of an instance.
type Config struct {
	ID       string                       // instance_id; "bad-1" by default
	Address  string                       // to listen on; "127.0.0.1:0" by default
	Token    string                       // wanted by all endpoints, bare or behind Bearer; "" lets everybody in
	OpenInfo bool                         // instance-info and config-version want no token
	Hash     func([]byte) (string, error) // the version of a configuration, document.InstanceVersion; required
	TLS      Certificate                  // plain HTTP by default
}

// Server is one instance.
type Server struct {
	Config
	URL string // of the listener, the same after Stop and Resume
	CA  string // PEM of the authority that signed its certificate, "" without TLS

	tls     *tls.Config
	started time.Time

	mu         sync.Mutex
	http       *http.Server  // nil while stopped
	closing    chan struct{} // closed when what hangs has to end
	over       chan struct{} // closed when the accepting goroutine has ended
	behaviours []*behaviour
	requests   []Request
	changed    chan struct{} // closed and replaced when any of what is below or above has changed
	state      state
}

// state is what an instance holds, by target.
type state struct {
	running, written map[string]json.RawMessage
	reloaded         time.Time
}

// Start runs an instance until the test ends.
func Start(t testing.TB, c Config) *Server {
	t.Helper()
	if c.ID == "" {
		c.ID = "bad-1"
	}
	if c.Address == "" {
		c.Address = "127.0.0.1:0"
	}
	s := &Server{Config: c, started: time.Now(), changed: make(chan struct{})}
	s.state = state{running: map[string]json.RawMessage{}, written: map[string]json.RawMessage{}}
	var err error
	if s.tls, s.CA, err = c.TLS.config(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	s.Address = l.Addr().String()
	s.URL = "http://" + s.Address
	if s.tls != nil {
		s.URL = "https://" + s.Address
	}
	s.serve(l)
	t.Cleanup(s.Stop)
	return s
}

func (s *Server) serve(l net.Listener) {
	if s.tls != nil {
		l = tls.NewListener(l, s.tls)
	}
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: time.Minute,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // failing handshakes are what is tested
	}
	over := make(chan struct{})
	s.mu.Lock()
	s.http, s.closing, s.over = server, make(chan struct{}), over
	s.mu.Unlock()
	go func() {
		defer close(over)
		_ = server.Serve(l) // ends with Stop
	}()
}

// Stop closes the listener and every connection: the instance is dead, and its
// address refuses connections.
func (s *Server) Stop() {
	s.mu.Lock()
	server, closing, over := s.http, s.closing, s.over
	s.http = nil
	s.mu.Unlock()
	if server == nil {
		return
	}
	close(closing)
	_ = server.Close() // connections that are cut off are what was asked for
	<-over
}

// Resume listens at the same address again. What was held before is held still.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", s.Address)
	if err != nil {
		t.Fatal(err)
	}
	s.serve(l)
}

// Behave replaces what the instance does wrong from the next request on. The
// first behaviour that is for a request answers it; one that is for none leaves
// it to the good instance. Without arguments the instance is good again, and
// what hung before is cut off.
func (s *Server) Behave(what ...Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behaviours = nil
	now := time.Now()
	for _, b := range what {
		s.behaviours = append(s.behaviours, b.begin(now))
	}
	if s.http != nil {
		close(s.closing)
		s.closing = make(chan struct{})
	}
}

// Request is one request as it came.
type Request struct {
	Time          time.Time
	Method, Path  string
	Authorization string
	Body          []byte
	Update        Push // what an Update asks for
	Remote        string
}

// Push is the body of a config-update.
type Push struct {
	Type    string          `json:"type"`
	Config  json.RawMessage `json:"config"`
	Version string          `json:"version"`
	Source  string          `json:"source"`
}

// Requests are those that came so far to one of the paths, to any without one,
// in order. A request is noted when it has been read, before it is answered.
func (s *Server) Requests(paths ...string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Request
	for _, r := range s.requests {
		if len(paths) == 0 || slices.Contains(paths, r.Path) {
			out = append(out, r)
		}
	}
	return out
}

// Forget drops what was noted so far.
func (s *Server) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
}

// Running is the configuration that the instance runs for a target, "" if none.
func (s *Server) Running(target string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.state.running[target])
}

// Written is what a restart of the instance would run: after a refusal it is
// what was refused, until something else is pushed.
func (s *Server) Written(target string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.state.written[target])
}

// Set changes what the instance runs behind everybody's back: drift.
func (s *Server) Set(target, config string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.running[target], s.state.written[target] = json.RawMessage(config), json.RawMessage(config)
	s.wake()
}

// Await waits until a condition holds, looking after every request and change,
// and fails the test when it does not within the limit.
func (s *Server) Await(t testing.TB, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		if holds() {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			t.Fatalf("%s: not within %s: %s; requests:%s", s.ID, limit, what, s.journal())
		}
	}
}

// AwaitRequests waits for so many requests to one of the paths and returns them.
func (s *Server) AwaitRequests(t testing.TB, limit time.Duration, count int, paths ...string) []Request {
	t.Helper()
	s.Await(t, limit, fmt.Sprintf("%d requests to %v", count, paths), func() bool { return len(s.Requests(paths...)) >= count })
	return s.Requests(paths...)
}

// journal is what came, for a person who looks for the reason of a failure.
func (s *Server) journal() string {
	var b strings.Builder
	for _, r := range s.Requests() {
		fmt.Fprintf(&b, "\n  %s %s %s %s %.80s", r.Time.Format("15:04:05.000"), r.Remote, r.Method, r.Path, r.Body)
	}
	if b.Len() == 0 {
		return " none"
	}
	return b.String()
}

// wake tells those that wait; the lock is held.
func (s *Server) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// maxBody is more than any document.
const maxBody = 16 << 20

// ServeHTTP notes a request and answers it well or badly.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c := &call{server: s, w: w, r: r, id: s.ID, req: Request{
		Time: time.Now(), Method: r.Method, Path: r.URL.Path, Authorization: r.Header.Get("Authorization"), Body: body, Remote: r.RemoteAddr,
	}}
	if r.URL.Path == Update {
		c.malformed = json.Unmarshal(body, &c.req.Update)
	}
	s.mu.Lock()
	s.requests = append(s.requests, c.req)
	c.closing = s.closing
	var bad *behaviour
	for _, b := range s.behaviours {
		if b.takes(c.req) {
			bad = b
			break
		}
	}
	s.wake()
	s.mu.Unlock()
	if bad == nil {
		c.good()
		return
	}
	bad.do(c)
}

// held are the targets that the instance runs, with their versions.
func (s *Server) held() (map[string]string, state, error) {
	s.mu.Lock()
	st := state{running: maps.Clone(s.state.running), reloaded: s.state.reloaded}
	s.mu.Unlock()
	out := map[string]string{}
	var errs []error
	for target, config := range st.running {
		v, err := s.Hash(config)
		out[target] = v
		errs = append(errs, err)
	}
	return out, st, errors.Join(errs...)
}
