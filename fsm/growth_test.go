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
				groups := make([]AckGroup, c.groups)
				f.store.View(func(s *State) {
					for i := range 1000 {
						g := &groups[i%c.groups]
						if g.Packed == nil {
							m := s.Wanted(uint32(i))
							g.Manifest, g.At, g.Versions = m.Sum, Position{1, index}, m.Versions.List
						}
						g.PackAck(uint32(i), uint64(i+1), seq)
					}
				})
				entry, err := Encode(Command{Time: 1, Body: Reports{Peer: "p", Acks: groups}})
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
