package rpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// Handler answers a call. from is the id of the calling peer; body is CBOR. The
// result is encoded as CBOR; an *Error travels as it is, any other error
// becomes one with CodeInternal.
type Handler func(ctx context.Context, from string, body []byte) (any, error)

// Handle makes a Handler of a function over a decoded request.
func Handle[Q, A any](f func(ctx context.Context, from string, req Q) (A, error)) Handler {
	return func(ctx context.Context, from string, body []byte) (any, error) {
		var req Q
		if err := cbor.Unmarshal(body, &req); err != nil {
			return nil, fmt.Errorf("decode a request: %w", err)
		}
		return f(ctx, from, req)
	}
}

// Server answers calls.
type Server struct {
	handlers map[string]Handler
	log      *slog.Logger
}

// NewServer makes a server of handlers by method name.
func NewServer(handlers map[string]Handler, log *slog.Logger) *Server {
	return &Server{handlers: handlers, log: log}
}

// maxCalls bounds the calls of one connection that run at once; beyond it the
// connection is not read, which slows the caller down.
const maxCalls = 256

const writeTimeout = 5 * time.Second

// Serve answers the calls of one connection until it or ctx ends, waits for the
// handlers, and closes it.
func (s *Server) Serve(ctx context.Context, c net.Conn, from string) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	defer cancel()
	defer c.Close()

	slots := make(chan struct{}, maxCalls)
	var writeMu sync.Mutex
	r := bufio.NewReaderSize(c, 64<<10)
	for {
		f, err := readFrame(r)
		if err != nil {
			if !isClosed(err) {
				s.log.Warn("connection of a peer ended", "peer", from, "err", err)
			}
			return
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		running.Go(func() {
			defer func() { <-slots }()
			answer := s.answer(ctx, from, f)
			out, err := encode(answer)
			if err != nil {
				out, _ = encode(&frame{ID: f.ID, Err: &Error{Code: CodeInternal, Message: err.Error()}})
			}
			writeMu.Lock()
			defer writeMu.Unlock()
			_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
			if _, err := c.Write(out); err != nil {
				_ = c.Close() // half a frame may be out: the connection cannot be used again
			}
		})
	}
}

func (s *Server) answer(ctx context.Context, from string, f *frame) *frame {
	out := &frame{ID: f.ID}
	h := s.handlers[f.Method]
	if h == nil {
		out.Err = &Error{Code: CodeUnknownMethod, Message: fmt.Sprintf("this peer has no method %q; is it of an older version?", f.Method)}
		return out
	}
	if f.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(f.Timeout)*time.Millisecond)
		defer cancel()
	}
	result, err := h(ctx, from, f.Body)
	if err == nil {
		out.Body, err = cbor.Marshal(result)
	}
	if err != nil {
		var e *Error
		if !errors.As(err, &e) {
			e = &Error{Code: CodeInternal, Message: err.Error()}
		}
		out.Err, out.Body = e, nil
	}
	return out
}
