package fsm

import (
	"bytes"
	"strings"
	"testing"
)

// prunedBetween is a fleet whose node holds a@1 b@1, while retention has
// dropped a@2, which was edited together with b@2.
func prunedBetween(t *testing.T, refuse func(f *testFleet, n uint32)) (*testFleet, uint32) {
	f, n := edge(t)
	settings := *DefaultSettings()
	settings.KeepVersions = 1
	f.must(PutSettings{Settings: settings})
	f.put(numbered("a", 2), numbered("b", 2))
	f.put(numbered("a", 3))
	if refuse != nil {
		refuse(f, n)
		f.expectWanted(n, "a@1 b@1")
	}
	f.must(Prune{})
	f.store.View(func(s *State) {
		if s.Document("a").Version(2) != nil || s.Document("a").Version(1) == nil {
			t.Fatal("retention did not drop what this test is about")
		}
	})
	return f, n
}

func TestRetentionHalvesNoRevisionThatFallsBack(t *testing.T) {
	f, n := prunedBetween(t, nil)
	f.fails(n, 1, named(refusal, "a"))
	f.expectWanted(n, "a@1 b@1")
}

func TestAfterRetentionARestoredPeerWantsTheSame(t *testing.T) {
	f, n := prunedBetween(t, func(f *testFleet, n uint32) { f.fails(n, 1, named(refusal, "a")) })
	restored := NewStore()
	if err := restored.Restore(bytes.NewReader(image(t, f.store))); err != nil {
		t.Fatal(err)
	}
	want := f.wanted(n)
	restored.View(func(s *State) {
		if got := list(s.Wanted(n)); got != want {
			t.Errorf("a restored peer wants %q, the others want %q", got, want)
		}
	})
	f.expectWanted(n, "a@1 b@1")
}

func TestWhatASessionSaidBeforeItEndedCounts(t *testing.T) {
	f, n := edge(t)
	f.put(numbered("a", 2))
	tried := Position{1, uint64(len(f.log))}
	f.seq++
	f.must(Reports{
		Peer:   "p",
		Closed: []Closed{{Node: n, Session: 1}},
		Single: []Report{{
			Node: n, Session: 1, Seq: f.seq, Manifest: f.row(n).Reported, At: tried, Confirmed: true,
			Open: &Open{Connection: 1, Process: "x"}, Tried: &tried, Problems: []Problem{named(refusal, "a")},
		}},
	})
	f.expectWanted(n, "a@1 b@1")
	if f.row(n).Connected {
		t.Error("the session has ended, and its node is shown connected")
	}
}

// What cannot be decoded stops every peer for good, so it must never get into
// the log.
func TestNothingIsEncodedThatCouldNotBeDecoded(t *testing.T) {
	for what, body := range map[string]Body{
		"text that is not UTF-8":  Note{Action: "login", Object: "a\xffb"},
		"a list that is too long": Reports{Peer: "p", Closed: make([]Closed, 1<<17+1)},
	} {
		if _, err := Encode(Command{Body: body}); err == nil || !strings.Contains(err.Error(), "encode command") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
