package socket

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
)

// tcp is a connection that can be read without waiting, also by a tls.Conn
// above it.
type tcp struct {
	*net.TCPConn
	raw    syscall.RawConn
	direct atomic.Bool
}

func newTCP(c *net.TCPConn) (*tcp, error) {
	raw, err := c.SyscallConn()
	return &tcp{TCPConn: c, raw: raw}, err
}

// Listen makes the connections of a listener ones that New takes, also below
// TLS. Connections that are not TCP stay as they are.
func Listen(l net.Listener) net.Listener { return listener{l} }

type listener struct{ net.Listener }

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if t, ok := c.(*net.TCPConn); ok && err == nil {
		return newTCP(t)
	}
	return c, err
}

// errWait is what a read returns when nothing has come. For a tls.Conn it is
// an error that passes: what it has read so far stays.
var errWait net.Error = wait{}

type wait struct{}

func (wait) Error() string   { return "nothing to read yet" }
func (wait) Timeout() bool   { return true }
func (wait) Temporary() bool { return true }

// Read implements net.Conn.
func (t *tcp) Read(b []byte) (n int, err error) {
	if !t.direct.Load() || len(b) == 0 {
		return t.TCPConn.Read(b)
	}
	var failed error
	err = t.raw.Read(func(fd uintptr) bool {
		n, failed = readOnce(fd, b)
		return true
	})
	if err == nil {
		err = failed
	}
	return n, err
}

// readOnce reads what is there.
func readOnce(fd uintptr, b []byte) (int, error) {
	for {
		n, err := syscall.Read(int(fd), b)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return 0, errWait
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// writeOnce writes as much as there is room for.
func writeOnce(fd uintptr, b []byte) (int, error) {
	for {
		n, err := syscall.Write(int(fd), b)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return 0, nil
		case err != nil:
			return 0, err
		}
		return n, nil
	}
}
