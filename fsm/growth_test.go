package fsm

import (
	"fmt"
	"testing"
)

// fleetOf is nodes that are connected, in groups of which each holds documents
// of its own beside "a", which all hold.
func fleetOf(t testing.TB, nodes, documents, groups int) *testFleet {
	f := newFleet(t)
	var edits []Edit
	for g := range groups {
		token := EnrollToken{ID: fmt.Sprint("g", g), Hash: []byte("h"), Uses: nodes, Expires: 1 << 60, Labels: map[string]string{"g": fmt.Sprint(g)}}
		f.must(CreateEnrollToken{token})
		for d := 1; d < documents; d++ {
			edits = append(edits, withSelector(numbered(fmt.Sprintf("d%d-%d", g, d), d), fmt.Sprint("g=", g)))
		}
	}
	f.put(append(edits, numbered("a", -1))...)
	for i := range nodes {
		f.must(EnrollNode{TokenID: fmt.Sprint("g", i%groups), TokenHash: []byte("h"), Node: fmt.Sprint("n", i), PublicKey: []byte("k")})
		f.hello(uint32(i), uint64(i+1), emptyManifest, 0)
	}
	return f
}

// BenchmarkCommitGrowth is one change of one document of 2,000 nodes, beside
// more of what should not matter to it.
func BenchmarkCommitGrowth(b *testing.B) {
	for _, c := range []struct{ documents, groups, versions int }{
		{1, 1, 1}, {100, 1, 1}, {500, 1, 1}, {2, 100, 1}, {2, 1000, 1}, {20, 1000, 1}, {1, 1, 10_000},
	} {
		b.Run(fmt.Sprintf("documents=%d/groups=%d/versions=%d", c.documents, c.groups, c.versions), func(b *testing.B) {
			f := fleetOf(b, 2000, c.documents, c.groups)
			for i := range c.versions - 1 {
				f.put(numbered("a", i))
			}
			entries := make([][]byte, 512)
			for i := range entries {
				entries[i], _ = Encode(Command{Time: int64(i), Body: Commit{Edits: []Edit{numbered("a", i)}}})
			}
			index := uint64(len(f.log))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				index++
				f.store.Apply(index, 1, entries[i%len(entries)])
			}
		})
	}
}

// BenchmarkAckGrowth is the confirmations of 1,000 nodes in one entry.
func BenchmarkAckGrowth(b *testing.B) {
	for _, c := range []struct{ documents, groups int }{{1, 1}, {500, 1}, {2, 500}} {
		b.Run(fmt.Sprintf("documents=%d/groups=%d", c.documents, c.groups), func(b *testing.B) {
			f := fleetOf(b, 1000, c.documents, c.groups)
			index, seq, size := uint64(len(f.log)), uint64(1), 0
			b.ReportAllocs()
			for b.Loop() {
				seq++
				g := AckGroup{At: Position{1, index}, Wanted: true}
				for i := range 1000 {
					g.PackAck(uint32(i), uint64(i+1), seq)
				}
				entry, err := Encode(Command{Time: 1, Body: Reports{Peer: "p", Acks: []AckGroup{g}}})
				if err != nil {
					b.Fatal(err)
				}
				index, size = index+1, len(entry)
				f.store.Apply(index, 1, entry)
			}
			b.ReportMetric(float64(size), "B/entry")
		})
	}
}

// BenchmarkNewDocument is a document that comes to 2,000 nodes which hold
// others.
func BenchmarkNewDocument(b *testing.B) {
	for _, documents := range []int{1, 100} {
		b.Run(fmt.Sprintf("documents=%d", documents), func(b *testing.B) {
			f := fleetOf(b, 2000, documents, 1)
			on, off := withSelector(numbered("b", 1), ""), withSelector(numbered("b", 1), "g=none")
			f.put(off)
			b.ReportAllocs()
			for b.Loop() {
				f.put(on)
				f.put(off)
			}
		})
	}
}

func TestConfirmationsInShortAreThoseOfWhatIsStillWanted(t *testing.T) {
	f := newFleet(t)
	f.must(RaiseFeature{Level: FeatureLevel})
	both, one := f.enroll("both", "x", "1"), f.enroll("one")
	f.put(numbered("a", 1))
	f.put(withSelector(numbered("b", 1), "x=1"))
	f.hello(both, 1, emptyManifest, 0)
	f.hello(one, 2, emptyManifest, 0)
	confirm := func(at Position, seq uint64) int {
		g := AckGroup{At: at, Wanted: true}
		g.PackAck(both, 1, seq)
		g.PackAck(one, 2, seq)
		g.PackAck(99, 3, seq) // was never there
		return f.must(Reports{Peer: "p", Acks: []AckGroup{g}}).Outcome.Count
	}
	at := Position{1, uint64(len(f.log))}
	if left := confirm(at, 2); left != 0 {
		t.Fatalf("%d confirmations were left", left)
	}
	for ord, want := range map[uint32]int{both: 2, one: 1} {
		f.expectStatus(ord, Acked)
		if got := f.row(ord).Accepted; len(got.List) != want || got.Of("a") != 1 {
			t.Errorf("node %d has accepted %+v", ord, got)
		}
	}
	f.put(numbered("b", 2)) // "both" should hold something else now, "one" not
	if left := confirm(at, 3); left != 1 {
		t.Fatalf("%d confirmations were left, want 1", left)
	}
	if got := f.row(both); got.Session.Seq != 2 || got.Accepted.Of("b") != 1 {
		t.Errorf("a confirmation of what is not wanted any more was taken: %+v", got)
	}
	if got := f.row(one).Session.Seq; got != 3 {
		t.Errorf("the other one was not: %d", got)
	}
	f.store.View(func(s *State) {
		sum := s.Wanted(both).Sum
		if s.AsWanted(both, at, sum) || !s.AsWanted(both, s.Position(), sum) || s.AsWanted(both, s.Position(), Sum{}) || s.AsWanted(99, at, sum) {
			t.Error("a peer is told wrongly what can be confirmed in short")
		}
	})
}
