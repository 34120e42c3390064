package serve

import (
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// wrapListener bounds the connections that are open at one time; further ones
// wait in the kernel. secure may be nil.
func wrapListener(l net.Listener, most int, secure *tls.Config) net.Listener {
	l = &bounded{Listener: l, slots: make(chan struct{}, most), closed: make(chan struct{})}
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	return l
}

type bounded struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

// Accept waits for a slot first.
func (b *bounded) Accept() (net.Conn, error) {
	select {
	case b.slots <- struct{}{}:
	case <-b.closed:
		return nil, net.ErrClosed
	}
	conn, err := b.Listener.Accept()
	if err != nil {
		<-b.slots
		return nil, err
	}
	return &slotted{Conn: conn, free: func() { <-b.slots }}, nil
}

// Close also wakes an Accept that waits for a slot.
func (b *bounded) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Listener.Close()
}

type slotted struct {
	net.Conn
	once sync.Once
	free func()
}

// Close gives the slot back.
func (s *slotted) Close() error {
	err := s.Conn.Close()
	s.once.Do(s.free)
	return err
}

// certs reads a certificate again when its file has changed, so that it can be
// renewed under a running process.
type certs struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	from   time.Time // of the certificate's file
}

func (c *certs) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	info, err := os.Stat(c.cert)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && c.loaded != nil && info.ModTime().Equal(c.from) {
		return c.loaded, nil
	}
	if err == nil {
		var pair tls.Certificate
		if pair, err = tls.LoadX509KeyPair(c.cert, c.key); err == nil {
			c.loaded, c.from = &pair, info.ModTime()
			return c.loaded, nil
		}
	}
	if c.loaded == nil {
		return nil, err
	}
	c.log.Error("the certificate cannot be read again, the one before is used", "file", c.cert, "error", err)
	return c.loaded, nil
}
