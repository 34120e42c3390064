package api

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestPathsThatAreNotThere(t *testing.T) {
	w := newWorld(t, func(_ *Config, d *Deps) {
		d.UI = http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
			out.Header().Set("Content-Security-Policy", "default-src 'self'")
			_, _ = out.Write([]byte("page " + r.URL.Path))
		})
	})
	for _, c := range []struct {
		method, path string
		status       int
		code, allow  string
	}{
		{"GET", "/api/v1/nothing", 404, "not_found", ""},
		{"GET", "/api", 404, "not_found", ""},
		{"GET", "/agent/v2/x", 404, "not_found", ""},
		{"PUT", "/api/v1/documents/a/b", 404, "not_found", ""},
		{"POST", "/api/v1/me", 405, "method_not_allowed", "GET"},
		{"GET", "/api/v1/login", 405, "method_not_allowed", "POST"},
		{"POST", "/api/v1/documents/a", 405, "method_not_allowed", "GET, PUT, PATCH, DELETE"},
		{"DELETE", "/documents", 405, "method_not_allowed", "OPTIONS, GET"},
		{"GET", "/api/v1/nodes/%ff", 400, "bad_request", ""},
		{"DELETE", "/api/v1/nodes/" + strings.Repeat("x", 3000), 400, "bad_request", ""},
	} {
		rec := w.do(request{method: c.method, path: c.path})
		if got := object(t, rec); rec.Code != c.status || got["code"] != c.code || rec.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d %v, Allow %q", c.method, c.path, rec.Code, got["code"], rec.Header().Get("Allow"))
		}
	}
	for _, path := range []string{"/", "/documents/routing%2Fcore", "/apix"} {
		rec := w.do(request{method: "GET", path: path, as: "-"})
		if rec.Code != 200 || !strings.HasPrefix(rec.Body.String(), "page /") || rec.Header().Get("Content-Security-Policy") != "default-src 'self'" {
			t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
}

func TestEveryAnswerCarriesTheHeaders(t *testing.T) {
	w := newWorld(t)
	for _, r := range []request{
		{method: "GET", path: "/livez", as: "-"},
		{method: "GET", path: "/api/v1/documents"},
		{method: "GET", path: "/api/v1/documents", as: "-"},
		{method: "PUT", path: docA, body: `{"content":{}}`},
		{method: "GET", path: "/nothing"},
		{method: "PATCH", path: "/api/v1/me"},
	} {
		h := w.do(r).Header()
		for key, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
			"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
		} {
			if h.Get(key) != want {
				t.Errorf("%s %s: %s is %q", r.method, r.path, key, h.Get(key))
			}
		}
		if h.Get("X-Request-Id") == "" || !strings.HasPrefix(h.Get("Drover-Index"), "1.") || h.Get("Drover-Stale") != "" {
			t.Errorf("%s %s: %v", r.method, r.path, h)
		}
	}
}

func TestARequestIDIsTakenWhenItIsWellFormed(t *testing.T) {
	w := newWorld(t)
	for id, taken := range map[string]bool{"abc-1_2.X": true, "": false, "a b": false, strings.Repeat("x", 65): false, "<x>": false, "é": false} {
		rec := w.do(request{method: "GET", path: "/api/v1/documents/none", header: map[string]string{"X-Request-Id": id}})
		got := rec.Header().Get("X-Request-Id")
		if (got == id) != taken || got == "" || object(t, rec)["request_id"] != got {
			t.Errorf("%q: answered %q", id, got)
		}
	}
}

// Two commands of one id are applied once, so a client that repeats its
// request id must not lose a write.
func TestARepeatedRequestIDLosesNothing(t *testing.T) {
	w := newWorld(t)
	header := map[string]string{"X-Request-Id": "same"}
	w.want(201, request{method: "PUT", path: docA, body: `{"content":{"x":1}}`, header: header})
	if got := w.want(200, request{method: "PUT", path: docA, body: `{"content":{"x":2}}`, header: header}); got["version"] != 2.0 {
		t.Errorf("got %v", got)
	}
}

