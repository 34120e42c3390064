package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

func TestAKilledLeaderIsReplacedAndNothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	peers := three(t)
	old := leader(t, peers...)
	rest := others(peers, old)
	var mu sync.Mutex
	var acknowledged []string
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i, p := range rest {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				name := fmt.Sprintf("u-%d-%d", i, n)
				if _, err := p.Propose(within(t), putUser(name)); err == nil {
					mu.Lock()
					acknowledged = append(acknowledged, name)
					mu.Unlock()
				} else if !errors.Is(err, ErrOutcomeUnknown) && !errors.Is(err, ErrNoQuorum) {
					t.Errorf("%s: %v", name, err)
					return
				}
			}
		})
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(acknowledged) }
	eventually(t, "writes before", func() bool { return count() > 20 })
	killed := time.Now()
	old.kill()
	leader(t, rest...)
	before := count()
	eventually(t, "writes after", func() bool { return count() > before })
	t.Logf("commits again %v after the kill", time.Since(killed).Round(time.Millisecond))
	if took := time.Since(killed); took > 10*time.Second { // the figure itself is measured with processes
		t.Errorf("took %v", took)
	}
	back := old.restart().ready()
	eventually(t, "writes with all", func() bool { return count() > before+50 })
	close(stop)
	wg.Wait()
	all := append(rest, back)
	same(t, all...)
	for _, p := range all {
		for _, name := range acknowledged {
			if !hasUser(p, name) {
				t.Fatalf("%s lost %s", p.cfg.Name, name)
			}
		}
	}
}

func TestAllKilledAndStartedAgainLoseNothing(t *testing.T) {
	t.Parallel()
	peers := three(t)
	for i := range 20 {
		peers[i%3].commit(putUser(fmt.Sprint("u", i)))
	}
	for _, p := range peers {
		p.kill()
	}
	for i := range peers {
		peers[i] = peers[i].restart()
	}
	for _, p := range peers {
		p.ready()
		for i := range 20 {
			if !hasUser(p, fmt.Sprint("u", i)) {
				t.Fatalf("%s lost u%d", p.cfg.Name, i)
			}
		}
	}
	same(t, peers...)
}

func TestAMinorityAcceptsNoWritesAndSaysSoAtOnce(t *testing.T) {
	t.Parallel()
	peers := three(t)
	old := leader(t, peers...)
	rest := others(peers, old)
	old.net.isolate(old.cfg.Name)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	// In flight when the quorum is lost: nobody can know.
	if _, err := old.Propose(ctx, putUser("lost")); !errors.Is(err, ErrOutcomeUnknown) {
		t.Errorf("got %v", err)
	}
	eventually(t, "the loss is known for two seconds", func() bool {
		ok, lost := old.Quorum()
		return !ok && lost > NoQuorumAfter
	})
	began := time.Now()
	if _, err := old.Propose(ctx, putUser("refused")); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("the refusal took %v", took)
	}
	if _, err := old.ReadIndex(ctx); !errors.Is(err, ErrNoQuorum) {
		t.Errorf("a strong read of a minority: %v", err)
	}
	if old.Ready() == nil {
		t.Error("a minority is ready")
	}
	leader(t, rest...)
	rest[0].commit(putUser("kept"))
	old.net.heal()
	old.ready()
	same(t, peers...)
	if hasUser(old, "refused") || !hasUser(old, "kept") {
		t.Error("the minority's state is not that of the majority")
	}
}

