package floor

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/droverhq/drover/bench/load"
	"github.com/droverhq/drover/bench/proc"
)

// Setup is the first line to the process.
type Setup struct {
	Bytes int  `json:"bytes"` // of the document
	TLS   bool `json:"tls"`
}

// server holds the connections, and counts.
type server struct {
	upgrader websocket.Upgrader

	mu    sync.Mutex
	conns []*websocket.Conn

	open  atomic.Int64
	round atomic.Pointer[round]
}

// round is one broadcast.
type round struct {
	n    uint64
	want int64
	got  atomic.Int64
	done chan struct{}
}

// Run serves until the parent's commands end.
func Run(parent *proc.Parent) error {
	var setup Setup
	if err := parent.Setup(&setup); err != nil {
		return err
	}
	if _, err := proc.RaiseFiles(); err != nil {
		return err
	}
	s := &server{upgrader: websocket.Upgrader{ReadBufferSize: 512, WriteBufferSize: 512, WriteBufferPool: &sync.Pool{}}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	scheme, ca := "ws://", ""
	if setup.TLS {
		certificate, pem, err := selfSigned()
		if err != nil {
			return err
		}
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
		scheme, ca = "wss://", string(pem)
	}
	web := &http.Server{Handler: http.HandlerFunc(s.accept), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = web.Serve(listener) }() // it ends with the process
	if err := parent.Say(proc.Event{Kind: "serving", Address: scheme + listener.Addr().String() + "/", CA: ca}); err != nil {
		return err
	}
	document := load.Document(setup.Bytes, load.Value(0))
	for n := uint64(1); ; {
		c, err := parent.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		e := proc.Event{Kind: c.Do}
		switch c.Do {
		case "count":
			e.Count = int(s.open.Load())
		case "broadcast":
			if e, err = s.broadcast(n, document); err != nil {
				e = proc.Event{Error: err.Error()}
			}
			n++
		}
		if err := parent.Say(e); err != nil {
			return err
		}
	}
}

func (s *server) accept(w http.ResponseWriter, r *http.Request) {
	c, err := s.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	c.SetReadLimit(4096)
	s.mu.Lock()
	s.conns = append(s.conns, c)
	s.mu.Unlock()
	go s.read(c)
}

// read counts the confirmations of one connection.
func (s *server) read(c *websocket.Conn) {
	s.open.Add(1)
	defer s.open.Add(-1)
	defer c.Close()
	buffer := make([]byte, 64)
	for {
		_, r, err := c.NextReader()
		if err != nil {
			return
		}
		size := 0
		for size < len(buffer) {
			n, err := r.Read(buffer[size:])
			size += n
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return
			}
		}
		if n, ok := load.Confirmed(buffer[:size]); ok {
			s.confirm(n)
		}
	}
}

func (s *server) confirm(n uint64) {
	if r := s.round.Load(); r != nil && r.n == n && r.got.Add(1) == r.want {
		close(r.done)
	}
}

// writers is the number of goroutines that share a broadcast. On two
// processors that also run the clients, more do not help.
const writers = 2

// limit bounds one broadcast.
const limit = time.Minute

// broadcast changes the document, tells it, and waits for the last
// confirmation.
func (s *server) broadcast(n uint64, document []byte) (proc.Event, error) {
	s.mu.Lock()
	conns := s.conns
	s.mu.Unlock()
	r := &round{n: n, want: int64(len(conns)), done: make(chan struct{})}
	s.round.Store(r)
	began := time.Now()
	frame, err := load.FloorMessage(n, document)
	if err != nil {
		return proc.Event{}, err
	}
	m, err := websocket.NewPreparedMessage(websocket.TextMessage, frame)
	if err != nil {
		return proc.Event{}, err
	}
	var group sync.WaitGroup
	failed := make([]error, writers)
	for w := range writers {
		group.Go(func() {
			for _, c := range conns[w*len(conns)/writers : (w+1)*len(conns)/writers] {
				if err := c.WritePreparedMessage(m); err != nil {
					failed[w] = err
				}
			}
		})
	}
	group.Wait()
	written := time.Now()
	if err := errors.Join(failed...); err != nil {
		return proc.Event{}, fmt.Errorf("a client is gone: %w", err)
	}
	select {
	case <-r.done:
	case <-time.After(limit):
		return proc.Event{}, fmt.Errorf("%d of %d confirmations within %s", r.got.Load(), r.want, limit)
	}
	return proc.Event{
		Kind: "broadcast", Revision: n, Count: len(conns), Frame: len(frame),
		Took: time.Since(began), First: began.UnixNano(), Last: written.UnixNano(),
	}, nil
}
