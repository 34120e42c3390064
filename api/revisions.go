package api

import (
	"math"
	"strconv"

	"github.com/droverhq/drover/fsm"
)

type revisionRow struct {
	Revision uint64         `json:"revision"`
	Time     string         `json:"time"`
	Author   string         `json:"author"`
	Message  string         `json:"message"`
	Edits    []revisionEdit `json:"edits"`
	Push     string         `json:"push"`
}

type revisionEdit struct {
	Document string `json:"document"`
	Op       string `json:"op"` // put, delete
	From     uint64 `json:"from"`
	To       uint64 `json:"to"`
}

func revisionOf(r *fsm.Revision) revisionRow {
	row := revisionRow{Revision: r.Number, Time: timeText(r.Time), Author: r.Author, Message: r.Message,
		Push: strconv.FormatUint(r.Number, 10), Edits: make([]revisionEdit, len(r.Edits))}
	for i, e := range r.Edits {
		row.Edits[i] = revisionEdit{e.Document, e.Op, e.From, e.To}
	}
	return row
}

// listRevisions is the version log: the newest first, or, with after, what came
// after a revision, the oldest first, so that a script can follow.
func (s *Server) listRevisions(c *call) error {
	w, err := c.window()
	if err != nil {
		return err
	}
	text := c.QueryParam("after")
	if text != "" && number(text) == 0 && text != "0" {
		return failure(codeBadRequest, "after is %q; it is the number of a revision", clip(text, 40))
	}
	up, from := text != "", uint64(math.MaxUint64)
	if up {
		from = number(text)
	}
	if from, err = w.numberAfter(from); err != nil {
		return err
	}
	list := gather[*fsm.Revision]{window: w}
	s.view(c, func(st *fsm.State) {
		n := min(from, st.LastRevision()+1) - 1
		if up {
			n = max(from+1, st.FirstRevision())
		}
		for r := st.Revision(n); r != nil; r = st.Revision(n) {
			if !list.add(strconv.FormatUint(n, 10), func() *fsm.Revision { return r }) {
				return
			}
			if n--; up {
				n += 2
			}
		}
	})
	out := page[revisionRow]{Items: []revisionRow{}, Next: list.page.Next}
	for _, r := range list.page.Items {
		out.Items = append(out.Items, revisionOf(r))
	}
	return c.ok(out)
}
