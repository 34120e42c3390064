package cluster

import (
	"errors"
	"testing"
	"time"
)

func TestAOneWayPartitionOfTheLeaderBringsANewOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		cut  func(f *fabric, l string, others []*peer)
	}{
		{"it is not heard", func(f *fabric, l string, rest []*peer) {
			for _, p := range rest {
				f.oneWay(l, p.cfg.Name)
			}
		}},
		{"it hears nothing", func(f *fabric, l string, rest []*peer) {
			for _, p := range rest {
				f.oneWay(p.cfg.Name, l)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			peers := three(t)
			old := leader(t, peers...)
			rest := others(peers, old)
			c.cut(old.net, old.cfg.Name, rest)
			eventually(t, "the old leader gives up", func() bool { v, _ := old.View(); return !v.Self })
			leader(t, rest...)
			rest[0].commit(putUser("after"))
			if hasUser(old, "after") {
				t.Error("the cut lets entries through: this shows nothing")
			}
			old.net.heal()
			same(t, peers...)
		})
	}
}

func TestAPeerThatWasCutOffForcesNoElectionWhenItIsBack(t *testing.T) {
	t.Parallel()
	peers := three(t)
	l := leader(t, peers...)
	away := others(peers, l)[0]
	before, _ := l.View()
	away.net.isolate(away.cfg.Name)
	eventually(t, "it campaigned in vain", func() bool {
		v, _ := away.View()
		return v.Leader == "" && time.Since(v.Since) > NoQuorumAfter
	})
	l.commit(putUser("meanwhile"))
	away.net.heal()
	same(t, peers...)
	leader(t, peers...)
	if after, _ := l.View(); after.Term != before.Term || !after.Self {
		t.Errorf("term %d became %d", before.Term, after.Term)
	}
}

func TestTheLeadershipGoesToANamedPeer(t *testing.T) {
	t.Parallel()
	peers := three(t)
	rest := others(peers, leader(t, peers...))
	for _, to := range []*peer{rest[0], rest[1], rest[0]} {
		if err := rest[1].LeadershipTransferTo(within(t), to.cfg.Name); err != nil {
			t.Fatal(err)
		}
		eventually(t, to.cfg.Name+" leads", func() bool { v, _ := to.View(); return v.Self })
		leader(t, peers...)
	}
	rest[1].kill()
	if err := rest[0].LeadershipTransferTo(within(t), rest[1].cfg.Name); !errors.Is(err, ErrNoTarget) {
		t.Errorf("to a dead peer: %v", err)
	}
	if err := rest[0].LeadershipTransferTo(within(t), "nobody"); !errors.Is(err, ErrNoSuchPeer) {
		t.Errorf("to nobody: %v", err)
	}
}
