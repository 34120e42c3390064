package push

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/droverhq/drover/wire"
)

// decoderCount is the number of goroutines that decode what agents say. One
// that has decoded keeps the stack that it took, so thousands of readers leave
// it to these few: a waiting reader then needs 4 KB less.
const decoderCount = 4

// decoders take frames from the readers, one at a time from each.
type decoders struct {
	work chan *inbound
	free sync.Pool // of *inbound
}

// inbound is a frame on its way. Its buffer and its channel are used again.
type inbound struct {
	session *session
	conn    *conn
	data    []byte
	done    chan error
}

func newDecoders() *decoders {
	return &decoders{
		work: make(chan *inbound),
		free: sync.Pool{New: func() any { return &inbound{done: make(chan error)} }},
	}
}

// pass reads a frame and returns when it has been taken, so that the frames of
// one session stay in order. An error ends the session.
func (d *decoders) pass(s *session, c *conn, r io.Reader) error {
	in, ok := d.free.Get().(*inbound)
	if !ok {
		in = &inbound{done: make(chan error)}
	}
	in.session, in.conn = s, c
	err := in.read(r)
	if err == nil {
		d.work <- in
		err = <-in.done
	}
	in.session, in.conn = nil, nil
	if cap(in.data) <= wire.LimitBeforeWelcome {
		d.free.Put(in)
	}
	return err
}

func (in *inbound) read(r io.Reader) error {
	in.data = in.data[:0]
	for {
		if len(in.data) == cap(in.data) {
			in.data = append(in.data, 0)[:len(in.data)]
		}
		n, err := r.Read(in.data[len(in.data):cap(in.data)])
		in.data = in.data[:len(in.data)+n]
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
	}
}

// run decodes until stop is closed, which must be after the last reader ended.
func (d *decoders) run(stop <-chan struct{}, take func(*inbound) error) {
	for {
		select {
		case in := <-d.work:
			in.done <- take(in)
		case <-stop:
			return
		}
	}
}

// take decodes a frame and tells the rules what it says.
func (s *Server) take(in *inbound) error {
	m, err := wire.Decode(in.data)
	switch {
	case errors.Is(err, wire.ErrUnknownType):
		in.conn.tell(wire.Fault{Code: "unknown_type", Message: err.Error()})
	case err != nil:
		in.conn.close(wire.CloseProtocol, "a frame could not be read")
		return err
	case !s.core.hear(in.session, m):
		in.conn.tell(wire.Fault{Code: "unexpected", Message: "this message makes no sense here: " + m.Kind()})
	default:
		s.kick(s.kicked)
		s.kick(s.heard)
	}
	return nil
}
