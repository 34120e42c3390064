package socket

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is one WebSocket, the server's end.
type Conn struct {
	net.Conn        // frames are written to it; it is the tls.Conn where there is one
	tcp      *tcp   // beneath
	limit    int    // bytes of a message
	rest     []byte // of a frame that is not whole yet
	message  []byte // parts of a message that is not whole yet
	parts    bool   // there are such
	begun    bool   // what the handshake left was taken
	deaf     bool   // what comes means nothing any more
	owned    atomic.Int32
	slot     uint32 // in the Poller
}

// New takes over a connection whose handshake is done and of which nothing was
// read since. One with TLS must come from a listener of Listen. limit is the
// size of a message in bytes.
func New(c net.Conn, limit int) (*Conn, error) {
	beneath := c
	if t, ok := c.(*tls.Conn); ok {
		beneath = t.NetConn()
	}
	switch t := beneath.(type) {
	case *tcp:
		return &Conn{Conn: c, tcp: t, limit: limit}, nil
	case *net.TCPConn:
		if beneath == c {
			made, err := newTCP(t)
			return &Conn{Conn: made, tcp: made, limit: limit}, err
		}
	}
	return nil, fmt.Errorf("%T over %T cannot be waited for: listen with socket.Listen", c, beneath)
}

// SetLimit changes the size that a message may have, in bytes.
func (c *Conn) SetLimit(limit int) { c.limit = limit }

// Take is told of every message and control frame. The data is gone when it
// returns. After an error of it nothing is taken any more, and only the end of
// the connection is waited for.
type Take func(op Op, data []byte) error

// errEnough ends the reading of a handshake.
var errEnough = errors.New("one message was read")

// ReadMessage waits for one message, as long as the read deadline allows. It is
// for the handshake, before the Conn is given to a Poller.
func (c *Conn) ReadMessage() (data []byte, err error) {
	take := func(op Op, b []byte) error {
		switch op {
		case Text:
			data = append([]byte{}, b...)
			return errEnough
		case Close:
			return io.EOF
		}
		return nil
	}
	buf := make([]byte, 2<<10)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return nil, err
		}
		if err := c.feed(buf[:n], take); errors.Is(err, errEnough) {
			return data, nil
		} else if err != nil {
			return nil, err
		}
	}
}

// Reader is the buffer of one who reads many connections, one after the other.
type Reader struct {
	buf []byte
	n   int
	err error
	try func(fd uintptr) bool // made once, for it would be made anew by each read
}

// NewReader makes a Reader with a buffer of so many bytes.
func NewReader(size int) *Reader {
	r := &Reader{buf: make([]byte, size)}
	r.try = r.once
	return r
}

func (r *Reader) once(fd uintptr) bool {
	r.n, r.err = readOnce(fd, r.buf)
	return true
}

// Receive reads what has come, without waiting, and takes it apart. It returns
// false when there is no more for now. An *Error, and one of take, come once;
// any other error is the end of the connection.
func (c *Conn) Receive(r *Reader, take Take) (more bool, err error) {
	if len(c.rest) > 0 && !c.begun { // of the handshake
		c.begun = true
		if err := c.feed(nil, take); err != nil {
			return false, err
		}
	}
	c.begun = true
	plain := c.Conn == net.Conn(c.tcp)
	if !plain {
		r.n, r.err = c.Read(r.buf)
	} else if err := c.tcp.raw.Read(r.try); err != nil {
		return false, err
	}
	if errors.Is(r.err, errWait) {
		return false, nil
	}
	if r.err != nil {
		return false, r.err
	}
	// A stream that gave less than was asked for has no more (epoll(7)). What TLS
	// gives is one record, and there may be another.
	return r.n == len(r.buf) || !plain, c.feed(r.buf[:r.n], take)
}

// feed takes frames apart, and keeps what is left of the last.
func (c *Conn) feed(data []byte, take Take) (err error) {
	if c.deaf {
		return nil
	}
	defer func() {
		if err != nil {
			c.deaf, c.rest, c.message = !errors.Is(err, errEnough), keep(c.rest, 0), nil
		}
	}()
	own := len(c.rest) > 0
	if own {
		data = append(c.rest, data...)
		c.rest = nil
	}
	for {
		h, whole, err := parseHeader(data, c.limit-len(c.message))
		if err != nil {
			return err
		}
		if !whole {
			if !own {
				data = keep(data, h.size)
			}
			c.rest = data
			return nil
		}
		own = false
		body := data[h.data:h.size]
		unmask(body, h.mask)
		data = data[h.size:]
		if err := c.deliver(h, body, take); err != nil {
			c.rest = keep(data, 0)
			return err
		}
	}
}

// room is what a frame that has begun gets at once. Who announces much shall
// not make us keep much.
const room = 16 << 10

// keep copies the beginning of a frame out of a buffer that others use next.
func keep(data []byte, size int) []byte {
	if len(data) == 0 {
		return nil
	}
	return append(make([]byte, 0, max(len(data), min(size, room))), data...)
}

// deliver puts the parts of a message together.
func (c *Conn) deliver(h header, body []byte, take Take) error {
	if h.op >= Close {
		return take(h.op, body)
	}
	if (h.op == more) != c.parts {
		return broken("the parts of two messages are mixed")
	}
	if !c.parts && h.last {
		return take(Text, body)
	}
	c.message, c.parts = append(c.message, body...), !h.last
	if !h.last {
		return nil
	}
	whole := c.message
	c.message = nil
	return take(Text, whole)
}

// Shut ends both directions. The Conn becomes readable by it, so that its
// reader ends and closes it.
func (c *Conn) Shut() {
	_ = c.tcp.raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
}

// now makes reads return errWait instead of waiting.
func (c *Conn) now() error {
	c.tcp.direct.Store(true)
	return c.SetReadDeadline(time.Time{})
}
