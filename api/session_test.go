package api

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/droverhq/drover/api/credential"
	"github.com/droverhq/drover/fsm"
)

func loginBody(user, password string) string {
	return fmt.Sprintf(`{"user":%q,"password":%q}`, user, password)
}

// withCookie makes a request with a session's cookie alone.
func withCookie(method, path, value string) request {
	return request{method: method, path: path, as: "-", header: map[string]string{"Cookie": "drover=" + value}}
}

func TestALoginOpensASessionThatLogoutEnds(t *testing.T) {
	w := newWorld(t)
	rec := w.do(request{method: "POST", path: loginPath, as: "-", body: loginBody("operator", testPassword)})
	got := object(t, rec)
	if rec.Code != 200 || got["user"] != "operator" || got["role"] != "operator" || got["index"] != float64(w.proposer.index) {
		t.Fatalf("login: %d %v", rec.Code, got)
	}
	c := rec.Result().Cookies()[0]
	if c.Name != "drover" || c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
		t.Errorf("cookie %+v", c)
	}
	me := w.want(200, withCookie("GET", "/api/v1/me", c.Value))
	if me["user"] != "operator" || me["kind"] != "user" || me["expires"] == "" || me["cluster"].(map[string]any)["id"] != "c-1" {
		t.Errorf("me %v", me)
	}
	w.want(204, withCookie("POST", "/api/v1/logout", c.Value))
	w.refused(401, "unauthorized", withCookie("GET", "/api/v1/me", c.Value))
	w.refused(409, "conflict", request{method: "POST", path: "/api/v1/logout"})
}

func TestOverTLSTheCookieIsBoundToTheHost(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	for name, c := range map[string]struct {
		tls       bool
		remote    string
		forwarded string
		cookie    string
	}{
		"plain":                   {false, "192.0.2.1:1", "", "drover"},
		"tls":                     {true, "192.0.2.1:1", "", "__Host-drover"},
		"behind a trusted proxy":  {false, "10.1.1.1:1", "https", "__Host-drover"},
		"behind somebody":         {false, "192.0.2.1:1", "https", "drover"},
		"plain before that proxy": {false, "10.1.1.1:1", "http", "drover"},
	} {
		q := w.build(request{method: "POST", path: loginPath, as: "-", body: loginBody("viewer", testPassword), remote: c.remote,
			header: map[string]string{"X-Forwarded-Proto": c.forwarded}})
		if c.tls {
			q.TLS = &tls.ConnectionState{}
		}
		rec := w.serve(q)
		if rec.Code != 200 {
			t.Fatalf("%s: %d %s", name, rec.Code, rec.Body)
		}
		if got := rec.Result().Cookies()[0]; got.Name != c.cookie || got.Secure != (c.cookie != "drover") {
			t.Errorf("%s: cookie %+v", name, got)
		}
		if hsts := rec.Header().Get("Strict-Transport-Security") != ""; hsts != (c.cookie != "drover") {
			t.Errorf("%s: HSTS %v", name, hsts)
		}
	}
}

func TestAWrongPasswordIsRefusedAndRecorded(t *testing.T) {
	w := newWorld(t)
	w.refused(401, "unauthorized", request{method: "POST", path: loginPath, as: "-", body: loginBody("admin", "wrong")})
	e := w.audit(func(e *fsm.AuditEntry) bool { return e.Action == "login.failed" })
	if e.Object != "admin" || e.Actor.Address != "192.0.2.1" {
		t.Errorf("audited %+v", e)
	}
	w.refused(401, "unauthorized", request{method: "POST", path: loginPath, as: "-", body: loginBody("my secret password", "")})
	e = w.audit(func(e *fsm.AuditEntry) bool { return e.Action == "login.failed" && e.Object != "admin" })
	if e.Object != "an unknown user" {
		t.Errorf("what was typed as a name is in the audit: %+v", e)
	}
	if strings.Contains(w.log.String(), "my secret password") {
		t.Error("what was typed as a name is in the log")
	}
}

