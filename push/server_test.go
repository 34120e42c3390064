package push

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/wire"
)

// onePeer is a cluster of one: a log that is applied at once.
type onePeer struct {
	mu    sync.Mutex
	store *fsm.Store
	index uint64
}

func (p *onePeer) Propose(_ context.Context, c fsm.Command) (fsm.Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	entry, err := fsm.Encode(c)
	if err != nil {
		return fsm.Result{}, err
	}
	p.index++
	return p.store.Apply(p.index, 1, entry), nil
}

func (p *onePeer) Quorum() (bool, time.Duration) { return true, 0 }

// bed is a Server on a real socket, with the keys of its nodes.
type bed struct {
	t      *testing.T
	peer   *onePeer
	server *Server
	url    string
	public ed25519.PublicKey
	keys   map[string]ed25519.PrivateKey
}

func newBed(t *testing.T, nodes ...string) *bed {
	t.Helper()
	return newBedWith(t, func(*Config) {}, nodes...)
}

func newBedWith(t *testing.T, adapt func(*Config), nodes ...string) *bed {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{t: t, peer: &onePeer{store: fsm.NewStore()}, public: public, keys: map[string]ed25519.PrivateKey{}}
	b.do(fsm.CreateCluster{ID: "c1", Name: "test", Feature: fsm.FeatureLevel})
	b.do(fsm.PutPeer{Peer: fsm.Peer{ID: "p1", Name: "ctl-1", URL: "http://127.0.0.1:1"}})
	b.do(fsm.CreateEnrollToken{Token: fsm.EnrollToken{ID: "t", Hash: []byte("h"), Uses: 9, Expires: 1 << 60}})
	for _, id := range nodes {
		nodePublic, nodePrivate, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		b.keys[id] = nodePrivate
		b.do(fsm.EnrollNode{TokenID: "t", TokenHash: []byte("h"), Node: id, PublicKey: nodePublic})
	}
	config := Config{Peer: "p1", Instances: loopback()}
	adapt(&config)
	b.server = New(config, Deps{Open: open,
		Store: b.peer.store, Cluster: b.peer, Log: slog.New(slog.DiscardHandler),
		Sign: func(text string) string { return wire.Sign(private, text) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.server.Run(ctx) }()
	web := httptest.NewServer(b.server.Handler())
	b.url = "ws" + strings.TrimPrefix(web.URL, "http") + "/agent/v1/connect"
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		web.Close()
	})
	return b
}

func (b *bed) do(body fsm.Body) fsm.Result {
	b.t.Helper()
	res, err := b.peer.Propose(b.t.Context(), fsm.Command{Time: time.Now().UnixMilli(), Body: body})
	if err != nil || res.Err != nil {
		b.t.Fatalf("%T: %v %v", body, err, res.Err)
	}
	return res
}

func (b *bed) put(name, text string) {
	b.t.Helper()
	b.do(fsm.Commit{Edits: []fsm.Edit{edit(name, text)}})
}

func edit(name, text string) fsm.Edit {
	sum, blob := fsm.Compress([]byte(text))
	checksum, err := document.Sum([]byte(text))
	if err != nil {
		panic(err)
	}
	return fsm.Edit{Document: name, Blob: sum, Checksum: checksum, Inline: blob}
}

// until waits for a condition of the state.
func (b *bed) until(what string, ok func(*fsm.State) bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 30*time.Second)
	defer cancel()
	for {
		changed := b.peer.store.Watch().Changed()
		holds := false
		b.peer.store.View(func(s *fsm.State) { holds = ok(s) })
		if holds {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			b.t.Fatalf("still not: %s", what)
		}
	}
}

func (b *bed) untilStatus(id string, want fsm.Status) {
	b.t.Helper()
	b.until(id+" is "+string(want), func(s *fsm.State) bool { return s.Status(s.Node(id).Ordinal) == want })
}

// remote is the agent's end of a connection.
type remote struct {
	t     *testing.T
	bed   *bed
	ws    *websocket.Conn
	hello wire.Hello
	nonce string
}

func (b *bed) dial() *remote {
	b.t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}}
	ws, answer, err := dialer.Dial(b.url, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	_ = answer.Body.Close()
	b.t.Cleanup(func() { _ = ws.Close() })
	_ = ws.SetReadDeadline(time.Now().Add(30 * time.Second))
	r := &remote{t: b.t, bed: b, ws: ws}
	r.nonce = receive[wire.Challenge](r).Nonce
	return r
}

