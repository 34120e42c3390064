package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/droverhq/drover/api/credential"
	"github.com/droverhq/drover/cluster/ca"
	"github.com/droverhq/drover/fsm"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// single is a Proposer of one peer: it applies encoded commands to a real
// Store, with rising indexes. down makes it answer an error instead; before,
// where set, sees every command first.
type single struct {
	store *fsm.Store

	mu     sync.Mutex
	index  uint64
	down   error
	before func(fsm.Command)
	keep   bool // the entries, in log
	log    [][]byte
}

func (p *single) Propose(_ context.Context, c fsm.Command) (fsm.Result, error) {
	p.mu.Lock()
	before := p.before
	p.mu.Unlock()
	if before != nil {
		before(c)
	}
	entry, err := fsm.Encode(c)
	if err != nil {
		return fsm.Result{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down != nil {
		return fsm.Result{}, p.down
	}
	if p.keep {
		p.log = append(p.log, entry)
	}
	p.index++
	res := p.store.Apply(p.index, 1, entry)
	return res, res.Err
}

func (p *single) ReadIndex(context.Context) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.index, p.down
}

func (p *single) set(f func(*single)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(p)
}

// alone is the Control of a cluster with one peer.
type alone struct {
	mu       sync.Mutex
	standing Standing
	done     []string
	err      error
}

func (a *alone) Standing() Standing {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.standing
}

func (a *alone) set(st Standing) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.standing = st
}

func (a *alone) Status(context.Context) map[string]PeerStatus {
	return map[string]PeerStatus{"p1": {Voter: true, Alive: true, Applied: 7, Hash: 9, Sessions: 2}}
}

func (a *alone) Invite(context.Context, fsm.Actor) (Invitation, error) {
	return Invitation{Token: "drover1.x", Expires: time.Unix(1_900_000_000, 0), Command: "drover cluster join"}, nil
}

func (a *alone) Change(_ context.Context, action, name string, _ fsm.Actor) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = append(a.done, action+" "+name)
	return a.err
}

// world is a Server over a real Store, with a user of every role.
type world struct {
	t        testing.TB
	server   *Server
	proposer *single
	control  *alone
	store    *fsm.Store
	handler  http.Handler
	tokens   map[string]string // by role
	log      *lockedBuffer
	key      ca.SealKey
	skew     atomic.Int64 // how far the server's clock is ahead, in nanoseconds
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// sleep moves the server's clock on.
func (w *world) sleep(d time.Duration) { w.skew.Add(int64(d)) }

// cheap keeps the tests fast: the passwords in them are no secrets.
var cheap = credential.Cost{Memory: 64, Time: 1, Threads: 1}

const testPassword = "correct horse"

func newWorld(t testing.TB, change ...func(*Config, *Deps)) *world {
	t.Helper()
	w := &world{t: t, store: fsm.NewStore(), control: &alone{}, tokens: map[string]string{}, log: &lockedBuffer{}}
	w.proposer = &single{store: w.store}
	w.control.standing = Standing{Self: "p1", Leader: "p1", Term: 1, Since: time.Now()}
	conf := Config{PasswordCost: cheap, Streams: StreamConfig{Coalesce: time.Millisecond}}
	w.key = must(ca.NewSealKey())
	seal := func(secret []byte) ([]byte, error) { return w.key.Seal("c-1", "instance", secret) }
	digest := func(data []byte) ([]byte, error) { return w.key.Digest("c-1", "instance", data), nil }
	deps := Deps{Store: w.store, Proposer: w.proposer, Control: w.control, Seal: seal, Digest: digest, Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, f := range change {
		f(&conf, &deps)
	}
	s, err := New(conf, deps)
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return time.Now().Add(time.Duration(w.skew.Load())) }
	w.server, w.handler = s, s.Handler()
	w.populate()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return w
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (w *world) populate() {
	w.must(fsm.CreateCluster{ID: "c-1", Name: "test", SignKeys: [][]byte{make([]byte, 32)}, Feature: fsm.FeatureLevel})
	w.must(fsm.PutPeer{Peer: fsm.Peer{ID: "p1", Name: "ctl-1", URL: "http://127.0.0.1:8080", Address: "127.0.0.1:8300"}})
	hash, err := w.server.hasher.Hash(context.Background(), testPassword)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, role := range roleNames[1:] {
		w.must(fsm.PutUser{User: fsm.User{Name: role, Password: hash, Role: role}})
		w.tokens[role] = w.token(role, role)
	}
}

// token makes an API token of a role.
func (w *world) token(role, owner string, prefixes ...string) string {
	secret, ref := credential.NewSecret(), credential.Ref{ID: credential.NewID()}
	w.must(fsm.CreateToken{Token: fsm.Token{ID: ref.ID, Hash: secret.Hash(), Name: "t-" + role, Owner: owner, Role: role, Prefixes: prefixes}})
	return credential.Token(ref, secret)
}

// must applies a command behind the API's back.
func (w *world) must(body fsm.Body) fsm.Result {
	w.t.Helper()
	res, err := w.proposer.Propose(context.Background(), fsm.Command{Time: time.Now().UnixMilli(), Actor: fsm.Actor{Name: "setup", Kind: "peer"}, Body: body})
	if err != nil {
		w.t.Fatalf("%T: %v", body, err)
	}
	return res
}

// request is one call of a test. By default it is made with the admin's token.
type request struct {
	method, path string
	body         string
	header       map[string]string
	as           string // role; "-" = nobody
	remote       string
}

func (w *world) do(r request) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.serve(w.build(r))
}

func (w *world) serve(q *http.Request) *httptest.ResponseRecorder { return serveWith(w.server, q) }

func serveWith(s *Server, q *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, q)
	return rec
}