func TestFailedLoginsAreLimitedByAccountAndByAddress(t *testing.T) {
	w := newWorld(t)
	try := func(user, password, remote string) int {
		return w.do(request{method: "POST", path: loginPath, as: "-", body: loginBody(user, password), remote: remote}).Code
	}
	for i := range 5 {
		if code := try("admin", "wrong", fmt.Sprintf("192.0.2.%d:1", i)); code != 401 {
			t.Fatalf("try %d: %d", i, code)
		}
	}
	rec := w.do(request{method: "POST", path: loginPath, as: "-", body: loginBody("admin", testPassword), remote: "192.0.2.77:1"})
	if rec.Code != 429 || rec.Header().Get("Retry-After") == "" {
		t.Errorf("the sixth for an account: %d, Retry-After %q", rec.Code, rec.Header().Get("Retry-After"))
	}
	if code := try("viewer", testPassword, "192.0.2.77:1"); code != 200 {
		t.Errorf("another account: %d", code)
	}
	for i := range 5 {
		if code := try(fmt.Sprintf("nobody-%d", i), "wrong", "198.51.100.1:1"); code != 401 {
			t.Fatalf("try %d from one address: %d", i, code)
		}
	}
	if code := try("viewer", testPassword, "198.51.100.1:1"); code != 429 {
		t.Errorf("the sixth from an address: %d", code)
	}
	w.sleep(13 * time.Second)
	for range 20 { // only failures count
		if code := try("viewer", testPassword, "198.51.100.1:1"); code != 200 {
			t.Fatalf("after a while: %d", code)
		}
	}
}

func TestAnIPv6CustomerIsOneAddress(t *testing.T) {
	if a, b := addressKey("2001:db8:1:2::1"), addressKey("2001:db8:1:2:ffff::9"); a != b {
		t.Errorf("%s and %s", a, b)
	}
	if a, b := addressKey("2001:db8:1:2::1"), addressKey("2001:db8:1:3::1"); a == b {
		t.Error("two networks are one")
	}
	if a, b := addressKey("192.0.2.1"), addressKey("192.0.2.2"); a == b {
		t.Error("two IPv4 addresses are one")
	}
}

func TestRequestsOfATokenAreLimited(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.RequestsPerSecond = 3 })
	for range 3 {
		w.want(200, request{method: "GET", path: "/api/v1/me"})
	}
	rec := w.do(request{method: "GET", path: "/api/v1/me"})
	if rec.Code != 429 || rec.Header().Get("Retry-After") != "1" {
		t.Errorf("the fourth: %d, Retry-After %q", rec.Code, rec.Header().Get("Retry-After"))
	}
	w.want(200, request{method: "GET", path: "/api/v1/me", as: "viewer"})
	w.sleep(time.Second)
	w.want(200, request{method: "GET", path: "/api/v1/me"})
}

func TestTheLimitersForgetWhatIsOldest(t *testing.T) {
	l := newLimiterSet(1, 1)
	now := time.Now()
	for i := range limiterEntries + 10 {
		l.reserve(fmt.Sprint(i), now)
	}
	if l.used.Len() != limiterEntries || len(l.byKey) != limiterEntries {
		t.Errorf("%d and %d entries", l.used.Len(), len(l.byKey))
	}
	if _, wait := l.reserve(fmt.Sprint(limiterEntries), now); wait == 0 {
		t.Error("a recent one was forgotten")
	}
}

func TestASessionEndsWhenItIsOldOrUnused(t *testing.T) {
	w := newWorld(t)
	used, idle := w.session("viewer"), w.session("viewer")
	w.want(200, withCookie("GET", "/api/v1/me", idle))
	for range 13 {
		w.sleep(time.Hour)
		w.want(200, withCookie("GET", "/api/v1/me", used))
	}
	w.refused(401, "unauthorized", withCookie("GET", "/api/v1/me", idle))
	w.store.View(func(st *fsm.State) {
		ref, _, _ := credential.ParseSession(idle)
		if st.Login(ref.ID) != nil {
			t.Error("an unused session was not ended for the other peers")
		}
	})
	for range 14 {
		w.sleep(11 * time.Hour)
		w.want(200, withCookie("GET", "/api/v1/me", used))
	}
	w.sleep(2 * time.Hour)
	w.refused(401, "unauthorized", withCookie("GET", "/api/v1/me", used))
}

func TestWhatIsNoTokenIsRefused(t *testing.T) {
	w := newWorld(t)
	good := w.tokens["viewer"]
	other, _, err := credential.ParseToken(w.tokens["admin"])
	if err != nil {
		t.Fatal(err)
	}
	mixed := strings.Replace(good, strings.Split(good, "_")[1], other.ID, 1)
	for _, header := range []string{"Bearer", "Bearer x", "Basic " + good, "Bearer " + good + "x", "Bearer " + mixed, "Bearer " + good[:len(good)-1]} {
		w.refused(401, "unauthorized", request{method: "GET", path: "/api/v1/me", header: map[string]string{"Authorization": header}})
	}
	w.refused(401, "unauthorized", request{method: "GET", path: "/api/v1/me", as: "-"})
	w.refused(401, "unauthorized", withCookie("GET", "/api/v1/me", "x"))
}