// The leader is stopped in the middle of a write, so that its lease cannot end, and cut off. Meanwhile
// another leads and commits. What the old one says before, while and after it comes back must not be old.
func TestTrap1APausedLeaderServesNoStaleStrongRead(t *testing.T) {
	t.Parallel()
	disk := &hungDisk{}
	peers := three(t)
	l := leader(t, peers...)
	l.kill()
	old := l.restart(func(n *Node) {
		n.tweaks.wrapLog = func(s raft.LogStore) raft.LogStore { disk.LogStore = s; return disk }
		n.tweaks.hung = time.Minute
	}).ready()
	rest := others(peers, l)
	for round := range 5 {
		old.lead(rest[0], rest[1], old)
		eventually(t, "its barrier", func() bool { return old.core().leads() })
		paused := make(chan struct{})
		disk.setHang(paused)
		write := make(chan error, 1)
		go func() { _, err := old.Propose(within(t), putUser(fmt.Sprint("paused-", round))); write <- err }()
		eventually(t, "it hangs", func() bool { return old.running1(t).watch.Writing(time.Now()) > 0 })
		old.net.isolate(old.cfg.Name)
		leader(t, rest...)
		res := rest[0].commit(putUser(fmt.Sprint("round-", round)))

		stale := func(index uint64, err error) {
			t.Helper()
			if err == nil && index < res.Index {
				t.Errorf("a strong read at index %d after a commit at %d", index, res.Index)
			}
		}
		if !old.core().leads() {
			t.Error("the old leader knows already: this shows nothing")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		stale(old.core().confirmRead(ctx))
		cancel()
		var reads sync.WaitGroup
		for range 20 {
			reads.Go(func() { stale(old.core().confirmRead(within(t))) })
		}
		old.net.heal()
		disk.setHang(nil)
		close(paused)
		reads.Wait()
		<-write
		index, err := old.ReadIndex(within(t))
		if err != nil {
			t.Error(err)
		}
		stale(index, err)
		same(t, append(rest, old)...)
	}
}

func TestTrap2AStrongReadNeverWaitsForAnEntryThatIsNoCommand(t *testing.T) {
	t.Parallel()
	peers := three(t)
	for _, p := range peers {
		l := leader(t, peers...)
		if err := l.core().raft.Barrier(time.Second).Error(); err != nil { // the last entry is a barrier now
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		index, err := p.ReadIndex(ctx)
		if err == nil {
			err = p.store.Wait(ctx, index)
		}
		if err != nil {
			t.Errorf("%s: %v", p.cfg.Name, err)
		}
		if commit := l.core().raft.CommitIndex(); index >= commit {
			t.Errorf("read index %d, but the entry at %d is no command", index, commit)
		}
		cancel()
	}
}

func TestTrap9ATransferPicksAHealthyVoter(t *testing.T) {
	t.Parallel()
	peers := three(t)
	old := leader(t, peers...)
	rest := others(peers, old)
	rest[0].kill()
	if err := rest[1].LeadershipTransfer(within(t)); err != nil { // asked of a follower
		t.Fatal(err)
	}
	eventually(t, "the living one leads", func() bool { v, _ := rest[1].View(); return v.Self })
	old.commit(putUser("after"))
	rest[0].restart().ready()
	if p := initPeer(t).ready(); !errors.Is(p.LeadershipTransfer(within(t)), ErrNoTarget) {
		t.Error("a single peer handed over")
	}
}

func TestAPlannedStopLosesNoWrite(t *testing.T) {
	t.Parallel()
	peers := three(t)
	old := leader(t, peers...)
	rest := others(peers, old)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var longest time.Duration
	started := make(chan struct{})
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			began := time.Now()
			if _, err := rest[0].Propose(within(t), putUser(fmt.Sprint("n", n))); err != nil {
				t.Errorf("write %d: %v", n, err)
				return
			}
			longest = max(longest, time.Since(began))
			if n == 10 {
				close(started)
			}
		}
	})
	<-started
	if err := old.Stop(within(t)); err != nil {
		t.Fatal(err)
	}
	leader(t, rest...)
	close(stop)
	wg.Wait()
	t.Logf("longest write %v", longest)
	snaps, _ := os.ReadDir(filepath.Join(old.dir, "peer", old.peerID, "snapshots"))
	if len(snaps) == 0 {
		t.Error("no snapshot was taken at the stop")
	}
	old.restart().ready()
}

func TestALaggingPeerCatchesUpBySnapshot(t *testing.T) {
	t.Parallel()
	peers := three(t)
	slow := others(peers, leader(t, peers...))[0]
	rest := others(peers, slow)
	slow.kill()
	for i := range 50 {
		rest[0].commit(putUser(fmt.Sprint("u", i)))
	}
	for _, p := range rest { // as after many more entries: nothing is left of the log behind the snapshot
		r := p.core().raft
		conf := r.ReloadableConfig()
		conf.TrailingLogs = 1
		if err := errors.Join(r.ReloadConfig(conf), r.Snapshot().Error()); err != nil {
			t.Fatal(err)
		}
		if first, _ := p.running1(t).logs.FirstIndex(); first < 50 {
			t.Fatalf("the log still begins at %d", first)
		}
	}
	back := slow.restart().ready()
	same(t, append(rest, back)...)
	if !hasUser(back, "u49") {
		t.Error("not caught up")
	}
}

// core is the running core of a peer.
func (p *peer) core() *core { return p.running1(p.t).core }

func (p *peer) running1(t testing.TB) *running {
	t.Helper()
	r, err := p.running()
	if err != nil {
		t.Fatal(err)
	}
	return r
}
