package push

import (
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/socket"
)

// desk is a Server whose connections a test makes itself.
type desk struct {
	t       *testing.T
	server  *Server
	listen  net.Listener
	tls     *tls.Config
	reading sync.WaitGroup
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	d := &desk{t: t, server: New(Config{Peer: "p1"}, Deps{Store: fsm.NewStore(), Log: slog.New(slog.DiscardHandler)})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.listen = socket.Listen(l)
	t.Cleanup(func() { _ = d.listen.Close(); _ = d.server.poller.Close(); d.reading.Wait() })
	return d
}

// connect makes a session, and gives the agent's end of it.
func (d *desk) connect() (*conn, net.Conn) {
	d.t.Helper()
	agent, err := net.Dial("tcp", d.listen.Addr().String())
	if err != nil {
		d.t.Fatal(err)
	}
	here, err := d.listen.Accept()
	if err != nil {
		d.t.Fatal(err)
	}
	if d.tls != nil {
		secure := tls.Server(here, d.tls)
		shaken := make(chan error, 1)
		go func() { shaken <- tls.Client(agent, &tls.Config{InsecureSkipVerify: true}).Handshake() }() //nolint:gosec // of this test
		if err := secure.Handshake(); err != nil {
			d.t.Fatal(err)
		}
		if err := <-shaken; err != nil {
			d.t.Fatal(err)
		}
		here = secure
	}
	ws, err := socket.New(here, 1<<20)
	if err != nil {
		d.t.Fatal(err)
	}
	c := &conn{ws: ws, writers: d.server.writers, log: d.server.deps.Log, session: &session{}}
	d.server.serving.Add(1)
	if err := d.server.poller.Add(ws, c); err != nil {
		d.t.Fatal(err)
	}
	if !d.server.poller.Rest(ws) {
		d.t.Fatal("nothing was sent yet")
	}
	d.t.Cleanup(func() { _ = agent.Close(); _ = ws.Close() })
	return c, agent
}

func (c *conn) isShut() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// pong is a frame of an agent that needs no answer.
var pong = []byte{0x8a, 0x80, 0, 0, 0, 0}

func TestAnEndBehindTheLastFrameIsSeen(t *testing.T) {
	d := newDesk(t)
	c, agent := d.connect()
	other, bell := d.connect()
	r := d.server.newReader(64)
	heard := 0
	r.take = func(socket.Op, []byte) error {
		if heard++; heard > 1 {
			return nil
		}
		// While this is read the agent says its last, and is gone.
		for _, step := range []error{write(agent, pong), agent.Close(), write(bell, pong)} {
			if step != nil {
				t.Error(step)
			}
		}
		if ready, err := d.server.poller.Wait(nil); err != nil || len(ready) != 1 || ready[0].Owner != other {
			t.Errorf("%v, %v", ready, err)
		}
		return nil
	}
	if err := write(agent, pong); err != nil {
		t.Fatal(err)
	}
	if ready, err := d.server.poller.Wait(nil); err != nil || len(ready) != 1 || ready[0].Owner != c {
		t.Fatalf("%v, %v", ready, err)
	}
	r.attend(c, false)
	d.server.startReaders(&d.reading)
	c.untilShut(t)
}

// untilShut returns when a reader has seen the end of a connection.
func (c *conn) untilShut(t *testing.T) {
	t.Helper()
	for over := time.Now().Add(10 * time.Second); !c.isShut(); runtime.Gosched() {
		if time.Now().After(over) {
			t.Fatal("nobody sees that it has ended")
		}
	}
}

func write(to io.Writer, data []byte) error {
	_, err := to.Write(data)
	return err
}

// Parts of a message are no message yet, and may come without an end.
func TestAConnectionThatFloodsIsPaced(t *testing.T) {
	d := newDesk(t)
	c, agent := d.connect()
	began := time.Now()
	d.server.startReaders(&d.reading)
	part := []byte{0x01, 0x80, 0, 0, 0, 0}
	const size = 1 << 20
	frames := append([]byte{}, part...)
	for part[0] = 0; len(frames) < size; frames = append(frames, part...) {
	}
	if err := write(agent, frames); err != nil {
		t.Fatal(err)
	}
	_ = agent.Close()
	d.server.serving.Wait()
	if used, least := time.Unix(0, int64(c.pace)).Sub(began), size/readSize*time.Second/framesPerSecond; used < least {
		t.Errorf("%d bytes count as %s of what it may send, want %s", size, used, least)
	}
}

// Whoever reads TLS may have to write, behind an update that nobody takes.
func TestAnAgentThatHoldsAReaderHoldsUpNoOther(t *testing.T) {
	d := newDesk(t)
	web := httptest.NewUnstartedServer(nil)
	web.StartTLS() // for its certificate
	d.tls = web.TLS.Clone()
	web.Close()
	d.server.startReaders(&d.reading)
	for range readerCount + 1 {
		c, agent := d.connect()
		full := make(chan struct{})
		go func() {
			defer close(full)
			_, _ = c.ws.Write(make([]byte, 64<<20))
		}()
		t.Cleanup(func() { c.shut(); <-full })
		if _, err := io.ReadFull(agent, make([]byte, 64<<10)); err != nil { // the update has begun
			t.Fatal(err)
		}
		// What cannot be decrypted is answered with an alert.
		if err := write(agent, append([]byte{23, 3, 3, 0, 32}, make([]byte, 32)...)); err != nil {
			t.Fatal(err)
		}
		d.untilRead()
	}
}

// untilRead returns when another agent's end has been read.
func (d *desk) untilRead() {
	d.t.Helper()
	c, agent := d.connect()
	_ = agent.Close()
	c.untilShut(d.t)
}
