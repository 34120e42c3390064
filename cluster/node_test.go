package cluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	mrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/droverhq/drover/fsm"
)

// memberlist's Shutdown does not wait for a probe in flight, which ends by itself within seconds.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/hashicorp/memberlist.(*Memberlist).probeNode"))
}

// testTime is the deadline of what must happen soon, on a machine that has much else to do.
const testTime = time.Minute

func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testTime)
	t.Cleanup(cancel)
	return ctx
}

// eventually waits until the condition holds: it is looked at every few milliseconds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(testTime)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// freePort finds a port that is free for TCP and UDP, below the range that the system gives to
// outgoing connections, which could take it in the meantime.
func freePort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		p := strconv.Itoa(12000 + mrand.IntN(20000))
		l, err := net.Listen("tcp", "127.0.0.1:"+p)
		if err != nil {
			continue
		}
		u, err := net.ListenPacket("udp", "127.0.0.1:"+p)
		l.Close()
		if err == nil {
			u.Close()
			return "127.0.0.1:" + p
		}
	}
	t.Fatal("no free port")
	return ""
}

func testConfig(t testing.TB, name string) Config {
	return Config{
		Name: name, API: APIConfig{Listen: "127.0.0.1:8443"}, Raft: RaftConfig{Profile: "default"},
		Peer: PeerConfig{Listen: freePort(t)}, Gossip: GossipConfig{Listen: freePort(t)},
	}
}

// peer is a node in this process.
type peer struct {
	*Node
	t      testing.TB
	net    *fabric
	peerID string // its id, also when it has ended
	dir    string
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func logger(t testing.TB, name string) *slog.Logger {
	if os.Getenv("DROVER_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", name)
}

// start runs the server of a data directory.
func start(t testing.TB, net *fabric, dir string, cfg Config, change ...func(*Node)) *peer {
	t.Helper()
	cfg.DataDir = dir
	cfg = cfg.WithDefaults("host", "")
	net.register(cfg.Name, cfg.Peer.Advertise)
	n, err := New(cfg, Deps{Store: fsm.NewStore(), Logger: logger(t, cfg.Name), Dial: net.dial(cfg.Name)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &peer{Node: n, t: t, net: net, dir: dir, cancel: cancel, done: make(chan struct{})}
	if id, err := home(dir).identity(); err == nil {
		p.peerID = id.Peer
	}
	go func() {
		defer close(p.done)
		p.err = n.Run(ctx)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the peer without order.
func (p *peer) kill() {
	p.cancel()
	<-p.done
	if p.err != nil && !errors.Is(p.err, ErrLeft) {
		p.t.Errorf("the peer ended: %v", p.err)
	}
}

// restart starts a peer that has ended, on the same directory.
func (p *peer) restart(change ...func(*Node)) *peer {
	p.t.Helper()
	<-p.done
	return start(p.t, p.net, p.dir, p.cfg, change...)
}

func (p *peer) ready() *peer {
	p.t.Helper()
	eventually(p.t, p.cfg.Name+" is ready", func() bool {
		select {
		case <-p.done:
			p.t.Fatalf("the peer ended: %v", p.err)
		default:
		}
		return p.Ready() == nil
	})
	return p
}

func initPeer(t testing.TB, commands ...fsm.Command) *peer {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "one")
	cfg := testConfig(t, "ctl-1")
	if err := Init(dir, InitConfig{Cluster: "test", Config: cfg, Commands: commands}); err != nil {
		t.Fatal(err)
	}
	return start(t, newFabric(), dir, cfg)
}

func putUser(name string) fsm.Command {
	return fsm.Command{Actor: fsm.Actor{Name: "test", Kind: "user"}, Body: fsm.PutUser{User: fsm.User{Name: name, Role: "viewer"}, New: true}}
}

// commit proposes a command until it is committed: on a busy machine the leader may change, and
// then a try may end as refused or unknown. Under one id the command takes effect once.
func (p *peer) commit(cmd fsm.Command) fsm.Result {
	p.t.Helper()
	cmd.ID = rand.Text()
	var res fsm.Result
	eventually(p.t, "a commit", func() bool {
		var err error
		res, err = p.Propose(within(p.t), cmd)
		if err != nil && !errors.Is(err, ErrNoQuorum) && !errors.Is(err, ErrOutcomeUnknown) {
			p.t.Fatal(err)
		}
		return err == nil
	})
	return res
}

func hasUser(p *peer, name string) bool {
	found := false
	p.store.View(func(s *fsm.State) { found = s.User(name) != nil })
	return found
}

func TestASinglePeerInitsRunsAndRestarts(t *testing.T) {
	t.Parallel()
	admin := fsm.Command{Body: fsm.PutUser{User: fsm.User{Name: "admin", Role: "admin", Password: "x"}}}
	p := initPeer(t, admin).ready()
	if !hasUser(p, "admin") {
		t.Fatal("the commands of Init are not in the state")
	}
	res, err := p.Propose(within(t), putUser("ann"))
	if err != nil || res.Index == 0 || !hasUser(p, "ann") {
		t.Fatalf("%+v, %v", res, err)
	}
	if _, err := p.Propose(within(t), putUser("ann")); fsm.Code(err) != fsm.CodeConflict {
		t.Fatalf("a refusal came as %v", err)
	}
	key, err := p.SigningKey()
	if err != nil || len(key) == 0 {
		t.Fatal(err)
	}
	sealed, err := p.Seal("instance", []byte("token"))
	if err != nil || bytes.Contains(sealed, []byte("token")) {
		t.Fatalf("sealed as %q, %v", sealed, err)
	}
	if none, err := p.Seal("instance", nil); err != nil || len(none) != 0 {
		t.Fatalf("nothing was sealed as %q, %v", none, err)
	}
	digest, err := p.Digest("instance", []byte("token"))
	if err != nil || len(digest) != 32 {
		t.Fatalf("digest %x, %v", digest, err)
	}
	var hash uint64
	p.store.View(func(s *fsm.State) { hash = s.Hash() })
	if err := p.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Seal("instance", []byte("token")); !errors.Is(err, ErrNotReady) {
		t.Fatalf("a stopped peer seals: %v", err)
	}
	p = p.restart().ready()
	if plain, err := p.Open("instance", sealed); err != nil || string(plain) != "token" {
		t.Fatalf("opened as %q, %v", plain, err)
	}
	if _, err := p.Open("signing", sealed); err == nil {
		t.Fatal("opened under another name")
	}
	if again, err := p.Digest("instance", []byte("token")); err != nil || !bytes.Equal(again, digest) {
		t.Fatalf("another digest: %x, %v", again, err)
	}
	p.store.View(func(s *fsm.State) {
		if s.User("ann") == nil || s.Hash() != hash {
			t.Errorf("after the restart the state is another one: hash %x, was %x", s.Hash(), hash)
		}
	})
	if err := Init(p.dir, InitConfig{Config: p.cfg}); !errors.Is(err, ErrInUse) {
		t.Errorf("a directory in use: %v", err)
	}
	if _, err := os.Stat(filepath.Join(p.dir, "drover.yaml")); err != nil {
		t.Error(err)
	}
}