func (w *world) build(r request) *http.Request {
	var body io.Reader
	if r.body != "" {
		body = strings.NewReader(r.body)
	}
	q := httptest.NewRequest(r.method, r.path, body)
	if r.body != "" {
		q.Header.Set("Content-Type", "application/json")
	}
	if r.as == "" {
		r.as = "admin"
	}
	if r.as != "-" {
		q.Header.Set("Authorization", "Bearer "+w.tokens[r.as])
	}
	for k, v := range r.header {
		q.Header.Set(k, v)
		if v == "" {
			q.Header.Del(k)
		}
	}
	if r.remote != "" {
		q.RemoteAddr = r.remote
	}
	return q
}

// want makes a call, checks its status and returns the body as a value.
func (w *world) want(status int, r request) map[string]any {
	w.t.Helper()
	rec := w.do(r)
	if rec.Code != status {
		w.t.Fatalf("%s %s: status %d, want %d\n%s", r.method, r.path, rec.Code, status, rec.Body)
	}
	return object(w.t, rec)
}

// refused makes a call that must fail with a code.
func (w *world) refused(status int, code string, r request) map[string]any {
	w.t.Helper()
	rec := w.do(r)
	got := object(w.t, rec)
	if rec.Code != status || got["code"] != code {
		w.t.Fatalf("%s %s: %d %v, want %d %s\n%s", r.method, r.path, rec.Code, got["code"], status, code, rec.Body)
	}
	if kind := rec.Header().Get("Content-Type"); kind != "application/problem+json" {
		w.t.Errorf("%s %s: Content-Type %q", r.method, r.path, kind)
	}
	if got["request_id"] == "" || got["detail"] == "" || got["status"] != float64(status) {
		w.t.Errorf("%s %s: an incomplete problem: %s", r.method, r.path, rec.Body)
	}
	return got
}

func object(t testing.TB, rec *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	if rec.Body.Len() == 0 {
		return nil
	}
	var v map[string]any
	if err := json.Unmarshal(rec.Body.Bytes(), &v); err != nil {
		t.Fatalf("the answer is no JSON object: %v\n%s", err, rec.Body)
	}
	return v
}

// put writes a document as the admin.
func (w *world) put(name, body string) map[string]any {
	w.t.Helper()
	rec := w.do(request{method: "PUT", path: "/api/v1/documents/" + name, body: body})
	if rec.Code != 200 && rec.Code != 201 {
		w.t.Fatalf("put %s: %d\n%s", name, rec.Code, rec.Body)
	}
	return object(w.t, rec)
}

func items(v map[string]any) []map[string]any {
	list, _ := v["items"].([]any)
	out := make([]map[string]any, len(list))
	for i := range list {
		out[i] = list[i].(map[string]any)
	}
	return out
}

// session logs a user in and returns its cookie.
func (w *world) session(user string) string {
	w.t.Helper()
	rec := w.do(request{method: "POST", path: loginPath, as: "-", body: `{"user":"` + user + `","password":"` + testPassword + `"}`})
	if rec.Code != http.StatusOK {
		w.t.Fatalf("login: %d %s", rec.Code, rec.Body)
	}
	return rec.Result().Cookies()[0].Value
}

// audit waits until the audit has an entry that fits.
func (w *world) audit(fits func(*fsm.AuditEntry) bool) *fsm.AuditEntry {
	w.t.Helper()
	deadline := time.NewTimer(5 * time.Second)
	defer deadline.Stop()
	for {
		moved := w.store.Watch().Changed()
		var found *fsm.AuditEntry
		w.store.View(func(st *fsm.State) {
			for e := range st.Audit().All() {
				if fits(e) {
					found = e
				}
			}
		})
		if found != nil {
			return found
		}
		select {
		case <-moved:
		case <-deadline.C:
			w.t.Fatal("the audit has no such entry")
		}
	}
}

// enroll makes a node with a key of its own.
func (w *world) enroll(id string, labels map[string]string) {
	w.t.Helper()
	w.must(fsm.CreateEnrollToken{Token: fsm.EnrollToken{ID: "e" + id, Hash: []byte(id), Labels: labels, Uses: 1, Expires: time.Now().Add(time.Hour).UnixMilli()}})
	w.must(fsm.EnrollNode{TokenID: "e" + id, TokenHash: []byte(id), Node: id, PublicKey: []byte(id)})
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
