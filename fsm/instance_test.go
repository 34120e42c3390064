package fsm

import (
	"bytes"
	"slices"
	"testing"
)

// withInstances is a cluster that every peer of has been upgraded.
func withInstances(t *testing.T) *testFleet {
	f := newFleet(t)
	f.must(RaiseFeature{Level: featureInstances})
	for _, id := range []string{"p1", "p2", "p3"} {
		f.must(PutPeer{Peer{ID: id, Name: id}})
	}
	return f
}

func (f *testFleet) instance(id string, labels ...string) uint32 {
	f.t.Helper()
	m := map[string]string{}
	for i := 0; i < len(labels); i += 2 {
		m[labels[i]] = labels[i+1]
	}
	f.must(PutInstance{ID: id, Create: true, URL: ptr("http://" + id), Labels: m})
	return f.node(id).Ordinal
}

func TestInstancesAreRefusedUntilEveryPeerKnowsThem(t *testing.T) {
	f := newFleet(t)
	f.refused(CodeNoFeature, PutInstance{ID: "a", Create: true, URL: ptr("http://a")})
	if err := f.store.Knows(PutInstance{}.Kind()); Code(err) != CodeNoFeature {
		t.Fatalf("the proposer is told %v", err)
	}
}

func TestAnInstanceIsWantedToHoldOnlyWhatItAccepts(t *testing.T) {
	f := withInstances(t)
	hook, edge := f.instance("hook-1"), f.enroll("edge-1")
	f.put(numbered("webhooks", 1), numbered("routing", 1))
	f.expectWanted(hook, "webhooks@1")
	f.expectWanted(edge, "routing@1 webhooks@1")
	f.must(PutInstance{ID: "hook-1", Accepts: &[]string{"routing", "webhooks", "routing"}})
	f.expectWanted(hook, "routing@1 webhooks@1")
	f.store.View(func(s *State) {
		if s.AudienceOf(hook) != s.AudienceOf(edge) {
			t.Error("nodes that hold the same are not one audience")
		}
	})
	f.must(PutInstance{ID: "hook-1", Accepts: &[]string{"routing"}})
	f.expectWanted(hook, "routing@1")
}

func TestAChangeOfAnInstanceSetsLabelsAndAsksAnew(t *testing.T) {
	f := withInstances(t)
	n := f.instance("a", "site", "x", "role", "webhook")
	var owner string
	f.store.View(func(s *State) { owner = s.Owner(s.Node("a")) })
	f.must(Reports{Peer: owner, Unreachable: []Unreachable{{Node: n, Code: "timeout", Message: "no answer"}}})
	f.refused(CodeInvalid, PutInstance{ID: "a", URL: ptr("http://b"), Relabel: map[string]*string{"": ptr("x")}})
	if f.node("a").Instance.URL != "http://a" || f.row(n).Unreachable() == nil {
		t.Fatal("a refused change changed something")
	}
	f.must(PutInstance{ID: "a", URL: ptr("http://b"), Relabel: map[string]*string{"site": nil, "tier": ptr("1")}})
	if l := f.node("a").Labels; len(l) != 2 || l["role"] != "webhook" || l["tier"] != "1" {
		t.Errorf("labels %v", l)
	}
	if row := f.row(n); row.Unreachable() != nil || row.Resync != uint64(len(f.log)) {
		t.Errorf("after a change: %+v, resync %d", row.Unreachable(), row.Resync)
	}
}

func TestInstancesThatCannotBe(t *testing.T) {
	f := withInstances(t)
	f.instance("a")
	f.enroll("edge-1")
	f.refused(CodeConflict, PutInstance{ID: "a", Create: true, URL: ptr("http://b")})
	f.refused(CodeConflict, PutInstance{ID: "edge-1", URL: ptr("http://b")})
	f.refused(CodeNotFound, PutInstance{ID: "b", URL: ptr("http://b")})
	f.refused(CodeInvalid, PutInstance{ID: "b", Create: true})
	f.refused(CodeInvalid, PutInstance{ID: "-", Create: true, URL: ptr("http://b")})
	f.refused(CodeInvalid, PutInstance{ID: "a", Accepts: &[]string{}})
	f.refused(CodeInvalid, PutInstance{ID: "b", Create: true, URL: ptr("http://b"), Labels: map[string]string{"": "x"}})
}

