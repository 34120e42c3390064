package api

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
)

type versionRow struct {
	Version  uint64 `json:"version"`
	Revision uint64 `json:"revision"`
	Time     string `json:"time"`
	Author   string `json:"author"`
	Message  string `json:"message"`
	Checksum string `json:"checksum"`
	Bytes    int    `json:"bytes"`
}

type versionFull struct {
	versionRow
	Content jsontext.Value `json:"content"`
}

func versionOf(v *fsm.Version) versionRow {
	return versionRow{v.Number, v.Revision, timeText(v.Time), v.Author, v.Message, v.Checksum.String(), v.Size}
}

// document returns the document in the path, a deleted one as well: its
// history stays.
func (s *Server) document(c *call) (*fsm.Document, error) {
	var d *fsm.Document
	name := c.segment("name")
	s.view(c, func(st *fsm.State) { d = st.Document(name) })
	if d == nil {
		return nil, noDocument(name)
	}
	return d, nil
}

// listVersions lists the versions of a document, the newest first.
func (s *Server) listVersions(c *call) error {
	w, err := c.window()
	if err != nil {
		return err
	}
	d, err := s.document(c)
	if err != nil {
		return err
	}
	below, err := w.numberAfter(d.Current().Number + 1)
	if err != nil {
		return err
	}
	list := gather[versionRow]{window: w}
	for i := len(d.Versions) - 1; i >= 0; i-- {
		v := d.Versions[i]
		if v.Number < below && !list.add(strconv.FormatUint(v.Number, 10), func() versionRow { return versionOf(v) }) {
			break
		}
	}
	return c.ok(list.done())
}

// number reads a number of a version or a revision; 0 where text is none.
func number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func (s *Server) getVersion(c *call) error {
	d, err := s.document(c)
	if err != nil {
		return err
	}
	v, text, err := s.contentOf(c, d, c.segment("version"))
	if err != nil {
		return err
	}
	return c.ok(versionFull{versionOf(v), text})
}

// contentOf returns a version of a document by its number.
func (s *Server) contentOf(c *call, d *fsm.Document, version string) (*fsm.Version, []byte, error) {
	v := d.Version(number(version))
	if v == nil {
		return nil, nil, failure(codeNotFound, "document %q has no version %q (any more); it is at %d", d.Name, clip(version, 40), d.Current().Number)
	}
	var blob *fsm.Blob
	s.view(c, func(st *fsm.State) { blob = st.Blob(v.Blob) })
	if blob == nil {
		return nil, nil, failure(codeNotFound, "the content of version %d is not kept any more", v.Number)
	}
	text, err := blob.Text()
	return v, text, err
}

type diffAnswer struct {
	Document string       `json:"document"`
	From     uint64       `json:"from"`
	To       uint64       `json:"to"`
	Patch    []difference `json:"patch"`
}

// difference is one place in which two contents differ.
type difference struct {
	Op    string         `json:"op"` // add, remove or replace
	Path  string         `json:"path"`
	Value jsontext.Value `json:"value,omitzero"` // what is there after
	Old   jsontext.Value `json:"old,omitzero"`   // what was there before
}

func differences(before, after []byte) ([]difference, error) {
	changes, err := document.Changes(before, after)
	if err != nil {
		return nil, err
	}
	out := make([]difference, len(changes))
	for i, c := range changes {
		out[i] = difference{c.Op, c.Path, jsontext.Value(c.Value), jsontext.Value(c.Old)}
	}
	return out, nil
}

// diffVersions tells what differs between two versions; `to` is the current
// one where it is absent, `from` the one before `to`.
func (s *Server) diffVersions(c *call) error {
	d, err := s.document(c)
	if err != nil {
		return err
	}
	to := c.QueryParam("to")
	if to == "" {
		to = strconv.FormatUint(d.Current().Number, 10)
	}
	from := c.QueryParam("from")
	if from == "" {
		from = strconv.FormatUint(number(to)-1, 10)
	}
	a, before, err := s.contentOf(c, d, from)
	if err != nil {
		return err
	}
	b, after, err := s.contentOf(c, d, to)
	if err != nil {
		return err
	}
	patch, err := differences(before, after)
	if err != nil {
		return err
	}
	return c.ok(diffAnswer{d.Name, a.Number, b.Number, patch})
}
