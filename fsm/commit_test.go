package fsm

import "testing"

func ptr[T any](v T) *T { return &v }

func TestRevisionsAreGapFreeAndVersionsCountPerDocument(t *testing.T) {
	f := newFleet(t)
	first := f.put(numbered("a", 1), numbered("b", 1)).Outcome
	second := f.put(numbered("a", 2)).Outcome
	if first.Revision != 1 || second.Revision != 2 {
		t.Fatalf("revisions %d and %d, want 1 and 2", first.Revision, second.Revision)
	}
	if !first.Edits[0].Created || second.Edits[0].Created || second.Edits[0].Version != 2 {
		t.Fatalf("edits: %+v then %+v", first.Edits, second.Edits)
	}
	f.store.View(func(s *State) {
		if r := s.Revision(2); r.Author != "ann" || len(r.Edits) != 1 || r.Edits[0].From != 1 || r.Edits[0].To != 2 {
			t.Errorf("revision 2 is %+v", r)
		}
	})
}

func TestAPutThatChangesNothingMakesNoRevision(t *testing.T) {
	f := newFleet(t)
	f.put(numbered("a", 1))
	res := f.put(numbered("a", 1))
	if !res.Outcome.Unchanged || res.Outcome.Revision != 0 || !res.Outcome.Edits[0].Unchanged {
		t.Fatalf("outcome %+v", res.Outcome)
	}
	if next := f.put(numbered("a", 2)); next.Outcome.Revision != 2 {
		t.Fatalf("next revision is %d, want 2", next.Outcome.Revision)
	}
	if literal := f.put(content("a", `{"n":2.0}`)); literal.Outcome.Edits[0].Version != 3 {
		t.Fatal("another number literal is another text, and so a version")
	}
}

func TestTargetSelectorSchemaAndPolicyMakeARevisionAndNoVersion(t *testing.T) {
	f := newFleet(t)
	f.put(numbered("a", 1))
	for i, e := range []Edit{
		{Document: "a", Target: ptr("b")}, {Document: "a", Selector: ptr("x=1")},
		{Document: "a", Schema: ptr("{}")}, {Document: "a", Policy: ptr("{}")},
	} {
		res := f.put(e)
		if res.Outcome.Revision != uint64(i+2) || res.Outcome.Edits[0].Version != 1 {
			t.Fatalf("edit %d: %+v", i, res.Outcome)
		}
	}
}

func TestADeletedDocumentKeepsItsHistoryAndItsNumbersGoOn(t *testing.T) {
	f := newFleet(t)
	n := f.enroll("n")
	f.put(numbered("a", 1))
	f.put(Edit{Document: "a", Delete: true})
	f.expectWanted(n, "")
	f.refused(CodeNotFound, Commit{Edits: []Edit{{Document: "a", Delete: true}}})
	if res := f.put(numbered("a", 1)); res.Outcome.Edits[0].Version != 2 || !res.Outcome.Edits[0].Created {
		t.Fatalf("put after delete: %+v", res.Outcome.Edits)
	}
	f.expectWanted(n, "a@2")
}

func TestACommitIsRefusedWhole(t *testing.T) {
	f := newFleet(t)
	f.enroll("n", "site", "one")
	f.put(numbered("a", 1))
	tests := []struct {
		name  string
		code  string
		edits []Edit
	}{
		{"no edits", CodeInvalid, nil},
		{"twice the same document", CodeInvalid, []Edit{numbered("b", 1), numbered("b", 2)}},
		{"a bad name", CodeInvalid, []Edit{numbered("b", 1), numbered("B", 1)}},
		{"a bad target", CodeInvalid, []Edit{numbered("b", 1), {Document: "a", Target: ptr("x/")}}},
		{"a bad selector", CodeInvalid, []Edit{numbered("b", 1), {Document: "a", Selector: ptr("x in (")}}},
		{"no content", CodeInvalid, []Edit{numbered("a", 2), {Document: "b", Target: ptr("b")}}},
		{"a content that is not stored", CodeConflict, []Edit{numbered("a", 2), {Document: "b", Blob: Sum{1}}}},
		{"the base moved", CodeBaseMoved, []Edit{numbered("b", 1), {Document: "a", Base: ptr(uint64(7)), Blob: Sum{1}}}},
		{"it exists already", CodeBaseMoved, []Edit{numbered("b", 1), {Document: "a", Base: ptr(uint64(0)), Blob: Sum{1}}}},
		{"it does not exist", CodeBaseMoved, []Edit{numbered("a", 2), {Document: "b", Base: ptr(uint64(1)), Blob: Sum{1}}}},
		{"two documents with one target on a node", CodeConflict, []Edit{numbered("c", 1), withTarget(numbered("b", 1), "a")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f.t = t
			f.refused(tt.code, Commit{Edits: tt.edits})
		})
	}
}

func withTarget(e Edit, target string) Edit     { e.Target = &target; return e }
func withSelector(e Edit, selector string) Edit { e.Selector = &selector; return e }

func TestOneTargetMayBeTwoDocumentsOnDifferentNodes(t *testing.T) {
	f := newFleet(t)
	one, two := f.enroll("one", "env", "prod"), f.enroll("two", "env", "test")
	f.put(withSelector(withTarget(numbered("prod/hooks", 1), "hooks"), "env=prod"))
	f.put(withSelector(withTarget(numbered("test/hooks", 1), "hooks"), "env=test"))
	f.put(numbered("test/hooks", 2))
	f.expectWanted(one, "hooks@1")
	f.expectWanted(two, "hooks@2")
	f.refused(CodeConflict, Commit{Edits: []Edit{{Document: "test/hooks", Selector: ptr("")}}})
	f.label("two", "env", "prod")
	f.expectWanted(two, "hooks@1")
}

func TestANodeMayNotHoldTooMuch(t *testing.T) {
	f := newFleet(t)
	settings := *DefaultSettings()
	settings.NodeBytes, settings.DocumentBytes = 30, 20
	f.must(PutSettings{Settings: settings})
	f.enroll("n")
	f.put(content("a", `{"n":1234567}`))
	f.put(content("b", `{"n":1234567}`))
	f.refused(CodeTooLarge, Commit{Edits: []Edit{content("c", `{"n":1234567}`)}})
	f.refused(CodeTooLarge, Commit{Edits: []Edit{content("b", `{"n":1234567890123456}`)}})
	f.put(content("b", `{"n":1}`), content("c", `{"n":1}`))
}

func TestALargeContentIsStoredInPartsFirst(t *testing.T) {
	f := newFleet(t)
	e := content("a", `{"text":"`+string(make([]byte, 0))+`some text that is stored before"}`)
	data := e.Inline.Data
	store := func(offset, end int) Body {
		return StoreBlob{Sum: e.Blob, Size: e.Inline.Size, Total: len(data), Offset: offset, Data: data[offset:end]}
	}
	f.must(store(0, 5))
	f.refused(CodeConflict, store(9, len(data)))
	f.must(store(5, len(data)))
	e.Inline = nil
	f.put(e)
	f.store.View(func(s *State) {
		text, err := s.Blob(s.Document("a").Current().Blob).Text()
		if err != nil || len(text) != e.sizeIn(s) {
			t.Errorf("stored text %q, %v", text, err)
		}
	})
}

func (e Edit) sizeIn(s *State) int { return s.Document(e.Document).Current().Size }
