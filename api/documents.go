package api

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
)

// documentRow is a document as lists show it.
type documentRow struct {
	Document  string `json:"document"`
	Target    string `json:"target"`
	Selector  string `json:"selector"`
	Version   uint64 `json:"version"`
	Revision  uint64 `json:"revision"` // that touched it last
	Checksum  string `json:"checksum"`
	Bytes     int    `json:"bytes"`
	Updated   string `json:"updated"`
	Author    string `json:"author"`
	Message   string `json:"message"`
	Nodes     int    `json:"nodes"` // that hold it, or should
	HasSchema bool   `json:"has_schema"`
	Deleted   bool   `json:"deleted,omitzero"`
}

type documentFull struct {
	documentRow
	Content jsontext.Value `json:"content"`
	Schema  jsontext.Value `json:"schema,omitzero"`
	Policy  jsontext.Value `json:"policy"`
	Actions []string       `json:"actions"`
}

func rowOf(st *fsm.State, d *fsm.Document) documentRow {
	v := d.Current()
	row := documentRow{
		Document: d.Name, Target: d.Target, Selector: d.Selector, Version: v.Number, Revision: d.Revision,
		Checksum: v.Checksum.String(), Bytes: v.Size, Updated: timeText(v.Time), Author: v.Author, Message: v.Message,
		Nodes: st.Reach(d.Name), HasSchema: d.Schema != "", Deleted: d.Deleted,
	}
	if r := st.Revision(d.Revision); r != nil {
		row.Updated, row.Author, row.Message = timeText(r.Time), r.Author, r.Message
	}
	return row
}

// listDocuments lists by name; q is part of a name or a target.
func (s *Server) listDocuments(c *call) error {
	w, err := c.window()
	if err != nil {
		return err
	}
	q, deleted := strings.ToLower(c.QueryParam("q")), c.QueryParam("deleted") == "true"
	list := gather[documentRow]{window: w}
	s.view(c, func(st *fsm.State) {
		for _, d := range st.Documents() {
			if !w.first && d.Name <= w.after || d.Deleted && !deleted || !covers(c.who.prefixes, d.Name) ||
				!strings.Contains(d.Name, q) && !strings.Contains(d.Target, q) {
				continue
			}
			if !list.add(d.Name, func() documentRow { return rowOf(st, d) }) {
				return
			}
		}
	})
	return c.ok(list.done())
}

func noDocument(name string) error {
	if err := document.ValidName(name); err != nil {
		return failure(codeNotFound, "no document is called so: %v", err)
	}
	return failure(codeNotFound, "no document is called %q", name)
}

func (s *Server) getDocument(c *call) error {
	name, deleted := c.segment("name"), c.QueryParam("deleted") == "true"
	var (
		d    *fsm.Document
		out  documentFull
		blob *fsm.Blob
	)
	s.view(c, func(st *fsm.State) {
		if d = st.Document(name); d == nil || d.Deleted && !deleted {
			d = nil
			return
		}
		out.documentRow = rowOf(st, d)
		blob = st.Blob(d.Current().Blob)
	})
	if d == nil {
		return noDocument(name)
	}
	text, err := blob.Text()
	if err != nil {
		return err
	}
	out.Content, out.Policy = text, jsontext.Value("{}")
	if d.Schema != "" {
		out.Schema = jsontext.Value(d.Schema)
	}
	if d.Policy != "" {
		out.Policy = jsontext.Value(d.Policy)
	}
	out.Actions = []string{}
	if c.who.role.has(permDocumentsWrite) {
		out.Actions = append(out.Actions, "put")
		if !d.Deleted {
			out.Actions = append(out.Actions, "delete", "rollback")
		}
	}
	c.Response().Header().Set("ETag", etag(out.Version))
	return c.ok(out)
}

func etag(version uint64) string { return strconv.Quote(strconv.FormatUint(version, 10)) }

// base reads If-Match and If-None-Match: the version that a write is based on,
// 0 where no document may exist, nil where any will do.
func (c *call) base() (*uint64, error) {
	h := c.Request().Header
	match, none := h.Get("If-Match"), h.Get("If-None-Match")
	switch {
	case none != "" && match != "":
		return nil, failure(codeBadRequest, "send If-Match or If-None-Match, not both")
	case none == "*":
		return new(uint64), nil
	case none != "":
		return nil, failure(codeBadRequest, "If-None-Match is %q; it can be *", clip(none, 60))
	case match == "" || match == "*":
		return nil, nil
	}
	text, err := strconv.Unquote(match)
	version, bad := strconv.ParseUint(text, 10, 64)
	if err != nil || bad != nil || version == 0 || match[0] != '"' {
		return nil, failure(codeBadRequest, `If-Match is %s; send the version in quotes, as in "7", or *`, clip(match, 60))
	}
	return &version, nil
}
