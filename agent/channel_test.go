package agent

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/droverhq/drover/wire"
)

func TestAnotherPeerIsTriedWithinHalfASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a, b := n.add("a", "1"), n.add("b", "2")
		n.start(Deps{Random: low})
		l := a.session()
		time.Sleep(time.Minute)
		begin := time.Now()
		_ = l.conn.Close()
		b.session()
		if took := time.Since(begin); took > 500*time.Millisecond {
			t.Errorf("took %s", took)
		}
	})
}

func TestCallsBecomeRareWhileNobodyAnswersAndNothingChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.add("a", "1")
		hook := filepath.Join(n.dir, "hook")
		run := startAgent(t, Config{Dir: n.dir, Peers: n.peers, Documents: []Rule{{Match: "**", Mode: 0o600, uid: -1, gid: -1,
			Timeout: time.Minute, Reload: script("echo x >> hook")}}}, Deps{Dial: n.dial})
		v1 := docs{"a": `{"x":1}`}
		l := a.session()
		l.send(n.update(1, nil, v1))
		next[wire.Ack](l)
		a.set(func(p *peer) { p.down = true })
		l.close(wire.CloseGoaway)
		before := n.called()
		time.Sleep(time.Hour)
		calls := n.called() - before
		if calls < 60 || calls > 200 {
			t.Errorf("%d calls in an hour", calls)
		}
		run.stop()
		// A start without controllers runs what it had, and no hook for it.
		startAgent(t, Config{Dir: n.dir, Peers: n.peers, Documents: []Rule{{Match: "**", Reload: script("echo x >> hook")}}}, Deps{Dial: n.dial})
		time.Sleep(time.Hour)
		runs(t, n.dir, v1)
		if text, _ := os.ReadFile(hook); string(text) != "x\n" {
			t.Errorf("the hook ran for nothing: %q", text)
		}
		a.set(func(p *peer) { p.down = false })
		if l = a.session(); l.hello.Manifest != v1.manifest(t) {
			t.Error("hello tells something else than what runs")
		}
	})
}

func TestSilenceEndsASessionAndTrafficDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.add("a", "1")
		n.start(Deps{Random: low})
		l := a.session()
		// The reader of the controller answers the agent's pings: that is life.
		time.Sleep(10 * time.Minute)
		l.send(wire.Report{})
		next[wire.Status](l)
		// Now nothing comes any more, not even pongs.
		l.mute.Store(true)
		begin := time.Now()
		<-l.lost
		if took := time.Since(begin); took > 32*time.Second || took < 8*time.Second {
			t.Errorf("the agent noticed after %s", took)
		}
		a.session()
	})
}

func TestGoawayMovesWithoutAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a, b := n.add("a", "1"), n.add("b", "2")
		n.start(Deps{Random: func() float64 { return 0.5 }})
		first, other := a, b
		var l *link
		select {
		case l = <-a.links:
		case l = <-b.links:
			first, other = b, a
		}
		begin := time.Now()
		l.send(wire.Goaway{Reason: wire.GoawayShutdown, RetryAfterMS: 10_000})
		moved := other.session()
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("moved after %s: jittered over the 10 s that were given", took)
		}
		<-l.lost // only now
		// The one that went away is left alone for as long as it asked for.
		moved.close(wire.CloseGoaway)
		first.session()
		if took := time.Since(begin); took < 10*time.Second {
			t.Errorf("called again after %s", took)
		}
	})
}

func TestGoawayWithNowhereToGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.add("a", "1")
		n.start(Deps{Random: low})
		l := a.session()
		l.send(wire.Goaway{Reason: wire.GoawayRebalance, RetryAfterMS: 1000})
		time.Sleep(time.Hour)
		l.send(wire.Report{}) // still there
		next[wire.Status](l)
		begin := time.Now()
		l.send(wire.Goaway{Reason: wire.GoawayShutdown, RetryAfterMS: 5000})
		<-l.lost // a controller that stops does not wait for it
		if took := time.Since(begin); took > time.Second {
			t.Errorf("left after %s", took)
		}
		a.session()
		if took := time.Since(begin); took < 5*time.Second || took > 10*time.Second {
			t.Errorf("back after %s", took)
		}
	})
}