// connect is a whole handshake of a node that holds nothing.
func (b *bed) connect(id string, connection uint64, process string) *remote {
	b.t.Helper()
	r := b.dial()
	r.hello = wire.Hello{
		Node: id, Process: process, Connection: connection, Nonce: "mine", Manifest: emptyManifest.String(),
		Proof: wire.Sign(b.keys[id], wire.HelloText("c1", id, r.nonce)),
	}
	r.say(r.hello)
	return r
}

func (r *remote) say(m wire.Message) {
	r.t.Helper()
	data, err := wire.Encode(m)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.ws.WriteMessage(websocket.TextMessage, data); err != nil {
		r.t.Fatal(err)
	}
}

// receive reads the next message, which must be an M.
func receive[M wire.Message](r *remote) M {
	r.t.Helper()
	_, data, err := r.ws.ReadMessage()
	if err != nil {
		r.t.Fatalf("waiting for %T: %v", *new(M), err)
	}
	m, err := wire.Decode(data)
	if err != nil {
		r.t.Fatal(err)
	}
	want, ok := m.(M)
	if !ok {
		r.t.Fatalf("got %s, want %T: %s", m.Kind(), *new(M), data)
	}
	return want
}

// closed reads until the connection ends and returns the close code.
func (r *remote) closed() int {
	r.t.Helper()
	for {
		if _, _, err := r.ws.ReadMessage(); err != nil {
			var c *websocket.CloseError
			if ok := asClose(err, &c); ok {
				return c.Code
			}
			return 0
		}
	}
}

func asClose(err error, c **websocket.CloseError) bool {
	e, ok := err.(*websocket.CloseError) //nolint:errorlint // gorilla returns it bare
	*c = e
	return ok
}

func TestAnAgentIsBroughtToWhatIsWanted(t *testing.T) {
	b := newBed(t, "n")
	b.put("a", `{"n":1}`)
	r := b.connect("n", 1, "x")
	welcome := receive[wire.Welcome](r)
	text := wire.WelcomeText("c1", "n", r.nonce, "mine", welcome.Audience)
	if err := wire.Verify([]ed25519.PublicKey{b.public}, text, welcome.Signature); err != nil {
		t.Fatal(err)
	}
	u := receive[wire.Update](r)
	h, err := wire.OpenHeader([]ed25519.PublicKey{b.public}, u.Header, u.Signature)
	if err != nil || h.Audience != welcome.Audience || h.Base != emptyManifest.String() || h.Cluster != "c1" {
		t.Fatalf("header %+v, %v", h, err)
	}
	if len(u.Documents) != 1 || string(u.Documents[0].Content) != `{"n":1}` || u.Documents[0].Target != "a" {
		t.Fatalf("documents %+v", u.Documents)
	}
	b.untilStatus("n", fsm.InFlight)
	r.say(wire.Ack{Seq: 1, Update: u.Update, Manifest: h.Manifest, Confirmed: true})
	b.untilStatus("n", fsm.Acked)

	b.put("a", `{"n":2,"long":"`+strings.Repeat("x", 500)+`"}`)
	u = receive[wire.Update](r)
	r.say(wire.Ack{Seq: 2, Update: u.Update, Manifest: header(t, u).Manifest, Confirmed: true})
	b.untilStatus("n", fsm.Acked)
	b.put("a", `{"n":3,"long":"`+strings.Repeat("x", 500)+`"}`)
	if u = receive[wire.Update](r); u.Documents[0].Patch == nil || u.Documents[0].Content != nil {
		t.Errorf("one changed key of a large document is sent as %+v", u.Documents[0])
	}
	_ = r.ws.Close()
	b.untilStatus("n", fsm.Offline)
}

