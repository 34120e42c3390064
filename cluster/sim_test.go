package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/hashicorp/raft"

	"github.com/droverhq/drover/cluster/rpc"
	"github.com/droverhq/drover/fsm"
)

// sim is a cluster in memory, for tests inside a synctest bubble: the real core over Raft's own
// in-memory transport and stores, with time that costs nothing.
type sim struct {
	t     *testing.T
	peers []*simPeer
	wg    sync.WaitGroup

	mu  sync.Mutex
	cut map[[2]string]bool
}

type simPeer struct {
	*core
	sim    *sim
	trans  *raft.InmemTransport
	cancel context.CancelFunc
}

func newSim(t *testing.T, n int, duties func(id string) []duty) *sim {
	s := &sim{t: t, cut: map[[2]string]bool{}}
	var servers []raft.Server
	commands := []fsm.Command{{ID: "create", Body: fsm.CreateCluster{ID: "sim"}}}
	for i := range n {
		id := fmt.Sprint("peer-", i)
		servers = append(servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id)})
		commands = append(commands, fsm.Command{ID: id, Body: fsm.PutPeer{Peer: fsm.Peer{ID: id, Name: id, Address: id, Feature: fsm.FeatureLevel}}})
	}
	for i := range n {
		s.peers = append(s.peers, s.open(string(servers[i].ID), servers, commands, duties(string(servers[i].ID))))
	}
	for _, p := range s.peers {
		for _, q := range s.peers {
			if p != q {
				p.trans.Connect(q.trans.LocalAddr(), q.trans)
			}
		}
	}
	return s
}

func (s *sim) open(id string, servers []raft.Server, commands []fsm.Command, duties []duty) *simPeer {
	logs := raft.NewInmemStore()
	entries, err := firstEntries(servers, commands, time.Now())
	if err == nil {
		err = errors.Join(logs.StoreLogs(entries), logs.SetUint64([]byte("CurrentTerm"), firstTerm))
	}
	if err != nil {
		s.t.Fatal(err)
	}
	_, trans := raft.NewInmemTransport(raft.ServerAddress(id))
	store := fsm.NewStore()
	notify := make(chan bool, 8)
	tm, _ := profile("fast")
	m := newMachine(store)
	m.installs.arm()
	node, err := raft.NewRaft(raftConfig(id, tm, logger(s.t, id), notify), m, logs, logs, raft.NewInmemSnapshotStore(), trans)
	if err != nil {
		s.t.Fatal(err)
	}
	p := &simPeer{sim: s, trans: trans}
	p.core = newCore(id, store, logger(s.t, id), parts{
		raft: node, machine: m, logs: logs, notify: notify, calls: simCaller{s, id},
		drop: func(string) {}, local: func() local { return local{} },
	}, duties)
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	s.wg.Go(func() { _ = p.run(ctx) })
	return p
}

// close ends everything, so that the bubble can end.
func (s *sim) close() {
	for _, p := range s.peers {
		p.cancel()
	}
	s.wg.Wait()
	for _, p := range s.peers {
		if err := p.raft.Shutdown().Error(); err != nil {
			s.t.Error(err)
		}
		p.trans.Close()
	}
	// Raft's in-memory transport leaves timers behind, which end within its time-outs.
	<-time.After(10 * time.Second)
}

func (s *sim) isolate(p *simPeer) {
	s.mu.Lock()
	for _, q := range s.peers {
		s.cut[[2]string{p.id, q.id}], s.cut[[2]string{q.id, p.id}] = true, true
	}
	s.mu.Unlock()
	for _, q := range s.peers {
		if q != p {
			q.trans.Disconnect(p.trans.LocalAddr())
			p.trans.Disconnect(q.trans.LocalAddr())
		}
	}
}

func (s *sim) heal() {
	s.mu.Lock()
	s.cut = map[[2]string]bool{}
	s.mu.Unlock()
	for _, p := range s.peers {
		for _, q := range s.peers {
			if p != q {
				p.trans.Connect(q.trans.LocalAddr(), q.trans)
			}
		}
	}
}

// leader waits for a leader other than the given one.
func (s *sim) leader(not *simPeer) *simPeer {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-time.After(10 * time.Millisecond) {
		for _, p := range s.peers {
			if v, _ := p.view.get(); v.Self && p != not && p.leads() {
				return p
			}
		}
	}
	s.t.Fatal("no leader within a minute")
	return nil
}

// simCaller calls through memory. A call over a cut link is lost: it ends with its context.
type simCaller struct {
	*sim
	from string
}

func (c simCaller) lost(to string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut[[2]string{c.from, to}]
}

