//go:build linux && !noepoll

package socket

import (
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Poller tells which of many connections have something to read. The zero
// Poller is ready for use.
type Poller struct {
	table
	once sync.Once
	file *os.File
	raw  syscall.RawConn
	fd   int
	err  error
}

// open makes the epoll. It is waited for as Go waits for a connection, so that
// no thread is held.
func (p *Poller) open() error {
	p.once.Do(func() {
		if p.fd, p.err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); p.err != nil {
			p.err = fmt.Errorf("epoll: %w", p.err)
			return
		}
		if p.err = unix.SetNonblock(p.fd, true); p.err != nil {
			_ = unix.Close(p.fd)
			return
		}
		p.file = os.NewFile(uintptr(p.fd), "epoll")
		p.raw, p.err = p.file.SyscallConn()
	})
	return p.err
}

// Add begins to watch a connection, from now on read without waiting. It belongs
// to the caller, as if Wait had returned it, until Rest.
func (p *Poller) Add(c *Conn, owner any) error {
	if err := p.open(); err != nil {
		return err
	}
	c.owned.Store(reading)
	if err := c.now(); err != nil {
		return err
	}
	slot, turn := p.put(c, owner)
	var failed error
	err := c.tcp.raw.Control(func(fd uintptr) {
		failed = unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{
			Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET, Fd: int32(slot), Pad: int32(turn),
		})
	})
	if err == nil && failed != nil {
		err = fmt.Errorf("epoll: %w", failed)
	}
	if err != nil {
		p.take(c)
	}
	return err
}

// Rest says that a connection was read as far as there was something. It returns
// false if more has come meanwhile: then it must be read again.
func (p *Poller) Rest(c *Conn) bool { return c.release() }

// Remove ends the watch, and closes the connection. Only its reader may do so.
func (p *Poller) Remove(c *Conn) error {
	p.take(c)
	return c.Close()
}

// atOnce is the number of connections that Wait returns at most, so that others
// who wait have something to do as well.
const atOnce = 16

// Wait returns connections with something to read, when there are some. Several
// may wait. Its error means that the Poller is closed.
func (p *Poller) Wait(into []Ready) ([]Ready, error) {
	if err := p.open(); err != nil {
		return nil, err
	}
	var events [atOnce]unix.EpollEvent
	for into = into[:0]; len(into) == 0; {
		n := 0
		var failed error
		err := p.raw.Read(func(fd uintptr) bool {
			n, failed = unix.EpollWait(int(fd), events[:], 0)
			return n > 0 || failed != nil && failed != unix.EINTR && failed != unix.EAGAIN
		})
		if err != nil || failed != nil && failed != unix.EINTR {
			return nil, fmt.Errorf("epoll: %w", first(err, failed))
		}
		into = p.claimed(events[:max(n, 0)], into)
	}
	return into, nil
}

func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// claimed are the connections of events that nobody reads yet.
func (p *Poller) claimed(events []unix.EpollEvent, into []Ready) []Ready {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range events {
		r, found := p.at(uint32(e.Fd), uint32(e.Pad))
		if found && r.Conn.claim() {
			r.Ended = e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0
			into = append(into, r)
		}
	}
	return into
}

// Close ends all calls of Wait.
func (p *Poller) Close() error {
	if err := p.open(); err != nil {
		return nil //nolint:nilerr // nothing was opened
	}
	return p.file.Close()
}