func TestATokenIsWorthNoMoreThanItsOwner(t *testing.T) {
	w := newWorld(t)
	w.must(fsm.PutUser{User: fsm.User{Name: "kim", Role: "admin", Password: "x"}})
	w.tokens["kim"] = w.token("admin", "kim")
	w.want(200, request{method: "GET", path: "/api/v1/users", as: "kim"})
	w.must(fsm.PutUser{User: fsm.User{Name: "kim", Role: "editor", Password: "x", Prefixes: []string{"a"}}})
	w.refused(403, "forbidden", request{method: "GET", path: "/api/v1/users", as: "kim"})
	w.refused(403, "forbidden", request{method: "PUT", path: "/api/v1/documents/b", as: "kim", body: `{"content":{}}`})
	w.must(fsm.RemoveUser{Name: "kim"})
	w.refused(401, "unauthorized", request{method: "GET", path: "/api/v1/me", as: "kim"})
}

func TestAPageOfAnotherOriginCanDoNothing(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.Origins = []string{"https://ui.example"} })
	cookie := w.session("editor")
	foreign := map[string]string{"Cookie": "drover=" + cookie, "Sec-Fetch-Site": "cross-site"}
	w.refused(403, "cross_origin", request{method: "PUT", path: "/api/v1/documents/a", as: "-", body: `{"content":{}}`, header: foreign})
	w.refused(403, "cross_origin", request{method: "POST", path: loginPath, as: "-", body: loginBody("a", "b"), header: map[string]string{"Origin": "https://evil.example"}})
	w.want(200, request{method: "GET", path: "/api/v1/me", as: "-", header: foreign})
	w.want(201, request{method: "PUT", path: "/api/v1/documents/a", body: `{"content":{}}`, header: map[string]string{"Sec-Fetch-Site": "cross-site"}})
	w.want(200, request{method: "PUT", path: "/api/v1/documents/a", as: "-", body: `{"content":{"x":1}}`,
		header: map[string]string{"Cookie": "drover=" + cookie, "Origin": "https://ui.example", "Sec-Fetch-Site": "cross-site"}})
	w.refused(415, "unsupported_media_type", request{method: "PUT", path: "/api/v1/documents/a", body: `{"content":{}}`, header: map[string]string{"Content-Type": "text/plain"}})
}

// lagging is a second peer that has not applied the latest commands yet.
func lagging(t *testing.T, w *world, entries [][]byte) (*Server, func()) {
	t.Helper()
	store := fsm.NewStore()
	for i, e := range entries[:len(entries)-1] {
		store.Apply(uint64(i+1), 1, e)
	}
	s, err := New(Config{PasswordCost: cheap}, Deps{Store: store, Proposer: w.proposer, Control: w.control})
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	return s, func() { once.Do(func() { store.Apply(uint64(len(entries)), 1, entries[len(entries)-1]) }) }
}

// recorded has the world keep the log entries of what it does.
func recorded(w *world) func() [][]byte {
	w.proposer.set(func(p *single) { p.keep = true })
	return func() (out [][]byte) {
		w.proposer.set(func(p *single) { out = append(out, p.log...) })
		return out
	}
}

func TestAPeerThatLagsWaitsForASessionInsteadOfRefusingIt(t *testing.T) {
	w := newWorld(t, func(_ *Config, d *Deps) { d.Proposer.(*single).keep = true })
	cookie := w.session("viewer")
	behind, catchUp := lagging(t, w, recorded(w)())
	answers := make(chan int, 1)
	go func() {
		answers <- serveWith(behind, w.build(withCookie("GET", "/api/v1/me", cookie))).Code
	}()
	catchUp()
	if code := <-answers; code != 200 {
		t.Errorf("the session that was just made: %d", code)
	}
}