func TestWithoutQuorumAnywhereTheNodeStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a, b := n.add("a", "1"), n.add("b", "2")
		b.quorum = false
		n.start(Deps{Random: low}, n.peers[0])
		l := a.session()
		a.set(func(p *peer) { p.quorum = false })
		l.send(wire.Goaway{Reason: wire.GoawayNoQuorum})
		time.Sleep(10 * time.Minute)
		probes := len(b.links)
		if probes == 0 || len(a.links) != 0 {
			t.Fatalf("%d calls to b, %d to a", probes, len(a.links))
		}
		l.send(wire.Report{}) // the session is still there
		next[wire.Status](l)
		for range probes {
			<-(<-b.links).lost
		}
		b.set(func(p *peer) { p.quorum = true })
		moved := b.session()
		<-l.lost
		moved.send(wire.Report{})
		next[wire.Status](moved)
	})
}

func TestQuorumThatReturnsEndsTheSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a, b := n.add("a", "1"), n.add("b", "2")
		b.quorum = false
		n.start(Deps{}, n.peers[0])
		l := a.session()
		l.send(wire.Goaway{Reason: wire.GoawayNoQuorum})
		time.Sleep(time.Minute)
		l.send(wire.Peers{Peers: n.peers, Quorum: true})
		synctest.Wait()
		probes := len(b.links)
		time.Sleep(time.Hour)
		if more := len(b.links) - probes; more > 1 { // one may have been under way
			t.Errorf("%d calls after the quorum was back", more)
		}
		l.send(wire.Report{})
		next[wire.Status](l)
	})
}

func TestConnectionNumberGoesAboveTheOneToldAndSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.add("a", "1")
		run := n.start(Deps{})
		l := a.session()
		l.send(wire.Goaway{Reason: wire.GoawayDuplicate, Connection: 41})
		if l = a.session(); l.hello.Connection != 42 {
			t.Errorf("connection %d after 41 was told", l.hello.Connection)
		}
		// Nor may a number be told that leaves no room above it.
		l.send(wire.Goaway{Reason: wire.GoawayDuplicate, Connection: 1<<64 - 1})
		if l = a.session(); l.hello.Connection != 43 {
			t.Errorf("connection %d", l.hello.Connection)
		}
		run.stop()
		n.start(Deps{})
		if l = a.session(); l.hello.Connection != 44 {
			t.Errorf("connection %d after a restart", l.hello.Connection)
		}
	})
}

func TestGoawayInPlaceOfWelcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.add("a", "1")
		first := true
		a.greet = func(l *link) bool {
			if first {
				first = false
				if l.hear() {
					l.send(wire.Goaway{Reason: wire.GoawayDuplicate, Connection: 99, RetryAfterMS: 5000})
				}
				return false
			}
			return l.greet()
		}
		begin := time.Now()
		n.start(Deps{Random: low})
		l := a.session()
		if l.hello.Connection != 100 || time.Since(begin) < 5*time.Second {
			t.Errorf("connection %d after %s", l.hello.Connection, time.Since(begin))
		}
	})
}

func TestCloseCodesSayWhenToComeBack(t *testing.T) {
	cases := []struct {
		name     string
		code     int
		min, max time.Duration
	}{
		{"revoked", wire.CloseRevoked, 15 * time.Minute, 24 * time.Minute},
		{"unknown", wire.CloseUnknown, time.Minute, 2 * time.Minute},
		{"a duplicate", wire.CloseDuplicate, time.Minute, 2 * time.Minute},
		{"going away", wire.CloseGoaway, 0, 500 * time.Millisecond},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				a, b := n.add("a", "1"), n.add("b", "2")
				n.start(Deps{Random: low}, n.peers[0])
				l := a.session()
				time.Sleep(time.Minute)
				begin := time.Now()
				l.close(c.code)
				select {
				case <-a.links:
				case <-b.links:
				}
				if took := time.Since(begin); took < c.min || took > c.max {
					t.Errorf("back after %s", took)
				}
			})
		})
	}
}

