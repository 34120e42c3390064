package rpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// start serves handlers on a loopback listener and returns a pool that dials it.
func start(t *testing.T, handlers map[string]Handler) (*Pool, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	s := NewServer(handlers, quiet())
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.Serve(ctx, c, "caller") })
		}
	})
	dials := new(atomic.Int64)
	p := NewPool(func(ctx context.Context, _ string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	})
	t.Cleanup(func() {
		p.Close()
		cancel()
		l.Close()
		wg.Wait()
	})
	return p, dials
}

type sum struct {
	A, B int
}

func add() map[string]Handler {
	return map[string]Handler{"add": Handle(func(_ context.Context, from string, q sum) (int, error) {
		if from != "caller" {
			return 0, fmt.Errorf("called by %q", from)
		}
		if q.A < 0 {
			return 0, &Error{Code: "negative", Message: "a is negative"}
		}
		return q.A + q.B, nil
	})}
}

func TestManyCallsShareOneConnection(t *testing.T) {
	p, dials := start(t, add())
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			var got int
			if err := p.Call(t.Context(), "x", "add", sum{i, 1}, &got); err != nil || got != i+1 {
				t.Errorf("%d: %d, %v", i, got, err)
			}
		})
	}
	wg.Wait()
	if n := dials.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestErrorsKeepTheirCode(t *testing.T) {
	p, _ := start(t, add())
	if err := p.Call(t.Context(), "x", "add", sum{-1, 1}, nil); Code(err) != "negative" {
		t.Errorf("got %v", err)
	}
	if err := p.Call(t.Context(), "x", "sub", sum{}, nil); Code(err) != CodeUnknownMethod {
		t.Errorf("got %v", err)
	}
	if err := p.Call(t.Context(), "x", "add", "no struct", nil); Code(err) != CodeInternal {
		t.Errorf("got %v", err)
	}
	big := make([]byte, MaxFrame+1)
	if err := p.Call(t.Context(), "x", "add", big, nil); err == nil {
		t.Error("an oversized frame was sent")
	}
}

func TestTheDeadlineTravels(t *testing.T) {
	seen := make(chan time.Duration, 1)
	p, _ := start(t, map[string]Handler{"wait": func(ctx context.Context, _ string, _ []byte) (any, error) {
		d, _ := ctx.Deadline()
		seen <- time.Until(d)
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := p.Call(ctx, "x", "wait", nil, nil); err == nil {
		t.Error("no error")
	}
	if d := <-seen; d > 50*time.Millisecond {
		t.Errorf("the handler had %v", d)
	}
}

func TestTrap12ADroppedConnectionIsDialledAgainWithoutAFailedCall(t *testing.T) {
	p, dials := start(t, add())
	for range 3 {
		var got int
		if err := p.Call(t.Context(), "x", "add", sum{1, 1}, &got); err != nil {
			t.Fatal(err)
		}
		p.Drop("x")
	}
	if n := dials.Load(); n != 3 {
		t.Errorf("%d connections", n)
	}
}

func TestACallThatWasCutOffIsAmbiguousAndOneThatWasNeverSentIsNot(t *testing.T) {
	called := make(chan struct{})
	p, _ := start(t, map[string]Handler{"hang": func(ctx context.Context, _ string, _ []byte) (any, error) {
		close(called)
		<-ctx.Done()
		return nil, nil
	}})
	go func() { <-called; p.Drop("x") }()
	if err := p.Call(t.Context(), "x", "hang", nil, nil); !errors.Is(err, ErrBroken) {
		t.Errorf("got %v", err)
	}
	q := NewPool(func(context.Context, string) (net.Conn, error) { return nil, errors.New("refused") })
	defer q.Close()
	if err := q.Call(t.Context(), "x", "add", nil, nil); !errors.Is(err, ErrNotSent) {
		t.Errorf("got %v", err)
	}
	p.Close()
	if err := p.Call(t.Context(), "x", "add", nil, nil); !errors.Is(err, ErrNotSent) {
		t.Errorf("got %v after Close", err)
	}
}

func TestWaitersShareOneFailingDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int64
		p := NewPool(func(ctx context.Context, _ string) (net.Conn, error) {
			dials.Add(1)
			<-ctx.Done()
			return nil, ctx.Err()
		})
		began := time.Now()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := p.Call(t.Context(), "x", "add", nil, nil); !errors.Is(err, ErrNotSent) {
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(began); took != dialTimeout || dials.Load() != 1 {
			t.Errorf("%v, %d dials", took, dials.Load())
		}
	})
}

// A connection through a network that drops everything must not be used after it has healed.
func TestASilentConnectionIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int64
		var ends []net.Conn
		p := NewPool(func(context.Context, string) (net.Conn, error) {
			dials.Add(1)
			a, b := net.Pipe()
			ends = append(ends, b)
			go func() { _, _ = bytes.NewBuffer(nil).ReadFrom(b) }()
			return a, nil
		})
		for range 2 {
			ctx, cancel := context.WithTimeout(t.Context(), silence)
			if err := p.Call(ctx, "x", "add", nil, nil); !errors.Is(err, ErrBroken) {
				t.Errorf("got %v", err)
			}
			cancel()
		}
		if n := dials.Load(); n != 2 {
			t.Errorf("%d dials: the dead connection was used again", n)
		}
		p.Close()
		for _, e := range ends {
			e.Close()
		}
	})
}

func FuzzReadFrame(f *testing.F) {
	ok, _ := encode(&frame{ID: 1, Method: "add", Body: []byte{1}})
	f.Add(ok)
	f.Add([]byte{0, 0, 0, 1, 0xff})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, in []byte) {
		g, err := readFrame(bytes.NewReader(in))
		if err == nil && g == nil {
			t.Fatal("neither a frame nor an error")
		}
	})
}