// An edit of a version that this peer does not show yet is made from that
// version, or else what it holds would be lost.
func TestAPatchOfAVersionThatHasNotComeYetWaitsForIt(t *testing.T) {
	w := newWorld(t, func(_ *Config, d *Deps) { d.Proposer.(*single).keep = true })
	w.put("a", `{"content":{"n":1}}`)
	w.put("a", `{"content":{"n":1,"kept":true}}`)
	behind, catchUp := lagging(t, w, recorded(w)())
	asked := make(chan struct{})
	behind.deps.Proposer = &asking{single: w.proposer, asked: asked}
	answers := make(chan int, 1)
	go func() {
		q := w.build(request{method: "PATCH", path: docA, body: `[{"op":"add","path":"/mine","value":1}]`, header: map[string]string{"If-Match": `"2"`}})
		answers <- serveWith(behind, q).Code
	}()
	select {
	case <-asked:
	case code := <-answers:
		t.Fatalf("answered %d without asking the leader", code)
	}
	catchUp()
	if code := <-answers; code != 200 {
		t.Fatalf("answered %d", code)
	}
	if rec := w.do(request{method: "GET", path: docA}); !strings.Contains(rec.Body.String(), `{"n":1,"kept":true,"mine":1}`) {
		t.Errorf("an edit was lost: %s", rec.Body)
	}
}

// asking tells when it is asked for an index.
type asking struct {
	*single
	asked chan struct{}
}

func (a *asking) ReadIndex(ctx context.Context) (uint64, error) {
	close(a.asked)
	return a.single.ReadIndex(ctx)
}

func TestAPeerThatStaysBehindSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(_ *Config, d *Deps) { d.Proposer.(*single).keep = true })
		cookie := w.session("viewer")
		behind, _ := lagging(t, w, recorded(w)())
		began := time.Now()
		rec := serveWith(behind, w.build(withCookie("GET", "/api/v1/me", cookie)))
		if rec.Code != 503 || rec.Header().Get("Retry-After") != "1" || time.Since(began) != 2*time.Second {
			t.Errorf("%d after %s: %s", rec.Code, time.Since(began), rec.Body)
		}
		q := w.build(request{method: "GET", path: "/api/v1/documents", header: map[string]string{"Drover-Index": fmt.Sprintf("1.%d", w.proposer.index)}})
		if rec := serveWith(behind, q); rec.Code != 503 || object(t, rec)["code"] != "behind" {
			t.Errorf("a request that has seen more: %d %s", rec.Code, rec.Body)
		}
		q = w.build(request{method: "GET", path: "/api/v1/documents", header: map[string]string{"Drover-Index": "7.999999"}})
		if rec := serveWith(behind, q); rec.Code != 200 {
			t.Errorf("another epoch's index: %d", rec.Code)
		}
	})
}

func TestAMadeUpIndexIsNotWaitedFor(t *testing.T) {
	w := newWorld(t)
	made := credential.Session(credential.Ref{ID: "x", At: fsm.Position{Epoch: 1, Index: 1 << 40}}, credential.NewSecret())
	began := time.Now()
	w.refused(401, "unauthorized", withCookie("GET", "/api/v1/me", made))
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestOnlySoManyWaitWhoAreNotKnown(t *testing.T) {
	w := newWorld(t)
	for range cap(w.server.limits.waiters) {
		w.server.limits.waiters <- struct{}{}
	}
	made := credential.Session(credential.Ref{ID: "x", At: fsm.Position{Epoch: 1, Index: 1000}}, credential.NewSecret())
	w.refused(503, "behind", withCookie("GET", "/api/v1/me", made))
}

func TestALoginWithoutQuorumIsNoWrongPassword(t *testing.T) {
	w := newWorld(t)
	w.proposer.set(func(p *single) { p.down = ErrNoQuorum })
	got := w.refused(503, "no_quorum", request{method: "POST", path: loginPath, as: "-", body: loginBody("admin", testPassword)})
	if got["detail"] == "" {
		t.Error("no detail")
	}
}

func TestAPasswordThatChangesDuringTheLoginOpensNothing(t *testing.T) {
	w := newWorld(t)
	w.proposer.set(func(p *single) {
		p.before = func(c fsm.Command) {
			if _, opens := c.Body.(fsm.OpenLogin); opens {
				w.proposer.set(func(p *single) { p.before = nil })
				w.must(fsm.PutUser{User: fsm.User{Name: "viewer", Password: "another", Role: "viewer"}})
			}
		}
	})
	w.refused(401, "unauthorized", request{method: "POST", path: loginPath, as: "-", body: loginBody("viewer", testPassword)})
}
