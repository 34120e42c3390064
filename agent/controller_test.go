package agent

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/droverhq/drover/agent/store"
	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/wire"
)

// patience is how long a test waits for what must come.
const patience = 90 * time.Second

// cluster is what all controllers of a test share: it signs as a real one does.
type cluster struct {
	t     testing.TB
	id    string
	key   ed25519.PrivateKey
	mu    sync.Mutex
	nodes map[string]ed25519.PublicKey
	token string
	peers []string // told in welcome
}

func newCluster(t testing.TB) *cluster {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return &cluster{t: t, id: "c-1", key: key, nodes: map[string]ed25519.PublicKey{}, token: "token-1"}
}

func (c *cluster) public() string { return wire.Base64(c.key.Public().(ed25519.PublicKey)) }

// peer is one controller that speaks the channel over real sockets or pipes.
type peer struct {
	cluster *cluster
	name    string
	mu      sync.Mutex
	quorum  bool
	down    bool
	greet   func(*link) bool // replaces the greeting; false: no session
	links   chan *link       // sessions that were welcomed
	done    chan struct{}
	running sync.WaitGroup
}

// link is the controller's end of a session.
type link struct {
	peer       *peer
	conn       *websocket.Conn
	hello      wire.Hello
	nonce      string
	audience   string
	frames     chan wire.Message
	lost       chan struct{} // closed when the connection ended
	readyToEnd sync.Once
	mute       atomic.Bool // pings are not answered any more
}

const audience = "audience-1"

