package fsm

import (
	"crypto/sha256"
	"slices"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/document/selector"
)

// Commit is a change: all its edits take effect as one revision, or none does.
type Commit struct {
	Message string `cbor:"1,keyasint,omitempty"`
	Edits   []Edit `cbor:"2,keyasint"`
}

// Kind is the persisted number of the command.
func (Commit) Kind() Kind { return 11 }

// Edit is one document of a change. A nil field keeps what is there; Blob is
// zero where the content does not change.
type Edit struct {
	Document string  `cbor:"1,keyasint"`
	Delete   bool    `cbor:"2,keyasint,omitempty"`
	Base     *uint64 `cbor:"3,keyasint,omitempty"` // the version it was based on; 0 = none exists
	Blob     Sum     `cbor:"4,keyasint"`
	Checksum Sum     `cbor:"5,keyasint"`
	Inline   *Blob   `cbor:"6,keyasint,omitempty"` // nil where StoreBlob brought it
	Target   *string `cbor:"7,keyasint,omitempty"`
	Selector *string `cbor:"8,keyasint,omitempty"`
	Schema   *string `cbor:"9,keyasint,omitempty"`
	Policy   *string `cbor:"10,keyasint,omitempty"`
	// Against is the SHA-256 of the schema that the content was checked against
	// (of "" where there was none); nil where nothing was checked.
	Against *Sum `cbor:"11,keyasint,omitempty"`
}

// draft is a commit that is being checked: nothing of the state has changed.
type draft struct {
	state    *State
	revision *Revision
	docs     map[string]*Document
	blobs    map[Sum]*Blob
	outcome  Outcome
	preview  bool // under the read lock: lists that the state holds are copied
}

func (s *State) applyCommit(c Command, b Commit) (Outcome, error) {
	d, err := s.draft(c, b, false)
	if err != nil {
		return Outcome{}, err
	}
	if len(d.revision.Edits) == 0 {
		d.outcome.Unchanged = true
		d.outcome.Revision = 0
		return d.outcome, nil
	}
	plan, err := s.planBindings(d.docs)
	if err != nil {
		return Outcome{}, err
	}
	s.install(d, plan)
	return d.outcome, nil
}

