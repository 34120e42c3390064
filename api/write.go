package api

import (
	"net/http"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
)

type putRequest struct {
	Content  jsontext.Value `json:"content,omitzero"`
	Target   *string        `json:"target,omitzero"`
	Selector *string        `json:"selector,omitzero"`
	Schema   jsontext.Value `json:"schema,omitzero"`
	Policy   jsontext.Value `json:"policy,omitzero"`
	Message  string         `json:"message,omitzero"`
}

func (r putRequest) edit() editRequest {
	return editRequest{Content: r.Content, Target: r.Target, Selector: r.Selector, Schema: r.Schema, Policy: r.Policy}
}

// documentBody is the largest body of a request that carries n contents.
func (s *Server) documentBody(c *call, n int) int {
	limit := 0
	s.view(c, func(st *fsm.State) { limit = st.Settings().DocumentBytes })
	return n*limit + bodyRoom
}

func (s *Server) basis(c *call, name string) (b basis) {
	s.view(c, func(st *fsm.State) { b = basisOf(st, name) })
	return b
}

// putDocument replaces the content of a document, or what else the request
// names; what it does not name stays.
func (s *Server) putDocument(c *call) error {
	var in putRequest
	if err := c.decode(s.documentBody(c, 1), &in); err != nil {
		return err
	}
	base, err := c.base()
	if err != nil {
		return err
	}
	return s.writeOne(c, in.Message, base, func(b basis) (prepared, error) { return s.put(b, in.edit(), "") })
}

// writeOne commits an edit of the document in the path.
func (s *Server) writeOne(c *call, message string, base *uint64, edit func(basis) (prepared, error)) error {
	name := c.segment("name")
	out, err := s.commit(c, message, func(c *call) ([]prepared, error) {
		b, err := s.basisAt(c, name, base)
		if err != nil {
			return nil, err
		}
		p, err := edit(b)
		if err != nil {
			return nil, err
		}
		if base != nil {
			p.edit.Base, p.own = base, false
		}
		return []prepared{p}, nil
	})
	if err != nil {
		return err
	}
	answer, outcome := s.answerWrite(c, out)
	c.Response().Header().Set("ETag", etag(answer.Version))
	if outcome.Created {
		return c.answer(http.StatusCreated, answer)
	}
	return c.ok(answer)
}

// basisAt is the basis at the version that a caller has seen, nil for any. A
// peer that does not show this version may lag behind: it catches up before it
// judges, or an edit would be made from another text than the one it replaces.
func (s *Server) basisAt(c *call, name string, base *uint64) (basis, error) {
	b := s.basis(c, name)
	if base == nil || b.version() == *base {
		return b, nil
	}
	if err := s.strong(c); err != nil {
		return b, err
	}
	if b = s.basis(c, name); b.version() == *base {
		return b, nil
	}
	switch {
	case *base == 0:
		return b, failure(codeBaseMoved, "document %q exists already, at version %d", name, b.version())
	case b.old == nil:
		return b, failure(codeBaseMoved, "document %q does not exist (any more)", clip(name, 200))
	}
	return b, failure(codeBaseMoved, "document %q is at version %d, not %d: read it again, and put your edit on top", name, b.version(), *base)
}

// patchDocument applies a JSON Patch. Without If-Match it is applied to what
// is there when it is committed, however often that moves.
func (s *Server) patchDocument(c *call) error {
	var patch jsontext.Value
	if err := c.decode(s.documentBody(c, 1), &patch, "application/json-patch+json"); err != nil {
		return err
	}
	base, err := c.base()
	if err != nil {
		return err
	}
	return s.writeOne(c, "", base, func(b basis) (prepared, error) { return s.patch(b, patch, editRequest{}, "", "") })
}

func (s *Server) deleteDocument(c *call) error {
	if err := c.nothing(); err != nil {
		return err
	}
	base, err := c.base()
	if err != nil {
		return err
	}
	return s.writeOne(c, "", base, func(b basis) (prepared, error) {
		if err := document.ValidName(b.name); err != nil {
			return prepared{}, noDocument(b.name)
		}
		return prepared{edit: fsm.Edit{Document: b.name, Delete: true}}, nil
	})
}

type rollbackRequest struct {
	To      uint64 `json:"to"`
	Message string `json:"message,omitzero"`
}

// rollbackDocument makes an earlier content current again, as a new version.
func (s *Server) rollbackDocument(c *call) error {
	var in rollbackRequest
	if err := c.decode(smallBody, &in); err != nil {
		return err
	}
	base, err := c.base()
	if err != nil {
		return err
	}
	return s.writeOne(c, in.Message, base, func(b basis) (prepared, error) { return s.restored(c, b, in.To) })
}

// restored prepares an edit with the content of an earlier version. It has to
// satisfy the rules of today.
func (s *Server) restored(c *call, b basis, to uint64) (prepared, error) {
	p := prepared{edit: fsm.Edit{Document: b.name}}
	if b.old == nil {
		return p, noDocument(b.name)
	}
	v := b.old.Version(to)
	if v == nil {
		e := failure(codeNotFound, "document %q has no version %d (any more)", b.name, to)
		e.Pointer = "/to"
		return p, e
	}
	var blob *fsm.Blob
	s.view(c, func(st *fsm.State) { blob = st.Blob(v.Blob) })
	if blob == nil {
		return p, failure(codeNotFound, "the content of version %d is not kept any more", to)
	}
	text, err := blob.Text()
	if err != nil {
		return p, err
	}
	if err := s.satisfies(rulesOf(b, p.edit), text, "/to"); err != nil {
		return p, err
	}
	p.text, p.blob = text, blob
	p.against(b.old.Schema)
	p.edit.Blob, p.edit.Checksum = v.Blob, v.Checksum
	return p, nil
}
