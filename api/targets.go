package api

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"github.com/droverhq/drover/fsm"
)

type targetRow struct {
	Node      string      `json:"node"`
	Status    fsm.Status  `json:"status"`
	Connected bool        `json:"connected"`
	Peer      string      `json:"peer,omitzero"`
	Attempts  int         `json:"attempts"`
	Error     *nodeError  `json:"error,omitzero"`
	Reported  manifestRow `json:"reported"`
	Updated   string      `json:"updated,omitzero"` // when the error was reported
}

// entry is a node in a list that is being put in order.
type entry struct {
	key string // by which the list is ordered; unique
	ord uint32
}

// cut sorts entries and keeps the window's; next is the cursor of what follows.
func (w window) cut(entries []entry, descending bool) (part []entry, next string) {
	compare := func(a, b entry) int {
		if descending {
			a, b = b, a
		}
		return cmp.Compare(a.key, b.key)
	}
	slices.SortFunc(entries, compare)
	if !w.first {
		i, found := slices.BinarySearchFunc(entries, entry{key: w.after}, compare)
		if found {
			i++
		}
		entries = entries[i:]
	}
	if len(entries) > w.limit {
		return entries[:w.limit], cursorOf(entries[w.limit-1].key)
	}
	return entries, ""
}

// listTargets lists the nodes of a push as they are now, by name.
func (s *Server) listTargets(c *call) error {
	w, err := c.window()
	if err != nil {
		return err
	}
	status, cause := c.QueryParam("status"), c.QueryParam("cause")
	if err := knownStatus(status); err != nil {
		return err
	}
	var entries []entry
	s.view(c, func(st *fsm.State) {
		var p *fsm.Push
		if p, err = pushIn(st, c); err != nil {
			return
		}
		for ord := range p.Targets.All() {
			n := st.NodeAt(ord)
			if n == nil || status != "" && st.Status(ord) != fsm.Status(status) {
				continue
			}
			if cause != "" {
				if of, failed := causeOf(st, n); !failed || of.Cause != cause {
					continue
				}
			}
			entries = append(entries, entry{n.ID, ord})
		}
	})
	if err != nil {
		return err
	}
	part, next := w.cut(entries, false)
	out := page[targetRow]{Items: []targetRow{}, Next: next}
	s.view(c, func(st *fsm.State) {
		for _, e := range part {
			if n := st.NodeAt(e.ord); n != nil {
				out.Items = append(out.Items, targetOf(st, n))
			}
		}
	})
	return c.ok(out)
}

func targetOf(st *fsm.State, n *fsm.Node) targetRow {
	row := st.Row(n.Ordinal)
	out := targetRow{
		Node: n.ID, Status: st.Status(n.Ordinal), Connected: row.Connected, Peer: peerName(st, row),
		Attempts: st.Attempts(n.Ordinal), Error: lastError(st, n), Reported: reportedRow(st, row),
	}
	if out.Error != nil {
		out.Updated = out.Error.At
	}
	return out
}

// causeRow is one reason that nodes of a push share.
type causeRow struct {
	Cause   string   `json:"cause"`
	Code    string   `json:"code"`
	Stage   string   `json:"stage"`
	Target  string   `json:"target"`
	Pointer string   `json:"pointer"`
	Message string   `json:"message"`
	Count   int      `json:"count"`
	Nodes   []string `json:"nodes"` // the first five
}

// causeNodes is how many nodes a cause names.
const causeNodes = 5

// causeOf is why a node does not do what is wanted; false where it does, or
// nothing is known against it. A node's own name in a message is left out, so
// that one reason is one cause.
func causeOf(st *fsm.State, n *fsm.Node) (causeRow, bool) {
	e := lastError(st, n)
	if e == nil || st.Status(n.Ordinal) == fsm.Acked {
		return causeRow{}, false
	}
	out := causeRow{Code: e.Code, Stage: e.Stage, Target: e.Target, Pointer: e.Pointer, Message: strings.ReplaceAll(e.Message, n.ID, "…")}
	sum := sha256.Sum256([]byte(strings.Join([]string{out.Code, out.Stage, out.Target, out.Pointer, out.Message}, "\x00")))
	out.Cause = base64.RawURLEncoding.EncodeToString(sum[:9])
	return out, true
}

// tallyCauses groups the failures of the nodes that it is shown by cause.
type tallyCauses map[string]*causeRow

func (t tallyCauses) add(st *fsm.State, n *fsm.Node) {
	row, failed := causeOf(st, n)
	if !failed {
		return
	}
	if t[row.Cause] == nil {
		t[row.Cause] = &row
	}
	known := t[row.Cause]
	known.Count++
	known.Nodes = append(known.Nodes, n.ID)
}

// page is the most frequent causes first.
func (t tallyCauses) page() page[causeRow] {
	out := page[causeRow]{Items: []causeRow{}}
	for _, row := range t {
		slices.Sort(row.Nodes)
		row.Nodes = row.Nodes[:min(len(row.Nodes), causeNodes)]
		out.Items = append(out.Items, *row)
	}
	slices.SortFunc(out.Items, func(a, b causeRow) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Cause, b.Cause))
	})
	out.Items = out.Items[:min(len(out.Items), maxLimit)]
	return out
}

// listCauses groups the failures of a push by cause.
func (s *Server) listCauses(c *call) error {
	var err error
	causes := tallyCauses{}
	s.view(c, func(st *fsm.State) {
		var p *fsm.Push
		if p, err = pushIn(st, c); err != nil {
			return
		}
		for ord := range p.Targets.All() {
			if n := st.NodeAt(ord); n != nil {
				causes.add(st, n)
			}
		}
	})
	if err != nil {
		return err
	}
	return c.ok(causes.page())
}
