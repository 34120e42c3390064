package push

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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

func TestAnUpdateThatEndsAnInstanceIsAnAttempt(t *testing.T) {
	b := newBed(t)
	s := b.newInstance("hook-1", badinstance.Config{})
	b.put("webhooks", hooks1)
	b.untilStatus("hook-1", fsm.Acked)
	s.Behave(badinstance.Hang().On(badinstance.Update).Times(2))
	b.put("webhooks", hooks2)
	for n := 1; n <= 2; n++ {
		s.AwaitRequests(t, 10*time.Second, 1+n, badinstance.Update)
		s.Stop()
		b.until("it is gone, and that was an attempt", func(state *fsm.State) bool {
			ord := b.ordOf(state)
			return state.Status(ord) == fsm.Offline && state.Row(ord).Unreachable() != nil && state.Attempts(ord) == n
		})
		if p := b.lastError("hook-1"); p.Code != "interrupted" || p.Target != "webhooks" {
			t.Errorf("the reason: %+v", p)
		}
		s.Resume(t)
	}
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

// Many hung instances must not take the places of those that answer.
func TestManyHungInstancesDelayNoOther(t *testing.T) {
	b := newBed(t)
	b.newInstance("hook-1", badinstance.Config{})
	hung := b.newInstance("hung", badinstance.Config{})
	hung.Behave(badinstance.Hang())
	const many = 2*callsAtOnce + 20
	for n := range many {
		url := hung.URL + "/" + strconv.Itoa(n)
		b.do(fsm.PutInstance{ID: "hung-" + strconv.Itoa(n), Create: true, URL: &url})
	}
	b.put("webhooks", hooks1)
	b.untilStatus("hook-1", fsm.Acked)
	b.until("the others are known to hang", func(state *fsm.State) bool {
		for n := range many {
			if state.Row(state.Node("hung-"+strconv.Itoa(n)).Ordinal).Unreachable() == nil {
				return false
			}
		}
		return true
	})
	for range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), slowAfter*3/4)
		found, err := b.server.Verify(ctx, "webhooks", nil)
		cancel()
		if err != nil || len(found) != many+2 {
			t.Fatalf("%d results, %v", len(found), err)
		}
		for _, v := range found {
			if v.InSync != (v.ID == "hook-1") {
				t.Fatalf("%+v", v)
			}
		}
	}
}

// second runs another peer's delivery over the same state.
func (b *bed) second(id string) (s *Server, stop func()) {
	b.t.Helper()
	s = New(Config{Peer: id, Instances: loopback()}, Deps{
		Store: b.peer.store, Cluster: b.peer, Open: open, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("run: %v", err)
		}
	})
	b.t.Cleanup(stop)
	return s, stop
}

// A new owner waits as long as a call of the old one may take, pushes, and looks
// again: what the old one had sent may arrive late.
func TestANewOwnerOutlastsTheCallsOfTheOldOne(t *testing.T) {
	b := newBed(t)
	b.do(fsm.PutPeer{Peer: fsm.Peer{ID: "p2", Name: "ctl-2", URL: "http://127.0.0.1:2"}})
	_, stop := b.second("p2")
	var id string
	b.peer.store.View(func(state *fsm.State) {
		for n := 0; ; n++ {
			id = "hook-" + strconv.Itoa(n)
			if state.Owner(&fsm.Node{ID: id}) == "p2" {
				return
			}
		}
	})
	s := b.newInstance(id, badinstance.Config{})
	b.put("webhooks", hooks1)
	b.untilStatus(id, fsm.Acked)
	stop() // it is killed: nothing is told
	s.Forget()
	b.do(fsm.SetLiveness{Alive: []string{"p1"}})
	dead := time.Now()
	b.put("webhooks", hooks2)
	b.untilStatus(id, fsm.Acked)
	pushed := s.Requests(badinstance.Update)
	if len(pushed) != 1 || pushed[0].Time.Sub(dead) < loopback().Timeout-100*time.Millisecond {
		t.Fatalf("%d pushes, the first after %v", len(pushed), pushed[0].Time.Sub(dead))
	}
	s.Set("webhooks", hooks1) // the old owner's call arrives
	b.until("it is put right", func(state *fsm.State) bool {
		d := state.Row(state.Node(id).Ordinal).Drift
		return d != nil && len(d.Targets) == 0 && s.Running("webhooks") == hooks2
	})
}

func TestVerifyComparesWithWhatIsDesired(t *testing.T) {
	b := newBed(t)
	good, drifted := b.newInstance("good", badinstance.Config{}), b.newInstance("drifted", badinstance.Config{})
	dead := b.newInstance("dead", badinstance.Config{})
	e := edit("webhooks", hooks1)
	policy := `{"drift":"report"}`
	e.Policy = &policy
	b.do(fsm.Commit{Edits: []fsm.Edit{e}})
	b.put("connections", `{"c":{"type":"{$T}"}}`)
	for _, id := range []string{"good", "drifted", "dead"} {
		b.untilStatus(id, fsm.Acked)
	}
	drifted.Set("webhooks", hooks2)
	dead.Stop()
	found, err := b.server.Verify(t.Context(), "", []string{"good", "drifted", "dead"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Verified{}
	for _, v := range found {
		got[v.ID+" "+v.Target] = v
	}
	hash, _ := document.InstanceVersion([]byte(hooks1))
	other, _ := document.InstanceVersion([]byte(hooks2))
	if v := got["good webhooks"]; !v.InSync || v.Wanted != hash || v.Reported != hash || v.Unverified {
		t.Errorf("in sync: %+v", v)
	}
	if v := got["good connections"]; !v.InSync || !v.Unverified || v.Reported == "" {
		t.Errorf("with placeholders: %+v", v)
	}
	if v := got["drifted webhooks"]; v.InSync || v.Wanted != hash || v.Reported != other {
		t.Errorf("drifted: %+v", v)
	}
	if v := got["dead webhooks"]; v.InSync || v.Code != "unreachable" || v.Error == "" || v.Wanted != hash {
		t.Errorf("dead: %+v", v)
	}
	if len(found) != 6 || good.Running("webhooks") != hooks1 {
		t.Errorf("%d rows", len(found))
	}
}

func TestADiscoveryAddsInstances(t *testing.T) {
	dir := t.TempDir()
	b := newBedWith(t, func(c *Config) { c.Instances.Files = dir })
	s := badinstance.Start(t, badinstance.Config{Hash: document.InstanceVersion})
	list := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "hooks.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.server.Discover(ctx, 1) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	b.put("webhooks", hooks1)
	b.do(fsm.PutDiscovery{Discovery: fsm.Discovery{ID: "eu", Type: "file", Interval: 5000, Config: `{"file":{"path":"hooks.yaml"}}`}})
	b.until("the missing file is told", func(state *fsm.State) bool { return state.Discovery("eu").Error != "" })
	list("- {id: hook-1, url: \"" + s.URL + "\"}\n- {id: hook-2, url: \"http://127.0.0.1:1\"}\n")
	b.until("they are found", func(state *fsm.State) bool { return state.Node("hook-1") != nil && state.Node("hook-2") != nil })
	b.untilStatus("hook-1", fsm.Acked)
	list("- {id: hook-1, url: \"" + s.URL + "\"}\n")
	b.until("one that disappears is marked", func(state *fsm.State) bool {
		return state.Node("hook-2").Instance.Gone > 0 && state.Node("hook-1").Instance.Gone == 0
	})
}
