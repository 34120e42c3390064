package push

import (
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/wire"
)

// mute is a link that goes nowhere.
type mute struct{}

func (mute) send(*frame)       {}
func (mute) tell(wire.Message) {}
func (mute) close(int, string) {}

// herd is one peer with many sessions over links that go nowhere: what is
// measured is the rules and the state, without sockets and without a disk.
type herd struct {
	b        *testing.B
	peer     *onePeer
	core     *core
	foundry  *foundry
	sessions []*session
	seen     fsm.Position
	changes  int
}

func newHerd(b *testing.B, size int) *herd {
	b.Helper()
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize)))
	sign := func(text string) string { return wire.Sign(key, text) }
	h := &herd{b: b, peer: &onePeer{store: fsm.NewStore()}, foundry: newFoundry(sign)}
	h.core = newCore("p1", 1, sign, rand.New(rand.NewPCG(1, 2)))
	h.do(fsm.CreateCluster{ID: "c1", Name: "bench", Feature: fsm.FeatureLevel})
	h.do(fsm.PutPeer{Peer: fsm.Peer{ID: "p1", Name: "ctl-1"}})
	h.do(fsm.CreateEnrollToken{Token: fsm.EnrollToken{ID: "t", Hash: []byte("h"), Uses: size, Expires: 1 << 60}})
	for i := range size {
		id := fmt.Sprintf("node-%05d", i)
		h.do(fsm.EnrollNode{TokenID: "t", TokenHash: []byte("h"), Node: id, PublicKey: []byte(id)})
		s, err := h.core.admit(mute{}, uint32(i), "nonce", wire.Hello{Node: id, Process: "p", Connection: 1, Manifest: emptyManifest.String(), Nonce: "nonce"})
		if err != nil {
			b.Fatal(err)
		}
		h.sessions = append(h.sessions, s)
	}
	h.tell()
	h.change()
	h.round()
	return h
}

func (h *herd) do(body fsm.Body) {
	res, err := h.peer.Propose(h.b.Context(), fsm.Command{Time: time.Now().UnixMilli(), Body: body})
	if err != nil || res.Err != nil {
		h.b.Fatalf("%T: %v %v", body, err, res.Err)
	}
}

// change commits another value of one key of 10 KiB.
func (h *herd) change() {
	h.changes++
	var text strings.Builder
	text.WriteString(`{"routes":{`)
	for i := range 128 {
		fmt.Fprintf(&text, `"r%03d":{"to":"10.0.%d.0/24","via":"10.255.0.%d","metric":%d,"note":"a route"},`, i, i, i, 100+i)
	}
	fmt.Fprintf(&text, `"last":%d}}`, h.changes)
	sum, blob := fsm.Compress([]byte(text.String()))
	checksum, err := document.Sum([]byte(text.String()))
	if err != nil {
		h.b.Fatal(err)
	}
	h.do(fsm.Commit{Edits: []fsm.Edit{{Document: "routing", Blob: sum, Checksum: checksum, Inline: blob}}})
}

func (h *herd) plan() plan {
	moved, ok := h.peer.store.Since(h.seen)
	if !ok {
		h.core.markAll()
	}
	var p plan
	h.peer.store.View(func(state *fsm.State) {
		h.seen = state.Position()
		h.core.markMoved(state, moved)
		p = h.core.plan(state, conditions{now: time.Now(), quorum: true})
	})
	return p
}

func (h *herd) dispatch(p plan) {
	if p.wishes != len(h.sessions) || len(p.groups) != 1 {
		h.b.Fatalf("%d wishes in %d groups for %d sessions", p.wishes, len(p.groups), len(h.sessions))
	}
	if err := h.core.dispatch(p, h.foundry); err != nil {
		h.b.Fatal(err)
	}
}

// hear has every node confirm.
func (h *herd) hear() {
	for i, s := range h.sessions {
		f := s.inflight
		if !h.core.hear(s, wire.Ack{Seq: uint64(h.changes), Update: f.id, Manifest: f.manifest.String(), Confirmed: true}) {
			h.b.Fatalf("the confirmation of %d makes no sense", i)
		}
	}
}

// tell replicates all that is unsaid.
func (h *herd) tell() {
	for {
		d, more := h.collect()
		if !more {
			return
		}
		h.apply(d)
	}
}

func (h *herd) collect() (d said, more bool) {
	h.peer.store.View(func(state *fsm.State) { d, more = h.core.collect(state.AsWanted, gone{}) })
	return d, more
}

func (h *herd) apply(d said) {
	h.do(d.command)
	h.core.committed(d)
}

// round delivers a change to all.
func (h *herd) round() {
	h.dispatch(h.plan())
	h.hear()
	h.tell()
	if p := h.plan(); p.wishes > 0 {
		h.b.Fatalf("%d sessions still want something", p.wishes)
	}
}

// BenchmarkDelivery measures the stages of one change, each by itself: ns/node
// is what counts.
func BenchmarkDelivery(b *testing.B) {
	for _, size := range []int{1000, 10_000} {
		for _, stage := range []string{"plan", "dispatch", "hear", "collect", "apply", "calm"} {
			b.Run(fmt.Sprintf("%s/nodes=%d", stage, size), func(b *testing.B) { benchmarkStage(b, size, stage) })
		}
	}
}

func benchmarkStage(b *testing.B, size int, stage string) {
	h := newHerd(b, size)
	var p plan
	var d said
	steps := []struct {
		name string
		do   func()
	}{
		{"commit", h.change},
		{"plan", func() { p = h.plan() }},
		{"dispatch", func() { h.dispatch(p) }},
		{"hear", h.hear},
		{"collect", func() { d, _ = h.collect() }},
		{"apply", func() { h.apply(d) }},
		{"calm", func() { p = h.plan() }}, // looks at all again and finds nothing to do
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.StopTimer()
	for range b.N {
		for _, step := range steps {
			if step.name == stage {
				b.StartTimer()
				step.do()
				b.StopTimer()
			} else {
				step.do()
			}
		}
		if p.wishes > 0 {
			b.Fatalf("%d sessions still want something", p.wishes)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(size), "ns/node")
}

// BenchmarkFrame is what is made once for each group: delta, signature, bytes.
func BenchmarkFrame(b *testing.B) {
	h := newHerd(b, 1)
	h.change()
	p := h.plan()
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		for _, g := range p.groups {
			clear(h.foundry.patches)
			f, err := h.foundry.frame(g)
			if err != nil {
				b.Fatal(err)
			}
			size = len(f.data)
		}
	}
	b.ReportMetric(float64(size), "B/frame")
}
