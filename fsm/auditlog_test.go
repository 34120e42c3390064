package fsm

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// chain is a good audit of so many entries.
func chain(n int) []*AuditEntry {
	var out []*AuditEntry
	var previous Sum
	for i := range n {
		e := &AuditEntry{
			Seq: uint64(i + 1), Time: int64(1000 * i), Actor: Actor{Name: "n", Kind: "node", Address: "10.0.0.1"},
			Action: "node.enroll", Object: fmt.Sprint("node-", i), Detail: "token t", Outcome: "done",
			RequestID: fmt.Sprint("request-", i), Previous: previous,
		}
		e.Hash = HashEntry(*e)
		previous = e.Hash
		out = append(out, e)
	}
	return out
}

func logOf(entries []*AuditEntry) (l AuditLog) {
	for _, e := range entries {
		l.add(e)
	}
	return l
}

func sameEntries(t *testing.T, l AuditLog, want []*AuditEntry) {
	t.Helper()
	got := slices.Collect(l.All())
	back := slices.Collect(l.Backward())
	slices.Reverse(back)
	if l.Len() != len(want) || !reflect.DeepEqual(got, want) && len(want) > 0 || !reflect.DeepEqual(got, back) {
		t.Fatalf("%d entries, %d and %d are listed, want %d, or they are others", l.Len(), len(got), len(back), len(want))
	}
}

func TestALongAuditIsPackedAndReadsTheSame(t *testing.T) {
	all := chain(5*packSize + 17)
	for _, n := range []int{0, 1, packSize, 2*packSize - 1, 2 * packSize, 3*packSize + 1, len(all)} {
		sameEntries(t, logOf(all[:n]), all[:n])
	}
	l := logOf(all)
	if len(l.packed) != 4 || VerifyAudit(slices.Collect(l.All())) != 0 {
		t.Errorf("%d packs", len(l.packed))
	}
	if size := len(l.packed[0].data) / packSize; size > 80 {
		t.Errorf("an entry takes %d bytes", size)
	}
	first := 0
	for e := range l.Backward() { // and stops there
		first = int(e.Seq)
		break
	}
	if first != len(all) {
		t.Errorf("the newest is %d", first)
	}
}

func TestRetentionCutsThroughPacks(t *testing.T) {
	all := chain(5*packSize + 17)
	for _, most := range []int{1, packSize, 2*packSize + 17, 3*packSize + 16, 4*packSize + 1, len(all) - 1, len(all)} {
		l := logOf(all)
		if dropped := l.keep(most); dropped != len(all)-most {
			t.Errorf("%d were dropped", dropped)
		}
		sameEntries(t, l, all[len(all)-most:])
		if l.keep(most) != 0 {
			t.Error("more were dropped")
		}
		half := (most + 1) / 2
		l.keep(half)
		sameEntries(t, l, all[len(all)-half:])
		if l.last() != all[len(all)-1].Hash {
			t.Error("the chain does not go on")
		}
	}
}

func TestACopyOfTheAuditStaysAsItWas(t *testing.T) {
	all := chain(4 * packSize)
	l := logOf(all[:2*packSize+100])
	before := l.clip()
	for _, e := range all[2*packSize+100:] {
		l.add(e)
	}
	l.keep(10)
	sameEntries(t, before, all[:2*packSize+100])
	sameEntries(t, l, all[len(all)-10:])
}

func TestAnAlteredAuditStaysAltered(t *testing.T) {
	all := chain(3 * packSize)
	e := *all[40]
	e.Previous[0]++
	e.Hash = HashEntry(e)
	all[40] = &e
	sameEntries(t, logOf(all), all)
}

func TestAPackedAuditSurvivesASnapshot(t *testing.T) {
	f := newFleet(t)
	for i := range 3 * packSize {
		f.must(Note{Action: "x", Object: fmt.Sprint(i), Outcome: "done"})
	}
	var out bytes.Buffer
	if _, err := f.store.Snapshot().WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	other := NewStore()
	if err := other.Restore(&out); err != nil {
		t.Fatal(err)
	}
	var a, b AuditLog
	f.store.View(func(s *State) { a = s.Audit() })
	other.View(func(s *State) { b = s.Audit() })
	sameEntries(t, b, slices.Collect(a.All()))
}

func TestRequestsOfEarlierSnapshotsAreKnown(t *testing.T) {
	l := requestLog{seen: map[requestKey]struct{}{}}
	for _, text := range []string{"an-id-of-before", "~short", (&requestLog{order: []requestKey{keyOf("now")}}).texts()[0]} {
		l.add(keyOfText(text))
	}
	for _, id := range []string{"an-id-of-before", "~short", "now"} {
		if l.first(id) {
			t.Errorf("%q is taken for new", id)
		}
	}
	if !l.first("other") {
		t.Error("a new id is taken for an old one")
	}
}

// A peer that has not been upgraded takes the entries of a snapshot for the ids
// themselves: it would carry out again what was forwarded twice.
func TestSnapshotsHoldIdsUntilEveryPeerHasBeenUpgraded(t *testing.T) {
	f := newFleet(t)
	f.apply(Command{ID: "before", Body: PutPeer{Peer{ID: "p1", Name: "ctl-1"}}})
	ids := func() []string { return f.store.Snapshot().state.requests.texts() }
	if got := ids(); !slices.Equal(got, []string{"before"}) {
		t.Fatalf("an older peer would read %q", got)
	}
	var out bytes.Buffer
	if _, err := f.store.Snapshot().WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	if err := f.store.Restore(&out); err != nil {
		t.Fatal(err)
	}
	f.apply(Command{ID: "later", Body: PutPeer{Peer{ID: "p2", Name: "ctl-2"}}})
	if got := ids(); !slices.Equal(got, []string{"before", "later"}) {
		t.Fatalf("an older peer would read %q", got)
	}
	f.must(RaiseFeature{Level: featureRequests})
	f.apply(Command{ID: "after", Body: PutPeer{Peer{ID: "p3", Name: "ctl-3"}}})
	for _, text := range ids() {
		if !strings.HasPrefix(text, keyMark) {
			t.Errorf("%q is kept as it was", text)
		}
	}
	if res := f.apply(Command{ID: "before", Body: PutPeer{Peer{ID: "p1", Name: "other"}}}); !res.Outcome.Unchanged {
		t.Error("what came twice is carried out twice")
	}
}
