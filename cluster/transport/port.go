package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/droverhq/drover/cluster/ca"
)

// HandshakeTimeout bounds a TLS handshake, on both sides.
const HandshakeTimeout = 5 * time.Second

// maxHandshakes bounds the connections whose handshake is not done.
const maxHandshakes = 128

// ErrRefusing is returned by every dial and write once Refuse was called.
var ErrRefusing = errors.New("this peer refuses connections: its disk hangs")

// Dial opens a TCP connection; net.Dialer.DialContext is the usual one.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Handlers take the connections that are not Raft's; each is called on a
// goroutine of its own and owns the connection.
type Handlers struct {
	RPC  func(ctx context.Context, c net.Conn, peer string)
	Join func(ctx context.Context, c net.Conn)
}

// Config is where the port is.
type Config struct {
	Listen    string // host:port
	Advertise string // host:port under which other peers reach it
}

// Deps are what the port needs.
type Deps struct {
	Credentials *Credentials
	Dial        Dial // nil = TCP
	Logger      *slog.Logger
}

// Port is the peer port of one peer.
type Port struct {
	cfg      Config
	creds    *Credentials
	tcp      Dial
	log      *slog.Logger
	listener net.Listener
	raft     *Stream
	patience time.Duration // with a handshake
	refusing atomic.Bool

	mu    sync.Mutex
	conns map[*tracked]struct{}
}

// New makes a port; Listen opens it.
func New(cfg Config, deps Deps) *Port {
	p := &Port{cfg: cfg, creds: deps.Credentials, tcp: deps.Dial, log: deps.Logger, patience: HandshakeTimeout, conns: map[*tracked]struct{}{}}
	if p.tcp == nil {
		p.tcp = new(net.Dialer).DialContext
	}
	p.raft = &Stream{port: p, accepted: make(chan net.Conn), closed: make(chan struct{})}
	return p
}

// Listen binds the port. Close releases it.
func (p *Port) Listen(ctx context.Context) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", p.cfg.Listen)
	if err != nil {
		return fmt.Errorf("peer.listen: %w", err)
	}
	p.listener = l
	return nil
}

// Raft is the stream layer for Raft's transport.
func (p *Port) Raft() *Stream { return p.raft }

// Run accepts connections until ctx ends, closes all that are open, and waits
// for their handlers.
func (p *Port) Run(ctx context.Context, h Handlers) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var open sync.WaitGroup
	defer open.Wait()
	stop := context.AfterFunc(ctx, func() { p.Close() })
	defer stop()
	defer cancel()

	conf := p.creds.server()
	slots := make(chan struct{}, maxHandshakes)
	for {
		raw, err := p.listener.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			p.log.Warn("accepting a peer's connection failed", "err", err)
			select { // out of file descriptors, most likely: it may pass
			case <-time.After(50 * time.Millisecond):
				continue
			case <-ctx.Done():
				return nil
			}
		}
		slots <- struct{}{}
		open.Go(func() { p.welcome(ctx, raw, conf, h, func() { <-slots }) })
	}
}

// welcome does the handshake of an accepted connection and hands it on.
func (p *Port) welcome(ctx context.Context, raw net.Conn, conf *tls.Config, h Handlers, shaken func()) {
	t := p.track(raw, "")
	c := tls.Server(t, conf)
	hctx, cancel := context.WithTimeout(ctx, p.patience)
	err := c.HandshakeContext(hctx)
	cancel()
	shaken()
	if err != nil {
		p.log.Warn("a connection to the peer port was refused", "from", raw.RemoteAddr().String(), "err", err)
		_ = t.Close()
		return
	}
	state := c.ConnectionState()
	if state.NegotiatedProtocol == ProtoJoin {
		h.Join(ctx, c)
		return
	}
	id, err := ca.IdentityOf(state.PeerCertificates[0])
	if err != nil { // cannot be: it was verified
		_ = t.Close()
		return
	}
	p.name(t, id.Peer)
	switch state.NegotiatedProtocol {
	case ProtoRaft:
		p.raft.deliver(ctx, c)
	case ProtoRPC:
		h.RPC(ctx, c, id.Peer)
	default: // a client that asked for nothing
		_ = t.Close()
	}
}

// Dial opens a connection of the protocol to an address, and checks that the
// peer is there. An empty peer means any one of this cluster.
func (p *Port) Dial(ctx context.Context, address, proto, peer string) (net.Conn, error) {
	if p.refusing.Load() {
		return nil, ErrRefusing
	}
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	raw, err := p.tcp(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("dial a peer: %w", err)
	}
	t := p.track(raw, peer)
	c := tls.Client(t, p.creds.client(proto, peer))
	if err := c.HandshakeContext(ctx); err != nil {
		_ = t.Close()
		return nil, fmt.Errorf("handshake with the peer at %s: %w", address, err)
	}
	if got := c.ConnectionState().NegotiatedProtocol; got != proto {
		_ = t.Close()
		return nil, fmt.Errorf("the peer at %s does not speak %s", address, proto)
	}
	return c, nil
}

// Drop closes all connections with a peer that died, was removed, or has a new
// certificate: a pooled one would fail the next call to it.
func (p *Port) Drop(peer string) { p.closeConns(func(t *tracked) bool { return t.peer == peer }) }

// Refuse cuts this peer off at once: open connections end, dials and writes
// fail. A leader whose disk hangs calls it, so that the others elect another:
// to close Raft's transport is not enough, because its heartbeats go on.
func (p *Port) Refuse() {
	p.refusing.Store(true)
	p.closeConns(func(*tracked) bool { return true })
}

// Close stops listening and closes all connections.
func (p *Port) Close() {
	if p.listener != nil {
		_ = p.listener.Close()
	}
	p.raft.close()
	p.closeConns(func(*tracked) bool { return true })
}

func (p *Port) closeConns(which func(*tracked) bool) {
	p.mu.Lock()
	var found []*tracked
	for t := range p.conns {
		if which(t) {
			found = append(found, t)
		}
	}
	p.mu.Unlock()
	for _, t := range found {
		_ = t.Close()
	}
}

func (p *Port) track(raw net.Conn, peer string) *tracked {
	t := &tracked{Conn: raw, port: p, peer: peer}
	p.mu.Lock()
	p.conns[t] = struct{}{}
	p.mu.Unlock()
	return t
}

func (p *Port) name(t *tracked, peer string) {
	p.mu.Lock()
	t.peer = peer
	p.mu.Unlock()
}

// tracked is a TCP connection that the port can find again.
type tracked struct {
	net.Conn
	port *Port
	peer string // guarded by Port.mu
}

func (t *tracked) Write(b []byte) (int, error) {
	if t.port.refusing.Load() {
		return 0, ErrRefusing
	}
	return t.Conn.Write(b)
}

func (t *tracked) Close() error {
	t.port.mu.Lock()
	delete(t.port.conns, t)
	t.port.mu.Unlock()
	return t.Conn.Close()
}
