package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// peer is a controller for tests: a real server with an answer for each call.
func peer(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL
}

// nobody is an address at which nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

func newClient(t *testing.T, addrs ...string) *Client {
	t.Helper()
	c, err := New(Config{Addrs: addrs, Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func problemAnswer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"status":%d,"code":%q,"detail":"because","request_id":"r1","problems":[{"pointer":"/a","message":"is wrong"}]}`, status, code)
}

func TestTheNextAddressIsTriedAndKept(t *testing.T) {
	calls := 0
	good := peer(t, func(w http.ResponseWriter, r *http.Request) { calls++; fmt.Fprint(w, `{}`) })
	c := newClient(t, nobody(t), good)
	for range 2 {
		if _, err := c.Get(t.Context(), Path("me"), nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if c.Addr() != good || calls != 2 {
		t.Errorf("%d calls, at %s", calls, c.Addr())
	}
}

func TestAWriteIsRepeatedUnderOneKeyUntilSomebodyKnows(t *testing.T) {
	var keys, bodies []string
	note := func(r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		keys, bodies = append(keys, r.Header.Get("Idempotency-Key")), append(bodies, string(text))
	}
	unsure := peer(t, func(w http.ResponseWriter, r *http.Request) { note(r); problemAnswer(w, 504, "outcome_unknown") })
	leaderless := peer(t, func(w http.ResponseWriter, r *http.Request) { note(r); problemAnswer(w, 503, "no_quorum") })
	good := peer(t, func(w http.ResponseWriter, r *http.Request) { note(r); fmt.Fprint(w, `{"revision":7}`) })
	c := newClient(t, unsure, leaderless, good)
	var w Written
	if _, err := c.Send(t.Context(), http.MethodPut, Path("documents", "a/b"), json.RawMessage(`{"content":{"x":1.0}}`), &w); err != nil {
		t.Fatal(err)
	}
	if w.Revision != 7 || len(keys) != 3 || keys[0] == "" || keys[0] != keys[1] || keys[1] != keys[2] {
		t.Errorf("revision %d, keys %q", w.Revision, keys)
	}
	for _, b := range bodies {
		if b != `{"content":{"x":1.0}}` {
			t.Errorf("body %q", b)
		}
	}
	if _, err := c.Send(t.Context(), http.MethodPut, Path("documents", "a/b"), nil, nil); err != nil {
		t.Fatal(err)
	}
	if keys[3] == keys[0] {
		t.Error("another write has the same key")
	}
}

func TestWhatIsRefusedIsNotTriedAgain(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 409, 412, 413, 422} {
		calls := 0
		c := newClient(t, peer(t, func(w http.ResponseWriter, r *http.Request) { calls++; problemAnswer(w, status, "no") }), nobody(t))
		_, err := c.Get(t.Context(), Path("x"), nil, nil)
		var e *Error
		if !errors.As(err, &e) || e.Status != status || Status(err) != status || Code(err) != "no" || calls != 1 {
			t.Errorf("%d: %v after %d calls", status, err, calls)
		}
		if err != nil && err.Error() != "because\n  /a: is wrong" {
			t.Errorf("%q", err)
		}
	}
}

func TestNobodyAtAllIsSaidSoon(t *testing.T) {
	began := time.Now()
	_, err := newClient(t, nobody(t), nobody(t)).Get(t.Context(), Path("x"), nil, nil)
	if !errors.Is(err, ErrUnreachable) || Status(err) != 0 {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > patienceAbsent+2*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestALimitIsWaitedFor(t *testing.T) {
	calls := 0
	c := newClient(t, peer(t, func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			w.Header().Set("Retry-After", "0")
			problemAnswer(w, 429, "too_many_requests")
			return
		}
		fmt.Fprint(w, `{}`)
	}))
	if _, err := c.Get(t.Context(), Path("x"), nil, nil); err != nil || calls != 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestALimitThatIsTooFarAwayIsSaidAtOnce(t *testing.T) {
	limited := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		problemAnswer(w, 429, "too_many_requests")
	}
	c := newClient(t, peer(t, limited), peer(t, limited))
	began := time.Now()
	if _, err := c.Get(t.Context(), Path("x"), nil, nil); Status(err) != 429 || time.Since(began) > patience/2 {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestReadsCarryTheHighestIndexThatWasSeen(t *testing.T) {
	var asked []string
	index := "1.20"
	c := newClient(t, peer(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Header.Get("Drover-Index"))
		w.Header().Set("Drover-Index", index)
		fmt.Fprint(w, `{}`)
	}))
	do := func(method, answers string) {
		index = answers
		if _, err := c.Do(t.Context(), Request{Method: method, Path: Path("x")}); err != nil {
			t.Fatal(err)
		}
	}
	do("GET", "1.20")
	do("GET", "1.9")
	do("GET", "2.1")
	do("PUT", "nonsense")
	do("GET", "2.2")
	want := "GET , GET 1.20, GET 1.20, PUT , GET 2.1"
	if got := strings.Join(asked, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestNamesAreEscapedOnce(t *testing.T) {
	if got := Path("documents", "site-1/vpn", "versions", "3"); got != "/api/v1/documents/site-1%2Fvpn/versions/3" {
		t.Error(got)
	}
}

func TestListsAreReadToTheirEnd(t *testing.T) {
	c := newClient(t, peer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("cursor") {
		case "":
			fmt.Fprint(w, `{"items":[{"document":"a","z":1.0},{"document":"b"}],"next_cursor":"n"}`)
		case "n":
			fmt.Fprint(w, `{"items":[{"document":"c"}]}`)
		}
	}))
	all, err := List[Document](t.Context(), c, Path("documents"), nil, 0)
	if err != nil || len(all) != 3 || all[2].Value.Name != "c" || string(all[0].Raw) != `{"document":"a","z":1.0}` {
		t.Errorf("%+v, %v", all, err)
	}
	some, err := List[Document](t.Context(), c, Path("documents"), nil, 2)
	if err != nil || len(some) != 2 {
		t.Errorf("%+v, %v", some, err)
	}
}

func TestEventsAreReadUntilTheStreamEnds(t *testing.T) {
	c := newClient(t, nobody(t), peer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Last-Event-ID") != "1.5" {
			t.Errorf("Last-Event-ID %q", r.Header.Get("Last-Event-ID"))
		}
		fmt.Fprint(w, "retry: 1000\n\n: heartbeat\n\nevent: push\ndata: {\"id\":\ndata: \"7\"}\n\nid: 1.7\nevent: revision\ndata: {}\n\nevent: cut\ndata: {}")
	}))
	var got []string
	err := c.Events(t.Context(), "1.5", func(e Event) error {
		got = append(got, e.ID+"|"+e.Type+"|"+strings.ReplaceAll(string(e.Data), "\n", ""))
		return nil
	})
	if want := `|push|{"id":"7"} 1.7|revision|{}`; err != nil || strings.Join(got, " ") != want {
		t.Errorf("%q, %v", got, err)
	}
	mine := errors.New("enough")
	if err := c.Events(t.Context(), "1.5", func(Event) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("%v", err)
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	var stolen atomic.Bool
	thief := peer(t, func(http.ResponseWriter, *http.Request) { stolen.Store(true) })
	c := newClient(t, peer(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, thief, http.StatusFound) }))
	if _, err := c.Get(t.Context(), Path("x"), nil, nil); Status(err) != 302 || stolen.Load() {
		t.Errorf("%v, followed: %v", err, stolen.Load())
	}
}

func TestTheCredentialIsATokenOrASession(t *testing.T) {
	var header http.Header
	addr := peer(t, func(w http.ResponseWriter, r *http.Request) { header = r.Header; fmt.Fprint(w, `{}`) })
	for _, c := range []struct {
		cfg           Config
		bearer, login string
	}{
		{Config{Token: "t", Session: "s"}, "Bearer t", ""},
		{Config{Session: "s"}, "", "drover=s"},
		{Config{}, "", ""},
	} {
		c.cfg.Addrs = []string{addr}
		cl, err := New(c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cl.Get(t.Context(), Path("me"), nil, nil); err != nil {
			t.Fatal(err)
		}
		if header.Get("Authorization") != c.bearer || header.Get("Cookie") != c.login {
			t.Errorf("%+v: %v", c.cfg, header)
		}
		cl.Close()
	}
	if cookieName("https://x") != "__Host-drover" {
		t.Error("the session of a TLS peer has another name")
	}
}

func TestBadAddressesAreNamed(t *testing.T) {
	for _, bad := range []string{"ctl-1:8443", "ftp://x", "https://", "https://user:pw@x", "https://x?y=1"} {
		if _, err := New(Config{Addrs: []string{bad}}); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("no address was taken")
	}
}

func TestACallEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := newClient(t, peer(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		problemAnswer(w, 503, "no_quorum")
	}))
	began := time.Now()
	if _, err := c.Get(ctx, Path("x"), nil, nil); err == nil || time.Since(began) > patience/2 {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestAnAnswerThatIsNoJSONIsSaidToBeNone(t *testing.T) {
	c := newClient(t, peer(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>login</html>") }))
	var out map[string]any
	if _, err := c.Get(t.Context(), Path("x"), nil, &out); err == nil || !strings.Contains(err.Error(), "none of a Drover controller") {
		t.Errorf("%v", err)
	}
	proxy := newClient(t, peer(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusTeapot) }))
	if _, err := proxy.Get(t.Context(), Path("x"), nil, nil); err == nil || !strings.Contains(err.Error(), "418") {
		t.Errorf("%v", err)
	}
}

func TestACallThatWaitsOutlastsTheUsualLimit(t *testing.T) {
	release := make(chan struct{})
	c := newClient(t, peer(t, func(w http.ResponseWriter, r *http.Request) {
		<-release
		fmt.Fprint(w, `{}`)
	}))
	c.http.Transport.(*http.Transport).ResponseHeaderTimeout = time.Millisecond
	if _, err := c.once(t.Context(), c.Addr(), Request{Path: Path("x")}, http.Header{}, nil); err == nil {
		t.Error("the usual limit does not hold")
	}
	done := make(chan error, 1)
	go func() {
		_, err := c.once(t.Context(), c.Addr(), Request{Path: Path("x"), Wait: time.Minute}, http.Header{}, nil)
		done <- err
	}()
	close(release)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAShortListIsCutToTheLimit(t *testing.T) {
	c := newClient(t, peer(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"items":[{"id":"a"},{"id":"b"},{"id":"c"}]}`)
	}))
	for limit, want := range map[int]int{0: 3, 1: 1, 3: 3, 9: 3} {
		if items, err := List[Push](t.Context(), c, Path("x"), nil, limit); err != nil || len(items) != want {
			t.Errorf("limit %d: %d items, %v", limit, len(items), err)
		}
	}
}
