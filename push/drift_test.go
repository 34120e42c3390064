package push

import (
	"testing"
	"time"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/wire"
)

// Drift that was healed too often is left alone for an hour, and nothing moves
// in the state when that is over.
func TestDriftIsHealedAgainWhenItsHourIsOver(t *testing.T) {
	store, c, index := fsm.NewStore(), testCore(), uint64(0)
	now := time.UnixMilli(1_000_000_000)
	apply := func(body fsm.Body) {
		index++
		entry, err := fsm.Encode(fsm.Command{Time: now.UnixMilli(), Body: body})
		if err == nil {
			err = store.Apply(index, 1, entry).Err
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	apply(fsm.CreateCluster{ID: "c1", Name: "test", Feature: fsm.FeatureLevel})
	apply(fsm.CreateEnrollToken{Token: fsm.EnrollToken{ID: "t", Hash: []byte("h"), Uses: 9, Expires: 1 << 60}})
	apply(fsm.EnrollNode{TokenID: "t", TokenHash: []byte("h"), Node: "edge-1", PublicKey: make([]byte, 32)})
	apply(fsm.Commit{Edits: []fsm.Edit{edit("webhooks", hooks1)}})
	var want fsm.Sum
	store.View(func(state *fsm.State) { want = state.Wanted(0).Sum })
	s, _ := c.enter(t, 0, wire.Hello{Node: "edge-1", Connection: 1, Epoch: 1, Index: index, Manifest: want.String()})
	tell := func(manifest fsm.Sum, drifted ...string) {
		s.last.manifest = manifest
		s.report(fsm.Report{Drifted: drifted})
		c.unsaid[s] = struct{}{}
		for _, r := range c.drain(t) {
			apply(r)
		}
	}
	tell(want)
	for range 4 {
		tell(want)
		tell(fsm.Sum{9}, "webhooks")
	}
	s.last.targets = map[string]fsm.Sum{"webhooks": {9}}
	plan := func(after time.Duration) (p plan) {
		store.View(func(state *fsm.State) { p = c.plan(state, conditions{now: now.Add(after), quorum: true}) })
		return p
	}
	for _, after := range []time.Duration{0, time.Minute, 59 * time.Minute} {
		c.mark(s) // more than once makes no difference
		if p := plan(after); p.wishes != 0 || p.next.IsZero() {
			t.Fatalf("after %s: %d updates, the next look %v", after, p.wishes, p.next)
		}
	}
	if p := plan(62 * time.Minute); p.wishes != 1 {
		t.Errorf("when the hour is over: %d updates", p.wishes)
	}
	if p := plan(64 * time.Minute); p.wishes != 0 || !p.next.IsZero() {
		t.Errorf("after that: %d updates, the next look %v", p.wishes, p.next)
	}
}
