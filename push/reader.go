package push

import (
	"errors"
	"sync"
	"time"

	"github.com/droverhq/drover/push/socket"
	"github.com/droverhq/drover/wire"
)

// readerCount is the number of goroutines that read for all sessions, and
// decode what agents say.
const readerCount = 4

// Sizes of a reader's buffer, in bytes: of those that stay, and of one that
// takes what has come behind a hello.
const (
	readSize  = 16 << 10
	helloSize = 1 << 10
)

// reader reads connections one after the other. Its frames and buffers are
// used again.
type reader struct {
	server *Server
	socket *socket.Reader
	conn   *conn
	take   socket.Take
	now    time.Time
}

func (s *Server) newReader(size int) *reader {
	r := &reader{server: s, socket: socket.NewReader(size)}
	r.take = r.hear
	return r
}

// startReaders begins to read, until the poller is closed.
func (s *Server) startReaders(group *sync.WaitGroup) {
	for range readerCount {
		s.startReader(group, nil)
	}
}

func (s *Server) startReader(group *sync.WaitGroup, ready []socket.Ready) {
	r := s.newReader(readSize)
	group.Go(func() { r.run(ready, func(rest []socket.Ready) { s.startReader(group, rest) }) })
}

// run reads what is ready, and what will be, until the poller is closed. To read
// TLS may mean to write, an alert or new keys, behind an update that an agent
// does not take: a reader that hangs so is replaced, as a writer is.
func (r *reader) run(ready []socket.Ready, replace func(rest []socket.Ready)) {
	var rest []socket.Ready
	var err error
	replaced := make(chan struct{})
	watch := time.AfterFunc(time.Hour, func() {
		replace(rest)
		close(replaced)
	})
	watch.Stop()
	for {
		for i, one := range ready {
			c, ok := one.Owner.(*conn)
			switch {
			case !ok:
			case c.ws.Direct():
				r.attend(c, one.Ended)
			default:
				rest = ready[i+1:]
				watch.Reset(stuckAfter)
				r.attend(c, one.Ended)
				if !watch.Stop() {
					<-replaced
					return
				}
			}
		}
		clear(ready)
		if ready, err = r.server.poller.Wait(ready); err != nil {
			return
		}
	}
}

// attend reads a session until nothing is left for now, or until it has ended.
// Where ended is set it reads once more than it seems to need.
func (r *reader) attend(c *conn, ended bool) {
	r.conn, r.now = c, time.Now()
	for {
		more, err := c.ws.Receive(r.socket, r.take)
		var broken *socket.Error
		if errors.As(err, &broken) {
			c.close(broken.Code, broken.Reason)
		} else if err != nil && !errors.Is(err, errClosed) {
			r.server.end(c, err)
			return
		}
		c.pace.read(r.now, r.socket.Len())
		if wait := c.pace.debt(r.now); wait > 0 {
			time.AfterFunc(min(wait, time.Second), func() { r.server.newReader(helloSize).attend(c, true) })
			return
		}
		if more || ended {
			ended = ended && more
			continue
		}
		if r.server.poller.Rest(c.ws) {
			return
		}
		ended = true // what came meanwhile may have been the end
	}
}

// hear takes one frame.
func (r *reader) hear(op socket.Op, data []byte) error {
	c := r.conn
	c.alive(r.now)
	c.pace.count(r.now)
	switch op {
	case socket.Ping:
		c.put(outgoing{data: socket.Frame(socket.Pong, data)})
	case socket.Close:
		c.put(outgoing{data: socket.Frame(socket.Close, data[:min(len(data), 2)]), last: true})
		return errClosed
	case socket.Text:
		return r.server.take(c, data)
	}
	return nil
}

// take decodes a message and tells the rules what it says.
func (s *Server) take(c *conn, data []byte) error {
	m, err := wire.Decode(data)
	var ok, look bool
	if err == nil {
		ok, look = s.core.listen(c.session, m)
	}
	switch {
	case errors.Is(err, wire.ErrUnknownType):
		c.tell(wire.Fault{Code: "unknown_type", Message: err.Error()})
	case err != nil:
		c.close(wire.CloseProtocol, "a frame could not be read")
		return errClosed
	case !ok:
		c.tell(wire.Fault{Code: "unexpected", Message: "this message makes no sense here: " + m.Kind()})
	default:
		if look {
			s.kick(s.kicked)
		}
		s.kick(s.heard)
	}
	return nil
}

// How many frames a node may send, and as many buffers of bytes: each may become a part of the log of all
// peers. Faster ones wait in the node's own connection, and nothing is lost.
const (
	framesPerSecond = 50
	framesAtOnce    = 200
)

// pace is the time up to which a connection has used what it may send, in Unix
// nanoseconds. (The generic cell rate algorithm, ITU-T I.371.)
type pace int64

func (p *pace) count(now time.Time) {
	*p = max(*p, pace(now.UnixNano())) + pace(time.Second/framesPerSecond)
}

// read counts bytes that were read, a buffer of them as one frame: what is no
// whole message yet takes time, too.
func (p *pace) read(now time.Time, bytes int) {
	*p = max(*p, pace(now.UnixNano())) + pace(time.Duration(bytes)*(time.Second/framesPerSecond)/readSize)
}

// debt is how long the connection is not to be read.
func (p *pace) debt(now time.Time) time.Duration {
	return time.Duration(int64(*p)-now.UnixNano()) - framesAtOnce*time.Second/framesPerSecond
}