func TestWhatAPeerSaysOfAnInstance(t *testing.T) {
	f := withInstances(t)
	n := f.instance("hook-1")
	var owner, other string
	f.store.View(func(s *State) {
		owner = s.Owner(s.Node("hook-1"))
		for _, p := range s.Peers() {
			if p.ID != owner {
				other = p.ID
			}
		}
	})
	dead := []Unreachable{{Node: n, Code: "unreachable", Message: "connection refused"}}
	f.must(Reports{Peer: other, Unreachable: dead})
	if f.row(n).Unreachable() != nil {
		t.Fatal("a peer that does not serve the instance was believed")
	}
	f.must(Reports{Peer: owner, Unreachable: dead})
	if u := f.row(n).Unreachable(); u == nil || u.Message != "connection refused" || u.Time == 0 {
		t.Fatalf("unreachable: %+v", u)
	}
	seen := &Observed{Unmanaged: []string{"connections"}, Baselines: []Baseline{{"webhooks", 1, "abc"}}}
	f.must(Reports{Peer: owner, Single: []Report{{Node: n, Session: 5, Seq: 1, Manifest: emptyManifest, Confirmed: true,
		Open: &Open{Connection: 1}, Observed: seen}}})
	row := f.row(n)
	if row.Unreachable() != nil || !row.Connected || row.Observed().Unmanaged[0] != "connections" {
		t.Fatalf("after it was reached: %+v %+v", row, row.Instance)
	}
	var out bytes.Buffer
	if _, err := f.store.Snapshot().WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	again := NewStore()
	if err := again.Restore(&out); err != nil {
		t.Fatal(err)
	}
	again.View(func(s *State) {
		if got := s.Row(n).Observed(); len(got.Baselines) != 1 || got.Baselines[0].Hash != "abc" {
			t.Errorf("after a snapshot: %+v", got)
		}
		for in := range s.Instances {
			if in.ID != "hook-1" || s.Owner(in) != owner {
				t.Errorf("after a snapshot: %+v owned by %s", in, s.Owner(in))
			}
		}
	})
	if !bytes.Equal(image(t, f.store), image(t, again)) {
		t.Error("the restored state is another one")
	}
}

func TestOnlyWhatAPeerServedMovesWhenItDies(t *testing.T) {
	f := withInstances(t)
	for i := range 60 {
		f.instance("hook-" + string(rune('a'+i%26)) + string(rune('a'+i/26)))
	}
	owners := func() map[string]string {
		out := map[string]string{}
		f.store.View(func(s *State) {
			for n := range s.Instances {
				out[n.ID] = s.Owner(n)
			}
		})
		return out
	}
	before := owners()
	count := map[string]int{}
	for _, o := range before {
		count[o]++
	}
	for id, n := range count {
		if n < 8 {
			t.Errorf("%s serves %d of 60", id, n)
		}
	}
	f.must(SetLiveness{Alive: []string{"p1", "p3"}})
	for id, now := range owners() {
		if was := before[id]; was != now && was != "p2" || now == "p2" {
			t.Errorf("%s went from %s to %s", id, was, now)
		}
	}
}

