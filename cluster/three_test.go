package cluster

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/droverhq/drover/fsm"
)

// join makes and starts a further peer.
func (p *peer) join(name string, change ...func(*Node)) *peer {
	p.t.Helper()
	token, err := p.CreateJoinToken(within(p.t), 0, fsm.Actor{})
	if err != nil {
		p.t.Fatal(err)
	}
	dir := filepath.Join(p.t.TempDir(), name)
	cfg := testConfig(p.t, name)
	if err := Join(within(p.t), dir, JoinConfig{Address: p.cfg.Peer.Advertise, Token: token, Config: cfg}); err != nil {
		p.t.Fatal(err)
	}
	return start(p.t, p.net, dir, cfg, change...)
}

// three makes a cluster of three voters; the first leads.
func three(t testing.TB) []*peer {
	t.Helper()
	first := initPeer(t).ready()
	peers := []*peer{first, first.join("ctl-2"), first.join("ctl-3")}
	for _, p := range peers {
		p.ready()
	}
	eventually(t, "three voters", func() bool { return voters(t, first) == 3 })
	return peers
}

func voters(t testing.TB, p *peer) int {
	s, err := p.Status(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return s.Voters
}

// leader waits until all of the peers agree on a leader that is one of them.
func leader(t testing.TB, peers ...*peer) *peer {
	t.Helper()
	var found *peer
	eventually(t, "a leader", func() bool {
		found = nil
		v, _ := peers[0].View()
		for _, p := range peers {
			if w, _ := p.View(); w.Leader != v.Leader {
				return false
			}
			if p.ID() == v.Leader {
				found = p
			}
		}
		return found != nil
	})
	return found
}

func others(peers []*peer, not *peer) []*peer {
	var list []*peer
	for _, p := range peers {
		if p != not {
			list = append(list, p)
		}
	}
	return list
}

// same waits until the peers hold the same state at the same index.
func same(t testing.TB, peers ...*peer) {
	t.Helper()
	at := func(p *peer) (s string) {
		p.store.View(func(st *fsm.State) { s = fmt.Sprintf("%d %x", st.Index(), st.Hash()) })
		return s
	}
	eventually(t, "equal states", func() bool {
		for _, p := range peers[1:] {
			if at(p) != at(peers[0]) {
				return false
			}
		}
		return true
	})
}

func TestThreePeersJoinForwardAndAgree(t *testing.T) {
	t.Parallel()
	peers := three(t)
	for i, p := range peers {
		p.commit(putUser(fmt.Sprintf("user-%d", i)))
		if !hasUser(p, fmt.Sprintf("user-%d", i)) {
			t.Error("the proposer's own state does not hold the change")
		}
	}
	same(t, peers...)
	s, err := peers[2].Status(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Peers) != 3 || !s.Quorum || s.Tolerates != 1 || s.Leader != peers[0].ID() {
		t.Errorf("status %+v", s)
	}
	for _, p := range s.Peers {
		if !p.Alive || p.Lag != 0 || p.Name == "" || p.URL == "" {
			t.Errorf("peer %+v", p)
		}
	}
}
