package cluster

import (
	"errors"
	"testing"
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

func TestTheLeadershipGoesToANamedPeer(t *testing.T) {
	t.Parallel()
	peers := three(t)
	rest := others(peers, leader(t, peers...))
	for _, to := range []*peer{rest[0], rest[1], rest[0]} {
		eventually(t, to.cfg.Name+" leads", func() bool {
			if err := rest[1].LeadershipTransferTo(within(t), to.cfg.Name); err != nil {
				t.Logf("on a busy machine a transfer may fail: %v", err)
			}
			return leader(t, peers...) == to
		})
	}
	rest[1].kill()
	if err := rest[0].LeadershipTransferTo(within(t), rest[1].cfg.Name); !errors.Is(err, ErrNoTarget) {
		t.Errorf("to a dead peer: %v", err)
	}
	if err := rest[0].LeadershipTransferTo(within(t), "nobody"); !errors.Is(err, ErrNoSuchPeer) {
		t.Errorf("to nobody: %v", err)
	}
}
