package fsm

import (
	"cmp"
	"slices"
	"strings"

	"github.com/droverhq/drover/document"
)

// Audience is the set of nodes that are bound to the same documents under the
// same targets. They are wanted to hold the same manifest, unless one of them
// has refused something, so what is wanted is computed once for all of them,
// and an update is signed for the audience. An audience is not immutable: it
// may be read inside Store.View only.
type Audience struct {
	ID       Sum // hash of the bindings: content and stage do not change it
	Bindings []Binding
	Since    uint64 // index at which Wanted last changed
	Wanted   *Manifest
	members  []uint32 // ascending
	shared   bool     // members is part of a push: copy before changing it
}

// Binding says under which target a node holds a document.
type Binding struct{ Target, Document string }

func audienceID(bindings []Binding) Sum {
	entries := make([]document.Entry, len(bindings))
	for i, b := range bindings {
		sum, _ := Compress([]byte(b.Document))
		entries[i] = document.Entry{Target: b.Target, Checksum: sum}
	}
	return document.ManifestSum(entries)
}

func (a *Audience) share() { a.shared = true }

func (a *Audience) join(ord uint32) {
	i, found := slices.BinarySearch(a.members, ord)
	if found {
		return
	}
	a.own()
	a.members = slices.Insert(a.members, i, ord)
}

func (a *Audience) leave(ord uint32) {
	if i, found := slices.BinarySearch(a.members, ord); found {
		a.own()
		a.members = slices.Delete(a.members, i, i+1)
	}
}

func (a *Audience) own() {
	if a.shared {
		a.members, a.shared = slices.Clone(a.members), false
	}
}

// bindingPlan is the nodes that a command moves to other audiences.
type bindingPlan struct {
	docs  map[string]*Document // as they will be
	moves []move
}

// prunedKey finds the accepted versions that nodes with the same history and
// the same move share.
type prunedKey struct {
	versions *Versions
	from, to Sum
}

type move struct {
	node     *Node
	bindings []Binding
}

// planBindings computes which nodes move when docs take effect, and refuses
// what cannot be: two documents with one target on a node, or too large a node.
func (s *State) planBindings(docs map[string]*Document) (*bindingPlan, error) {
	plan := &bindingPlan{docs: docs}
	var reshaped []string
	for _, name := range sortedKeys(docs) {
		if old, next := s.documents[name], docs[name]; old == nil || old.Deleted != next.Deleted ||
			old.Target != next.Target || old.Selector != next.Selector {
			reshaped = append(reshaped, name)
		}
	}
	if len(reshaped) > 0 {
		for _, node := range s.byOrdinal {
			if node == nil {
				continue
			}
			if err := s.planNode(plan, node, reshaped); err != nil {
				return nil, err
			}
		}
	}
	return plan, s.checkSizes(plan)
}

// planNode moves a node whose bindings change because of the named documents.
func (s *State) planNode(plan *bindingPlan, node *Node, names []string) error {
	old := node.audience.Bindings
	next := make([]Binding, 0, len(old)+len(names))
	for _, b := range old {
		if !slices.Contains(names, b.Document) {
			next = append(next, b)
		}
	}
	for _, name := range names {
		if doc := plan.doc(s, name); !doc.Deleted && doc.reaches(node) {
			next = append(next, Binding{doc.Target, name})
		}
	}
	if err := sortBindings(next, node.ID); err != nil {
		return err
	}
	if !slices.Equal(old, next) {
		plan.moves = append(plan.moves, move{node, next})
	}
	return nil
}

func (p *bindingPlan) doc(s *State, name string) *Document {
	if d := p.docs[name]; d != nil {
		return d
	}
	return s.documents[name]
}

func (d *Document) reaches(n *Node) bool { return n.Takes(d.Target, d.match) }

func sortBindings(bindings []Binding, node string) error {
	slices.SortFunc(bindings, func(a, b Binding) int { return strings.Compare(a.Target, b.Target) })
	for i := 1; i < len(bindings); i++ {
		if a, b := bindings[i-1], bindings[i]; a.Target == b.Target {
			first, second := min(a.Document, b.Document), max(a.Document, b.Document)
			return errorf(CodeConflict, "documents %q and %q would both be %q on node %q: change a target or a selector",
				first, second, a.Target, node)
		}
	}
	return nil
}

