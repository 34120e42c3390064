package push

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/internal/badinstance"
)

// loopback is what tests may call.
func loopback() Instances {
	return Instances{
		Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Timeout: time.Second, Interval: 200 * time.Millisecond,
	}
}

// newInstance starts a service and registers it.
func (b *bed) newInstance(id string, c badinstance.Config) *badinstance.Server {
	b.t.Helper()
	c.ID, c.Hash = id, document.InstanceVersion
	s := badinstance.Start(b.t, c)
	token := []byte("sealed " + c.Token)
	put := fsm.PutInstance{ID: id, Create: true, URL: &s.URL}
	if c.Token != "" {
		put.Token = &token
	}
	b.do(put)
	return s
}

func open(sealed []byte) ([]byte, error) {
	return []byte(strings.TrimPrefix(string(sealed), "sealed ")), nil
}

func (b *bed) lastError(id string) (p fsm.Problem) {
	b.peer.store.View(func(s *fsm.State) {
		if f := s.Row(s.Node(id).Ordinal).Failure; f != nil {
			p = f.Problems[0]
		}
	})
	return p
}

func (b *bed) ordinal(id string) (ord uint32) {
	b.peer.store.View(func(s *fsm.State) { ord = s.Node(id).Ordinal })
	return ord
}

const hooks1, hooks2 = `{"a":{"module":"log"}}`, `{"a":{"module":"log"},"b":{"module":"log"}}`

func TestAChangeReachesAnInstance(t *testing.T) {
	b := newBed(t)
	s := b.newInstance("hook-1", badinstance.Config{Token: "secret"})
	b.put("connections", `{"c":{"type":"redis"}}`)
	b.put("webhooks", hooks1)
	b.put("routing", `{"n":1}`)
	b.untilStatus("hook-1", fsm.Acked)
	if s.Running("webhooks") != hooks1 || s.Running("routing") != "" {
		t.Errorf("it runs %q and %q", s.Running("webhooks"), s.Running("routing"))
	}
	s.Forget()
	b.put("webhooks", hooks2)
	b.untilStatus("hook-1", fsm.Acked)
	got := s.Requests(badinstance.Update)
	if len(got) != 1 || string(got[0].Update.Config) != hooks2 || got[0].Update.Version != "2" || got[0].Authorization != "Bearer secret" {
		t.Errorf("sent: %+v", got)
	}
}

func TestAnInstanceThatRefusesKeepsWhatItAccepted(t *testing.T) {
	b := newBed(t)
	s := b.newInstance("hook-1", badinstance.Config{})
	b.put("webhooks", hooks1)
	b.untilStatus("hook-1", fsm.Acked)
	b.put("webhooks", `{"a":{}}`)
	b.until("it is a dead letter, with the accepted content pushed back", func(state *fsm.State) bool {
		ord := state.Node("hook-1").Ordinal
		return state.Status(ord) == fsm.DeadLetter && state.Row(ord).Reported == state.Wanted(ord).Sum
	})
	if s.Written("webhooks") != hooks1 || s.Running("webhooks") != hooks1 {
		t.Errorf("written %q, running %q", s.Written("webhooks"), s.Running("webhooks"))
	}
	if p := b.lastError("hook-1"); p.Code != "refused" || p.Target != "webhooks" || p.Message == "" {
		t.Errorf("the reason: %+v", p)
	}
	b.put("webhooks", hooks2)
	b.untilStatus("hook-1", fsm.Acked)
}

func TestABusyInstanceIsNotAFailure(t *testing.T) {
	b := newBed(t)
	s := b.newInstance("hook-1", badinstance.Config{})
	b.put("webhooks", hooks1)
	b.untilStatus("hook-1", fsm.Acked)
	s.Behave(badinstance.Busy().On(badinstance.Update).Times(2))
	b.put("webhooks", hooks2)
	b.untilStatus("hook-1", fsm.Acked)
	if n := len(s.Requests(badinstance.Update)); n != 4 || b.lastError("hook-1").Code != "" {
		t.Errorf("%d calls, error %+v", n, b.lastError("hook-1"))
	}
}

