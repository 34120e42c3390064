package push

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/droverhq/drover/push/socket"
	"github.com/droverhq/drover/wire"
)

// Times of a connection. Any frame of the agent counts as life.
const (
	heartbeat  = 20 * time.Second
	silence    = heartbeat + 10*time.Second
	helloTime  = 5 * time.Second
	writeBase  = 10 * time.Second
	writeSpeed = 16 << 10 // bytes a second that a write may take
)

// smallWrite is the size up to which a frame fits a socket's buffer, so that
// one of the few shared writers may write it although it would wait for room.
const smallWrite = 8 << 10

// maxQueue is the number of frames that wait for one agent: an honest one has an
// update, a few messages and pings. Who asks for more than it reads is dropped.
const maxQueue = 64

// stuckAfter is how long one connection may hold a shared writer: then another
// writer takes over the others.
const stuckAfter = 50 * time.Millisecond

// conn is one WebSocket. It implements link: frames are queued and written by
// one goroutine at a time, which is borrowed from the writers.
type conn struct {
	ws      *socket.Conn
	writers *writers
	log     *slog.Logger
	session *session // set before it is read from
	pace    pace
	heard   atomic.Int64 // when it last gave a sign of life, in Unix seconds

	mu      sync.Mutex
	queue   []outgoing
	writing bool
	closing bool
}

// outgoing is one entry of the queue, in the form in which it is sent.
type outgoing struct {
	data []byte
	last bool // the connection ends with it
}

func (c *conn) send(f *frame) { c.put(outgoing{data: f.message()}) }

func (c *conn) tell(m wire.Message) {
	data, err := wire.Encode(m)
	if err != nil {
		c.log.Error("message cannot be encoded", "type", m.Kind(), "error", err)
		return
	}
	c.put(outgoing{data: socket.Frame(socket.Text, data)})
}

func (c *conn) close(code int, reason string) {
	c.put(outgoing{data: socket.CloseFrame(code, reason), last: true})
}

func (c *conn) put(o outgoing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	if len(c.queue) >= maxQueue {
		c.queue, c.closing = nil, true
		c.writers.group.Go(c.shut) // ends the write that hangs, too
		return
	}
	c.queue = append(c.queue, o)
	c.closing = o.last
	if !c.writing {
		c.writing = true
		c.writers.borrow(c, len(o.data) > smallWrite && !c.ws.Direct())
	}
}

// flush writes the queue until it is empty.
func (c *conn) flush() { c.flushUpTo(math.MaxInt) }

// flushNow does the same for a shared writer, as far as it need not wait: what
// does not fit the socket's buffer gets a goroutine of its own.
func (c *conn) flushNow(w *socket.Writer) {
	for {
		c.mu.Lock()
		if len(c.queue) == 0 {
			c.queue, c.writing = nil, false
			c.mu.Unlock()
			return
		}
		next := c.queue[0]
		c.mu.Unlock()
		left, err := c.ws.Send(w, next.data)
		if err == nil && len(left) == 0 && next.last {
			err = errClosed
		}
		if err != nil {
			c.shut()
			return
		}
		c.mu.Lock()
		switch {
		case len(c.queue) == 0: // it was shut meanwhile
		case len(left) > 0:
			c.queue[0].data = left
		default:
			c.queue = c.queue[1:]
		}
		c.mu.Unlock()
		if len(left) > 0 {
			c.writers.group.Go(c.flush)
			return
		}
	}
}

// flushSmall does the same where TLS does not let it write a part: it waits, and
// a frame that may take long gets a goroutine of its own.
func (c *conn) flushSmall() { c.flushUpTo(smallWrite) }

func (c *conn) flushUpTo(limit int) {
	for {
		c.mu.Lock()
		if len(c.queue) == 0 {
			c.queue, c.writing = nil, false
			c.mu.Unlock()
			return
		}
		next := c.queue[0]
		if len(next.data) > limit {
			c.mu.Unlock()
			c.writers.group.Go(c.flush)
			return
		}
		c.queue = c.queue[1:]
		c.mu.Unlock()
		if err := c.write(next); err != nil {
			c.shut()
			return
		}
	}
}

// shut ends the connection; its reader sees that and ends the session.
func (c *conn) shut() {
	c.mu.Lock()
	c.queue, c.writing, c.closing = nil, false, true
	c.mu.Unlock()
	c.ws.Shut()
}

var errClosed = errors.New("closed by this side")

func (c *conn) write(o outgoing) error {
	deadline := time.Now().Add(writeBase + time.Duration(len(o.data))*time.Second/writeSpeed)
	if err := c.ws.SetWriteDeadline(deadline); err != nil {
		return fmt.Errorf("write deadline: %w", err)
	}
	if _, err := c.ws.Write(o.data); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if o.last {
		return errClosed
	}
	// The deadline of a write that has waited must not end one that does not.
	if err := c.ws.SetWriteDeadline(time.Time{}); err != nil {
		return fmt.Errorf("write deadline: %w", err)
	}
	return nil
}

// alive notes a sign of life.
func (c *conn) alive(now time.Time) { c.heard.Store(now.Unix()) }

// silent tells whether the last sign of life is too long ago.
func (c *conn) silent(now time.Time) bool {
	return now.Unix()-c.heard.Load() > int64(silence/time.Second)
}

// writers are the few goroutines that write for thousands of connections. What
// does not fit a socket's buffer gets a goroutine of its own, and a writer that
// hangs all the same, in TLS, is replaced, so that a slow agent never slows
// another.
type writers struct {
	work  chan *conn
	group sync.WaitGroup
}

func newWriters() *writers { return &writers{work: make(chan *conn, 1<<14)} }

func (w *writers) borrow(c *conn, large bool) {
	if !large {
		select {
		case w.work <- c:
			return
		default: // all are busy: go on as for a large one
		}
	}
	w.group.Go(c.flush)
}

// start begins n writers, which end when stop is closed.
func (w *writers) start(n int, stop <-chan struct{}) {
	for range n {
		w.group.Go(func() { w.run(stop) })
	}
}

// run writes until stop is closed, or until it has been replaced.
func (w *writers) run(stop <-chan struct{}) {
	out := socket.NewWriter()
	replaced := make(chan struct{})
	watch := time.AfterFunc(time.Hour, func() {
		w.start(1, stop)
		close(replaced)
	})
	watch.Stop()
	for {
		select {
		case c := <-w.work:
			if c.ws.Direct() {
				c.flushNow(out)
				continue
			}
			watch.Reset(stuckAfter)
			c.flushSmall()
			if !watch.Stop() {
				<-replaced
				return
			}
		case <-stop:
			return
		}
	}
}