func TestDiscoveredInstances(t *testing.T) {
	f := withInstances(t)
	f.instance("mine")
	f.must(PutDiscovery{Discovery{ID: "dns", Type: "dns", Labels: map[string]string{"role": "webhook"}}})
	found := func(list ...Found) Result { return f.must(Discovered{ID: "dns", Found: list}) }
	found(Found{Node: "d-1", URL: "http://1"}, Found{Node: "d-2", URL: "http://2"}, Found{Node: "mine", URL: "http://3"})
	n := f.node("d-1")
	if n.Instance.Source != "dns" || n.Labels["role"] != "webhook" || f.node("mine").Instance.URL != "http://mine" {
		t.Fatalf("found: %+v %+v", n, n.Instance)
	}
	f.store.View(func(s *State) {
		if d := s.Discovery("dns"); d.Found != 3 || d.Error == "" {
			t.Errorf("a node of somebody else's was not told: %+v", d)
		}
	})
	f.must(Discovered{ID: "dns", Error: "no such host"})
	if f.node("d-2").Instance.Gone != 0 {
		t.Fatal("an error took an instance away")
	}
	found(Found{Node: "d-1", URL: "http://1b"})
	if f.node("d-1").Instance.URL != "http://1b" || f.node("d-2") == nil || f.node("d-2").Instance.Gone == 0 {
		t.Fatal("one that moved or disappeared was not noted")
	}
	if res := found(Found{Node: "d-1", URL: "http://1b"}); !res.Outcome.Unchanged {
		t.Error("the same answer changed something")
	}
	found(Found{Node: "d-1", URL: "http://1b"}, Found{Node: "d-2", URL: "http://2"})
	if f.node("d-2").Instance.Gone != 0 {
		t.Error("one that came back is still marked")
	}
	f.must(RemoveDiscovery{ID: "dns"})
	if f.node("d-1").Instance.Gone == 0 || f.node("mine").Instance.Gone != 0 {
		t.Error("the instances of a removed source are not marked, or others are")
	}
}

// drifts makes a node that holds version 1 report something else.
func drifts(f *testFleet, n uint32, seq uint64) {
	f.must(Reports{Peer: "p1", Single: []Report{{Node: n, Session: 1, Seq: seq, Manifest: Sum{9}, Confirmed: true,
		At: Position{1, uint64(len(f.log))}, Drifted: []string{"webhooks"}}}})
}

func TestDriftIsReportedWhereThePolicySaysSo(t *testing.T) {
	f := withInstances(t)
	n := f.enroll("edge-1")
	e := numbered("webhooks", 1)
	e.Policy = ptr(`{"drift":"report"}`)
	f.put(e)
	f.hello(n, 1, emptyManifest, 0)
	f.ack(n, 1)
	f.expectStatus(n, Acked)
	drifts(f, n, 100)
	f.expectStatus(n, Pending)
	f.must(RetryNodes{Nodes: []string{"edge-1"}, Resync: true})
	f.expectStatus(n, InFlight)
	f.put(numbered("webhooks", 2))
	f.expectStatus(n, InFlight)
}

func TestDriftIsHealedThreeTimesAnHour(t *testing.T) {
	f := withInstances(t)
	n := f.enroll("edge-1")
	f.put(numbered("webhooks", 1))
	f.hello(n, 1, emptyManifest, 0)
	f.ack(n, 1)
	var sum Sum
	f.store.View(func(s *State) { sum = s.Wanted(n).Sum })
	seq := uint64(100)
	heal := func() {
		seq++
		f.must(Reports{Peer: "p1", Single: []Report{{Node: n, Session: 1, Seq: seq, Manifest: sum, Confirmed: true, At: Position{1, uint64(len(f.log))}}}})
		f.expectStatus(n, Acked)
	}
	for range driftHeals {
		seq++
		drifts(f, n, seq)
		f.expectStatus(n, InFlight)
		heal()
	}
	seq++
	drifts(f, n, seq)
	f.expectStatus(n, Pending)
	f.store.View(func(s *State) {
		if s.DriftHeld(n, s.now+driftWindow) {
			t.Error("an hour later it is still held")
		}
	})
}

func TestDiscardedDeadLettersAreNotListedUntilSomethingNewer(t *testing.T) {
	f := withInstances(t)
	n := f.enroll("edge-1")
	f.put(numbered("webhooks", 1))
	f.hello(n, 1, emptyManifest, 0)
	f.fails(n, 1, Problem{Code: "schema_invalid"})
	waits := func() (waits bool) {
		f.store.View(func(s *State) { waits = s.DeadLetter(n) })
		return waits
	}
	if !waits() {
		t.Fatal("a refusal is no dead letter")
	}
	f.must(DiscardDeadLetters{Nodes: []string{"edge-1", "nobody"}})
	f.expectStatus(n, DeadLetter)
	if waits() {
		t.Fatal("it was discarded and still waits")
	}
	f.put(numbered("webhooks", 2))
	f.fails(n, 1, Problem{Code: "schema_invalid"})
	if !waits() {
		t.Error("a newer version was refused, and nobody is told")
	}
}

