package fsm

import (
	"bytes"
	"fmt"
	"testing"
	"unsafe"
)

func TestNodesThatSayTheSameShareIt(t *testing.T) {
	f := newFleet(t)
	for i := range 3 {
		ord := f.enroll(fmt.Sprint("n", i), "site", "a")
		f.must(Reports{Peer: "p1", Single: []Report{{
			Node: ord, Session: uint64(i + 1), Seq: 1, Manifest: emptyManifest, Confirmed: true,
			Open: &Open{Connection: 1, AgentVersion: fmt.Sprint("1.", 2), Facts: map[string]string{"os": "linux"}},
		}}})
	}
	same := func(s *State, what string) {
		a, b := s.NodeAt(1), s.NodeAt(2)
		if unsafe.StringData(a.AgentVersion) != unsafe.StringData(b.AgentVersion) || a.AgentVersion != "1.2" {
			t.Errorf("%s: the version is held twice", what)
		}
		a.Facts["os"] = "x" // of a throwaway state
		if b.Facts["os"] != "x" {
			t.Errorf("%s: facts are held twice", what)
		}
		a.Facts["os"] = "linux"
	}
	f.store.View(func(s *State) { same(s, "reported") })
	var out bytes.Buffer
	if _, err := f.store.Snapshot().WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	other := NewStore()
	if err := other.Restore(&out); err != nil {
		t.Fatal(err)
	}
	other.View(func(s *State) {
		same(s, "restored")
		a, b := s.NodeAt(1), s.NodeAt(2)
		a.Labels["site"] = "x"
		if b.Labels["site"] != "x" || unsafe.StringData(s.Row(1).Session.Peer) != unsafe.StringData(s.Row(2).Session.Peer) {
			t.Error("labels or the peer are held twice")
		}
	})
}