func header(t *testing.T, u wire.Update) (h wire.Header) {
	t.Helper()
	if err := json.Unmarshal([]byte(u.Header), &h); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestARefusalIsRememberedAndNotSentAgain(t *testing.T) {
	b := newBed(t, "n")
	b.put("a", `{"n":1}`)
	r := b.connect("n", 1, "x")
	receive[wire.Welcome](r)
	u := receive[wire.Update](r)
	h := header(t, u)
	r.say(wire.Error{
		Seq: 1, Update: u.Update, Epoch: h.Epoch, Index: h.Index, Manifest: emptyManifest.String(),
		Errors: []wire.Problem{{Target: "a", Stage: wire.StageValidate, Code: wire.CodeSchemaInvalid, Message: strings.Repeat("y", 5000)}},
	})
	b.untilStatus("n", fsm.DeadLetter)
	b.peer.store.View(func(s *fsm.State) {
		if m := s.Row(0).Failure.Problems[0].Message; len(m) != maxMessage {
			t.Errorf("a message of %d bytes went into the log", len(m))
		}
	})
	empty := receive[wire.Update](r) // without documents: it brings the index of the fall-back
	if len(empty.Documents) != 0 {
		t.Fatalf("sent again: %+v", empty.Documents)
	}
	r.say(wire.Ack{Seq: 2, Update: empty.Update, Manifest: emptyManifest.String(), Confirmed: true})
	b.put("a", `{"n":2}`)
	if u = receive[wire.Update](r); string(u.Documents[0].Content) != `{"n":2}` {
		t.Errorf("the newer version is not tried: %+v", u.Documents)
	}
}

func TestEverySessionOfAGroupIsSentTheSameBytes(t *testing.T) {
	b := newBed(t, "n1", "n2", "n3")
	b.put("a", `{"n":1}`)
	var remotes []*remote
	for id := range b.keys {
		r := b.connect(id, 1, "x")
		receive[wire.Welcome](r)
		u := receive[wire.Update](r)
		r.say(wire.Ack{Update: u.Update, Manifest: header(t, u).Manifest, Confirmed: true})
		b.untilStatus(id, fsm.Acked)
		remotes = append(remotes, r)
	}
	b.put("a", `{"n":2}`)
	var first []byte
	for _, r := range remotes {
		_, data, err := r.ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = data
		}
		if string(first) != string(data) {
			t.Errorf("two sessions were sent\n%s\n%s", first, data)
		}
	}
}

