//go:build !linux || noepoll

package socket

import (
	"net"
	"sync"
	"syscall"
)

// Poller tells which of many connections have something to read. The zero
// Poller is ready for use. Without epoll a goroutine waits for each.
type Poller struct {
	table
	once  sync.Once
	ready chan Ready
	over  chan struct{}
}

func (p *Poller) open() {
	p.once.Do(func() { p.ready, p.over = make(chan Ready), make(chan struct{}) })
}

// Add begins to watch a connection, from now on read without waiting. It belongs
// to the caller, as if Wait had returned it, until Rest.
func (p *Poller) Add(c *Conn, owner any) error {
	p.open()
	c.owned.Store(reading)
	if err := c.now(); err != nil {
		return err
	}
	p.put(c, owner)
	return nil
}

// Rest says that a connection was read as far as there was something. It returns
// false if more has come meanwhile: then it must be read again.
func (p *Poller) Rest(c *Conn) bool {
	if !c.release() {
		return false
	}
	p.mu.Lock()
	owner := p.rows[c.slot].owner
	p.mu.Unlock()
	go func() {
		var one [1]byte
		_ = c.tcp.raw.Read(func(fd uintptr) bool {
			_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
			return err != syscall.EAGAIN && err != syscall.EINTR
		})
		if !c.claim() {
			return
		}
		select {
		case p.ready <- Ready{Conn: c, Owner: owner, Ended: true}:
		case <-p.over:
		}
	}()
	return true
}

// Remove ends the watch, and closes the connection. Only its reader may do so.
func (p *Poller) Remove(c *Conn) error {
	p.take(c)
	return c.Close()
}

// Wait returns connections with something to read, when there are some. Several
// may wait. Its error means that the Poller is closed.
func (p *Poller) Wait(into []Ready) ([]Ready, error) {
	p.open()
	select {
	case r := <-p.ready:
		return append(into[:0], r), nil
	case <-p.over:
		return nil, net.ErrClosed
	}
}

// Close ends all calls of Wait.
func (p *Poller) Close() error {
	p.open()
	close(p.over)
	return nil
}
