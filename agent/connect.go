package agent

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/droverhq/drover/agent/store"
	"github.com/droverhq/drover/wire"
)

const (
	dialTimeout      = 15 * time.Second // until the connection is upgraded
	challengeTimeout = 10 * time.Second // for the first frame
	welcomeTimeout   = 20 * time.Second // a controller may have to ask the others
	nonceBytes       = 32
	// readLimit bounds a frame after welcome: all documents of a node, 16 MiB,
	// with their names and the frame around them.
	readLimit = wire.LimitUpdate
)

const connectionFile = "state/connection"

// lifeline is the TCP connection under a session: it knows when the last bytes
// came, and gives up when none come for too long. So a large frame on a slow
// line is life, too.
type lifeline struct {
	net.Conn
	idle   atomic.Int64 // nanoseconds; zero: no limit of ours
	last   atomic.Int64 // Unix nanoseconds of the last bytes
	ending atomic.Pointer[error]
}

func (l *lifeline) Read(p []byte) (int, error) {
	if idle := l.idle.Load(); idle > 0 {
		if err := l.SetReadDeadline(time.Now().Add(time.Duration(idle))); err != nil {
			return 0, err
		}
	}
	n, err := l.Conn.Read(p)
	if n > 0 {
		l.last.Store(time.Now().UnixNano())
	}
	return n, err
}

func (l *lifeline) heard() time.Time { return time.Unix(0, l.last.Load()) }

// cut ends the connection for a reason of ours.
func (l *lifeline) cut(why error) {
	if l.ending.CompareAndSwap(nil, &why) {
		// The reason is what counts; the reader sees the closed connection.
		_ = l.Close()
	}
}

// reason is why the session ended: ours, if there is one.
func (l *lifeline) reason(err error) error {
	if why := l.ending.Load(); why != nil {
		return *why
	}
	return err
}

// numbers counts the connections of this node: durable and rising. It is used
// by one attempt to connect after the other.
type numbers struct {
	root *os.Root
	last uint64
}

func loadNumbers(root *os.Root) (*numbers, error) {
	n := &numbers{root: root}
	text, err := root.ReadFile(connectionFile)
	if errors.Is(err, os.ErrNotExist) {
		return n, nil
	}
	if err != nil {
		return nil, err
	}
	// A damaged number starts again from zero; the controllers then tell theirs.
	if last, err := strconv.ParseUint(string(text), 10, 64); err == nil {
		n.last = last
	}
	return n, nil
}

// next is durable before it is used, and above what a controller told.
func (n *numbers) next(told uint64) (uint64, error) {
	number := max(n.last, told) + 1
	if err := store.Replace(n.root, connectionFile, strconv.AppendUint(nil, number, 10)); err != nil {
		return 0, fmt.Errorf("connection number: %w", err)
	}
	n.last = number
	return number, nil
}

// away is returned by connect when a controller answered hello with goaway.
type away struct{ wire.Goaway }

func (a *away) Error() string { return "the controller sends this node away: " + clip(a.Reason, 40) }

// busy is returned when a controller answered the upgrade with an HTTP status.
type busy struct {
	status string
	after  time.Duration
}

func (b *busy) Error() string { return "the controller answered " + b.status }

// connect calls a controller and returns when it has welcomed this node.
func (a *Agent) connect(ctx context.Context, address string, told uint64) (s *session, err error) {
	conn, line, err := a.dial(ctx, address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { line.cut(ctx.Err()) })
	defer func() {
		if !stop() && err == nil {
			err = ctx.Err()
		}
		if err != nil {
			s, err = nil, line.reason(err)
			// The error above is the one that matters.
			_ = conn.Close()
		}
	}()
	conn.SetReadLimit(wire.LimitBeforeWelcome)
	// A certificate that was verified tells the time, whatever comes of the
	// connection.
	if t, ok := conn.NetConn().(*tls.Conn); ok {
		if err := a.clock.good(a.root, t.ConnectionState().PeerCertificates[0].NotBefore); err != nil {
			return nil, err
		}
	}
	s = &session{agent: a, conn: conn, line: line, address: address, out: make(chan outgoing, queue), process: a.process}
	if err := s.hello(ctx, told); err != nil {
		return nil, err
	}
	if err := s.welcomed(); err != nil {
		return nil, err
	}
	s.started = time.Now()
	return s, a.live(s)
}