func TestTheClientsAddressIsTheConnectionsUnlessATrustedProxySpeaksForIt(t *testing.T) {
	for _, c := range []struct{ trusted, remote, forwarded, want string }{
		{"", "192.0.2.1:1", "198.51.100.9", "192.0.2.1"},
		{"10.0.0.0/8", "192.0.2.1:1", "198.51.100.9", "192.0.2.1"},
		{"10.0.0.0/8", "10.0.0.1:1", "198.51.100.9", "198.51.100.9"},
		{"10.0.0.0/8", "10.0.0.1:1", "203.0.113.5, 198.51.100.9, 10.0.0.2", "198.51.100.9"},
		{"fd00::/8", "[fd00::1]:1", "2001:db8::1", "2001:db8::1"},
		{"10.0.0.0/8", "127.0.0.1:1", "198.51.100.9", "127.0.0.1"},
	} {
		w := newWorld(t, func(conf *Config, _ *Deps) {
			if c.trusted != "" {
				conf.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(c.trusted)}
			}
		})
		w.do(request{method: "GET", path: "/api/v1/me", remote: c.remote, header: map[string]string{"X-Forwarded-For": c.forwarded}})
		if !strings.Contains(w.log.String(), "address="+c.want+"\n") {
			t.Errorf("%+v: %s", c, w.log)
		}
	}
}

func TestReadsOfAPeerWithoutALeaderSayHowOldTheyAre(t *testing.T) {
	w := newWorld(t)
	w.control.set(Standing{Self: "p1", Since: w.server.now().Add(-42 * 1e9)})
	rec := w.do(request{method: "GET", path: "/api/v1/documents"})
	if stale := rec.Header().Get("Drover-Stale"); rec.Code != 200 || stale != "42" && stale != "43" {
		t.Errorf("%d, Drover-Stale %q", rec.Code, stale)
	}
	w.proposer.set(func(p *single) { p.down = ErrNoQuorum })
	w.refused(503, "no_quorum", request{method: "GET", path: "/api/v1/documents?consistency=strong"})
	rec = w.do(request{method: "PUT", path: docA, body: `{"content":{}}`})
	if rec.Code != 503 || rec.Header().Get("Drover-Stale") != "" {
		t.Errorf("%d %v", rec.Code, rec.Header())
	}
}

func TestAStrongReadIsAnsweredByAStateThatHasIt(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{}}`)
	w.want(200, request{method: "GET", path: docA + "?consistency=strong"})
	w.refused(400, "bad_request", request{method: "GET", path: docA + "?consistency=weak"})
	w.refused(400, "bad_request", request{method: "GET", path: docA, header: map[string]string{"Drover-Index": "x"}})
}

func TestAHandlerThatPanicsIsAnInternalError(t *testing.T) {
	w := newWorld(t, func(_ *Config, d *Deps) {
		d.UI = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })
	})
	w.refused(500, "internal", request{method: "GET", path: "/x"})
	if !strings.Contains(w.log.String(), "boom") {
		t.Error("the cause is not in the log")
	}
}

func TestWritesAndFaultsAreLoggedAndNoSecretIs(t *testing.T) {
	w := newWorld(t)
	w.want(201, request{method: "POST", path: "/api/v1/users", body: `{"user":"kim","password":"hunter2hunter2","role":"viewer"}`})
	token := w.want(201, request{method: "POST", path: "/api/v1/tokens", body: `{"name":"ci","role":"viewer"}`})["token"].(string)
	cookie := w.session("viewer")
	w.want(200, withCookie("GET", "/api/v1/me", cookie))
	text := w.log.String()
	for _, secret := range []string{"hunter2", strings.SplitN(token, "_", 3)[2], strings.SplitN(cookie, ".", 2)[1], testPassword} {
		if strings.Contains(text, secret) {
			t.Errorf("the log has a secret")
		}
	}
	for _, want := range []string{"level=INFO msg=request", "method=POST path=/api/v1/users status=201", "actor=t-admin", "level=DEBUG msg=request"} {
		if !strings.Contains(text, want) {
			t.Errorf("the log lacks %q", want)
		}
	}
}

func TestHEADIsAnsweredAsGET(t *testing.T) {
	w := newWorld(t)
	if rec := w.do(request{method: "HEAD", path: "/livez", as: "-"}); rec.Code != 200 {
		t.Errorf("HEAD: %d", rec.Code)
	}
}

func TestTheServerHasLimits(t *testing.T) {
	srv := newWorld(t).server.HTTPServer(nil)
	if srv.ReadHeaderTimeout == 0 || srv.ReadTimeout == 0 || srv.WriteTimeout == 0 || srv.IdleTimeout == 0 || srv.MaxHeaderBytes == 0 {
		t.Errorf("%+v", srv)
	}
}

func TestConfigNamesWhatCannotBe(t *testing.T) {
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{Origins: []string{"example.com"}}, "origins"},
		{Config{SessionIdle: -1}, "session_idle"},
	} {
		if _, err := New(c.config, Deps{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v", err)
		}
	}
}