func TestAFailedPushIsTriedAgain(t *testing.T) {
	for name, what := range map[string]badinstance.Behaviour{
		"resets":      badinstance.Reset().Times(8),
		"500":         badinstance.Status(500),
		"503":         badinstance.Status(503),
		"a lie":       badinstance.Lie(),
		"garbage":     badinstance.Garbage(),
		"a cut":       badinstance.DropAfter(),
		"retry after": badinstance.RetryAfter(429, 1),
		"a hang":      badinstance.Hang(),
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t)
			s := b.newInstance("hook-1", badinstance.Config{})
			b.put("webhooks", hooks1)
			b.untilStatus("hook-1", fsm.Acked)
			if name != "resets" { // a kept connection that was reset is no failure yet
				what = what.Times(1)
			}
			s.Behave(what.On(badinstance.Update))
			b.put("webhooks", hooks2)
			b.until("it failed once", func(state *fsm.State) bool { return state.Row(b.ordOf(state)).Failure != nil })
			b.untilStatus("hook-1", fsm.Acked)
			if s.Running("webhooks") != hooks2 {
				t.Errorf("it runs %q", s.Running("webhooks"))
			}
		})
	}
}

func (b *bed) ordOf(s *fsm.State) uint32 { return s.Node("hook-1").Ordinal }

func TestAWrongTokenWaitsForAPerson(t *testing.T) {
	b := newBed(t)
	s := b.newInstance("hook-1", badinstance.Config{Token: "right", OpenInfo: true})
	wrong, right := []byte("sealed wrong"), []byte("sealed right")
	b.do(fsm.PutInstance{ID: "hook-1", Token: &wrong})
	b.put("webhooks", hooks1)
	b.untilStatus("hook-1", fsm.DeadLetter)
	if p := b.lastError("hook-1"); p.Code != "unauthorized" {
		t.Errorf("the reason: %+v", p)
	}
	b.until("it is warned that versions are open to anybody", func(state *fsm.State) bool {
		w := state.Row(b.ordOf(state)).Observed().Warnings
		return len(w) == 1 && w[0] == fsm.WarnNoAuth
	})
	b.do(fsm.PutInstance{ID: "hook-1", Token: &right})
	b.untilStatus("hook-1", fsm.Acked)
	if s.Running("webhooks") != hooks1 {
		t.Errorf("it runs %q", s.Running("webhooks"))
	}
}

func TestAnUnreachableInstanceIsOfflineWithItsReason(t *testing.T) {
	b := newBed(t)
	s := b.newInstance("hook-1", badinstance.Config{})
	b.put("webhooks", hooks1)
	b.untilStatus("hook-1", fsm.Acked)
	s.Stop()
	b.put("webhooks", hooks2)
	b.until("it is offline, and why", func(state *fsm.State) bool {
		ord := b.ordOf(state)
		u := state.Row(ord).Unreachable()
		return state.Status(ord) == fsm.Offline && u != nil && strings.Contains(u.Message, "refused") && state.Attempts(ord) == 0
	})
	s.Resume(t)
	b.untilStatus("hook-1", fsm.Acked)
	if s.Running("webhooks") != hooks2 {
		t.Errorf("it runs %q", s.Running("webhooks"))
	}
}

