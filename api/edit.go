package api

import (
	"crypto/sha256"
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/document/selector"
	"github.com/droverhq/drover/fsm"
)

// editRequest is one edit as it is sent. An absent member keeps what is there;
// a schema of null takes the schema away.
type editRequest struct {
	Content  jsontext.Value `json:"content,omitzero"`
	Target   *string        `json:"target,omitzero"`
	Selector *string        `json:"selector,omitzero"`
	Schema   jsontext.Value `json:"schema,omitzero"`
	Policy   jsontext.Value `json:"policy,omitzero"`
}

// basis is what an edit starts from, as the state knows it.
type basis struct {
	name   string
	old    *fsm.Document // nil: there is none, or it was deleted
	blob   *fsm.Blob     // of its current content
	limits document.Limits
}

func basisOf(st *fsm.State, name string) basis {
	set := st.Settings()
	b := basis{name: name, limits: document.Limits{Bytes: set.DocumentBytes, Depth: set.Depth}}
	if d := st.Document(name); d != nil && !d.Deleted {
		b.old, b.blob = d, st.Blob(d.Current().Blob)
	}
	return b
}

// version is that of the document, 0 where there is none.
func (b basis) version() uint64 {
	if b.old == nil {
		return 0
	}
	return b.old.Current().Number
}

func (b basis) text() ([]byte, error) {
	if b.blob == nil {
		return nil, failure(codeNotFound, "no document is called %q", clip(b.name, 200))
	}
	return b.blob.Text()
}

// prepared is an edit that was checked, ready to be proposed.
type prepared struct {
	edit fsm.Edit
	// blob is the new content, nil where it does not change. text is what the
	// document will hold, nil where that was not needed.
	blob *fsm.Blob
	text []byte
	// was is the target until now, "" of a new document.
	was string
	// own is true where the base is not the caller's: when it has moved, the
	// edit is made anew on top of what is there now.
	own bool
}

// maxSchema is the size of a schema's text in bytes.
const maxSchema = 128 << 10

// put prepares an edit that replaces what its request names. place is where the
// request stands in the body.
func (s *Server) put(b basis, in editRequest, place string) (p prepared, err error) {
	p.edit.Document = b.name
	if err := document.ValidName(b.name); err != nil {
		return p, err
	}
	if len(in.Content) > 0 {
		if p.text, err = document.Compact(in.Content, b.limits); err != nil {
			return p, within(err, place+"/content", b.name)
		}
	} else if b.old == nil {
		e := failure(codeInvalid, "document %q does not exist, so it needs a content", b.name)
		e.Pointer = place + "/content"
		return p, e
	}
	if err := s.describe(&p, in, place); err != nil {
		return p, err
	}
	return p, s.settle(&p, b, place)
}

// patch prepares an edit that applies an RFC 6902 patch to what is there.
func (s *Server) patch(b basis, patch []byte, in editRequest, place, patchAt string) (p prepared, err error) {
	p.edit.Document = b.name
	text, err := b.text()
	if err != nil {
		return p, err
	}
	if p.text, err = document.Apply(text, patch, b.limits); err != nil {
		return p, patchError(err, place+patchAt, b.name)
	}
	if !document.IsObject(p.text) {
		return p, failure(document.CodeNotObject, "the patch would make the document something else than an object")
	}
	version := b.old.Current().Number
	p.edit.Base, p.own = &version, true
	if err := s.describe(&p, in, place); err != nil {
		return p, err
	}
	return p, s.settle(&p, b, place)
}

// patchError tells where in the document an operation failed.
func patchError(err error, place, name string) error {
	var doc *document.Error
	if !errors.As(err, &doc) {
		return err
	}
	if strings.HasPrefix(doc.Message, "the patch: ") { // it cannot be read: the place is one in the patch
		return &Error{Code: doc.Code, Detail: doc.Message, Pointer: place + doc.Pointer}
	}
	return &Error{Code: doc.Code, Detail: doc.Message, Pointer: place,
		Problems: []Problem{{Document: name, Pointer: doc.Pointer, Message: doc.Message}}}
}

