package fsm

import (
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

func TestTheSameRequestIDIsAppliedOnce(t *testing.T) {
	f := newFleet(t)
	c := Command{ID: "r1", Body: Commit{Edits: []Edit{numbered("a", 1)}}}
	f.apply(c)
	c.Body = Commit{Edits: []Edit{numbered("a", 2)}}
	if res := f.apply(c); !res.Outcome.Unchanged || res.Err != nil {
		t.Fatalf("second: %+v", res)
	}
	f.store.View(func(s *State) {
		if s.LastRevision() != 1 {
			t.Errorf("%d revisions", s.LastRevision())
		}
	})
}

func TestAnIdempotencyKeyCommitsOnceAndAnswersTheSame(t *testing.T) {
	f := newFleet(t)
	send := func(hash string, n int, at int64) Result {
		return f.apply(Command{
			Time: at, Once: Once{Key: "k", Hash: []byte(hash)}, Body: Commit{Edits: []Edit{numbered("a", n)}},
		})
	}
	first := send("h", 1, 10_000)
	again := send("h", 1, 20_000)
	if !again.Outcome.Replayed || again.Outcome.Revision != first.Outcome.Revision || again.Index != first.Index {
		t.Fatalf("first %+v, again %+v", first, again)
	}
	if other := send("x", 2, 30_000); Code(other.Err) != CodeKeyMismatch {
		t.Fatalf("another body: %v", other.Err)
	}
	if later := send("x", 2, 20_000+25*hour); later.Err != nil || later.Outcome.Revision != 2 {
		t.Fatalf("after the key has expired: %+v", later)
	}
}

func TestTheAuditChainShowsEveryAlteration(t *testing.T) {
	f := newFleet(t)
	f.put(numbered("a", 1))
	f.do(Commit{Edits: []Edit{{Document: "zzz", Delete: true}}})
	f.must(Note{Action: "login", Object: "eve", Outcome: "denied"})
	var entries []*AuditEntry
	f.store.View(func(s *State) { entries = slices.Collect(s.Audit().All()) })
	if broken := VerifyAudit(entries); broken != 0 {
		t.Fatalf("a good chain is broken at %d", broken)
	}
	if got := entries[len(entries)-2]; got.Outcome != CodeNotFound || got.Action != "change.commit" {
		t.Errorf("a refused commit is recorded as %+v", got)
	}
	for i := range entries {
		for what, alter := range map[string]func(*AuditEntry){
			"actor":  func(e *AuditEntry) { e.Actor.Name += "x" },
			"detail": func(e *AuditEntry) { e.Detail += "x" },
			"time":   func(e *AuditEntry) { e.Time++ },
			"hash":   func(e *AuditEntry) { e.Hash[3] ^= 1 },
		} {
			altered := slices.Clone(entries)
			e := *entries[i]
			alter(&e)
			altered[i] = &e
			if VerifyAudit(altered) == 0 {
				t.Errorf("the %s of entry %d may be altered", what, i)
			}
		}
		if i > 0 && i < len(entries)-1 && VerifyAudit(slices.Delete(slices.Clone(entries), i, i+1)) == 0 {
			t.Errorf("entry %d may be taken out", i)
		}
	}
}

func TestAFollowerOfTheFeedMissesNothingOrIsTold(t *testing.T) {
	f := newFleet(t)
	f.put(numbered("a", 1))
	var at Position
	f.store.View(func(s *State) { at = s.Position() })
	f.put(numbered("a", 2))
	f.put(numbered("a", 3))
	moved, ok := f.store.Since(at)
	if !ok || len(moved) != 2 {
		t.Fatalf("%d entries, %v", len(moved), ok)
	}
	if !slices.ContainsFunc(moved[1].Events, func(e Event) bool { return e.Kind == EventRevision && e.Revision == 3 }) {
		t.Errorf("events %+v", moved[1].Events)
	}
	for _, bad := range []Position{{2, at.Index}, {1, 99999}} {
		if _, ok := f.store.Since(bad); ok {
			t.Errorf("position %v is taken for one of this state", bad)
		}
	}
	for i := range feedLength + 5 {
		f.put(numbered("b", i))
	}
	if _, ok := f.store.Since(at); ok {
		t.Error("the feed claims to reach back to what it has dropped")
	}
	last := moved[1].Position
	last.Index += 6
	if moved, ok := f.store.Since(last); !ok || len(moved) != feedLength-1 {
		t.Errorf("%d of %d entries, %v", len(moved), feedLength-1, ok)
	}
}

func TestRetentionKeepsWhatIsInUse(t *testing.T) {
	f, n := edge(t)
	settings := *DefaultSettings()
	settings.KeepVersions, settings.KeepRevisions, settings.KeepAudit, settings.KeepPushes = 2, 3, 4, 2
	f.must(PutSettings{Settings: settings})
	for i := range 6 {
		f.put(numbered("a", 10+i))
	}
	f.fails(n, 1, named(refusal, "a"))
	f.expectWanted(n, "a@1 b@1")
	f.must(Prune{})
	f.expectWanted(n, "a@1 b@1")
	f.store.View(func(s *State) {
		if d := s.Document("a"); len(d.Versions) != 3 || d.Version(1) == nil || d.Version(7) == nil || d.Version(4) != nil {
			t.Errorf("%d versions kept", len(d.Versions))
		}
		if s.Revision(s.LastRevision()-3) != nil || s.Revision(s.LastRevision()-2) == nil {
			t.Error("revisions: not the newest three are kept")
		}
		if a := slices.Collect(s.Audit().All()); len(a) > 5 || VerifyAudit(a) != 0 {
			t.Errorf("%d audit entries, broken at %d", len(a), VerifyAudit(a))
		}
		if len(s.Pushes()) > 2 {
			t.Errorf("%d pushes kept", len(s.Pushes()))
		}
	})
}

func TestADutyOfAnotherTermIsRefused(t *testing.T) {
	f := newFleet(t)
	if res := f.apply(Command{Term: 7, Body: Prune{}}); Code(res.Err) != CodeFenced {
		t.Fatalf("got %v", res.Err)
	}
}

func TestAnUnknownCommandStopsThePeer(t *testing.T) {
	f := newFleet(t)
	raw, err := cbor.Marshal(envelope{Kind: 999, Body: []byte{0xa0}}) // of a newer version
	if err != nil {
		t.Fatal(err)
	}
	f.store.Apply(99, 1, append([]byte{formatPlain}, raw...))
	select {
	case err := <-f.store.Failed():
		t.Log(err)
	default:
		t.Fatal("the peer goes on after a command that it does not know")
	}
}

func TestTokensForPeersAndNodesAreUsedAsOftenAsAllowed(t *testing.T) {
	f := newFleet(t)
	f.must(CreateJoinToken{JoinToken{ID: "j", Hash: []byte("s"), Expires: 1 << 60}})
	f.refused(CodeDenied, UseJoinToken{ID: "j", Hash: []byte("x"), Peer: "p"})
	f.must(UseJoinToken{ID: "j", Hash: []byte("s"), Peer: "p"})
	f.must(UseJoinToken{ID: "j", Hash: []byte("s"), Peer: "p"}) // the same peer repeats itself
	f.refused(CodeDenied, UseJoinToken{ID: "j", Hash: []byte("s"), Peer: "q"})
	f.must(CreateEnrollToken{EnrollToken{ID: "e", Hash: []byte("s"), Uses: 1, Expires: 1 << 60}})
	enroll := func(node, key string) Body {
		return EnrollNode{TokenID: "e", TokenHash: []byte("s"), Node: node, PublicKey: []byte(key)}
	}
	f.refused(CodeInvalid, enroll("a b", "k"))
	f.must(enroll("a", "k"))
	f.must(enroll("a", "k"))
	f.refused(CodeConflict, enroll("a", "other"))
	f.refused(CodeDenied, enroll("b", "k"))
	f.must(CreateEnrollToken{EnrollToken{ID: "old", Hash: []byte("s"), Uses: 1, Expires: 1}})
	f.refused(CodeDenied, EnrollNode{TokenID: "old", TokenHash: []byte("s"), Node: "c", PublicKey: []byte("k")})
}

func TestTheLastAdminStays(t *testing.T) {
	f := newFleet(t)
	f.must(PutUser{User: User{Name: "ann", Role: "admin"}, New: true})
	f.refused(CodeConflict, PutUser{User: User{Name: "ann", Role: "admin"}, New: true})
	f.refused(CodeConflict, RemoveUser{Name: "ann"})
	f.refused(CodeConflict, PutUser{User: User{Name: "ann", Role: "viewer"}})
	f.must(PutUser{User: User{Name: "bob", Role: "admin"}})
	f.must(OpenLogin{Login{ID: "l", User: "ann", Expires: 1 << 60}})
	f.must(CreateToken{Token{ID: "t", Owner: "ann"}})
	f.must(RemoveUser{Name: "ann"})
	f.store.View(func(s *State) {
		if s.Login("l") != nil || s.Token("t") != nil {
			t.Error("a removed user left a session or a token")
		}
	})
}
