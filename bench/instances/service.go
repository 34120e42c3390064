package instances

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/droverhq/drover/bench/proc"
)

// service is all instances of the process.
type service struct {
	setup  Setup
	known  library
	all    []*instance
	events chan proc.Event

	mu     sync.Mutex
	cut    chan struct{} // closed when what hangs shall end
	wanted wanted
}

// wanted is the change that is waited for.
type wanted struct {
	value       string
	count       int
	has         map[*instance]bool
	first, last time.Time
}

// instance is one of them.
type instance struct {
	name    string
	service *service
	address string

	hangs atomic.Bool
	web   *http.Server // nil while dead; used by the goroutine of Run alone
	mu    sync.Mutex
	held  map[string]*content // by type
	last  time.Time           // reload
}

// perSubnet is how many addresses of 127.SUBNET.x are used of each x.
const perSubnet = 250

func listen(setup Setup) (*service, error) {
	s := &service{setup: setup, events: make(chan proc.Event, 16), cut: make(chan struct{})}
	for i := range setup.Count {
		x := &instance{
			name: fmt.Sprintf("%s-%03d", setup.Prefix, i), service: s, held: map[string]*content{},
			address: fmt.Sprintf("127.%d.%d.%d:0", setup.Subnet, i/perSubnet, 1+i%perSubnet),
		}
		if err := x.listen(); err != nil {
			return nil, err
		}
		s.all = append(s.all, x)
	}
	return s, nil
}

func (s *service) addresses() []string {
	var out []string
	for _, x := range s.all {
		out = append(out, "http://"+x.address)
	}
	return out
}

// listen begins to accept; after the first time at the address of then.
func (x *instance) listen() error {
	l, err := net.Listen("tcp", x.address)
	if err != nil {
		return err
	}
	x.address = l.Addr().String()
	x.web = &http.Server{Handler: x, ReadHeaderTimeout: 10 * time.Second}
	go func(web *http.Server) { _ = web.Serve(l) }(x.web) // it ends with the process, or when the instance dies
	return nil
}

func (s *service) first(count int) []*instance { return s.all[:min(count, len(s.all))] }

func (s *service) hang(count int) {
	for _, x := range s.first(count) {
		x.hangs.Store(true)
	}
}

// die closes listeners and connections.
func (s *service) die(count int) error {
	for _, x := range s.first(count) {
		if x.web == nil {
			continue
		}
		if err := x.web.Close(); err != nil {
			return err
		}
		x.web = nil
	}
	return nil
}

// good brings the dead back, and ends what hangs without an answer.
func (s *service) good() error {
	for _, x := range s.all {
		x.hangs.Store(false)
		if x.web == nil {
			if err := x.listen(); err != nil {
				return err
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
	return nil
}

// never is for an instance that hangs: it returns when nobody waits any more.
func (s *service) never(r *http.Request) {
	s.mu.Lock()
	cut := s.cut
	s.mu.Unlock()
	select {
	case <-cut:
	case <-r.Context().Done():
	}
}

func (s *service) expect(value string, count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wanted = wanted{value: value, count: count, has: map[*instance]bool{}}
}

// took notes that an instance runs a content, and tells when it is the last
// one that is expected to.
func (s *service) took(x *instance, c *content) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &s.wanted
	if c.value != w.value || w.has == nil || w.has[x] {
		return
	}
	w.last = time.Now()
	if w.has[x] = true; len(w.has) == 1 {
		w.first = w.last
	}
	if len(w.has) == w.count {
		s.events <- proc.Event{Kind: "all", Count: w.count, First: w.first.UnixNano(), Last: w.last.UnixNano(), Frame: c.size}
	}
}