// describe checks all that an edit says beside the content.
func (s *Server) describe(p *prepared, in editRequest, place string) error {
	if in.Target != nil {
		if *in.Target != "" {
			if err := document.ValidName(*in.Target); err != nil {
				return at(err, place+"/target")
			}
		}
		p.edit.Target = in.Target
	}
	if in.Selector != nil {
		if _, err := selector.Parse(*in.Selector); err != nil {
			return at(err, place+"/selector")
		}
		p.edit.Selector = in.Selector
	}
	if len(in.Schema) > 0 {
		text, err := s.schemaText(in.Schema)
		if err != nil {
			return at(err, place+"/schema")
		}
		p.edit.Schema = &text
	}
	if len(in.Policy) > 0 {
		text, err := policyText(in.Policy)
		if err != nil {
			return at(err, place+"/policy")
		}
		p.edit.Policy = &text
	}
	return nil
}

// schemaText checks a schema and returns what is stored; null is none.
func (s *Server) schemaText(in []byte) (string, error) {
	text, err := document.CompactValue(in, document.Limits{Bytes: maxSchema})
	if err != nil {
		return "", err
	}
	if string(text) == "null" {
		return "", nil
	}
	_, err = s.schemas.compile(string(text))
	return string(text), err
}

// policyKeys are the members of a policy that have an effect in this version,
// with what each can be.
var policyKeys = map[string][]string{
	"drift":       {`"heal"`, `"report"`},
	policyBuiltin: {"true", "false"},
}

// policyText checks a policy and returns what is stored.
func policyText(in []byte) (string, error) {
	text, err := document.Compact(in, document.Limits{Bytes: smallBody})
	if err != nil {
		return "", err
	}
	var policy map[string]jsontext.Value
	if err := strict(text, &policy); err != nil {
		return "", err
	}
	for key, value := range policy {
		pointer := string(jsontext.Pointer("").AppendToken(key))
		switch allowed, found := policyKeys[key]; {
		case !found:
			return "", &Error{Code: codeInvalid, Pointer: pointer, Detail: "a policy has no member of this name in this version; an empty policy {} is the default"}
		case !slices.Contains(allowed, string(value)):
			return "", &Error{Code: codeInvalid, Pointer: pointer, Detail: "must be " + strings.Join(allowed, " or ")}
		}
	}
	if len(policy) == 0 {
		return "", nil
	}
	return string(text), nil
}

// settle holds the content against the rules, and makes its blob.
func (s *Server) settle(p *prepared, b basis, place string) error {
	changed, r := p.text != nil, rulesOf(b, p.edit)
	if b.old != nil {
		p.was = b.old.Target
	}
	if !changed && r.concern(b, p.edit) {
		// The content that is there has to satisfy the new rules: nobody may
		// replace it meanwhile.
		var err error
		if p.text, err = b.text(); err != nil {
			return err
		}
		if p.edit.Base == nil {
			version := b.old.Current().Number
			p.edit.Base, p.own = &version, true
		}
	}
	if p.text != nil {
		if err := s.satisfies(r, p.text, place+"/content"); err != nil {
			return err
		}
	}
	if !changed {
		return nil
	}
	p.against(r.own)
	sum, err := document.Sum(p.text)
	if err != nil {
		return within(err, place+"/content", b.name)
	}
	p.edit.Checksum = sum
	p.edit.Blob, p.blob = fsm.Compress(p.text)
	return nil
}

// against says which schema the content was checked against: where another one
// is committed first, the edit is refused and made anew.
func (p *prepared) against(schemaText string) {
	sum := fsm.Sum(sha256.Sum256([]byte(schemaText)))
	p.edit.Against = &sum
}