func TestStrangersAreRefused(t *testing.T) {
	b := newBed(t, "n")
	good := func(r *remote) wire.Hello {
		return wire.Hello{
			Node: "n", Process: "x", Connection: 1, Nonce: "mine", Manifest: emptyManifest.String(),
			Proof: wire.Sign(b.keys["n"], wire.HelloText("c1", "n", r.nonce)),
		}
	}
	tests := []struct {
		name string
		code int
		say  func(*remote)
	}{
		{"another key", wire.CloseProof, func(r *remote) {
			h := good(r)
			_, other, _ := ed25519.GenerateKey(rand.Reader)
			h.Proof = wire.Sign(other, wire.HelloText("c1", "n", r.nonce))
			r.say(h)
		}},
		{"a proof of another connection", wire.CloseProof, func(r *remote) {
			h := good(r)
			h.Proof = wire.Sign(b.keys["n"], wire.HelloText("c1", "n", "old nonce"))
			r.say(h)
		}},
		{"an unknown node", wire.CloseUnknown, func(r *remote) { h := good(r); h.Node = "m"; r.say(h) }},
		{"another frame first", wire.CloseProtocol, func(r *remote) { r.say(wire.Status{Manifest: "x"}) }},
		{"no JSON", wire.CloseProtocol, func(r *remote) { _ = r.ws.WriteMessage(websocket.TextMessage, []byte("hello")) }},
		{"twice the same name", wire.CloseProtocol, func(r *remote) {
			_ = r.ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"hello","node":"n","node":"n"}`))
		}},
		{"a manifest that is none", wire.CloseProtocol, func(r *remote) { h := good(r); h.Manifest = "x"; r.say(h) }},
		{"a huge hello", websocket.CloseMessageTooBig, func(r *remote) {
			h := good(r)
			h.Facts = map[string]string{"f": strings.Repeat("x", wire.LimitBeforeWelcome)}
			r.say(h)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := b.dial()
			r.t = t
			tt.say(r)
			if code := r.closed(); code != tt.code {
				t.Errorf("closed with %d, want %d", code, tt.code)
			}
		})
	}
}

func TestUnknownFramesAreAnsweredAndSkipped(t *testing.T) {
	b := newBed(t, "n")
	r := b.connect("n", 1, "x")
	receive[wire.Welcome](r)
	receive[wire.Update](r)
	if err := r.ws.WriteMessage(websocket.TextMessage, []byte(`{"type":"news"}`)); err != nil {
		t.Fatal(err)
	}
	if f := receive[wire.Fault](r); f.Code != "unknown_type" {
		t.Errorf("answered %+v", f)
	}
	r.say(wire.Hello{})
	if f := receive[wire.Fault](r); f.Code != "unexpected" {
		t.Errorf("answered %+v", f)
	}
}

func TestTheNewestConnectionWins(t *testing.T) {
	b := newBed(t, "n")
	old := b.connect("n", 1, "x")
	receive[wire.Welcome](old)
	b.untilStatus("n", fsm.InFlight)
	b.connect("n", 2, "x")
	if code := old.closed(); code != wire.CloseSuperseded {
		t.Errorf("closed with %d", code)
	}
	b.until("the new session speaks", func(s *fsm.State) bool { return s.Row(0).Session.Connection == 2 })
	third := b.connect("n", 2, "x") // a machine that was put back to a snapshot
	for {
		_, data, err := third.ws.ReadMessage()
		if err != nil {
			t.Fatal("closed without a goaway")
		}
		if m, _ := wire.Decode(data); m.Kind() == "goaway" {
			if g, _ := m.(wire.Goaway); g.Connection != 2 || g.Reason != wire.GoawayDuplicate {
				t.Errorf("goaway %+v", g)
			}
			return
		}
	}
}

func TestACopyOfANodeIsRefusedAfterThreeTurns(t *testing.T) {
	b := newBed(t, "n")
	for i := range uint64(2 * claimsAllowed) {
		r := b.connect("n", i+1, []string{"one", "other"}[i%2])
		if i > claimsAllowed {
			if code := r.closed(); code != wire.CloseDuplicate {
				t.Errorf("turn %d: closed with %d", i, code)
			}
			return
		}
		receive[wire.Welcome](r)
		b.until("the session speaks", func(s *fsm.State) bool { return s.Row(0).Session.Connection == i+1 })
	}
}

func TestARemovedNodeIsSentAway(t *testing.T) {
	b := newBed(t, "n")
	r := b.connect("n", 1, "x")
	receive[wire.Welcome](r)
	b.untilStatus("n", fsm.InFlight)
	b.do(fsm.RemoveNode{Node: "n"})
	if code := r.closed(); code != wire.CloseRevoked {
		t.Errorf("closed with %d", code)
	}
}

func TestAPlannedStopSendsAgentsToOtherPeers(t *testing.T) {
	b := newBed(t, "n")
	b.do(fsm.PutPeer{Peer: fsm.Peer{ID: "p2", Name: "ctl-2", URL: "http://127.0.0.1:2"}})
	r := b.connect("n", 1, "x")
	receive[wire.Welcome](r)
	b.untilStatus("n", fsm.InFlight)
	receive[wire.Update](r)
	drained := make(chan struct{})
	go func() {
		b.server.Drain(t.Context())
		close(drained)
	}()
	g := receive[wire.Goaway](r)
	if g.Reason != wire.GoawayShutdown || len(g.Peers) != 1 || g.Peers[0] != "http://127.0.0.1:2" {
		t.Errorf("goaway %+v", g)
	}
	_ = r.ws.Close()
	<-drained
}

func TestResyncAsksTheNodeWhatItHolds(t *testing.T) {
	b := newBed(t, "n")
	r := b.connect("n", 1, "x")
	receive[wire.Welcome](r)
	u := receive[wire.Update](r)
	r.say(wire.Ack{Update: u.Update, Manifest: emptyManifest.String(), Confirmed: true})
	b.untilStatus("n", fsm.Acked)
	b.do(fsm.RetryNodes{Nodes: []string{"n"}, Resync: true})
	receive[wire.Report](r)
}

// 1 and 1.0 have one checksum, and are two values to some services.
func TestAnotherNumberLiteralReachesTheNode(t *testing.T) {
	b := newBed(t, "n")
	b.put("a", `{"n":5}`)
	b.put("b", `{"n":1}`)
	r := b.connect("n", 1, "x")
	receive[wire.Welcome](r)
	u := receive[wire.Update](r)
	r.say(wire.Ack{Update: u.Update, Manifest: header(t, u).Manifest, Confirmed: true})
	b.untilStatus("n", fsm.Acked)
	b.put("a", `{"n":5.0}`)
	b.untilStatus("n", fsm.InFlight)
	u = receive[wire.Update](r)
	if len(u.Documents) != 1 || u.Documents[0].Target != "a" || u.Documents[0].Version != 2 {
		t.Fatalf("sent %+v", u.Documents)
	}
	if d := u.Documents[0]; string(d.Content) != `{"n":5.0}` && !strings.Contains(string(d.Patch), "5.0") {
		t.Errorf("the text is not in %+v", d)
	}
	r.say(wire.Ack{Update: u.Update, Manifest: header(t, u).Manifest, Confirmed: true})
	b.untilStatus("n", fsm.Acked)
}
