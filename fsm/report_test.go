package fsm

import "testing"

var (
	refusal = Problem{Stage: "validate", Code: "schema_invalid", Message: "no"}
	failing = Problem{Stage: "hook", Code: "hook_failed", Retryable: true}
)

func named(p Problem, target string) Problem { p.Target = target; return p }

// edge is a fleet with one connected node that holds a@1 and b@1.
func edge(t *testing.T) (*testFleet, uint32) {
	f := newFleet(t)
	f.put(numbered("a", 1))
	f.put(numbered("b", 1))
	n := f.enroll("n")
	f.hello(n, 1, emptyManifest, 0)
	f.expectStatus(n, InFlight)
	f.ack(n, 1)
	f.expectStatus(n, Acked)
	return f, n
}

func TestARefusalFallsBackToWhatWasAccepted(t *testing.T) {
	f, n := edge(t)
	f.put(numbered("a", 2))
	f.fails(n, 1, named(refusal, "a"))
	f.expectStatus(n, DeadLetter)
	f.expectWanted(n, "a@1 b@1")
	f.put(numbered("b", 2)) // one bad document blocks nothing else
	f.expectWanted(n, "a@1 b@2")
	f.ack(n, 1)
	f.expectStatus(n, DeadLetter)
	f.put(numbered("a", 3)) // a newer version clears the refusal
	f.expectWanted(n, "a@3 b@2")
	f.ack(n, 1)
	f.expectStatus(n, Acked)
	if f.row(n).Failure != nil {
		t.Error("the error of a node that is in sync is still shown")
	}
}

func TestDocumentsEditedTogetherFallBackTogether(t *testing.T) {
	f, n := edge(t)
	f.put(numbered("a", 2), numbered("b", 2))
	f.fails(n, 1, named(refusal, "a"))
	f.expectWanted(n, "a@1 b@1")
	f.put(numbered("b", 3)) // a newer version of one of them tries both again
	f.expectWanted(n, "a@2 b@3")
}

func TestAnErrorThatNamesNothingBlamesAllThatChanged(t *testing.T) {
	f, n := edge(t)
	f.put(numbered("a", 2))
	f.put(numbered("b", 2))
	f.fails(n, 1, refusal)
	f.expectWanted(n, "a@1 b@1")
	if r := f.row(n).Refused; len(r) != 2 || len(r[0].Together) != 2 {
		t.Errorf("refused: %+v", r)
	}
	f.must(RetryNodes{Nodes: []string{"n"}})
	f.expectWanted(n, "a@2 b@2")
}

func TestRetryableErrorsBecomeADeadLetterAfterTheLastAttempt(t *testing.T) {
	f, n := edge(t)
	f.put(numbered("a", 2))
	for i := 1; i < DefaultSettings().Attempts; i++ {
		f.fails(n, 1, named(failing, "a"))
		f.expectStatus(n, Retrying)
		if got := f.row(n).Attempts; got != i {
			t.Fatalf("%d attempts counted, want %d", got, i)
		}
	}
	f.fails(n, 1, named(failing, "a"))
	f.expectStatus(n, DeadLetter)
	f.expectWanted(n, "a@1 b@1")
	if got := f.row(n).Failure.Attempts; got != DefaultSettings().Attempts {
		t.Errorf("the dead letter tells of %d attempts", got)
	}
}

func TestANewerWishResetsTheAttempts(t *testing.T) {
	f, n := edge(t)
	f.put(numbered("a", 2))
	f.fails(n, 1, failing)
	f.put(numbered("a", 3))
	f.expectStatus(n, InFlight)
}

func TestWhereNothingIsLeftToFallBackToTheNodeIsStuck(t *testing.T) {
	f := newFleet(t)
	f.put(numbered("a", 1))
	n := f.enroll("n")
	f.hello(n, 1, emptyManifest, 0)
	f.fails(n, 1, refusal)
	f.expectWanted(n, "") // to nothing at all: it never held a
	f.expectStatus(n, DeadLetter)

	g, m := edge(t)
	g.put(Edit{Document: "a", Delete: true})
	g.fails(m, 1, refusal) // it refuses a removal
	g.store.View(func(s *State) {
		if !s.Stuck(m) {
			t.Error("a node that refuses a removal is not stuck")
		}
	})
	g.expectStatus(m, DeadLetter)
	g.put(numbered("b", 2))
	g.expectStatus(m, InFlight)
}