// Nobody but a holder of a signing key is obeyed.
func TestAControllerMustProveItself(t *testing.T) {
	cases := map[string]func(l *link) bool{
		"signed by another key": func(l *link) bool {
			w := l.welcome()
			w.Signature = wire.Sign(newCluster(l.peer.cluster.t).key, wire.WelcomeText(l.peer.cluster.id, l.hello.Node, l.nonce, l.hello.Nonce, w.Audience))
			return l.write(w) == nil
		},
		"signed for another connection": func(l *link) bool {
			w := l.welcome()
			w.Signature = wire.Sign(l.peer.cluster.key, wire.WelcomeText(l.peer.cluster.id, l.hello.Node, l.nonce, "AAAA", w.Audience))
			return l.write(w) == nil
		},
		"signed for another node": func(l *link) bool {
			w := l.welcome()
			w.Signature = wire.Sign(l.peer.cluster.key, wire.WelcomeText(l.peer.cluster.id, "edge-2", l.nonce, l.hello.Nonce, w.Audience))
			return l.write(w) == nil
		},
		"another audience than was signed": func(l *link) bool {
			w := l.welcome()
			w.Audience = "audience-2"
			return l.write(w) == nil
		},
		"an update before welcome": func(l *link) bool {
			return l.write(l.peer.cluster.update(1, nil, docs{"a": `{}`})) == nil
		},
		"silence": func(*link) bool { return true },
	}
	for name, answer := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t)
				a, b := n.add("a", "1"), n.add("b", "2")
				a.greet = func(l *link) bool { return l.hear() && answer(l) }
				n.start(Deps{Random: low}, n.peers[0])
				bad := a.session()
				_ = bad.write(n.update(1, nil, docs{"a": `{}`}))
				<-bad.lost
				runs(t, n.dir, nil)
				n.start2(b)
			})
		})
	}
}

// A welcome may come again at once, when the audience changes in that moment.
// The race detector watches who reads what it changes.
func TestAWelcomeMayComeAgainAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.add("a", "1")
		a.greet = func(l *link) bool { return l.greet() && l.write(l.welcome()) == nil }
		n.start(Deps{Random: low}, n.peers[0])
		l := a.session()
		l.send(n.update(1, nil, docs{"a": `{}`}))
		next[wire.Ack](l)
	})
}

// start2 adds the good controller to what the agent knows: it learns nothing
// from one that did not prove itself.
func (n *network) start2(b *peer) {
	n.t.Helper()
	n.mu.Lock()
	calls := n.calls["127.0.0.1:2"]
	n.mu.Unlock()
	if calls != 0 || len(b.links) != 0 {
		n.t.Error("the agent obeyed a controller that did not prove itself")
	}
}

func TestAnotherClusterHearsNothingOfTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.add("a", "1")
		called := make(chan struct{}, 1000)
		a.greet = func(l *link) bool {
			l.send(wire.Challenge{Nonce: l.nonce, Cluster: "c-2", Peer: "a"})
			if _, frame, err := l.conn.ReadMessage(); err == nil {
				t.Errorf("it heard %s", frame)
			}
			called <- struct{}{}
			return false
		}
		n.start(Deps{})
		<-called
		<-called
	})
}

func TestPeersAreLearntAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a, b := n.add("a", "1"), n.add("b", "2")
		run := n.start(Deps{}, n.peers[0])
		l := a.session()
		n.add("c", "3")
		l.send(wire.Peers{Peers: append([]string{"http://192.0.2.1:1"}, n.peers...), Quorum: true})
		synctest.Wait()
		run.stop()
		a.set(func(p *peer) { p.down = true })
		n.start(Deps{Random: low}, n.peers[0])
		b.session()
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.calls["192.0.2.1:1"] != 0 {
			t.Error("plain http went to another machine")
		}
	})
}

func TestDriftIsReportedAndUpdatesGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.add("a", "1")
		n.start(Deps{})
		l := a.session()
		v1 := docs{"a": `{"x":1}`, "b": `{"y":1}`}
		l.send(n.update(1, nil, v1))
		next[wire.Ack](l)
		must(t, os.WriteFile(filepath.Join(n.dir, "current", "a.json"), []byte(`{"x":"by hand"}`+"\n"), 0o600))
		begin := time.Now()
		s := next[wire.Status](l)
		if took := time.Since(begin); took > 2*time.Minute {
			t.Errorf("told after %s", took)
		}
		if s.Reason != "drift" || s.Manifest == v1.manifest(t) || len(s.Have) != 2 || s.Index != 1 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Hour)
		if len(l.frames) != 0 {
			t.Error("what was said is said again")
		}
		// A missing file is no longer held at all.
		must(t, os.Remove(filepath.Join(n.dir, "current", "b.json")))
		if s = next[wire.Status](l); len(s.Have) != 1 {
			t.Errorf("%+v", s)
		}
		// A new session says it in hello, and an update from there heals it.
		l.close(wire.CloseGoaway)
		if l = a.session(); l.hello.Manifest != s.Manifest {
			t.Error("hello does not tell what is on the disk")
		}
		u := wire.Update{Update: "heal", Documents: []wire.Document{
			{Target: "a", Content: []byte(v1["a"])}, {Target: "b", Content: []byte(v1["b"])},
		}}
		h := n.header(2, nil, v1)
		h.Base = s.Manifest
		l.send(n.sign(u, h))
		next[wire.Ack](l)
		runs(t, n.dir, v1)
	})
}

func TestEveryOpenSessionHearsWhatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a, b := n.add("a", "1"), n.add("b", "2")
		started, proceed := make(chan struct{}), make(chan struct{})
		var once sync.Once
		n.start(Deps{Random: low, Step: func(step string) error {
			if step == "validate" {
				once.Do(func() { close(started); <-proceed })
			}
			return nil
		}}, n.peers[0])
		la := a.session()
		v1 := docs{"a": `{"x":1}`}
		la.send(n.update(5, nil, v1))
		<-started
		// While it is being applied the agent moves. Its hello tells finished
		// generations only, and the position that it took.
		la.send(wire.Goaway{Reason: wire.GoawayRebalance})
		lb := b.session()
		if lb.hello.Manifest != (docs{}).manifest(t) || lb.hello.Index != 5 {
			t.Errorf("hello in the middle of an update: %+v", lb.hello)
		}
		close(proceed)
		done := time.Now()
		s := next[wire.Status](lb)
		if took := time.Since(done); took > time.Second {
			t.Errorf("heard after %s", took)
		}
		if s.Manifest != v1.manifest(t) || s.Index != 5 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAFailureIsToldOnTheNextSessionWhenItsOwnIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a, b := n.add("a", "1"), n.add("b", "2")
		started, proceed := make(chan struct{}), make(chan struct{})
		var once sync.Once
		n.start(Deps{Random: low, Step: func(step string) error {
			if step == "switch: link" {
				once.Do(func() { close(started); <-proceed })
				return os.ErrPermission
			}
			return nil
		}}, n.peers[0])
		la := a.session()
		la.send(n.update(5, nil, docs{"a": `{"x":1}`}))
		<-started
		la.close(wire.CloseGoaway)
		lb := b.session()
		close(proceed)
		s := next[wire.Error](lb)
		if s.Index != 5 || s.Errors[0].Code != wire.CodeWriteFailed {
			t.Errorf("%+v", s)
		}
	})
}

func TestWhatWaitsGoesWithTheSessionThatBroughtIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a, b := n.add("a", "1"), n.add("b", "2")
		started, proceed := make(chan struct{}), make(chan struct{})
		var once sync.Once
		n.start(Deps{Random: low, Step: func(step string) error {
			if step == "validate" {
				once.Do(func() { close(started); <-proceed })
			}
			return nil
		}}, n.peers[0])
		la := a.session()
		v1, v2 := docs{"a": `{"x":1}`}, docs{"a": `{"x":2}`}
		la.send(n.update(1, nil, v1))
		<-started
		la.send(n.update(2, v1, v2))
		synctest.Wait()
		la.close(wire.CloseGoaway)
		lb := b.session()
		close(proceed)
		if s := next[wire.Status](lb); s.Manifest != v1.manifest(t) || s.Index != 1 {
			t.Errorf("%+v", s)
		}
		synctest.Wait()
		runs(t, n.dir, v1)
	})
}

func TestLatestWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t)
		a := n.add("a", "1")
		started, proceed := make(chan struct{}), make(chan struct{})
		var once sync.Once
		n.start(Deps{Step: func(step string) error {
			if step == "validate" {
				once.Do(func() { close(started); <-proceed })
			}
			return nil
		}})
		l := a.session()
		v1, v2, v3 := docs{"a": `{"x":1}`}, docs{"a": `{"x":2}`}, docs{"a": `{"x":3}`}
		l.send(n.update(1, nil, v1))
		<-started
		l.send(n.update(2, v1, v2))
		l.send(n.update(3, v1, v3))
		synctest.Wait()
		close(proceed)
		if ack := next[wire.Ack](l); ack.Manifest != v1.manifest(t) {
			t.Errorf("%+v", ack)
		}
		if ack := next[wire.Ack](l); ack.Manifest != v3.manifest(t) {
			t.Errorf("%+v", ack)
		}
		synctest.Wait()
		if len(l.frames) != 0 {
			t.Error("an update that was replaced was applied")
		}
	})
}
