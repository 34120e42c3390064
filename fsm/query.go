package fsm

import "github.com/droverhq/drover/document/selector"

// Preview is what a commit would do.
type Preview struct {
	Outcome    Outcome
	Nodes      int            // whose desired manifest would change
	ByDocument map[string]int // the same for each document of the commit
}

// Preview checks a commit as applying it does, and changes nothing. Contents
// that the state does not have must be inline. It takes as long as the commit
// itself, and is called inside Store.View.
func (s *State) Preview(c Command, b Commit) (Preview, error) {
	p := Preview{ByDocument: map[string]int{}}
	d, err := s.draft(c, b, true)
	if err != nil {
		return p, err
	}
	p.Outcome = d.outcome
	plan, err := s.planBindings(d.docs)
	if err != nil {
		return p, err
	}
	all := map[uint32]struct{}{}
	for _, name := range sortedKeys(d.docs) {
		nodes := s.affected(plan, name, d.docs[name])
		p.ByDocument[name] = len(nodes)
		for ord := range nodes {
			all[ord] = struct{}{}
		}
	}
	p.Nodes = len(all)
	return p, nil
}

// affected are the nodes that a document comes to, leaves, or changes on.
func (s *State) affected(plan *bindingPlan, name string, next *Document) map[uint32]struct{} {
	nodes := map[uint32]struct{}{}
	if old := s.documents[name]; old != nil && !next.Deleted && old.Current().Number != next.Current().Number {
		for id := range s.byDocument[name] {
			for _, ord := range s.audiences[id].members {
				nodes[ord] = struct{}{}
			}
		}
	}
	for _, m := range plan.moves {
		if targetOf(s.AudienceOf(m.node.Ordinal).Bindings, name) != targetOf(m.bindings, name) {
			nodes[m.node.Ordinal] = struct{}{}
		}
	}
	return nodes
}

// targetOf is the target that a document is bound to, "" where it is not.
func targetOf(bindings []Binding, name string) string {
	for _, b := range bindings {
		if b.Document == name {
			return b.Target
		}
	}
	return ""
}

// Takes tells whether a document with this target and selector is bound to the
// node.
func (n *Node) Takes(target string, match selector.Selector) bool {
	return n.accepts(target) && match.Matches(n.Labels)
}

// EnrollToken returns an enrolment token, or nil. The caller checks whether it
// is still good.
func (s *State) EnrollToken(id string) *EnrollToken { return s.enrollTokens[id] }

// Holders yields the ordinals of the nodes that a document is bound to.
func (s *State) Holders(name string, yield func(ord uint32)) {
	for id := range s.byDocument[name] {
		for _, ord := range s.audiences[id].members {
			yield(ord)
		}
	}
}

// FirstRevision is the number of the oldest revision that retention keeps, or
// would be that of the first one.
func (s *State) FirstRevision() uint64 { return s.pruned + 1 }