func TestAnErrorOfAnUpdateThatIsNotWantedAnyMoreMeansNothing(t *testing.T) {
	f, n := edge(t)
	f.put(numbered("a", 2))
	tried := Position{1, uint64(len(f.log))}
	f.put(numbered("a", 3))
	f.seq++
	f.must(Reports{Peer: "p", Single: []Report{{
		Node: n, Session: 1, Seq: f.seq, Manifest: f.row(n).Reported, At: tried, Confirmed: true, Tried: &tried, Problems: []Problem{refusal},
	}}})
	f.expectWanted(n, "a@3 b@1")
	f.expectStatus(n, InFlight)
}

func TestOnlyTheNewestSessionSpeaks(t *testing.T) {
	f, n := edge(t)
	held := f.row(n).Reported
	f.hello(n, 5, held, 9)
	f.must(Reports{Peer: "q", Single: []Report{{
		Node: n, Session: 4, Seq: 1, Manifest: emptyManifest, Confirmed: true, Open: &Open{Connection: 4},
	}}})
	if got := f.row(n).Session.ID; got != 5 {
		t.Fatalf("session %d took over with a lower connection number", got)
	}
	f.must(Reports{Peer: "q", Single: []Report{{
		Node: n, Session: 6, Seq: 1, Manifest: emptyManifest, Confirmed: true, Open: &Open{Connection: 5},
	}}})
	if got := f.row(n).Session.ID; got != 5 {
		t.Fatalf("session %d took over with a connection number that another has", got)
	}
	f.must(Reports{Peer: "p", Single: []Report{{Node: n, Session: 5, Seq: 1, Manifest: emptyManifest}}})
	if f.row(n).Reported != held {
		t.Fatal("an older report of the session was taken")
	}
	f.must(Reports{Peer: "p", Closed: []Closed{{Node: n, Session: 1}}})
	f.expectStatus(n, Acked) // the end of another session means nothing
	f.must(Reports{Peer: "p", Closed: []Closed{{Node: n, Session: 5}}})
	f.expectStatus(n, Offline)
}

func TestAPeerThatIsGoneLeavesItsNodesOffline(t *testing.T) {
	f, n := edge(t)
	f.must(PutPeer{Peer: Peer{ID: "p", Name: "p"}})
	f.must(PutPeer{Peer: Peer{ID: "q", Name: "q"}})
	f.must(SetLiveness{Alive: []string{"q"}})
	f.expectStatus(n, Offline)
}

func TestConvergedNeedsTheIndexToo(t *testing.T) {
	f, n := edge(t)
	was := f.row(n).Reported
	f.put(numbered("a", 2))
	f.put(numbered("a", 1)) // back to what the node holds
	f.store.View(func(s *State) {
		if s.Wanted(n).Sum != was || s.Converged(n) {
			t.Errorf("converged without having accepted the index")
		}
	})
	f.ack(n, 1)
	f.expectStatus(n, Acked)
}

func TestAPushEndsWhenNothingIsLeftToDo(t *testing.T) {
	f, n := edge(t)
	rev := f.put(numbered("a", 2)).Outcome.Revision
	f.refused(CodeConflict, EndPush{Revision: rev})
	f.ack(n, 1)
	f.must(EndPush{Revision: rev})
	next := f.put(numbered("a", 3)).Outcome.Revision
	f.fails(n, 1, refusal)
	f.must(EndPush{Revision: next})
	last := f.put(numbered("a", 4)).Outcome.Revision
	f.put(numbered("a", 5))
	f.store.View(func(s *State) {
		for number, want := range map[uint64]string{rev: PushDone, next: PushFailures, last: PushSuperseded} {
			if got := s.Push(number).State; got != want {
				t.Errorf("push %d is %s, want %s", number, got, want)
			}
		}
		if c := s.Push(next).Frozen; c.DeadLetter != 1 || c.Total() != 1 {
			t.Errorf("frozen counts %+v", c)
		}
		if s.Push(last).SupersededBy != last+1 {
			t.Errorf("superseded by %d", s.Push(last).SupersededBy)
		}
	})
}

func TestThePushKeepsItsTargetsWhenNodesMove(t *testing.T) {
	f, n := edge(t)
	rev := f.put(numbered("a", 2)).Outcome.Revision
	for _, id := range []string{"x", "y", "z"} {
		f.enroll(id)
	}
	f.must(RemoveNode{Node: "x"})
	f.store.View(func(s *State) {
		p := s.Push(rev)
		if p.Targets.Len() != 1 || !p.Targets.Has(n) {
			t.Errorf("the targets became %v", p.Targets)
		}
	})
}
