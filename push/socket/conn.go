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
	net.Conn      // frames are written to it; it is the tls.Conn where there is one
	tcp      *tcp // beneath
	partial  *partial
	limit    uint32 // bytes of a message
	slot     uint32 // in the Poller
	owned    atomic.Int32
	begun    bool // what the handshake left was taken
	deaf     bool // what comes means nothing any more
}

// partial is what has come of frames and messages that are not whole yet. Most
// connections have nothing of that kind.
type partial struct {
	rest    []byte // of a frame
	message []byte // parts of a message
	parts   bool   // there are such
}

func (c *Conn) rest() []byte {
	if c.partial == nil {
		return nil
	}
	return c.partial.rest
}

// leave keeps the beginning of a frame for what comes next.
func (c *Conn) leave(rest []byte) {
	switch {
	case len(rest) > 0 && c.partial == nil:
		c.partial = &partial{rest: rest}
	case c.partial == nil:
	case len(rest) == 0 && !c.partial.parts:
		c.partial = nil
	default:
		c.partial.rest = rest
	}
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
		return &Conn{Conn: c, tcp: t, limit: uint32(limit)}, nil
	case *net.TCPConn:
		if beneath == c {
			made, err := newTCP(t)
			return &Conn{Conn: made, tcp: made, limit: uint32(limit)}, err
		}
	}
	return nil, fmt.Errorf("%T over %T cannot be waited for: listen with socket.Listen", c, beneath)
}

// SetLimit changes the size that a message may have, in bytes.
func (c *Conn) SetLimit(limit int) { c.limit = uint32(limit) }

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

// Len is the number of bytes that were read last.
func (r *Reader) Len() int { return max(r.n, 0) }

func (r *Reader) once(fd uintptr) bool {
	r.n, r.err = readOnce(fd, r.buf)
	return true
}

// Receive reads what has come, without waiting, and takes it apart. It returns
// false when there is no more for now. An *Error, and one of take, come once;
// any other error is the end of the connection.
func (c *Conn) Receive(r *Reader, take Take) (more bool, err error) {
	if len(c.rest()) > 0 && !c.begun { // of the handshake
		c.begun = true
		if err := c.feed(nil, take); err != nil {
			return false, err
		}
	}
	c.begun = true
	plain := c.Direct()
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

// Writer is what one needs who writes to many connections, one after the other.
type Writer struct {
	data []byte
	n    int
	err  error
	try  func(fd uintptr) bool
}

// NewWriter makes a Writer.
func NewWriter() *Writer {
	w := &Writer{}
	w.try = func(fd uintptr) bool {
		w.n, w.err = writeOnce(fd, w.data)
		return true
	}
	return w
}

// Direct tells whether Send can be used: there is no TLS.
func (c *Conn) Direct() bool { return c.Conn == net.Conn(c.tcp) }

// Send writes as much as the socket takes without waiting, and returns what is
// left. A write deadline that has passed ends it, too.
func (c *Conn) Send(w *Writer, data []byte) (left []byte, err error) {
	w.data = data
	if err := c.tcp.raw.Write(w.try); err != nil {
		return data, err
	}
	w.data = nil
	return data[w.n:], w.err
}

// feed takes frames apart, and keeps what is left of the last.
func (c *Conn) feed(data []byte, take Take) (err error) {
	if c.deaf {
		return nil
	}
	defer func() {
		if err != nil && !errors.Is(err, errEnough) {
			c.deaf, c.partial = true, nil
		}
	}()
	own := len(c.rest()) > 0
	if own {
		data = append(c.rest(), data...)
		c.partial.rest = nil
	}
	for {
		h, whole, err := parseHeader(data, c.left())
		if err != nil {
			return err
		}
		if !whole {
			if !own {
				data = keep(data, h.size)
			}
			c.leave(data)
			return nil
		}
		own = false
		body := data[h.data:h.size]
		unmask(body, h.mask)
		data = data[h.size:]
		if err := c.deliver(h, body, take); err != nil {
			c.leave(keep(data, 0))
			return err
		}
	}
}

// left is how many bytes the message may still have.
func (c *Conn) left() int {
	if c.partial == nil {
		return int(c.limit)
	}
	return int(c.limit) - len(c.partial.message)
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
	p := c.partial
	begun := p != nil && p.parts
	if (h.op == more) != begun {
		return broken("the parts of two messages are mixed")
	}
	if !begun && h.last {
		return take(Text, body)
	}
	if p == nil {
		p = &partial{}
		c.partial = p
	}
	p.message, p.parts = append(p.message, body...), !h.last
	if !h.last {
		return nil
	}
	whole := p.message
	c.partial = nil
	return take(Text, whole)
}

// Shut ends both directions. The Conn becomes readable by it, so that its
// reader ends and closes it.
func (c *Conn) Shut() {
	_ = c.tcp.raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
}

// now makes reads return errWait instead of waiting. Deadlines of the handshake
// end.
func (c *Conn) now() error {
	c.tcp.direct.Store(true)
	return c.SetDeadline(time.Time{})
}