func TestDriftOfAnInstanceIsHealedOrReported(t *testing.T) {
	b := newBed(t)
	s := b.newInstance("hook-1", badinstance.Config{})
	b.put("webhooks", hooks1)
	b.untilStatus("hook-1", fsm.Acked)
	s.Set("webhooks", `{"x":{"module":"log"}}`)
	b.until("it is healed", func(state *fsm.State) bool {
		d := state.Row(b.ordOf(state)).Drift
		return d != nil && len(d.Begun) == 1 && len(d.Targets) == 0
	})
	if s.Running("webhooks") != hooks1 {
		t.Errorf("it runs %q", s.Running("webhooks"))
	}
	policy := `{"drift":"report"}`
	b.do(fsm.Commit{Edits: []fsm.Edit{{Document: "webhooks", Policy: &policy}}})
	b.untilStatus("hook-1", fsm.Acked)
	s.Forget()
	s.Set("webhooks", `{"x":{"module":"log"}}`)
	b.untilStatus("hook-1", fsm.Pending)
	if n := len(s.Requests(badinstance.Update)); n != 0 {
		t.Errorf("%d pushes against the policy", n)
	}
	b.do(fsm.RetryNodes{Nodes: []string{"hook-1"}, Resync: true})
	b.untilStatus("hook-1", fsm.Acked)
	if s.Running("webhooks") != hooks1 {
		t.Errorf("after a sync it runs %q", s.Running("webhooks"))
	}
}

func TestASyncPushesWhatIsAskedFor(t *testing.T) {
	b := newBed(t)
	s := b.newInstance("hook-1", badinstance.Config{})
	b.put("webhooks", hooks1)
	b.put("connections", `{"c":{"type":"redis"}}`)
	b.untilStatus("hook-1", fsm.Acked)
	for _, only := range [][]string{nil, {"webhooks"}, {"other"}} {
		s.Forget()
		b.do(fsm.RetryNodes{Nodes: []string{"hook-1"}, Resync: true, Documents: only})
		b.until("the sync is over", func(state *fsm.State) bool {
			row := state.Row(b.ordOf(state))
			return row.At.Index >= row.Resync && state.Status(b.ordOf(state)) == fsm.Acked
		})
		want := map[string]int{"": 2, "webhooks": 1, "other": 0}[strings.Join(only, "")]
		if got := s.Requests(badinstance.Update); len(got) != want {
			t.Errorf("sync of %v: %d pushes, want %d", only, len(got), want)
		}
	}
}

func TestPlaceholdersAreUnverified(t *testing.T) {
	b := newBed(t)
	s := b.newInstance("hook-1", badinstance.Config{})
	b.put("webhooks", `{"a":{"module":"log","key":"{$KEY:x}"}}`)
	b.untilStatus("hook-1", fsm.Acked)
	var o fsm.Observed
	b.peer.store.View(func(state *fsm.State) { o = state.Row(b.ordOf(state)).Observed() })
	if len(o.Baselines) != 1 || o.Baselines[0].Version != 1 || o.Baselines[0].Hash == "" {
		t.Fatalf("baselines: %+v", o)
	}
	s.Set("webhooks", hooks1)
	b.until("its drift is healed", func(state *fsm.State) bool {
		d := state.Row(b.ordOf(state)).Drift
		return d != nil && len(d.Begun) == 1 && len(d.Targets) == 0
	})
}

func TestOneHungInstanceDelaysNoOther(t *testing.T) {
	b := newBed(t)
	hung := b.newInstance("hung", badinstance.Config{})
	good := b.newInstance("hook-1", badinstance.Config{})
	b.put("webhooks", hooks1)
	b.untilStatus("hung", fsm.Acked)
	b.untilStatus("hook-1", fsm.Acked)
	hung.Behave(badinstance.Hang())
	b.put("webhooks", hooks2)
	b.until("the other is done first", func(state *fsm.State) bool {
		return state.Status(b.ordOf(state)) == fsm.Acked && state.Status(state.Node("hung").Ordinal) != fsm.Acked
	})
	if good.Running("webhooks") != hooks2 {
		t.Errorf("it runs %q", good.Running("webhooks"))
	}
	b.until("the hung one is shown with its reason", func(state *fsm.State) bool {
		u := state.Row(state.Node("hung").Ordinal).Unreachable()
		return u != nil && u.Code == "timeout"
	})
}
