package api

import (
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
)

// Bounds of a change.
const (
	maxEdits       = 1000
	changeContents = 4 // documents of the largest size that one body may carry
)

type changeRequest struct {
	Message string       `json:"message,omitzero"`
	Edits   []changeEdit `json:"edits"`
	Commit  bool         `json:"commit,omitzero"`
	DryRun  bool         `json:"dry_run,omitzero"`
}

type changeEdit struct {
	Document string         `json:"document"`
	Op       string         `json:"op"` // put, patch or delete
	Content  jsontext.Value `json:"content,omitzero"`
	Patch    jsontext.Value `json:"patch,omitzero"`
	Target   *string        `json:"target,omitzero"`
	Selector *string        `json:"selector,omitzero"`
	Schema   jsontext.Value `json:"schema,omitzero"`
	Policy   jsontext.Value `json:"policy,omitzero"`
	Base     *uint64        `json:"base_version,omitzero"` // 0 = none exists
}

type changeAnswer struct {
	Revision  uint64       `json:"revision"`
	Push      string       `json:"push"`
	Edits     []editAnswer `json:"edits"`
	Unchanged bool         `json:"unchanged,omitzero"`
	Warnings  []Problem    `json:"warnings,omitzero"`
}

type editAnswer struct {
	Document  string `json:"document"`
	Version   uint64 `json:"version"`
	Checksum  string `json:"checksum"`
	Unchanged bool   `json:"unchanged,omitzero"`
}

// postChange commits edits of several documents as one revision, or tells what
// they would do.
func (s *Server) postChange(c *call) error {
	var in changeRequest
	if err := c.decode(s.documentBody(c, changeContents), &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	for _, e := range in.Edits {
		if err := s.mayTouch(c, e.Document); err != nil {
			return err
		}
	}
	if in.DryRun {
		return s.dryRun(c, in)
	}
	out, err := s.commit(c, in.Message, func(c *call) ([]prepared, error) {
		edits := make([]prepared, len(in.Edits))
		for i, e := range in.Edits {
			var err error
			if edits[i], err = s.prepare(c, e, "/edits/"+strconv.Itoa(i)); err != nil {
				return nil, err
			}
		}
		return edits, nil
	})
	if err != nil {
		return err
	}
	return c.ok(s.answerChange(c, out))
}

func (in changeRequest) check() error {
	switch {
	case in.Commit && in.DryRun:
		return failure(codeBadRequest, "commit and dry_run exclude each other")
	case !in.Commit && !in.DryRun:
		return failure(codeNotAvailable, "drafts are not available in this version: send commit: true to commit the change at once, or dry_run: true to try it")
	case len(in.Edits) == 0:
		return &Error{Code: codeInvalid, Pointer: "/edits", Detail: "a change needs at least one edit"}
	case len(in.Edits) > maxEdits:
		return &Error{Code: codeTooLarge, Pointer: "/edits", Detail: fmt.Sprintf("the change has %d edits, %d are allowed", len(in.Edits), maxEdits)}
	}
	seen := map[string]bool{}
	for i, e := range in.Edits {
		if seen[e.Document] {
			return &Error{Code: codeInvalid, Pointer: fmt.Sprintf("/edits/%d/document", i), Detail: fmt.Sprintf("document %q is edited twice in one change", clip(e.Document, 200))}
		}
		seen[e.Document] = true
	}
	return nil
}

// prepare checks one edit of a change.
func (s *Server) prepare(c *call, e changeEdit, place string) (p prepared, err error) {
	b, err := s.basisAt(c, e.Document, e.Base)
	if err != nil {
		return p, at(err, place)
	}
	in := editRequest{Content: e.Content, Target: e.Target, Selector: e.Selector, Schema: e.Schema, Policy: e.Policy}
	switch {
	case document.ValidName(e.Document) != nil:
		return p, at(document.ValidName(e.Document), place+"/document")
	case e.Op == "put" && len(e.Patch) == 0:
		p, err = s.put(b, in, place)
	case e.Op == "patch" && len(e.Content) == 0 && len(e.Patch) > 0:
		p, err = s.patch(b, e.Patch, in, place, "/patch")
	case e.Op == "delete" && len(e.Content) == 0 && len(e.Patch) == 0:
		p.edit = fsm.Edit{Document: e.Document, Delete: true}
	default:
		return p, &Error{Code: codeInvalid, Pointer: place + "/op",
			Detail: "op is put with a content, patch with a patch, or delete with neither"}
	}
	if e.Base != nil {
		p.edit.Base, p.own = e.Base, false
	}
	return p, err
}

// answerChange tells what became of a change. Where nothing changed, revision
// and push are the latest that brought one of the versions.
func (s *Server) answerChange(c *call, out fsm.Outcome) changeAnswer {
	a := changeAnswer{Revision: out.Revision, Unchanged: out.Unchanged, Edits: make([]editAnswer, len(out.Edits))}
	s.view(c, func(st *fsm.State) {
		for i, e := range out.Edits {
			a.Edits[i] = editAnswer{e.Document, e.Version, e.Checksum.String(), e.Unchanged}
			if d := st.Document(e.Document); out.Unchanged && d != nil && d.Version(e.Version) != nil {
				a.Revision = max(a.Revision, d.Version(e.Version).Revision)
			}
		}
	})
	a.Push = strconv.FormatUint(a.Revision, 10)
	names := make([]string, len(out.Edits))
	for i, e := range out.Edits {
		names[i] = e.Document
	}
	a.Warnings = s.warnings(c, names, nil, "")
	return a
}
