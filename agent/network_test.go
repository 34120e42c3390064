package agent

import (
	"context"
	"net"
	"os"
	"sync"
	"testing"
)

// network connects agents and controllers by pipes, so that a test can run in
// simulated time.
type network struct {
	*cluster
	dir   string
	mu    sync.Mutex
	hosts map[string]*pipeListener
	calls map[string]int // how often each was called
}

type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.done) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.IPAddr{} }

func newNetwork(t *testing.T) *network {
	n := &network{cluster: newCluster(t), dir: t.TempDir(), hosts: map[string]*pipeListener{}, calls: map[string]int{}}
	n.enrolled(n.dir, "edge-1")
	return n
}

// add starts a controller at 127.0.0.1:port.
func (n *network) add(name, port string) *peer {
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	n.mu.Lock()
	n.hosts["127.0.0.1:"+port] = l
	n.mu.Unlock()
	n.peers = append(n.peers, "http://127.0.0.1:"+port)
	return newPeer(n.cluster, name, l)
}

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	n.calls[address]++
	l := n.hosts[address]
	n.mu.Unlock()
	if l == nil {
		return nil, os.ErrNotExist
	}
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (n *network) called() (all int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.calls {
		all += c
	}
	return all
}

func (n *network) start(d Deps, peers ...string) *running {
	d.Dial = n.dial
	if peers == nil {
		peers = n.peers
	}
	return startAgent(n.t, Config{Dir: n.dir, Peers: peers}, d)
}

// low keeps waits short; nothing at all would stop simulated time.
func low() float64 { return 0.1 }