// bind computes all bindings of a node anew: at enrolment and for new labels.
func (s *State) bind(n *Node) ([]Binding, error) {
	var out []Binding
	for _, name := range sortedKeys(s.documents) {
		if d := s.documents[name]; !d.Deleted && d.reaches(n) {
			out = append(out, Binding{d.Target, name})
		}
	}
	return out, sortBindings(out, n.ID)
}

// checkSizes refuses a change after which a node would hold too much.
func (s *State) checkSizes(plan *bindingPlan) error {
	names := sortedKeys(plan.docs)
	for _, id := range s.audiencesOf(names) {
		a := s.audiences[id]
		size := a.Wanted.Size
		for _, name := range names {
			if old := s.documents[name]; old != nil && binds(a.Bindings, name) {
				size += plan.docs[name].Current().Size - old.Current().Size
			}
		}
		if err := s.checkSize(size, s.byOrdinal[a.members[0]]); err != nil {
			return err
		}
	}
	for _, m := range plan.moves {
		size := 0
		for _, b := range m.bindings {
			size += plan.doc(s, b.Document).Current().Size
		}
		if err := s.checkSize(size, m.node); err != nil {
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
	var entered []string
	old := s.AudienceOf(ord)
	from := old.ID
	for _, b := range m.bindings {
		if !binds(old.Bindings, b.Document) {
			entered = append(entered, b.Document)
		}
	}
	node := s.placeNode(m.node, m.bindings)
	row := *s.rows[ord]
	row.Since = max(row.Since, since)
	row.Accepted = row.Accepted.without(entered, pruned, prunedKey{row.Accepted, from, node.audience.ID})
	s.putRow(ord, &row)
	s.noteWanted(ord, before)
}

// placeNode puts a node into the audience of its bindings.
func (s *State) placeNode(n *Node, bindings []Binding) *Node {
	node := *n
	if id := audienceID(bindings); n.audience == nil || n.audience.ID != id {
		s.leaveAudience(n)
		a := s.audiences[id]
		if a == nil {
			a = &Audience{ID: id, Bindings: bindings, Wanted: s.manifestOf(bindings, nil)}
			s.putAudience(a)
		}
		a.join(n.Ordinal)
		node.audience = a
	}
	s.putNode(&node)
	return &node
}

func (s *State) putAudience(a *Audience) {
	s.audiences[a.ID] = a
	for _, b := range a.Bindings {
		if s.byDocument[b.Document] == nil {
			s.byDocument[b.Document] = map[Sum]*Audience{}
		}
		s.byDocument[b.Document][a.ID] = a
	}
}

func (s *State) leaveAudience(n *Node) {
	a := n.audience
	if a == nil {
		return
	}
	a.leave(n.Ordinal)
	if len(a.members) > 0 {
		return
	}
	delete(s.audiences, a.ID)
	for _, b := range a.Bindings {
		delete(s.byDocument[b.Document], a.ID)
	}
}

func binds(bindings []Binding, name string) bool {
	return slices.ContainsFunc(bindings, func(b Binding) bool { return b.Document == name })
}

// refresh computes what the audiences of the named documents are wanted to
// hold, after those documents have changed.
func (s *State) refresh(names []string) {
	for _, id := range s.audiencesOf(names) {
		a := s.audiences[id]
		old := a.Wanted
		a.Wanted = s.manifestOf(a.Bindings, nil)
		if old.Sum != a.Wanted.Sum || !a.Wanted.sameTexts(old) {
			a.Since = s.index
			s.mix(sumWord(a.Wanted.Sum))
		}
	}
}

func (s *State) audiencesOf(names []string) []Sum {
	var ids []Sum
	for _, name := range names {
		for id := range s.byDocument[name] {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, compareSums)
	return slices.Compact(ids)
}

// AudienceOf returns the audience of a node, or nil when there is no such node.
func (s *State) AudienceOf(ord uint32) *Audience {
	n := s.NodeAt(ord)
	if n == nil {
		return nil
	}
	return n.audience
}

// document returns the document that a target stands for, or "".
func (a *Audience) document(target string) string {
	i, found := slices.BinarySearchFunc(a.Bindings, target, func(b Binding, t string) int { return cmp.Compare(b.Target, t) })
	if !found {
		return ""
	}
	return a.Bindings[i].Document
}
