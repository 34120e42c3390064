package socket

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

// hall answers every message with the same one, for all who connect.
type hall struct {
	t      *testing.T
	poller Poller
	web    *httptest.Server
	open   sync.WaitGroup // connections
}

func newHall(t *testing.T, secure bool) *hall {
	t.Helper()
	h := &hall{t: t}
	t.Cleanup(func() { goleak.VerifyNone(t) })
	up := websocket.Upgrader{}
	h.web = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		c, err := New(ws.NetConn(), 2<<20)
		if err != nil {
			t.Error(err)
			return
		}
		h.open.Add(1)
		first, err := c.ReadMessage()
		_ = c.SetDeadline(time.Now().Add(-time.Second)) // that of a handshake, which is over
		if err == nil {
			err = h.poller.Add(c, fmt.Sprintf("<%s>", first))
		}
		if err != nil {
			t.Error(err)
			return
		}
		h.attend(Ready{Conn: c, Owner: fmt.Sprintf("<%s>", first), Ended: true}, NewReader(64))
	}))
	h.web.Listener = Listen(h.web.Listener)
	if secure {
		h.web.StartTLS()
	} else {
		h.web.Start()
	}
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(h.read)
	}
	t.Cleanup(func() {
		h.open.Wait()
		if err := h.poller.Close(); err != nil {
			t.Error(err)
		}
		readers.Wait()
		h.web.Close()
	})
	return h
}

func (h *hall) read() {
	r := NewReader(16 << 10)
	var ready []Ready
	var err error
	for {
		if ready, err = h.poller.Wait(ready); err != nil {
			return
		}
		for _, one := range ready {
			h.attend(one, r)
		}
	}
}

func (h *hall) attend(one Ready, r *Reader) {
	ended := one.Ended
	w := NewWriter()
	for {
		more, err := one.Conn.Receive(r, func(op Op, data []byte) error {
			answer := Frame(op, data)
			switch {
			case op == Ping:
				answer = Frame(Pong, data)
			case op == Text && string(data) == "who":
				answer = Frame(Text, []byte(one.Owner.(string)))
			}
			if one.Conn.Direct() {
				left, err := one.Conn.Send(w, answer)
				if err != nil {
					return err
				}
				answer = left
			}
			_, err := one.Conn.Write(answer)
			return err
		})
		if err != nil {
			_ = h.poller.Remove(one.Conn) // TLS cannot say good-bye to who is gone
			h.open.Done()
			return
		}
		if more || ended {
			ended = ended && more
			continue
		}
		if h.poller.Rest(one.Conn) {
			return
		}
	}
}

// enter connects, and says its name.
func (h *hall) enter(name string) *websocket.Conn {
	h.t.Helper()
	d := websocket.Dialer{WriteBufferSize: 200, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	ws, answer, err := d.Dial("ws"+strings.TrimPrefix(h.web.URL, "http"), nil)
	if err != nil {
		h.t.Fatal(err)
	}
	_ = answer.Body.Close()
	h.t.Cleanup(func() { _ = ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(30 * time.Second))
	h.say(ws, []byte(name))
	return ws
}

func (h *hall) say(ws *websocket.Conn, text []byte) {
	h.t.Helper()
	if err := ws.WriteMessage(websocket.TextMessage, text); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hall) hears(ws *websocket.Conn, want []byte) {
	h.t.Helper()
	if _, got, err := ws.ReadMessage(); err != nil || !bytes.Equal(got, want) {
		h.t.Fatalf("%d bytes came back, not %d: %v", len(got), len(want), err)
	}
}

func TestMessagesOfAllSizesArrive(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls %t", secure), func(t *testing.T) {
			h := newHall(t, secure)
			ws := h.enter("me")
			pongs := 0
			ws.SetPongHandler(func(string) error { pongs++; return nil })
			for _, size := range []int{0, 1, 125, 126, 200, 5000, 16 << 10, 65535, 65536, 1 << 20} {
				text := bytes.Repeat([]byte("x"), size)
				if err := ws.WriteMessage(websocket.PingMessage, []byte("p")); err != nil {
					t.Fatal(err)
				}
				h.say(ws, text) // in parts of 200 bytes
				h.hears(ws, text)
			}
			if pongs != 10 {
				t.Errorf("%d of 10 pings were answered", pongs)
			}
			for range 200 { // many in one read
				h.say(ws, []byte("who"))
			}
			for range 200 {
				h.hears(ws, []byte("<me>"))
			}
		})
	}
}

func TestManyConnectionsAtOnceLoseNothing(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls %t", secure), func(t *testing.T) {
			h := newHall(t, secure)
			var all sync.WaitGroup
			for i := range 20 {
				name := fmt.Sprint("node-", i)
				all.Go(func() {
					for range 3 { // numbers are used again
						ws := h.enter(name)
						for range 50 {
							h.say(ws, []byte("who"))
							h.hears(ws, []byte("<"+name+">"))
						}
						_ = ws.Close()
					}
				})
			}
			all.Wait()
		})
	}
}

func TestWhatComesWhileAConnectionIsReadIsNotForgotten(t *testing.T) {
	c := &Conn{}
	if !c.claim() || c.claim() {
		t.Fatal("two readers at a time, or none")
	}
	if c.release() {
		t.Error("given back, though more has come")
	}
	if !c.release() || !c.claim() {
		t.Error("not given back")
	}
}

func TestAConnectionThatIsShutIsReadToItsEnd(t *testing.T) {
	h := newHall(t, false)
	ws := h.enter("me")
	h.say(ws, []byte("who"))
	h.hears(ws, []byte("<me>"))
	h.poller.mu.Lock()
	c := h.poller.rows[0].conn
	h.poller.mu.Unlock()
	c.Shut()
	h.open.Wait()
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("it is still open")
	}
}

func TestTLSWithoutAListenerOfThisPackageIsRefused(t *testing.T) {
	var refused error
	done := make(chan struct{})
	up := websocket.Upgrader{}
	web := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		ws, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		_, refused = New(ws.NetConn(), 1)
		_ = ws.Close()
	}))
	defer web.Close()
	d := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	ws, answer, err := d.Dial("ws"+strings.TrimPrefix(web.URL, "http"), nil)
	if err != nil {
		t.Fatal(errors.Join(err))
	}
	_ = answer.Body.Close()
	_ = ws.Close()
	if <-done; refused == nil {
		t.Error("a connection was taken that cannot be waited for")
	}
}
