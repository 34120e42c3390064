package push

import (
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/droverhq/drover/push/socket"
	"github.com/droverhq/drover/wire"
)

// road makes connections whose sockets hold next to nothing, and their writers.
type road struct {
	t       *testing.T
	web     *httptest.Server
	writers *writers
	made    chan *conn
	dialer  websocket.Dialer
}

func newRoad(t *testing.T) *road {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	r := &road{t: t, writers: newWriters(), made: make(chan *conn, 1)}
	stop := make(chan struct{})
	r.writers.start(writerCount, stop)
	t.Cleanup(func() { close(stop); r.writers.group.Wait() })
	upgrader := websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024}
	r.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		ws, err := upgrader.Upgrade(w, q, nil)
		if err != nil {
			t.Error(err)
			return
		}
		if tcp, ok := ws.NetConn().(*net.TCPConn); ok {
			_ = tcp.SetWriteBuffer(4 << 10)
		}
		c, err := socket.New(ws.NetConn(), 1<<10)
		if err != nil {
			t.Error(err)
			return
		}
		r.made <- &conn{ws: c, writers: r.writers, log: slog.New(slog.DiscardHandler)}
	}))
	t.Cleanup(r.web.Close)
	r.dialer.NetDial = func(network, address string) (net.Conn, error) {
		c, err := net.Dial(network, address)
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetReadBuffer(4 << 10)
		}
		return c, err
	}
	return r
}

func (r *road) connect() (*conn, *websocket.Conn) {
	r.t.Helper()
	ws, answer, err := r.dialer.Dial("ws"+strings.TrimPrefix(r.web.URL, "http"), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = answer.Body.Close()
	c := <-r.made
	r.t.Cleanup(func() { c.shut(); _ = c.ws.Close(); _ = ws.Close() })
	return c, ws
}

func (r *road) untilRead(ws *websocket.Conn) {
	r.t.Helper()
	_ = ws.SetReadDeadline(time.Now().Add(writeBase / 2)) // sooner than a write that hangs ends by itself
	if _, _, err := ws.ReadMessage(); err != nil {
		r.t.Fatalf("agents that do not read hold up another: %v", err)
	}
}

var filler = wire.Fault{Code: "x", Message: strings.Repeat("x", smallWrite-100)}

func TestAgentsThatDoNotReadHoldUpNobody(t *testing.T) {
	r := newRoad(t)
	for range writerCount + 2 {
		c, _ := r.connect()
		for range 20 {
			c.tell(filler)
		}
	}
	c, ws := r.connect()
	c.tell(wire.Report{})
	r.untilRead(ws)
}

func TestALargeUpdateBehindASmallMessageHoldsUpNobody(t *testing.T) {
	r := newRoad(t)
	for range writerCount + 2 {
		c, _ := r.connect()
		c.tell(wire.Report{})
		c.send(&frame{offer: &offer{}, data: make([]byte, 8<<20)})
	}
	c, ws := r.connect()
	c.tell(wire.Report{})
	r.untilRead(ws)
}

func TestAnAgentThatAsksForMoreThanItReadsIsDropped(t *testing.T) {
	r := newRoad(t)
	c, _ := r.connect()
	for range 20 + maxQueue {
		c.tell(filler)
	}
	if _, err := c.ws.ReadMessage(); err == nil {
		t.Error("the connection goes on")
	}
	if c.mu.Lock(); len(c.queue) > 0 {
		t.Errorf("%d frames still wait", len(c.queue))
	}
	c.mu.Unlock()
}
