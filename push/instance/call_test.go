package instance

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const success = `{"status":"success","error":null,"details":{"webhooks":{"total":1}},"timestamp":"2026-01-02T03:04:05Z","instance_id":"hook-1","version":"abc"}`

func TestUpdateSendsTheExactText(t *testing.T) {
	var got, head string
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = string(body)
		head = r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization") + " " + r.Header.Get("Content-Type")
		if r.ContentLength != int64(len(body)) || r.Header.Get("Idempotency-Key") != "" {
			t.Errorf("length %d, headers %v", r.ContentLength, r.Header)
		}
		io.WriteString(w, success)
	})
	target.URL += "/gate/a/"
	answer, err := newClient(t, Rules{}).Update(t.Context(), target, webhooks())
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"type":"webhooks","config":{"a":{"module":"log","n":1.0}},"version":"7","source":"drover"}`; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
	if want := "POST /gate/a/admin/config-update Bearer " + canary + " application/json"; head != want {
		t.Errorf("sent %s, want %s", head, want)
	}
	if want := (Answer{"hook-1", "abc", "2026-01-02T03:04:05Z", `{"webhooks":{"total":1}}`}); answer != want {
		t.Errorf("got %+v, want %+v", answer, want)
	}
}

func TestVersionsAndInfo(t *testing.T) {
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case versionPath:
			io.WriteString(w, `{"webhooks_version":"0123456789abcdef","connections_version":null,"routing/core_version":"77","n_version":5,
				"_version":"x","a\u0007_version":"x","Version":"y","last_reload":"2026-01-02"}`)
		case infoPath:
			io.WriteString(w, `{"instance_id":"i","hostname":"h\u001b[31m","version":"1.2","uptime_seconds":1.5,"webhooks_count":27,
				"connections_count":"21","config_version":{"webhooks":"a"},"last_reload":null,"more":[1]}`)
		}
	})
	c := newClient(t, Rules{})
	v, err := c.Versions(t.Context(), target)
	if err != nil || len(v.ByType) != 3 || v.ByType["webhooks"] != "0123456789abcdef" || v.ByType["routing/core"] != "77" || v.ByType["n"] != "5" || v.LastReload != "2026-01-02" {
		t.Errorf("got %+v, %v", v, err)
	}
	info, err := c.Info(t.Context(), target)
	want := Info{InstanceID: "i", Hostname: "h[31m", Version: "1.2", Uptime: 1500 * time.Millisecond, Webhooks: 27, Connections: 21, ConfigVersion: `{"webhooks":"a"}`}
	if err != nil || info != want {
		t.Errorf("got %+v, %v; want %+v", info, err, want)
	}
}

func TestInfoToleratesOddShapes(t *testing.T) {
	for _, c := range []struct {
		body string
		want Info
	}{
		{`{}`, Info{Webhooks: -1, Connections: -1}},
		{`{"instance_id":7,"hostname":{"a":1},"uptime_seconds":"1e400","webhooks_count":-3,"connections_count":1e12}`,
			Info{InstanceID: "7", Hostname: `{"a":1}`, Webhooks: -1, Connections: -1}},
		{`{"uptime_seconds":1e18,"webhooks_count":true,"connections_count":null}`, Info{Webhooks: -1, Connections: -1}},
		{`{"uptime_seconds":"12","webhooks_count":0,"status":"degraded"}`, Info{Uptime: 12 * time.Second, Connections: -1}},
	} {
		target := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, c.body) })
		got, err := newClient(t, Rules{}).Info(t.Context(), target)
		if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v; want %+v", c.body, got, err, c.want)
		}
	}
}

func TestOpenFindsWhatNeedsNoToken(t *testing.T) {
	for _, c := range []struct {
		name   string
		guards map[string]int
		want   string
	}{
		{"both", nil, infoPath + " " + versionPath},
		{"one", map[string]int{infoPath: 401}, versionPath},
		{"none", map[string]int{infoPath: 403, versionPath: 401}, ""},
	} {
		target := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "" {
				t.Errorf("%s: sent the token", c.name)
			}
			if status := c.guards[r.URL.Path]; status != 0 {
				w.WriteHeader(status)
			}
			io.WriteString(w, `{}`)
		})
		open, err := newClient(t, Rules{}).Open(t.Context(), target)
		if got := strings.Join(open, " "); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", c.name, got, err, c.want)
		}
	}
	if open, err := newClient(t, Rules{}).Open(t.Context(), Target{URL: "http://127.0.0.1:1"}); err == nil {
		t.Errorf("an instance that cannot be reached is called open=%v", open)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var followed atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		target := serve(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/login?token="+canary, status)
		})
		_, err := newClient(t, Rules{}).Update(t.Context(), target, webhooks())
		e := failureOf(t, err)
		if e.Code != CodeRedirected || e.Retryable || e.Status != status || !strings.Contains(e.Message, other.URL+"/login") || strings.Contains(e.Error(), canary) {
			t.Errorf("%d: %+v", status, e)
		}
	}
	if followed.Load() {
		t.Error("a redirect was followed")
	}
}

func TestAClosedKeptConnectionCostsNothing(t *testing.T) {
	// The server closes each connection after its answer without saying so: the
	// next call finds a kept connection that is dead.
	var calls atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		io.Copy(io.Discard, r.Body)
		hijacked, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(hijacked, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"status\":\"success\"}")
		hijacked.Close()
	}))
	s.Start()
	defer s.Close()
	c := newClient(t, Rules{})
	const n = 300 // each meets the end of the connection at another moment
	large := Update{Type: "webhooks", Config: []byte(`{"a":"` + strings.Repeat("x", 100<<10) + `"}`)}
	for i := range n {
		if _, err := c.Update(t.Context(), Target{URL: s.URL}, large); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
	}
	if got := calls.Load(); got != n {
		t.Errorf("%d calls arrived, want %d", got, n)
	}
}

func TestAHungInstanceDelaysNoOther(t *testing.T) {
	release := make(chan struct{})
	hung := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	good := serve(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, success) })
	c := newClient(t, Rules{Timeout: 30 * time.Second})
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, 2*connsPerHost)
	for range cap(results) {
		go func() {
			_, err := c.Update(ctx, hung, webhooks())
			results <- err
		}()
	}
	for range 100 {
		if _, err := c.Update(t.Context(), good, webhooks()); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-results:
		t.Fatalf("the hung instance answered: %v", err)
	default:
	}
	cancel()
	for range cap(results) {
		var e *Error
		if err := <-results; !errors.Is(err, context.Canceled) || errors.As(err, &e) {
			t.Errorf("a cancelled call gave %v", err)
		}
	}
}

func TestTimeouts(t *testing.T) {
	full, err := net.Listen("tcp", "127.0.0.1:0") // accepts nothing: the kernel takes the connection
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	release := make(chan struct{})
	silent := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	trickling := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"status":`)
		w.(http.Flusher).Flush()
		<-release
	})
	t.Cleanup(func() { close(release) })
	for name, target := range map[string]Target{
		"never read": {URL: "http://" + full.Addr().String()}, "no handshake": {URL: "https://" + full.Addr().String()},
		"silent": silent, "half an answer": trickling,
	} {
		_, err := newClient(t, Rules{Timeout: 50 * time.Millisecond}).Update(t.Context(), target, webhooks())
		if e := failureOf(t, err); e.Code != CodeTimeout || !e.Retryable || e.Message != "no answer within 50ms" {
			t.Errorf("%s: %+v", name, e)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = newClient(t, Rules{}).Info(ctx, silent)
	if e := failureOf(t, err); e.Code != CodeTimeout {
		t.Errorf("a deadline of the caller: %+v", e)
	}
}

func TestAnEndlessAnswerIsLeft(t *testing.T) {
	for _, status := range []int{200, 500} {
		target := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(status)
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat(" ", 4096)); err != nil {
					return
				}
			}
		})
		_, err := newClient(t, Rules{Timeout: 5 * time.Second}).Update(t.Context(), target, webhooks())
		if e := failureOf(t, err); e.Status != status {
			t.Errorf("%d: %+v", status, e)
		}
	}
}

