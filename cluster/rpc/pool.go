package rpc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// ErrNotSent means that the call never reached the other peer: it is safe to
// try again.
var ErrNotSent = errors.New("the peer cannot be reached")

// ErrBroken means that the connection ended, or the time was up, after the call
// was sent: the other peer may or may not have acted on it.
var ErrBroken = errors.New("the connection to the peer was lost during the call")

// Dialer opens an authenticated connection to a peer.
type Dialer func(ctx context.Context, peer string) (net.Conn, error)

// Pool keeps one connection to each peer.
type Pool struct {
	dial Dialer
	wg   sync.WaitGroup

	mu     sync.Mutex
	conns  map[string]*conn
	dials  map[string]*dialing
	closed bool
}

// dialing is a dial that several calls wait for.
type dialing struct {
	done chan struct{}
	conn *conn
	err  error
}

// dialTimeout bounds a dial with its handshake.
const dialTimeout = 2 * time.Second

// silence is for how long a call that got no answer must have waited before its
// connection is taken for dead: after a partition TCP itself would keep a
// connection stalled for a minute and more.
const silence = time.Second

// NewPool makes an empty pool.
func NewPool(dial Dialer) *Pool {
	return &Pool{dial: dial, conns: map[string]*conn{}, dials: map[string]*dialing{}}
}

// Call calls a method of a peer. Errors: ErrNotSent, ErrBroken, an *Error of
// the handler's, or one of encoding.
func (p *Pool) Call(ctx context.Context, peer, method string, req, resp any) error {
	f := &frame{Method: method}
	body, err := cbor.Marshal(req)
	if err != nil {
		return fmt.Errorf("encode a request: %w", err)
	}
	f.Body = body
	if deadline, ok := ctx.Deadline(); ok {
		f.Timeout = max(1, time.Until(deadline).Milliseconds())
	}
	c, err := p.get(ctx, peer)
	if err != nil {
		return err
	}
	answer, err := c.call(ctx, f)
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if answer.Err != nil {
		return answer.Err
	}
	if resp == nil {
		return nil
	}
	if err := cbor.Unmarshal(answer.Body, resp); err != nil {
		return fmt.Errorf("decode the answer to %s: %w", method, err)
	}
	return nil
}

// Drop closes the connection to a peer that is gone, was removed, or has a new
// certificate, so that the next call does not fail on a stale one.
func (p *Pool) Drop(peer string) {
	p.mu.Lock()
	c := p.conns[peer]
	delete(p.conns, peer)
	p.mu.Unlock()
	if c != nil {
		c.close()
	}
}

// Close closes all connections and waits for their readers.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	conns := p.conns
	p.conns = map[string]*conn{}
	p.mu.Unlock()
	for _, c := range conns {
		c.close()
	}
	p.wg.Wait()
}

func (p *Pool) get(ctx context.Context, peer string) (*conn, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, fmt.Errorf("%w: this peer is stopping", ErrNotSent)
	}
	if c := p.conns[peer]; c != nil {
		if c.alive() {
			p.mu.Unlock()
			return c, nil
		}
		delete(p.conns, peer)
	}
	d := p.dials[peer]
	if d == nil {
		d = &dialing{done: make(chan struct{})}
		p.dials[peer] = d
		p.wg.Go(func() { p.connect(peer, d) })
	}
	p.mu.Unlock()
	select {
	case <-d.done:
		return d.conn, d.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrNotSent, ctx.Err())
	}
}

// connect dials once for all who wait; it does not end with the call that came
// first.
func (p *Pool) connect(peer string, d *dialing) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	raw, err := p.dial(ctx, peer)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.dials, peer)
	defer close(d.done)
	if err != nil {
		d.err = fmt.Errorf("%w: %w", ErrNotSent, err)
		return
	}
	if p.closed {
		_ = raw.Close()
		d.err = fmt.Errorf("%w: this peer is stopping", ErrNotSent)
		return
	}
	d.conn = newConn(raw)
	p.conns[peer] = d.conn
	p.wg.Go(d.conn.read)
}

// conn is one connection with its calls in flight.
type conn struct {
	raw     net.Conn
	next    atomic.Uint64
	heard   atomic.Int64 // Unix nanoseconds of the last frame
	writeMu sync.Mutex

	mu    sync.Mutex
	calls map[uint64]chan *frame // nil once the connection has ended
}

func newConn(raw net.Conn) *conn { return &conn{raw: raw, calls: map[uint64]chan *frame{}} }

func (c *conn) alive() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls != nil
}

func (c *conn) call(ctx context.Context, f *frame) (*frame, error) {
	f.ID = c.next.Add(1)
	out, err := encode(f)
	if err != nil {
		return nil, err
	}
	ch := make(chan *frame, 1)
	c.mu.Lock()
	if c.calls == nil {
		c.mu.Unlock()
		return nil, ErrNotSent
	}
	c.calls[f.ID] = ch
	c.mu.Unlock()
	defer c.forget(f.ID)

	sent := time.Now()
	c.writeMu.Lock()
	_ = c.raw.SetWriteDeadline(sent.Add(writeTimeout))
	_, err = c.raw.Write(out)
	c.writeMu.Unlock()
	if err != nil {
		c.close()
	}
	select {
	case answer, ok := <-ch:
		if ok {
			return answer, nil
		}
		return nil, ErrBroken
	case <-ctx.Done():
		if time.Since(sent) >= silence && c.heard.Load() < sent.UnixNano() {
			c.close()
		}
		return nil, fmt.Errorf("%w: %w", ErrBroken, ctx.Err())
	}
}

func (c *conn) forget(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, id)
}

func (c *conn) read() {
	r := bufio.NewReaderSize(c.raw, 64<<10)
	for {
		f, err := readFrame(r)
		if err != nil {
			c.close()
			return
		}
		c.heard.Store(time.Now().UnixNano())
		c.mu.Lock()
		ch := c.calls[f.ID]
		delete(c.calls, f.ID)
		c.mu.Unlock()
		if ch != nil {
			ch <- f
		}
	}
}

// close ends the connection; every call in flight gets ErrBroken.
func (c *conn) close() {
	c.mu.Lock()
	calls := c.calls
	c.calls = nil
	c.mu.Unlock()
	for _, ch := range calls {
		close(ch)
	}
	_ = c.raw.Close()
}

// isClosed tells the usual ends of a connection from damage.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrUnexpectedEOF)
}