func (s *State) draft(c Command, b Commit, preview bool) (*draft, error) {
	d := &draft{
		state: s,
		revision: &Revision{
			Number: s.LastRevision() + 1, Index: s.index, Time: s.now,
			Author: c.Actor.Name, Message: b.Message,
		},
		docs:    map[string]*Document{},
		blobs:   map[Sum]*Blob{},
		preview: preview,
	}
	d.outcome.Revision = d.revision.Number
	if len(b.Edits) == 0 {
		return nil, errorf(CodeInvalid, "a change needs at least one edit")
	}
	for _, e := range b.Edits {
		if d.docs[e.Document] != nil {
			return nil, errorf(CodeInvalid, "document %q is edited twice in one change", e.Document)
		}
		if err := d.edit(e); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *draft) edit(e Edit) error {
	old := d.state.documents[e.Document]
	exists := old != nil && !old.Deleted
	if err := checkBase(e, old, exists); err != nil {
		return err
	}
	if e.Delete {
		if !exists {
			return errorf(CodeNotFound, "no document is called %q", e.Document)
		}
		next := *old
		next.Deleted, next.Revision = true, d.revision.Number
		d.add(&next, RevisionEdit{Document: e.Document, Op: "delete", From: old.Current().Number}, EditOutcome{
			Document: e.Document, Version: old.Current().Number, Checksum: old.Current().Checksum,
		})
		return nil
	}
	next, err := d.described(e, old, exists)
	if err != nil {
		return err
	}
	from, err := d.content(e, next, old)
	if err != nil {
		return err
	}
	cur := next.Current()
	out := EditOutcome{Document: e.Document, Version: cur.Number, Checksum: cur.Checksum, Created: !exists}
	if exists && from == cur.Number && next.Target == old.Target && next.Selector == old.Selector &&
		next.Schema == old.Schema && next.Policy == old.Policy {
		out.Unchanged = true
		d.outcome.Edits = append(d.outcome.Edits, out)
		return nil
	}
	next.Revision = d.revision.Number
	d.add(next, RevisionEdit{Document: e.Document, Op: "put", From: from, To: cur.Number}, out)
	return nil
}

func checkBase(e Edit, old *Document, exists bool) error {
	if e.Base == nil {
		return nil
	}
	var version uint64
	if exists {
		version = old.Current().Number
	}
	if *e.Base == version {
		return nil
	}
	if *e.Base == 0 {
		return errorf(CodeBaseMoved, "document %q exists already, at version %d", e.Document, version)
	}
	if !exists {
		return errorf(CodeBaseMoved, "document %q does not exist (any more)", e.Document)
	}
	return errorf(CodeBaseMoved, "document %q is at version %d, not %d: read it again, and put your edit on top", e.Document, version, *e.Base)
}

// described is the document with the target, selector, schema and policy of
// the edit; its versions are still the old ones.
func (d *draft) described(e Edit, old *Document, exists bool) (*Document, error) {
	next := &Document{Name: e.Document, Target: e.Document}
	if err := document.ValidName(e.Document); err != nil {
		return nil, &Error{Code: CodeInvalid, Message: err.Error()}
	}
	if old != nil {
		next.Versions = old.Versions
	}
	if exists {
		next.Target, next.Selector, next.Schema, next.Policy = old.Target, old.Selector, old.Schema, old.Policy
	}
	set(&next.Target, e.Target)
	set(&next.Selector, e.Selector)
	set(&next.Schema, e.Schema)
	set(&next.Policy, e.Policy)
	if next.Target == "" {
		next.Target = next.Name
	}
	if err := document.ValidName(next.Target); err != nil {
		return nil, &Error{Code: CodeInvalid, Pointer: "/target", Message: err.Error()}
	}
	match, err := selector.Parse(next.Selector)
	if err != nil {
		return nil, &Error{Code: CodeInvalid, Pointer: "/selector", Message: err.Error()}
	}
	next.match = match
	if e.Against != nil && *e.Against != sha256.Sum256([]byte(next.Schema)) {
		return nil, errorf(CodeSchemaMoved, "the schema of document %q was changed in this moment; send the change again", e.Document)
	}
	return next, nil
}

func set(field, value *string) {
	if value != nil {
		*field = *value
	}
}

// content appends the edit's version, where its text differs from the current
// one, and returns the number it came from.
func (d *draft) content(e Edit, next, old *Document) (from uint64, err error) {
	if len(next.Versions) > 0 {
		from = next.Current().Number
	}
	if e.Blob.IsZero() {
		if from == 0 {
			return 0, errorf(CodeInvalid, "document %q needs a content", e.Document)
		}
		return from, nil
	}
	if from != 0 && !old.Deleted && next.Current().Blob == e.Blob {
		return from, nil
	}
	blob := d.state.blobs[e.Blob]
	if blob == nil {
		blob = d.blobs[e.Blob]
	}
	if blob == nil {
		if e.Inline == nil {
			return 0, errorf(CodeConflict, "the content of %q is not stored any more; send the change again", e.Document)
		}
		blob = &Blob{Size: e.Inline.Size, Data: e.Inline.Data, Born: d.state.now}
		d.blobs[e.Blob] = blob
	}
	if d.preview {
		next.Versions = slices.Clip(next.Versions)
	}
	next.Versions = append(next.Versions, &Version{
		Number: from + 1, Revision: d.revision.Number, Time: d.state.now,
		Author: d.revision.Author, Message: d.revision.Message,
		Blob: e.Blob, Checksum: e.Checksum, Size: blob.Size,
	})
	return from, nil
}

func (d *draft) add(doc *Document, edit RevisionEdit, out EditOutcome) {
	d.docs[doc.Name] = doc
	d.revision.Edits = append(d.revision.Edits, edit)
	d.outcome.Edits = append(d.outcome.Edits, out)
}

// install makes a checked commit the state: from here on nothing can fail.
func (s *State) install(d *draft, plan *bindingPlan) {
	names := sortedKeys(d.docs)
	refusing := s.refusalsTouching(names)
	for sum, blob := range d.blobs {
		s.blobs[sum] = blob
	}
	reached, targets := plan.reached, membersOf(plan.reached)
	for _, name := range names {
		doc := d.docs[name]
		if n := len(doc.Versions); n > 0 && doc.Current().Revision == d.revision.Number {
			s.useBlob(doc.Current().Blob)
		}
		s.documents[name] = doc
	}
	s.revisions = append(s.revisions, d.revision)
	s.rebind(plan)
	if len(plan.moves) > 0 {
		reached = s.audiencesOf(names)
		targets = targets.and(membersOf(reached))
	}
	s.refresh(reached, names)
	s.reviewRefusals(refusing, d.docs)
	s.startPush(d.revision, names, targets)
	for _, e := range d.outcome.Edits {
		s.mix(e.Version, sumWord(e.Checksum))
	}
	s.event(Event{Kind: EventRevision, Revision: d.revision.Number})
}
