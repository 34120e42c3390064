package fsm

import (
	"cmp"
	"slices"
)

// bindingPlan is the nodes that a command moves to other audiences.
type bindingPlan struct {
	docs  map[string]*Document // as they will be
	moves []move
	// reached are the audiences of the documents as they are before.
	reached []*Audience
}

type move struct {
	node *Node
	*shape
}

// shape is the bindings that nodes get which have the same ones now and are
// reached by the same of the changed documents. It is made once for all of
// them: a document that comes to ten thousand nodes makes one.
type shape struct {
	id       Sum
	bindings []Binding
	entered  []string // documents that the nodes do not have yet
	size     int      // of all texts, in bytes
}

// prunedKey finds the accepted versions that nodes with the same history and
// the same move share.
type prunedKey struct {
	versions *Versions
	from, to Sum
}

// planBindings computes which nodes move when docs take effect, and refuses
// what cannot be: two documents with one target on a node, or too large a node.
func (s *State) planBindings(docs map[string]*Document) (*bindingPlan, error) {
	names := sortedKeys(docs)
	plan := &bindingPlan{docs: docs, reached: s.audiencesOf(names)}
	var reshaped []string
	for _, name := range names {
		if old, next := s.documents[name], docs[name]; old == nil || old.Deleted != next.Deleted ||
			old.Target != next.Target || old.Selector != next.Selector {
			reshaped = append(reshaped, name)
		}
	}
	if len(reshaped) > 0 {
		if err := s.planMoves(plan, reshaped); err != nil {
			return nil, err
		}
	}
	return plan, s.checkSizes(plan)
}

// planMoves moves the nodes whose bindings change because of the named
// documents.
func (s *State) planMoves(plan *bindingPlan, names []string) error {
	shapes := map[*Audience]map[string]*shape{}
	reach := make([]byte, len(names))
	for _, node := range s.byOrdinal {
		if node == nil {
			continue
		}
		for i, name := range names {
			reach[i] = 0
			if doc := plan.docs[name]; !doc.Deleted && doc.reaches(node) {
				reach[i] = 1
			}
		}
		same := shapes[node.audience]
		if same == nil {
			same = map[string]*shape{}
			shapes[node.audience] = same
		}
		to, known := same[string(reach)]
		if !known {
			var err error
			if to, err = s.reshaped(plan, node, names, reach); err != nil {
				return err
			}
			same[string(reach)] = to
		}
		if to != nil {
			plan.moves = append(plan.moves, move{node, to})
		}
	}
	return nil
}

// reshaped is what a node is bound to when it is reached by some of the named
// documents; nil where that is what it is bound to already.
func (s *State) reshaped(plan *bindingPlan, node *Node, names []string, reach []byte) (*shape, error) {
	old := node.audience.Bindings
	next := make([]Binding, 0, len(old)+len(names))
	for _, b := range old {
		if _, changes := slices.BinarySearch(names, b.Document); !changes {
			next = append(next, b)
		}
	}
	for i, name := range names {
		if reach[i] == 1 {
			next = append(next, Binding{plan.docs[name].Target, name})
		}
	}
	if err := sortBindings(next, node.ID); err != nil {
		return nil, err
	}
	if slices.Equal(old, next) {
		return nil, nil
	}
	return s.shape(plan, node, next), nil
}

func (s *State) shape(plan *bindingPlan, node *Node, bindings []Binding) *shape {
	out := &shape{id: audienceID(bindings), bindings: bindings}
	held := map[string]bool{}
	if node.audience != nil {
		for _, b := range node.audience.Bindings {
			held[b.Document] = true
		}
	}
	for _, b := range bindings {
		out.size += plan.doc(s, b.Document).Current().Size
		if !held[b.Document] {
			out.entered = append(out.entered, b.Document)
		}
	}
	return out
}

func (p *bindingPlan) doc(s *State, name string) *Document {
	if d := p.docs[name]; d != nil {
		return d
	}
	return s.documents[name]
}

func (d *Document) reaches(n *Node) bool { return n.Takes(d.Target, d.match) }

func sortBindings(bindings []Binding, node string) error {
	slices.SortFunc(bindings, func(a, b Binding) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Document, b.Document))
	})
	for i := 1; i < len(bindings); i++ {
		if a, b := bindings[i-1], bindings[i]; a.Target == b.Target {
			return errorf(CodeConflict, "documents %q and %q would both be %q on node %q: change a target or a selector",
				a.Document, b.Document, a.Target, node)
		}
	}
	return nil
}

// bind computes all bindings of a node anew: at enrolment and for new labels.
func (s *State) bind(n *Node) ([]Binding, error) {
	var out []Binding
	for name, d := range s.documents {
		if !d.Deleted && d.reaches(n) {
			out = append(out, Binding{d.Target, name})
		}
	}
	return out, sortBindings(out, n.ID)
}

// planNode moves one node to the bindings that it should have.
func (s *State) planNode(n *Node) (*bindingPlan, error) {
	bindings, err := s.bind(n)
	if err != nil {
		return nil, err
	}
	plan := &bindingPlan{}
	plan.moves = []move{{n, s.shape(plan, n, bindings)}}
	return plan, s.checkSizes(plan)
}

// checkSizes refuses a change after which a node would hold too much.
func (s *State) checkSizes(plan *bindingPlan) error {
	names := sortedKeys(plan.docs)
	for _, a := range plan.reached {
		size := a.Wanted.Size
		for _, name := range names {
			if s.byDocument[name][a.ID] != nil {
				size += plan.docs[name].Current().Size - s.documents[name].Current().Size
			}
		}
		if err := s.checkSize(size, s.byOrdinal[a.members[0]]); err != nil {
			return err
		}
	}
	for _, m := range plan.moves {
		if err := s.checkSize(m.size, m.node); err != nil {
			return err
		}
	}
	return nil
}

func (s *State) checkSize(size int, node *Node) error {
	if size <= s.settings.NodeBytes {
		return nil
	}
	return errorf(CodeTooLarge, "node %q would hold %d bytes; the limit is %d", node.ID, size, s.settings.NodeBytes)
}

// rebind carries out the moves of a plan.
func (s *State) rebind(plan *bindingPlan) {
	pruned := map[prunedKey]*Versions{}
	for _, m := range plan.moves {
		s.moveNode(m, pruned)
	}
}

// moveNode gives a node other bindings. What it accepted of a document that
// left it is gone when the document comes back.
func (s *State) moveNode(m move, pruned map[prunedKey]*Versions) {
	ord := m.node.Ordinal
	before, since := s.Wanted(ord).Sum, s.Since(ord)
	from := s.AudienceOf(ord).ID
	s.placeNode(m.node, m.id, m.bindings)
	row := *s.rows[ord]
	row.Since = max(row.Since, since)
	row.Accepted = row.Accepted.without(m.entered, pruned, prunedKey{row.Accepted, from, m.id})
	s.putRow(ord, &row)
	s.noteWanted(ord, before)
}