func TestAnUnreachableInstanceIsNotInSync(t *testing.T) {
	f := withInstances(t)
	n := f.instance("hook-1")
	f.put(numbered("webhooks", 1))
	f.hello(n, 1, emptyManifest, 0)
	f.ack(n, 1)
	converged := func() (yes bool) {
		f.store.View(func(s *State) { yes = s.Converged(n) })
		return yes
	}
	if !converged() {
		t.Fatal("an instance that took the document is not in sync")
	}
	f.must(Reports{Peer: "p1", Closed: []Closed{{n, 1}}})
	f.expectStatus(n, Offline)
	if converged() {
		t.Error("one that cannot be called is in sync")
	}
}

func TestSyncsThatOverlapAreAllCarriedOut(t *testing.T) {
	f := withInstances(t)
	n := f.instance("a")
	f.put(numbered("webhooks", 1), numbered("connections", 1))
	ask := func(documents ...string) {
		f.must(RetryNodes{Nodes: []string{"a"}, Resync: true, Documents: documents})
	}
	of := func() []bool { return []bool{f.row(n).ResyncOf("connections"), f.row(n).ResyncOf("webhooks")} }
	ask("webhooks")
	ask("connections")
	if got := of(); !slices.Equal(got, []bool{true, true}) {
		t.Fatalf("after one for each: %v", got)
	}
	ask()
	ask("webhooks")
	if got := of(); !slices.Equal(got, []bool{true, true}) {
		t.Fatalf("after one for all and one for one: %v", got)
	}
	f.hello(n, 1, emptyManifest, 0)
	f.ack(n, 1)
	ask("webhooks")
	if got := of(); !slices.Equal(got, []bool{false, true}) {
		t.Fatalf("after one, with the others done: %v", got)
	}
}

func TestASyncOfOneDocumentForgetsNoRefusalOfAnother(t *testing.T) {
	f := withInstances(t)
	n := f.instance("a")
	f.put(numbered("webhooks", 1))
	f.put(numbered("connections", 1))
	f.hello(n, 1, emptyManifest, 0)
	f.ack(n, 1)
	f.put(numbered("webhooks", 2))
	f.fails(n, 1, Problem{Target: "webhooks", Code: "refused"})
	f.expectWanted(n, "connections@1 webhooks@1")
	f.must(RetryNodes{Nodes: []string{"a"}, Resync: true, Documents: []string{"connections"}})
	f.expectWanted(n, "connections@1 webhooks@1")
	if f.row(n).Failure == nil {
		t.Error("the reason is forgotten")
	}
	f.must(RetryNodes{Nodes: []string{"a"}, Resync: true, Documents: []string{"webhooks"}})
	f.expectWanted(n, "connections@1 webhooks@2")
	if f.row(n).Failure != nil || len(f.row(n).Refused) > 0 {
		t.Error("what was refused is not forgotten")
	}
}

func TestATokenIsNotSentElsewhere(t *testing.T) {
	f := withInstances(t)
	f.must(PutInstance{ID: "a", Create: true, URL: ptr("https://a:1"), Token: &[]byte{1}})
	for _, to := range []string{"https://b:1", "http://a:1", "http://b"} {
		f.refused(CodeInvalid, PutInstance{ID: "a", URL: ptr(to)})
	}
	f.must(PutInstance{ID: "a", URL: ptr("https://a:2")})
	f.must(PutInstance{ID: "a", URL: ptr("https://b"), Token: &[]byte{2}})
	f.must(PutInstance{ID: "a", URL: ptr("http://c"), Token: &[]byte{}})
	f.must(PutInstance{ID: "a", URL: ptr("http://d")})
}
