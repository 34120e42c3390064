package fsm

import (
	"cmp"
	"crypto/sha256"
	"slices"

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
		entries[i] = document.Entry{Target: b.Target, Checksum: sha256.Sum256([]byte(b.Document))}
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

// placeNode puts a node into the audience of its bindings.
func (s *State) placeNode(n *Node, id Sum, bindings []Binding) *Node {
	node := *n
	if n.audience == nil || n.audience.ID != id {
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

// refresh computes what audiences are wanted to hold, after the named documents
// have changed.
func (s *State) refresh(audiences []*Audience, names []string) {
	for _, a := range audiences {
		old := a.Wanted
		a.Wanted = s.renewed(old, names)
		if old != a.Wanted && (old.Sum != a.Wanted.Sum || !a.Wanted.sameTexts(old)) {
			a.Since = s.index
			s.mix(sumWord(a.Wanted.Sum))
		}
	}
}

// audiencesOf returns the audiences that one of the documents reaches, sorted.
func (s *State) audiencesOf(names []string) []*Audience {
	var out []*Audience
	for _, name := range names {
		for _, a := range s.byDocument[name] {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b *Audience) int { return compareSums(a.ID, b.ID) })
	return slices.Compact(out)
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
