package api

import (
	"slices"

	"github.com/droverhq/drover/fsm"
)

// deadLetter is a node that used up its attempts, or refused for good, and
// waits for a person. Its id is that of the node.
type deadLetter struct {
	ID        string     `json:"id"`
	Node      string     `json:"node"`
	Kind      string     `json:"kind"`
	Status    fsm.Status `json:"status"`
	Documents []string   `json:"documents"` // that it does not hold as desired
	Revision  uint64     `json:"revision,omitzero"`
	Attempts  int        `json:"attempts"`
	Cause     deadCause  `json:"cause"`
	Since     string     `json:"since,omitzero"`
	Connected bool       `json:"connected"`
}

type deadLetterFull struct {
	deadLetter
	Actions []string `json:"actions"`
}

// deadCause is the reason of one dead letter; those of one id share it.
type deadCause struct {
	ID      string `json:"id"`
	Code    string `json:"code"`
	Stage   string `json:"stage"`
	Target  string `json:"target"`
	Pointer string `json:"pointer"`
	Message string `json:"message"`
	LogTail string `json:"log_tail,omitzero"`
}

func deadLetterOf(st *fsm.State, n *fsm.Node) deadLetter {
	row := st.Row(n.Ordinal)
	out := deadLetter{ID: n.ID, Node: n.ID, Kind: n.Kind, Status: st.Status(n.Ordinal), Documents: deadDocuments(st, n), Connected: row.Connected}
	cause, _ := causeOf(st, n)
	out.Cause = deadCause{ID: cause.Cause, Code: cause.Code, Stage: cause.Stage, Target: cause.Target, Pointer: cause.Pointer}
	if e := lastError(st, n); e != nil {
		out.Cause.Message, out.Cause.LogTail = e.Message, e.LogTail
	}
	if f := row.Failure; f != nil {
		out.Revision, out.Attempts, out.Since = f.Revision, max(f.Attempts, 1), timeText(f.Time)
	}
	return out
}

// deadDocuments are the documents that fell back on a node. Where nothing was
// left to fall back to, they are those that its error named, or all.
func deadDocuments(st *fsm.State, n *fsm.Node) []string {
	if names := st.FellBack(n.Ordinal); len(names) > 0 {
		return names
	}
	named, all := []string{}, []string{}
	for _, e := range st.Desired(n.Ordinal).Entries {
		all = append(all, e.Document)
		f := st.Row(n.Ordinal).Failure
		if f != nil && slices.ContainsFunc(f.Problems, func(p fsm.Problem) bool { return p.Target == e.Target }) {
			named = append(named, e.Document)
		}
	}
	if len(named) > 0 {
		all = named
	}
	slices.Sort(all)
	return all
}

// deadFilter tells which dead letters are meant: by ?q= as for nodes, ?kind=,
// ?document= and ?cause=.
func deadFilter(c *call) (func(*fsm.State) func(*fsm.Node) bool, error) {
	q, err := parseNodeQuery(c.QueryParam("q"))
	if err != nil {
		return nil, err
	}
	kind, document, cause := c.QueryParam("kind"), c.QueryParam("document"), c.QueryParam("cause")
	if kind != "" && kind != fsm.KindAgent && kind != fsm.KindInstance {
		return nil, failure(codeBadRequest, "kind is %q; it is agent or instance", clip(kind, 40))
	}
	return func(st *fsm.State) func(*fsm.Node) bool {
		fits := q.matcher(st)
		return func(n *fsm.Node) bool {
			return st.DeadLetter(n.Ordinal) && fits(n) && (kind == "" || n.Kind == kind) &&
				(document == "" || slices.Contains(deadDocuments(st, n), document)) &&
				(cause == "" || hasCause(st, n, cause))
		}
	}, nil
}

func hasCause(st *fsm.State, n *fsm.Node, id string) bool {
	cause, failed := causeOf(st, n)
	return failed && cause.Cause == id
}

// listDeadLetters lists the nodes that wait for a person, by their names.
func (s *Server) listDeadLetters(c *call) error {
	w, err := c.window()
	if err != nil {
		return err
	}
	filter, err := deadFilter(c)
	if err != nil {
		return err
	}
	var entries []entry
	s.view(c, func(st *fsm.State) {
		fits := filter(st)
		for n := range st.Nodes {
			if fits(n) {
				entries = append(entries, entry{n.ID, n.Ordinal})
			}
		}
	})
	part, next := w.cut(entries, false)
	out := page[deadLetter]{Items: []deadLetter{}, Next: next}
	s.view(c, func(st *fsm.State) {
		for _, e := range part {
			if n := st.NodeAt(e.ord); n != nil && st.DeadLetter(e.ord) {
				out.Items = append(out.Items, deadLetterOf(st, n))
			}
		}
	})
	return c.ok(out)
}