// newPeer serves the channel on a listener.
func newPeer(c *cluster, name string, l net.Listener) *peer {
	p := &peer{cluster: c, name: name, quorum: true, links: make(chan *link, 10_000), done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/agent/v1/connect", p.connect)
	mux.HandleFunc("POST /agent/v1/enroll", p.enroll)
	server := &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	p.running.Go(func() { _ = server.Serve(l) })
	c.t.Cleanup(func() {
		close(p.done)
		_ = server.Close()
		p.running.Wait()
	})
	return p
}

func (p *peer) set(change func(*peer)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

func (p *peer) enroll(w http.ResponseWriter, r *http.Request) {
	var q wire.EnrollRequest
	if json.NewDecoder(r.Body).Decode(&q) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	public, err := wire.FromBase64(q.PublicKey)
	if err != nil || wire.Verify([]ed25519.PublicKey{public}, wire.EnrollText(q.Token, q.Node, q.PublicKey), q.Proof) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if q.Token != p.cluster.token {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"title":"forbidden","detail":"the token is not known"}`))
		return
	}
	if q.Node == "" {
		q.Node = "named-by-controller"
	}
	p.cluster.mu.Lock()
	p.cluster.nodes[q.Node] = public
	p.cluster.mu.Unlock()
	_ = json.NewEncoder(w).Encode(wire.EnrollAnswer{Node: q.Node, Cluster: p.cluster.id, Keys: []string{p.cluster.public()}, Peers: p.cluster.peers})
}

func (p *peer) connect(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	down, greet := p.down, p.greet
	p.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	upgrader := websocket.Upgrader{Subprotocols: []string{wire.Subprotocol}}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	l := &link{peer: p, conn: conn, nonce: wire.Base64(raw), audience: audience, frames: make(chan wire.Message, 100), lost: make(chan struct{})}
	conn.SetPingHandler(func(text string) error {
		if l.mute.Load() {
			return nil
		}
		return conn.WriteControl(websocket.PongMessage, []byte(text), time.Now().Add(time.Second))
	})
	defer func() { _ = conn.Close() }()
	p.running.Add(1)
	defer p.running.Done()
	go func() {
		select {
		case <-p.done:
		case <-l.lost:
		}
		_ = conn.Close()
	}()
	defer l.readyToEnd.Do(func() { close(l.lost) })
	if greet == nil {
		greet = (*link).greet
	}
	if !greet(l) {
		return
	}
	p.links <- l
	for {
		_, frame, err := conn.ReadMessage()
		if err != nil {
			return
		}
		m, err := wire.Decode(frame)
		if err != nil {
			p.cluster.t.Errorf("the agent sent what no controller understands: %v", err)
			return
		}
		l.frames <- m
	}
}

// hear asks the agent who it is and checks the proof, as a controller does.
func (l *link) hear() bool {
	c := l.peer.cluster
	if l.write(wire.Challenge{Nonce: l.nonce, Cluster: c.id, Peer: l.peer.name}) != nil {
		return false
	}
	_, frame, err := l.conn.ReadMessage()
	if err != nil {
		return false
	}
	m, err := wire.Decode(frame)
	hello, ok := m.(wire.Hello)
	if err != nil || !ok {
		c.t.Errorf("no hello: %v %v", m, err)
		return false
	}
	c.mu.Lock()
	public := c.nodes[hello.Node]
	c.mu.Unlock()
	if wire.Verify([]ed25519.PublicKey{public}, wire.HelloText(c.id, hello.Node, l.nonce), hello.Proof) != nil {
		c.t.Errorf("the proof of %q is not good", hello.Node)
		return false
	}
	l.hello = hello
	return true
}

func (l *link) greet() bool { return l.hear() && l.write(l.welcome()) == nil }

func (l *link) welcome() wire.Welcome {
	c := l.peer.cluster
	l.peer.mu.Lock()
	defer l.peer.mu.Unlock()
	return wire.Welcome{
		Peer: l.peer.name, Peers: c.peers, Quorum: l.peer.quorum, HeartbeatS: 20, Audience: l.audience,
		Signature: wire.Sign(c.key, wire.WelcomeText(c.id, l.hello.Node, l.nonce, l.hello.Nonce, l.audience)),
	}
}

func (l *link) write(m wire.Message) error {
	frame, err := wire.Encode(m)
	if err != nil {
		return err
	}
	return l.conn.WriteMessage(websocket.TextMessage, frame)
}

func (l *link) send(m wire.Message) {
	l.peer.cluster.t.Helper()
	must(l.peer.cluster.t, l.write(m))
}

func (l *link) close(code int) {
	_ = l.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
	_ = l.conn.Close()
}

// next waits for the next frame, which must be a T.
func next[T wire.Message](l *link) T {
	l.peer.cluster.t.Helper()
	select {
	case m := <-l.frames:
		got, ok := m.(T)
		if !ok {
			l.peer.cluster.t.Fatalf("got %s %+v, want %s", m.Kind(), m, got.Kind())
		}
		return got
	case <-l.lost:
		l.peer.cluster.t.Fatal("the connection ended")
	case <-time.After(patience):
		l.peer.cluster.t.Fatal("nothing came")
	}
	panic("unreachable")
}

// session waits until the agent has a session with the peer.
func (p *peer) session() *link {
	p.cluster.t.Helper()
	select {
	case l := <-p.links:
		return l
	case <-time.After(patience):
		p.cluster.t.Fatalf("no session with %s", p.name)
		return nil
	}
}

// docs is the configuration of a node: target to content.
type docs map[string]string

func (d docs) manifest(t testing.TB) string {
	t.Helper()
	var entries []document.Entry
	for target, content := range d {
		sum, err := document.Sum([]byte(content))
		must(t, err)
		entries = append(entries, document.Entry{Target: target, Checksum: sum})
	}
	return document.ManifestSum(entries).String()
}

// with returns a copy with some documents replaced; "" takes one out.
func (d docs) with(more docs) docs {
	out := maps.Clone(d)
	if out == nil {
		out = docs{}
	}
	for target, content := range more {
		out[target] = content
		if content == "" {
			delete(out, target)
		}
	}
	return out
}

// update signs the way from one configuration to another, in full documents.
func (c *cluster) update(index uint64, from, to docs) wire.Update {
	c.t.Helper()
	u := wire.Update{Update: "u-" + wire.Base64([]byte{byte(index)}), Documents: []wire.Document{}}
	for _, target := range slices.Sorted(maps.Keys(to)) {
		if from[target] != to[target] {
			u.Documents = append(u.Documents, wire.Document{Target: target, Version: index, Content: []byte(to[target])})
		}
	}
	for target := range from {
		if to[target] == "" {
			u.Documents = append(u.Documents, wire.Document{Target: target, Removed: true})
		}
	}
	return c.sign(u, c.header(index, from, to))
}

func (c *cluster) header(index uint64, from, to docs) wire.Header {
	return wire.Header{Purpose: wire.PurposeUpdate, Cluster: c.id, Epoch: 1, Index: index, Revision: index,
		Audience: audience, Base: from.manifest(c.t), Manifest: to.manifest(c.t)}
}

func (c *cluster) sign(u wire.Update, h wire.Header) wire.Update {
	u.Header = h.Text()
	u.Signature = wire.Sign(c.key, u.Header)
	return u
}

// enrolled writes what an enrolment leaves, without a network.
func (c *cluster) enrolled(dir, node string) {
	c.t.Helper()
	s, err := store.Open(dir, nil)
	must(c.t, err)
	defer func() { must(c.t, s.Close()) }()
	must(c.t, makeState(s.Root()))
	key, err := ensureKey(s.Root())
	must(c.t, err)
	c.mu.Lock()
	c.nodes[node] = key.Public().(ed25519.PublicKey)
	c.mu.Unlock()
	id := &Identity{Node: node, Cluster: c.id, Keys: []string{c.public()}}
	must(c.t, id.save(s.Root()))
}

// running is an agent in this process.
type running struct {
	agent *Agent
	dir   string
	stop  func() // ends it and waits
}

func startAgent(t testing.TB, c Config, d Deps) *running {
	t.Helper()
	if d.Log == nil {
		d.Log = slog.New(slog.NewTextHandler(&testWriter{t: t}, nil))
	}
	a := New(c, d)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			must(t, <-ended)
		})
	}
	t.Cleanup(stop)
	return &running{agent: a, dir: c.Dir, stop: stop}
}

// testWriter hands log lines to the test, until it is over.
type testWriter struct{ t testing.TB }

func (w *testWriter) Write(p []byte) (int, error) {
	w.t.Log(string(bytes.TrimRight(p, "\n")))
	return len(p), nil
}

// runs checks what applications see below current.
func runs(t testing.TB, dir string, want docs) {
	t.Helper()
	got := docs{}
	root := filepath.Join(dir, "current")
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	if err == nil {
		must(t, filepath.WalkDir(resolved, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			name, _ := filepath.Rel(resolved, path)
			got[name[:len(name)-len(".json")]] = string(bytes.TrimSuffix(text, []byte("\n")))
			return err
		}))
	}
	if !maps.Equal(got, want) {
		t.Fatalf("the node runs %v, want %v", got, want)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
