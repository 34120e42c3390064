package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/droverhq/drover/fsm"
)

// flip changes one bit wherever the text stands in a file.
func flip(t testing.TB, path, text string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for off := 0; ; {
		i := bytes.Index(data[off:], []byte(text))
		if i < 0 {
			break
		}
		data[off+i] ^= 1
		off += i + len(text)
		n++
	}
	if n == 0 {
		t.Fatalf("%q is not in %s", text, path)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestTrap6APeerWithADamagedLogJoinsAnewAndServesNothingFalse(t *testing.T) {
	t.Parallel()
	peers := three(t)
	bad := others(peers, leader(t, peers...))[0]
	rest := others(peers, bad)
	for i := range 5 {
		rest[0].commit(putUser(fmt.Sprint("canary-", i)))
	}
	same(t, peers...)
	eventually(t, "the contacts are on disk", func() bool { c, err := home(bad.dir).contacts(); return err == nil && len(c) == 2 })
	bad.kill()
	flip(t, home(bad.dir).peerPath(bad.peerID, fileLog), "canary-3")
	back := bad.restart().ready()
	id, err := home(bad.dir).identity()
	if err != nil || id.Peer == bad.peerID {
		t.Errorf("the peer goes on under its old id: %v", err)
	}
	if !hasUser(back, "canary-3") {
		t.Error("the state is not complete")
	}
	eventually(t, "three voters", func() bool { return voters(t, back) == 3 })
	same(t, append(rest, back)...)
	if _, err := os.Stat(home(bad.dir).peerPath(bad.peerID)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the damaged log is still there: %v", err)
	}
}

func TestTrap6ASinglePeerWithADamagedLogStopsWithAClearError(t *testing.T) {
	t.Parallel()
	one := initPeer(t).ready()
	one.commit(putUser("canary"))
	one.kill()
	flip(t, home(one.dir).peerPath(one.peerID, fileLog), "canary")
	again := one.restart()
	<-again.done
	if err := again.err; !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "no other peer") {
		t.Errorf("got %v", err)
	}
	again.err = nil
}

func TestADamagedSnapshotIsNotServed(t *testing.T) {
	t.Parallel()
	peers := three(t)
	bad := others(peers, leader(t, peers...))[0]
	rest := others(peers, bad)
	rest[0].commit(putUser("canary"))
	same(t, peers...)
	r := bad.core().raft
	conf := r.ReloadableConfig()
	conf.TrailingLogs = 1
	if err := errors.Join(r.ReloadConfig(conf), r.Snapshot().Error()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the contacts are on disk", func() bool { c, err := home(bad.dir).contacts(); return err == nil && len(c) == 2 })
	bad.kill()
	snaps, err := filepath.Glob(home(bad.dir).peerPath(bad.peerID, "snapshots", "*", "state.bin"))
	if err != nil || len(snaps) != 1 {
		t.Fatal(snaps, err)
	}
	data, err := os.ReadFile(snaps[0])
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 4
	if err := os.WriteFile(snaps[0], data, 0o600); err != nil {
		t.Fatal(err)
	}
	back := bad.restart().ready()
	same(t, append(rest, back)...)
	if !hasUser(back, "canary") {
		t.Error("the state is not complete")
	}
}

// hungDisk is a log store whose writes never come back once it hangs.
type hungDisk struct {
	raft.LogStore
	mu   sync.Mutex
	hang chan struct{}
}

func (h *hungDisk) StoreLogs(logs []*raft.Log) error {
	h.mu.Lock()
	hang := h.hang
	h.mu.Unlock()
	if hang != nil {
		<-hang
		return errors.New("too late")
	}
	return h.LogStore.StoreLogs(logs)
}

func (h *hungDisk) StoreLog(l *raft.Log) error { return h.StoreLogs([]*raft.Log{l}) }

func (h *hungDisk) setHang(c chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hang = c
}

func TestTrap4ALeaderWithAHungDiskGivesWay(t *testing.T) {
	t.Parallel()
	disk := &hungDisk{}
	hung, asked, free := make(chan struct{}), make(chan struct{}), make(chan struct{})
	wrap := func(n *Node) {
		n.tweaks.space = func(string) (float64, error) { // to ask for the free space hangs as well
			select {
			case <-hung:
				close(asked)
				<-free
			default:
			}
			return 0.5, nil
		}
		n.tweaks.wrapLog = func(s raft.LogStore) raft.LogStore { disk.LogStore = s; return disk }
		n.tweaks.hung = time.Second
	}
	peers := three(t)
	old := leader(t, peers...)
	rest := others(peers, old)
	old.kill()
	bad := old.restart(wrap).ready()
	bad.lead(rest[0], rest[1], bad)
	close(hung)
	<-asked
	disk.setHang(free)
	r, store := bad.running1(t), bad.core().raft
	write := make(chan error, 1)
	go func() { _, err := bad.Propose(within(t), putUser("hung")); write <- err }()
	<-bad.done
	if !errors.Is(bad.err, ErrDiskHung) {
		t.Errorf("ended with %v", bad.err)
	}
	bad.err = nil
	began := time.Now()
	leader(t, rest...)
	rest[0].commit(putUser("after"))
	t.Logf("commits again %v after the leader gave way", time.Since(began).Round(time.Millisecond))
	close(free) // the process would have ended; here what it left behind is cleaned up
	<-write
	<-bad.leftovers(r, store)
}

// lead makes this peer the leader.
func (p *peer) lead(all ...*peer) {
	p.t.Helper()
	eventually(p.t, "it leads", func() bool {
		l := leader(p.t, all...)
		if l == p {
			return true
		}
		_ = l.core().raft.LeadershipTransferToServer(raft.ServerID(p.peerID), raft.ServerAddress(p.cfg.Peer.Advertise)).Error()
		return false
	})
}

// leftovers ends what a peer with a hung disk could not.
func (p *peer) leftovers(r *running, node *raft.Raft) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = node.Shutdown().Error()
		r.port.Close()
		r.pool.Close()
		_ = r.logs.Close()
	}()
	return done
}

