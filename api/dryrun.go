package api

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/droverhq/drover/fsm"
)

type dryRunAnswer struct {
	Valid    bool      `json:"valid"`
	Problems []Problem `json:"problems"`
	Warnings []Problem `json:"warnings,omitzero"`
	Affected affected  `json:"affected"`
	Diff     []diffRow `json:"diff"`
}

type affected struct {
	Nodes      int            `json:"nodes"`
	ByDocument map[string]int `json:"by_document,omitzero"`
}

// diffRow is what a dry run would change in one document. A new document is
// one added value at "", a deleted one a removed value.
type diffRow struct {
	Document string       `json:"document"`
	From     uint64       `json:"from"`
	To       uint64       `json:"to,omitzero"`
	Patch    []difference `json:"patch"`
}

// dryRun tells what a change would do, and keeps nothing.
func (s *Server) dryRun(c *call, in changeRequest) error {
	out := dryRunAnswer{Problems: []Problem{}, Diff: []diffRow{}, Affected: affected{ByDocument: map[string]int{}}}
	var edits []prepared
	var names []string
	for i, e := range in.Edits {
		p, err := s.prepare(c, e, "/edits/"+strconv.Itoa(i))
		if err != nil {
			found, failed := problemsOf(err, e.Document)
			if failed != nil {
				return failed
			}
			out.Problems = append(out.Problems, found...)
			continue
		}
		edits, names = append(edits, p), append(names, e.Document)
	}
	preview, found, err := s.preview(c, edits, in.Message)
	if err != nil {
		return err
	}
	out.Problems = append(out.Problems, found...)
	out.Affected = affected{preview.Nodes, notNilMap(preview.ByDocument)}
	for _, p := range edits {
		row, err := s.diffOf(c, p, preview)
		if err != nil {
			return err
		}
		if len(row.Patch) > 0 {
			out.Diff = append(out.Diff, row)
		}
	}
	out.Valid = len(out.Problems) == 0
	out.Warnings = s.warnings(c, names, edits, "")
	return c.ok(out)
}

func notNilMap[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// preview asks the state what checked edits would do together.
func (s *Server) preview(c *call, edits []prepared, message string) (preview fsm.Preview, problems []Problem, err error) {
	if len(edits) == 0 {
		return preview, nil, nil
	}
	body := fsm.Commit{Message: message}
	for _, p := range edits {
		p.edit.Inline = p.blob
		body.Edits = append(body.Edits, p.edit)
	}
	s.view(c, func(st *fsm.State) { preview, err = st.Preview(fsm.Command{Actor: c.actor()}, body) })
	if err != nil {
		problems, err = problemsOf(err, "")
	}
	return preview, problems, err
}

// problemsOf turns a refusal into problems of a document; other errors, which
// are not about what was sent, stay errors.
func problemsOf(err error, name string) ([]Problem, error) {
	e, ours := asError(err)
	if status := statusOf(e.Code); !ours || status >= 500 || e.Code == codeForbidden {
		return nil, err
	}
	if len(e.Problems) > 0 {
		return e.Problems, nil
	}
	p := Problem{Document: name, Message: e.Detail}
	// What is not about the content has no place in it: the message names the member.
	if parts := strings.Split(e.Pointer, "/"); len(parts) > 1 && e.Code != codeBaseMoved {
		if edits := len(parts) > 3 && parts[1] == "edits"; edits {
			parts = parts[2:]
		}
		p.Message = parts[1] + ": " + e.Detail
	}
	return []Problem{p}, nil
}

// diffOf compares what a checked edit would leave with what is there.
func (s *Server) diffOf(c *call, p prepared, preview fsm.Preview) (row diffRow, err error) {
	b := s.basis(c, p.edit.Document)
	row = diffRow{Document: p.edit.Document, From: b.version()}
	for _, e := range preview.Outcome.Edits {
		if e.Document == row.Document && !p.edit.Delete {
			row.To = e.Version
		}
	}
	before, err := b.text()
	switch {
	case p.edit.Delete && b.old != nil:
		row.Patch = []difference{{Op: "remove", Old: before}}
		return row, err
	case p.blob == nil:
		return row, nil
	case b.old == nil:
		row.Patch = []difference{{Op: "add", Value: p.text}}
		return row, nil
	case err != nil:
		return row, err
	}
	row.Patch, err = differences(before, p.text)
	return row, err
}

type validateRequest struct {
	Content  jsontext.Value `json:"content,omitzero"`
	Target   *string        `json:"target,omitzero"`
	Selector *string        `json:"selector,omitzero"`
	Schema   jsontext.Value `json:"schema,omitzero"`
	Policy   jsontext.Value `json:"policy,omitzero"`
}

type validateAnswer struct {
	Valid     bool      `json:"valid"`
	Problems  []Problem `json:"problems"`
	Warnings  []Problem `json:"warnings,omitzero"`
	Unchanged bool      `json:"unchanged,omitzero"`
	Affected  affected  `json:"affected"`
}

// validateDocument tells whether a content could be put, and whom it would
// reach; it keeps nothing.
func (s *Server) validateDocument(c *call) error {
	var in validateRequest
	if err := c.decode(s.documentBody(c, 1), &in); err != nil {
		return err
	}
	out := validateAnswer{Problems: []Problem{}}
	name := c.segment("name")
	p, err := s.put(s.basis(c, name), editRequest(in), "")
	if err == nil {
		var preview fsm.Preview
		preview, out.Problems, err = s.preview(c, []prepared{p}, "")
		out.Affected.Nodes, out.Unchanged = preview.Nodes, len(preview.Outcome.Edits) > 0 && preview.Outcome.Edits[0].Unchanged
		out.Warnings = s.warnings(c, []string{name}, []prepared{p}, name)
	} else {
		out.Problems, err = problemsOf(err, "")
	}
	if err != nil {
		return err
	}
	for i := range out.Problems {
		out.Problems[i].Document = ""
	}
	out.Problems, out.Valid = notNil(out.Problems), len(out.Problems) == 0
	return c.ok(out)
}
