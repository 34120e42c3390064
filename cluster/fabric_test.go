package cluster

import (
	"context"
	"net"
	"os"
	"sync"
	"time"
)

// fabric is the network between the peers of a test. A link that is cut keeps its connections and
// loses nothing, but nothing comes through until it is healed: as when a process or a switch stops.
type fabric struct {
	mu    sync.Mutex
	names map[string]string // by peer address
	cut   map[[2]string]chan struct{}
}

func newFabric() *fabric {
	return &fabric{names: map[string]string{}, cut: map[[2]string]chan struct{}{}}
}

func (f *fabric) register(name, address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.names[address] = name
}

// isolate cuts all links of a peer, both ways.
func (f *fabric) isolate(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, other := range f.names {
		if other != name {
			f.cutLocked(name, other)
			f.cutLocked(other, name)
		}
	}
}

// oneWay cuts one direction.
func (f *fabric) oneWay(from, to string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cutLocked(from, to)
}

func (f *fabric) cutLocked(from, to string) {
	if f.cut[[2]string{from, to}] == nil {
		f.cut[[2]string{from, to}] = make(chan struct{})
	}
}

// heal opens all links.
func (f *fabric) heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.cut {
		close(c)
	}
	f.cut = map[[2]string]chan struct{}{}
}

// blocked is closed when the link is open again; nil when it is open.
func (f *fabric) blocked(from, to string) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.cut[[2]string{from, to}]; c != nil {
		return c
	}
	return nil
}

// dial is how a peer reaches the others.
func (f *fabric) dial(from string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		f.mu.Lock()
		to := f.names[address]
		f.mu.Unlock()
		for _, link := range [][2]string{{from, to}, {to, from}} {
			if c := f.blocked(link[0], link[1]); c != nil {
				select {
				case <-c:
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
		}
		raw, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &gated{Conn: raw, fabric: f, from: from, to: to, closed: make(chan struct{})}, nil
	}
}

// gated is a connection over the fabric, at the side that dialled.
type gated struct {
	net.Conn
	fabric   *fabric
	from, to string
	once     sync.Once
	closed   chan struct{}

	mu          sync.Mutex
	read, write time.Time
}

func (g *gated) pass(from, to string, deadline *time.Time) error {
	c := g.fabric.blocked(from, to)
	if c == nil {
		return nil
	}
	g.mu.Lock()
	at := *deadline
	g.mu.Unlock()
	var late <-chan time.Time
	if !at.IsZero() {
		late = time.After(time.Until(at))
	}
	select {
	case <-c:
		return nil
	case <-late:
		return os.ErrDeadlineExceeded
	case <-g.closed:
		return net.ErrClosed
	}
}

func (g *gated) Read(b []byte) (int, error) {
	n, err := g.Conn.Read(b)
	if perr := g.pass(g.to, g.from, &g.read); perr != nil {
		return 0, perr
	}
	return n, err
}

func (g *gated) Write(b []byte) (int, error) {
	if err := g.pass(g.from, g.to, &g.write); err != nil {
		return 0, err
	}
	return g.Conn.Write(b)
}

func (g *gated) Close() error {
	g.once.Do(func() { close(g.closed) })
	return g.Conn.Close()
}

func (g *gated) SetDeadline(t time.Time) error {
	g.mu.Lock()
	g.read, g.write = t, t
	g.mu.Unlock()
	return g.Conn.SetDeadline(t)
}

func (g *gated) SetReadDeadline(t time.Time) error {
	g.mu.Lock()
	g.read = t
	g.mu.Unlock()
	return g.Conn.SetReadDeadline(t)
}

func (g *gated) SetWriteDeadline(t time.Time) error {
	g.mu.Lock()
	g.write = t
	g.mu.Unlock()
	return g.Conn.SetWriteDeadline(t)
}