func TestTrap5ALeaderWithAFullDiskHandsOverAndRecovers(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	free := 0.5
	set := func(f float64) { mu.Lock(); defer mu.Unlock(); free = f }
	space := func(n *Node) {
		n.tweaks.space = func(string) (float64, error) { mu.Lock(); defer mu.Unlock(); return free, nil }
	}
	peers := three(t)
	old := leader(t, peers...)
	rest := others(peers, old)
	old.kill()
	bad := old.restart(space).ready()
	bad.lead(rest[0], rest[1], bad)
	set(0.01)
	eventually(t, "it handed over", func() bool {
		_, full := bad.running1(t).disk.state()
		v, _ := bad.View()
		return full && v.Leader != "" && !v.Self
	})
	if _, err := bad.Propose(within(t), putUser("more")); !errors.Is(err, ErrDiskFull) {
		t.Errorf("a write with a full disk: %v", err)
	}
	if _, err := bad.Propose(within(t), fsm.Command{Body: fsm.Prune{}}); err != nil {
		t.Errorf("what frees space: %v", err)
	}
	s, err := rest[0].Status(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.Peers {
		if (p.ID == bad.ID()) != (p.Sick != "") {
			t.Errorf("reported as %+v", p)
		}
	}
	set(0.5)
	eventually(t, "it accepts writes again", func() bool { _, full := bad.running1(t).disk.state(); return !full })
	bad.commit(putUser("again"))
}

// With no other voter a leader with a full disk goes on, and refuses what it cannot store.
func TestTrap5ASinglePeerWithAFullDiskRefusesWrites(t *testing.T) {
	t.Parallel()
	one := initPeer(t).ready()
	one.Stop(within(t))
	full := one.restart(func(n *Node) { n.tweaks.space = func(string) (float64, error) { return 0.01, nil } })
	full.ready()
	eventually(t, "it knows", func() bool { _, f := full.running1(t).disk.state(); return f })
	if _, err := full.Propose(within(t), putUser("more")); !errors.Is(err, ErrDiskFull) {
		t.Errorf("got %v", err)
	}
}

func TestASnapshotThatIsInstalledOverAndOverEndsThePeer(t *testing.T) {
	t.Parallel()
	var i installs
	i.count(5) // the restore at the start
	i.arm()
	for _, index := range []uint64{7, 7, 9, 9} {
		i.count(index)
	}
	select {
	case err := <-i.failed:
		t.Fatalf("too early: %v", err)
	default:
	}
	i.count(9)
	if err := <-i.failed; !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}

func TestTrap13AnUnknownCommandStopsThePeerWithAClearMessage(t *testing.T) {
	t.Parallel()
	one := initPeer(t).ready()
	at := one.store.Index()
	one.core().raft.Apply([]byte{9, 9}, time.Second)
	<-one.done
	if err := one.err; !errors.Is(err, fsm.ErrUnknownCommand) {
		t.Errorf("ended with %v", err)
	}
	one.err = nil
	if one.store.Index() > at {
		t.Error("the state went on")
	}
}

func TestTrap13NothingIsAppliedAfterAnUnknownCommand(t *testing.T) {
	store := fsm.NewStore()
	m := newMachine(store)
	entries, err := firstEntries([]raft.Server{{ID: "a", Address: "a"}}, []fsm.Command{{Body: fsm.CreateCluster{ID: "x"}}, putUser("after")}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	bad := &raft.Log{Index: 10, Term: 1, Type: raft.LogCommand, Data: []byte{9, 9}}
	done := make(chan []any)
	go func() { done <- m.ApplyBatch([]*raft.Log{entries[1], bad, entries[2]}) }()
	<-store.Failed()
	m.unpark() // Raft shuts down, and brings what it still has
	out := <-done
	if at := store.Index(); at != entries[1].Index {
		t.Errorf("the state moved on to %d", at)
	}
	for i, res := range out[1:] {
		if res.(fsm.Result).Err == nil {
			t.Errorf("entry %d counts as applied", i+1)
		}
	}
	if _, err := m.Snapshot(); err == nil {
		t.Error("a snapshot was taken of a state that has stopped")
	}
}

func TestTrap15AStartThatFailsReleasesWhatItTook(t *testing.T) {
	t.Parallel()
	one := initPeer(t).ready()
	one.kill()
	two := start(t, one.net, one.dir, one.cfg).ready() // has the ports and the log now
	again := start(t, one.net, one.dir, one.cfg)
	<-again.done
	if again.err == nil || !strings.Contains(again.err.Error(), "in use") {
		t.Errorf("a second process on one directory: %v", again.err)
	}
	again.err = nil
	two.kill()
	taken, err := net.Listen("tcp", one.cfg.Peer.Listen)
	if err != nil {
		t.Fatal(err)
	}
	bad := start(t, one.net, one.dir, one.cfg) // has the log, and does not get the port
	<-bad.done
	if bad.err == nil || !strings.Contains(bad.err.Error(), "peer.listen") {
		t.Errorf("got %v", bad.err)
	}
	bad.err = nil
	taken.Close()
	gossip := one.cfg
	gossip.Gossip.Listen = gossip.Peer.Listen // taken by the peer port itself
	bad = start(t, one.net, one.dir, gossip)
	<-bad.done
	if bad.err == nil || !strings.Contains(bad.err.Error(), "gossip.listen") {
		t.Errorf("got %v", bad.err)
	}
	bad.err = nil
	start(t, one.net, one.dir, one.cfg).ready() // nothing is held any more
}
