package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/droverhq/drover/bench/load"
)

// listener is a client of the floor.
type listener struct {
	fleet  *fleet
	number int
	text   []byte // its document
	answer []byte
}

// heard is a frame of the floor that this process has parsed.
type heard struct {
	raw    []byte
	n      uint64
	splice load.Splice
	crc    uint32
}

func newListener(f *fleet, number int) *listener {
	return &listener{fleet: f, number: number, text: bytes.Clone(f.first)}
}

func (l *listener) run(ctx context.Context, ready func()) {
	f := l.fleet
	address := f.setup.Addresses[l.number%len(f.setup.Addresses)]
	for ctx.Err() == nil {
		ws, err := f.dial(ctx, l.number, address)
		if err != nil {
			f.again.Add(1)
			pause(ctx, time.Second)
			continue
		}
		stop := context.AfterFunc(ctx, func() { _ = ws.Close() })
		defer stop()
		f.connected.Add(1)
		ready()
		for err == nil {
			err = f.read(ws, func(frame []byte) error { return l.hear(ws, frame) })
		}
		f.connected.Add(-1)
		return // the floor never closes a connection, and has no use for another
	}
}

func (l *listener) hear(ws *websocket.Conn, frame []byte) error {
	h, err := l.fleet.known.floor(frame)
	if err != nil {
		return err
	}
	l.text = h.splice.Apply(l.text)
	if load.CRC(l.text) != h.crc {
		l.fleet.wrong.Add(1)
	}
	l.answer = load.Confirmation(l.answer[:0], h.n)
	if err := ws.WriteMessage(websocket.TextMessage, l.answer); err != nil {
		return err
	}
	if e, last := l.fleet.tracker.confirmed(h.n, len(frame), len(l.answer)); last {
		l.fleet.events <- e
	}
	return nil
}

// floor parses a frame, once for all clients of the process.
func (l *library) floor(frame []byte) (*heard, error) {
	if h := l.heard.Load(); h != nil && bytes.Equal(h.raw, frame) {
		return h, nil
	}
	var in load.Floor
	if err := json.Unmarshal(frame, &in); err != nil {
		return nil, err
	}
	put := []byte(in.Value)
	h := &heard{bytes.Clone(frame), in.N, load.Splice{At: in.At, Cut: len(put), Put: put}, in.CRC}
	l.heard.Store(h)
	return h, nil
}

// latest is the frame that came last, of which most clients get a copy.
type latest[T any] struct{ atomic.Pointer[T] }
