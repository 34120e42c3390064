package instance

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"
)

// canary is a token that no text but the Authorization header may hold.
const canary = "canary-4f1c-token"

func loopback() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}

func newClient(t *testing.T, r Rules) *Client {
	t.Helper()
	if r.Allow == nil {
		r.Allow = loopback()
	}
	c := NewClient(r)
	t.Cleanup(c.Close)
	return c
}

func serve(t *testing.T, h http.HandlerFunc) Target {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return Target{ID: "hook-1", URL: s.URL, Token: NewToken(canary)}
}

// serveRaw answers every connection with text, whatever is asked, and closes it.
func serveRaw(t *testing.T, text string) Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			// One read: the request is smaller than a segment.
			_, _ = conn.Read(make([]byte, 64<<10))
			_, _ = io.WriteString(conn, text)
			conn.Close()
		}
	}()
	return Target{ID: "hook-1", URL: "http://" + l.Addr().String(), Token: NewToken(canary)}
}

func failureOf(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	return e
}

func webhooks() Update {
	return Update{Type: "webhooks", Config: []byte(`{"a":{"module":"log","n":1.0}}`), Version: "7"}
}