func (c simCaller) Call(ctx context.Context, to, method string, req, resp any) error {
	i := slices.IndexFunc(c.peers, func(p *simPeer) bool { return p.id == to })
	if i < 0 {
		return rpc.ErrNotSent
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if c.lost(to) {
		<-ctx.Done()
		return rpc.ErrBroken
	}
	body, err := cbor.Marshal(req)
	if err != nil {
		return err
	}
	answer, err := c.peers[i].handlers()[method](ctx, c.from, body)
	if c.lost(to) {
		<-ctx.Done()
		return rpc.ErrBroken
	}
	if err != nil || resp == nil {
		return err
	}
	out, err := cbor.Marshal(answer)
	if err != nil {
		return err
	}
	return cbor.Unmarshal(out, resp)
}

func TestTrap8HundredsOfFailoversLoseNothingAndDutiesNeverOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var overlaps, scopes atomic.Int64
		s := newSim(t, 3, func(string) []duty {
			var running atomic.Int64
			return []duty{{"record", func(ctx context.Context, term uint64) error {
				if running.Add(1) != 1 {
					overlaps.Add(1)
				}
				scopes.Add(1)
				<-ctx.Done()
				time.Sleep(50 * time.Millisecond) // a duty takes a while to end
				running.Add(-1)
				return ctx.Err()
			}}}
		})
		const rounds = 200
		var acknowledged []string
		var took []time.Duration
		old := s.leader(nil)
		for round := range rounds {
			s.isolate(old)
			began := time.Now()
			rest := slices.DeleteFunc(slices.Clone(s.peers), func(p *simPeer) bool { return p == old })
			writer := rest[rand.IntN(len(rest))]
			name := fmt.Sprint("u", round)
			for {
				_, err := writer.propose(t.Context(), putUser(name))
				if err == nil || fsm.Code(err) == fsm.CodeConflict { // an earlier try of ours
					break
				}
				if !errors.Is(err, ErrNoQuorum) && !errors.Is(err, ErrOutcomeUnknown) {
					t.Fatalf("round %d: %v", round, err)
				}
				time.Sleep(10 * time.Millisecond)
			}
			took = append(took, time.Since(began))
			acknowledged = append(acknowledged, name)
			next := s.leader(old)
			if round%3 == 0 {
				time.Sleep(time.Duration(rand.IntN(3000)) * time.Millisecond) // healed early or late
			}
			s.heal()
			old = next
			synctest.Wait()
		}
		slices.Sort(took)
		t.Logf("%d failovers, %d scopes; next commit p50 %v, max %v", rounds, scopes.Load(), took[rounds/2], took[rounds-1])
		if took[rounds/2] > time.Second || took[rounds-1] > 3*time.Second {
			t.Errorf("too slow for the fast profile: p50 %v, max %v", took[rounds/2], took[rounds-1])
		}
		if overlaps.Load() != 0 {
			t.Errorf("%d scopes began before the one before had ended", overlaps.Load())
		}
		last := s.leader(nil)
		if _, err := last.propose(t.Context(), putUser("last")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		for _, p := range s.peers {
			p.store.View(func(st *fsm.State) {
				for _, name := range acknowledged {
					if st.User(name) == nil {
						t.Errorf("%s lost %s", p.id, name)
					}
				}
			})
			if a, b := simHash(p), simHash(last); a != b {
				t.Errorf("%s holds %s, the leader %s", p.id, a, b)
			}
		}
		s.close()
	})
}

func simHash(p *simPeer) (s string) {
	p.store.View(func(st *fsm.State) { s = fmt.Sprintf("%d %x", st.Index(), st.Hash()) })
	return s
}

func TestADutyOfAnEndedTermChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 3, func(string) []duty { return nil })
		l := s.leader(nil)
		term := l.raft.CurrentTerm()
		if _, err := l.handleTransfer(t.Context(), l.id, empty{}); err != nil {
			t.Fatal(err)
		}
		next := s.leader(l)
		cmd := putUser("fenced")
		cmd.Term = term
		if _, err := next.propose(t.Context(), cmd); fsm.Code(err) != fsm.CodeFenced {
			t.Errorf("a command of term %d in term %d: %v", term, next.raft.CurrentTerm(), err)
		}
		s.close()
	})
}

// Pre-vote: it is silently off when a transport does not offer it.
func TestAPeerThatWasCutOffForcesNoElectionWhenItIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 3, func(string) []duty { return nil })
		l := s.leader(nil)
		term := l.raft.CurrentTerm()
		away := s.peers[slices.IndexFunc(s.peers, func(p *simPeer) bool { return p != l })]
		s.isolate(away)
		time.Sleep(20 * time.Second)
		if v, _ := away.view.get(); v.Leader != "" || time.Since(v.Since) < NoQuorumAfter {
			t.Errorf("it campaigns not: %+v", v)
		}
		s.heal()
		time.Sleep(20 * time.Second)
		if v, _ := away.view.get(); v.Leader != l.id || l.raft.CurrentTerm() != term {
			t.Errorf("term %d became %d, its leader is %q", term, l.raft.CurrentTerm(), v.Leader)
		}
		s.close()
	})
}