// live turns a greeting into a session: larger frames, silence as the limit.
func (a *Agent) live(s *session) error {
	if err := s.conn.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	s.conn.SetReadLimit(readLimit)
	s.line.last.Store(time.Now().UnixNano())
	s.line.idle.Store(int64(s.heartbeat() + silence))
	return nil
}

func (a *Agent) dial(ctx context.Context, address string) (*websocket.Conn, *lifeline, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, nil, err
	}
	u = u.JoinPath("/agent/v1/connect")
	u.Scheme = map[string]string{"https": "wss", "http": "ws"}[u.Scheme]
	trust, err := tlsConfig(append([]byte(a.identity.Load().CA), a.extraCA...), a.clock.Now)
	if err != nil {
		return nil, nil, err
	}
	var line *lifeline
	dialer := websocket.Dialer{
		Proxy:            proxyOf(a.config.Proxy),
		TLSClientConfig:  trust,
		HandshakeTimeout: dialTimeout,
		ReadBufferSize:   4096,
		WriteBufferSize:  4096,
		Subprotocols:     []string{wire.Subprotocol},
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := a.netDial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			line = &lifeline{Conn: conn}
			return line, nil
		},
	}
	conn, resp, err := dialer.DialContext(ctx, u.String(), nil)
	if resp != nil {
		defer func() { _ = resp.Body.Close() }() // it is in memory, or nothing
	}
	if errors.Is(err, websocket.ErrBadHandshake) && resp != nil {
		return nil, nil, &busy{status: resp.Status, after: retryAfter(resp.Header)}
	}
	if err != nil {
		return nil, nil, hint(err)
	}
	if conn.Subprotocol() != wire.Subprotocol {
		return nil, nil, errors.Join(fmt.Errorf("the other side does not speak %s", wire.Subprotocol), conn.Close())
	}
	return conn, line, nil
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, longest)
}

// hello answers the challenge: who this node is, and what it holds.
func (s *session) hello(ctx context.Context, told uint64) error {
	m, err := s.expect(challengeTimeout)
	if err != nil {
		return err
	}
	c, ok := m.(wire.Challenge)
	if !ok {
		return fmt.Errorf("the first frame is %s, not challenge", m.Kind())
	}
	id := s.agent.identity.Load()
	if c.Cluster != id.Cluster {
		return fmt.Errorf("this is the cluster %q, the node is enrolled in %q", clip(c.Cluster, 80), id.Cluster)
	}
	if nonce, err := wire.FromBase64(c.Nonce); err != nil || len(nonce) < 16 {
		return errors.New("the challenge has no proper nonce")
	}
	number, err := s.agent.numbers.next(told)
	if err != nil {
		return err
	}
	raw := make([]byte, nonceBytes)
	if _, err := rand.Read(raw); err != nil {
		return err
	}
	s.nonces = [2]string{c.Nonce, wire.Base64(raw)}
	s.said = s.agent.worker.reread(ctx)
	return writeFrame(s.conn, wire.Hello{
		Node:         id.Node,
		Proof:        wire.Sign(id.key, wire.HelloText(id.Cluster, id.Node, c.Nonce)),
		Process:      s.process,
		Connection:   number,
		AgentVersion: s.agent.version,
		Facts:        facts(),
		Epoch:        s.said.at.Epoch,
		Index:        s.said.at.Index,
		Manifest:     s.said.manifest,
		Nonce:        s.nonces[1],
	})
}

// welcomed waits until the controller proves itself. Nothing else that it says
// counts before that, but to be sent away.
func (s *session) welcomed() error {
	for {
		m, err := s.expect(welcomeTimeout)
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case wire.Welcome:
			return s.accept(m)
		case wire.Goaway:
			return &away{m}
		case wire.Peers, wire.Fault:
			continue
		default:
			return fmt.Errorf("%s came before welcome", m.Kind())
		}
	}
}

// expect reads one frame of the greeting.
func (s *session) expect(limit time.Duration) (wire.Message, error) {
	if err := s.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return nil, err
	}
	_, frame, err := s.conn.ReadMessage()
	if err != nil {
		return nil, err
	}
	return wire.Decode(frame)
}

// facts is what a node says of itself: shown to people, never matched.
func facts() map[string]string {
	f := map[string]string{"os": runtime.GOOS, "arch": runtime.GOARCH}
	if name, err := os.Hostname(); err == nil {
		f["hostname"] = clip(name, 253)
	}
	return f
}
