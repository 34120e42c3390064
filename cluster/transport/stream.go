package transport

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// Stream is the part of the port that Raft uses: raft.StreamLayer.
type Stream struct {
	port     *Port
	accepted chan net.Conn
	once     sync.Once
	closed   chan struct{}
}

// Target puts the id of a peer before its address. Raft's transport knows
// addresses only, so this is how a dial learns whom it must reach: entries that
// another peer took at a reused address would be counted as stored by this one.
func Target(peer, address string) raft.ServerAddress {
	return raft.ServerAddress(peer + "@" + address)
}

// Split takes a Target apart; the peer is empty where there is none.
func Split(target raft.ServerAddress) (peer, address string) {
	if peer, address, ok := strings.Cut(string(target), "@"); ok {
		return peer, address
	}
	return "", string(target)
}

// Dial implements raft.StreamLayer.
func (s *Stream) Dial(target raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	peer, address := Split(target)
	return s.port.Dial(ctx, address, ProtoRaft, peer)
}

// Accept implements net.Listener.
func (s *Stream) Accept() (net.Conn, error) {
	select {
	case c := <-s.accepted:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. The port itself goes on: calls still work
// while Raft is down.
func (s *Stream) Close() error {
	s.close()
	return nil
}

// Addr is the advertised address: Raft tells it to the others.
func (s *Stream) Addr() net.Addr { return advertised(s.port.cfg.Advertise) }

func (s *Stream) close() { s.once.Do(func() { close(s.closed) }) }

func (s *Stream) deliver(ctx context.Context, c net.Conn) {
	select {
	case s.accepted <- c:
	case <-s.closed:
		_ = c.Close()
	case <-ctx.Done():
		_ = c.Close()
	}
}

type advertised string

func (advertised) Network() string  { return "tcp" }
func (a advertised) String() string { return string(a) }
