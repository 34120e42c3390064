package push

import (
	"context"
	"testing"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/internal/badinstance"
)

// synced waits until a sync that was asked for has been carried out.
func (b *bed) synced(id string) {
	b.t.Helper()
	b.until("the sync is over", func(state *fsm.State) bool {
		ord := state.Node(id).Ordinal
		row := state.Row(ord)
		return state.Status(ord) == fsm.Acked && row.At.Index >= row.Resync
	})
}

func TestASyncOfABusyInstanceIsNoDrift(t *testing.T) {
	b := newBed(t)
	s := b.newInstance("hook-1", badinstance.Config{})
	b.put("webhooks", hooks1)
	b.untilStatus("hook-1", fsm.Acked)
	s.Forget()
	s.Behave(badinstance.Busy().On(badinstance.Update).Times(1))
	b.do(fsm.RetryNodes{Nodes: []string{"hook-1"}, Resync: true})
	b.synced("hook-1")
	if n := len(s.Requests(badinstance.Update)); n != 2 {
		t.Errorf("%d updates, want one that met a reload and one that was taken", n)
	}
	b.peer.store.View(func(state *fsm.State) {
		if d := state.Row(b.ordOf(state)).Drift; d != nil {
			t.Errorf("nobody changed anything there, and it is drift: %+v", *d)
		}
	})
}

func TestASyncOutlivesTheSession(t *testing.T) {
	b := newBed(t)
	s := b.newInstance("hook-1", badinstance.Config{})
	b.put("webhooks", hooks1)
	b.untilStatus("hook-1", fsm.Acked)
	s.Stop()
	b.until("it is gone", func(state *fsm.State) bool {
		ord := b.ordOf(state)
		return state.Status(ord) == fsm.Offline && state.Row(ord).Unreachable() != nil
	})
	s.Forget()
	b.do(fsm.RetryNodes{Nodes: []string{"hook-1"}, Resync: true})
	s.Resume(t)
	b.synced("hook-1")
	if n := len(s.Requests(badinstance.Update)); n != 1 {
		t.Errorf("%d updates after the sync was asked for, want 1", n)
	}
}

func TestNoRequestBeginsForWhoHasGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		err := call(ctx, make(chan struct{}, 1), func(context.Context) error {
			t.Error("it was begun")
			return nil
		})
		if err == nil {
			t.Error("it has not failed")
		}
	}
}

// While there is no quorum nothing is taken, and instances stay unreachable for
// hours.
func TestWhatIsToldOfAnInstanceDoesNotPileUp(t *testing.T) {
	var g gone
	for n := range 1000 {
		g.add(gone{unreachable: []fsm.Unreachable{{Node: uint32(n % 3), Code: "unreachable", Message: "the latest"}}})
	}
	taken := g.take()
	g.add(gone{unreachable: []fsm.Unreachable{{Node: 1, Code: "timeout"}}})
	g.putBack(taken)
	if len(g.unreachable) != 3 {
		t.Errorf("%d are kept of 3 instances", len(g.unreachable))
	}
	for _, u := range g.unreachable {
		if u.Node == 1 && u.Code != "timeout" {
			t.Errorf("the older one is kept: %+v", u)
		}
	}
}