func TestBadSettingsSendNothing(t *testing.T) {
	var called atomic.Bool
	target := serve(t, func(http.ResponseWriter, *http.Request) { called.Store(true) })
	c := newClient(t, Rules{})
	for name, change := range map[string]func(*Target, *Update){
		"URL":         func(t *Target, _ *Update) { t.URL = "http://u:p@" + strings.TrimPrefix(t.URL, "http://") },
		"token":       func(t *Target, _ *Update) { t.Token = NewToken("a\r\nX-Evil: 1") },
		"long token":  func(t *Target, _ *Update) { t.Token = NewToken(strings.Repeat("x", maxToken+1)) },
		"CA":          func(t *Target, _ *Update) { t.TLS.CA = "no PEM" },
		"server name": func(t *Target, _ *Update) { t.TLS.ServerName = "a b" },
		"key pair":    func(t *Target, _ *Update) { t.TLS.Certificate = "x"; t.TLS.Key = NewToken(canary) },
		"no content":  func(_ *Target, u *Update) { u.Config = nil },
	} {
		bad, update := target, webhooks()
		change(&bad, &update)
		_, err := c.Update(t.Context(), bad, update)
		if e := failureOf(t, err); e.Code != CodeBadSettings || e.Retryable || e.Message == "" || strings.Contains(e.Error(), "Evil") || strings.Contains(e.Error(), canary) {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if called.Load() {
		t.Error("something was sent")
	}
}
