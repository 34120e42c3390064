package push

import (
	"fmt"
	"testing"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
)

// largeHerd is nodes in groups, each with documents of its own beside the one
// that changes.
func largeHerd(b *testing.B, nodes, documents, groups int) *herd {
	h := newHerd(b, nodes)
	var edits []fsm.Edit
	for g := range groups {
		for d := 1; d < documents; d++ {
			text := fmt.Appendf(nil, `{"group":%d,"document":%d}`, g, d)
			sum, blob := fsm.Compress(text)
			checksum, err := document.Sum(text)
			if err != nil {
				b.Fatal(err)
			}
			selector := fmt.Sprintf("g=%d", g)
			edits = append(edits, fsm.Edit{Document: fmt.Sprintf("d%d-%d", g, d), Blob: sum, Checksum: checksum, Inline: blob, Selector: &selector})
		}
	}
	for i := range nodes {
		label := fmt.Sprint(i % groups)
		h.do(fsm.LabelNode{Node: fmt.Sprintf("node-%05d", i), Labels: map[string]*string{"g": &label}})
	}
	if len(edits) > 0 {
		h.do(fsm.Commit{Edits: edits})
		h.settle()
	}
	return h
}

// settle delivers whatever differs.
func (h *herd) settle() {
	for p := h.plan(); p.wishes > 0; p = h.plan() {
		if err := h.core.dispatch(p, h.foundry); err != nil {
			h.b.Fatal(err)
		}
		h.hear()
		h.tell()
	}
}

// BenchmarkDeliveryGrowth is one change to 2,000 nodes, from the plan to the
// state that holds every confirmation, beside more of what should not matter to
// it. The commit is not measured.
func BenchmarkDeliveryGrowth(b *testing.B) {
	for _, c := range []struct{ documents, groups int }{{1, 1}, {100, 1}, {500, 1}, {2, 100}, {2, 1000}} {
		for _, stage := range []string{"plan", "dispatch", "collect", "apply"} {
			b.Run(fmt.Sprintf("%s/documents=%d/groups=%d", stage, c.documents, c.groups), func(b *testing.B) {
				h := largeHerd(b, 2000, c.documents, c.groups)
				b.ReportAllocs()
				b.ResetTimer()
				b.StopTimer()
				for range b.N {
					h.stages(stage)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(c.groups), "ns/group")
			})
		}
	}
}

// stages makes one change, and measures one stage of it.
func (h *herd) stages(name string) {
	measure := func(stage string, do func()) {
		if stage == name {
			h.b.StartTimer()
			defer h.b.StopTimer()
		}
		do()
	}
	h.change()
	var p plan
	measure("plan", func() { p = h.plan() })
	if p.wishes != len(h.sessions) {
		h.b.Fatalf("%d wishes for %d sessions", p.wishes, len(h.sessions))
	}
	measure("dispatch", func() {
		if err := h.core.dispatch(p, h.foundry); err != nil {
			h.b.Fatal(err)
		}
	})
	h.hear()
	for more := true; more; {
		var d said
		measure("collect", func() { d, more = h.collect() })
		if more {
			measure("apply", func() { h.apply(d) })
		}
	}
	if p := h.plan(); p.wishes > 0 {
		h.b.Fatalf("%d sessions still want something", p.wishes)
	}
}