// listDeadLetterCauses groups the dead letters that the filters fit by cause,
// the most frequent first.
func (s *Server) listDeadLetterCauses(c *call) error {
	filter, err := deadFilter(c)
	if err != nil {
		return err
	}
	causes := tallyCauses{}
	s.view(c, func(st *fsm.State) {
		fits := filter(st)
		for n := range st.Nodes {
			if fits(n) {
				causes.add(st, n)
			}
		}
	})
	return c.ok(causes.page())
}

// deadIn finds the dead letter in the path, or says that there is none.
func deadIn(st *fsm.State, c *call) (*fsm.Node, error) {
	n, err := nodeIn(st, c)
	if err != nil {
		return nil, err
	}
	if !st.DeadLetter(n.Ordinal) {
		return nil, failure(codeNotFound, "node %q is no dead letter (any more); `drover node why %s` tells how it is", n.ID, n.ID)
	}
	return n, nil
}

func (s *Server) getDeadLetter(c *call) error {
	var (
		out deadLetterFull
		err error
	)
	s.view(c, func(st *fsm.State) {
		var n *fsm.Node
		if n, err = deadIn(st, c); err == nil {
			out.deadLetter = deadLetterOf(st, n)
		}
	})
	if err != nil {
		return err
	}
	out.Actions = []string{}
	if c.who.role.has(permDeadWrite) {
		out.Actions = []string{"retry", "discard"}
	}
	return c.ok(out)
}

// settling is what a person can do with dead letters.
type settling struct {
	command func(nodes []string) fsm.Body
	answer  func(n int) any
}

type discardAnswer struct {
	Discarded int `json:"discarded"`
}

func retryDead() settling {
	return settling{
		func(nodes []string) fsm.Body { return fsm.RetryNodes{Nodes: nodes} },
		func(n int) any { return retryAnswer{n} },
	}
}

// discardDead takes dead letters off the list until something newer is wanted.
func discardDead() settling {
	return settling{
		func(nodes []string) fsm.Body { return fsm.DiscardDeadLetters{Nodes: nodes} },
		func(n int) any { return discardAnswer{n} },
	}
}

func settleOne(do settling) func(*Server, *call) error {
	return func(s *Server, c *call) error {
		if err := c.nothing(); err != nil {
			return err
		}
		return s.settleDead(c, do, func(st *fsm.State) ([]*fsm.Node, error) {
			n, err := deadIn(st, c)
			return []*fsm.Node{n}, err
		})
	}
}

// selection names dead letters: by the ids that a person saw, or by a cause.
type selection struct {
	IDs   []string `json:"ids,omitzero"`
	Cause string   `json:"cause,omitzero"`
}

// Bounds of a selection.
const (
	maxSelected   = 10_000
	selectionBody = 2 << 20
)

func settleMany(do settling) func(*Server, *call) error {
	return func(s *Server, c *call) error {
		var in selection
		if err := c.decode(selectionBody, &in); err != nil {
			return err
		}
		switch {
		case (in.IDs == nil) == (in.Cause == ""):
			return failure(codeInvalid, "name the dead letters by ids, or by one cause")
		case len(in.IDs) > maxSelected:
			return invalid("/ids", "%d ids are given, %d are allowed", len(in.IDs), maxSelected)
		}
		return s.settleDead(c, do, func(st *fsm.State) (found []*fsm.Node, err error) {
			if in.Cause == "" {
				return selected(st, in.IDs), nil
			}
			for n := range st.Nodes {
				if st.DeadLetter(n.Ordinal) && hasCause(st, n, in.Cause) {
					found = append(found, n)
				}
			}
			return found, nil
		})
	}
}

// selected are those of the named nodes that (still) are dead letters.
func selected(st *fsm.State, ids []string) (found []*fsm.Node) {
	seen := map[string]bool{}
	for _, id := range ids {
		if n := st.Node(id); n != nil && !seen[id] && st.DeadLetter(n.Ordinal) {
			found = append(found, n)
		}
		seen[id] = true
	}
	return found
}

// settleDead has something done with the nodes that find tells, in batches; the
// first one carries the Idempotency-Key.
func (s *Server) settleDead(c *call, do settling, find func(*fsm.State) ([]*fsm.Node, error)) error {
	if res, err := s.replayed(c); err != nil {
		return err
	} else if res != nil {
		return c.ok(do.answer(res.Outcome.Count))
	}
	var (
		names, documents []string
		err              error
	)
	s.view(c, func(st *fsm.State) {
		var nodes []*fsm.Node
		if nodes, err = find(st); err != nil {
			return
		}
		for _, n := range nodes {
			names = append(names, n.ID)
			documents = append(documents, deadDocuments(st, n)...)
		}
	})
	if err != nil {
		return err
	}
	slices.Sort(documents)
	if err := s.mayTouch(c, slices.Compact(documents)...); err != nil {
		return err
	}
	done := 0
	for batch := range slices.Chunk(names, retryBatch) {
		res, err := s.propose(c, do.command(batch))
		if err != nil {
			return err
		}
		done += res.Outcome.Count
		c.once = fsm.Once{}
	}
	return c.ok(do.answer(done))
}
