package api

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/droverhq/drover/document/schema"
	"github.com/droverhq/drover/document/schema/builtin"
	"github.com/droverhq/drover/document/selector"
	"github.com/droverhq/drover/fsm"
)

// warnings tells what is probably not meant in the documents of a change: one
// that reaches no node, and hooks that name a connection which no document
// brings to the same nodes. drafts are edits that are not committed; without
// them the documents are looked at as they are. own is the document that the
// answer is about, and is left out of what is told.
//
// A change of connections looks at the hooks of all nodes that get them, and of
// those that have no connections, since that may be its doing. A caller is told
// nothing that would show what is in a document beyond the caller's prefixes.
func (s *Server) warnings(c *call, names []string, drafts []prepared, own string) []Problem {
	o := outlook{covers: func(name string) bool { return covers(c.who.prefixes, name) }, moved: map[string]string{}}
	for _, p := range slices.Concat(c.planned, drafts) {
		o.moved[p.edit.Document] = p.was
	}
	s.view(c, func(st *fsm.State) { o.look(st, names, drafts) })
	out := o.nobody
	for _, p := range o.pairs {
		out = append(out, p.dangling()...)
	}
	if more := len(out) - schema.MaxProblems; more > 0 {
		out = append(out[:schema.MaxProblems], Problem{Message: fmt.Sprintf("and %d more warnings", more)})
	}
	for i := range out {
		if out[i].Document == own {
			out[i].Document = ""
		}
	}
	return out
}

// maxPairs bounds how many pairs of hooks and connections one change looks at.
const maxPairs = 100

// outlook is what the nodes get to see of a change.
type outlook struct {
	st     *fsm.State // only while it is viewed
	edited []sight
	covers func(name string) bool
	moved  map[string]string // the targets that documents had before the change
	nobody []Problem
	pairs  []*pair
}

// sight is a document as it will be.
type sight struct {
	name, target, was string // was: its target until now
	match             selector.Selector
	blob              *fsm.Blob // nil: it is deleted
	known             bool      // what Drover knows of its target is held against it
	draft             bool      // not committed
}

func sightOf(st *fsm.State, name string, p *prepared) sight {
	b := basisOf(st, name)
	v := sight{name: name, blob: b.blob}
	if d := st.Document(name); d != nil && (p == nil || !d.Deleted) {
		v.was = d.Target // of one that was deleted just now, too
	}
	var e fsm.Edit
	if p != nil {
		e = p.edit
		if p.blob != nil {
			v.blob = p.blob
		}
	}
	if e.Delete {
		v.blob = nil
	}
	r := rulesOf(b, e)
	v.target, v.known, v.draft = r.target, r.builtin != "", p != nil
	v.match, _ = selector.Parse(r.selector) // it was checked, or is in the state
	return v
}

func (v *sight) concerns(target string) bool { return v.target == target || v.was == target }

// look fills in nobody and pairs. Texts are not read here.
func (o *outlook) look(st *fsm.State, names []string, drafts []prepared) {
	o.st = st
	for _, name := range names {
		i := slices.IndexFunc(drafts, func(p prepared) bool { return p.edit.Document == name })
		if i < 0 {
			o.edited = append(o.edited, sightOf(st, name, nil))
			continue
		}
		o.edited = append(o.edited, sightOf(st, name, &drafts[i]))
	}
	for i := range o.edited {
		v := &o.edited[i]
		if was := o.moved[v.name]; was != "" {
			v.was = was
		}
		if why := o.unreached(*v); why != "" {
			o.nobody = append(o.nobody, Problem{Document: v.name, Message: why + ", so this reaches nobody now"})
		}
	}
	if !o.concern(builtin.Webhooks) && !o.concern(builtin.Connections) {
		return
	}
	o.pair()
	o.st = nil
}

func (o *outlook) concern(target string) bool {
	return slices.ContainsFunc(o.edited, func(v sight) bool { return v.concerns(target) })
}

// unreached tells why a document reaches no node, though there are some.
func (o *outlook) unreached(v sight) string {
	if v.blob == nil || o.st.NodeCount() == 0 || !v.draft && o.st.Reach(v.name) > 0 {
		return ""
	}
	matched, taken := false, false
	o.st.Nodes(func(n *fsm.Node) bool {
		matched = matched || v.match.Matches(n.Labels)
		taken = n.Takes(v.target, v.match)
		return !taken
	})
	switch {
	case taken:
		return ""
	case matched:
		return fmt.Sprintf("the nodes that match the selector are instances that do not accept %q", v.target)
	}
	return "no node matches the selector"
}

func (o *outlook) editedAs(name string) *sight {
	i := slices.IndexFunc(o.edited, func(v sight) bool { return v.name == name })
	if i < 0 {
		return nil
	}
	return &o.edited[i]
}

// on is the document that a node will know as target, "" where there is none.
func (o *outlook) on(n *fsm.Node, target string) string {
	for i := range o.edited {
		if v := &o.edited[i]; v.target == target && v.blob != nil && n.Takes(target, v.match) {
			return v.name
		}
	}
	bindings := o.st.AudienceOf(n.Ordinal).Bindings
	i, found := slices.BinarySearchFunc(bindings, target, func(b fsm.Binding, t string) int { return cmp.Compare(b.Target, t) })
	if !found || o.editedAs(bindings[i].Document) != nil {
		return ""
	}
	return bindings[i].Document
}

// pair finds which hooks meet which connections, where the change matters.
func (o *outlook) pair() {
	met := map[[2]string]*pair{}
	placed := map[string]bool{}
	moved := o.concern(builtin.Connections)
	o.st.Nodes(func(n *fsm.Node) bool {
		hooks := o.on(n, builtin.Webhooks)
		if hooks == "" {
			return true
		}
		placed[hooks] = true
		connections := o.on(n, builtin.Connections)
		if o.editedAs(hooks) == nil && o.editedAs(connections) == nil && (connections != "" || !moved) {
			return true
		}
		key := [2]string{hooks, connections}
		p, seen := met[key]
		if !seen && len(met) < maxPairs {
			if p = o.newPair(hooks, connections); p != nil {
				p.node = n.ID
				o.pairs = append(o.pairs, p)
			}
			met[key] = p
		}
		if p != nil {
			p.nodes++
		}
		return true
	})
	for _, v := range o.edited {
		if v.target == builtin.Webhooks && v.blob != nil && !placed[v.name] {
			if p := o.newPair(v.name, o.anyConnections()...); p != nil {
				o.pairs = append(o.pairs, p)
			}
		}
	}
}

// anyConnections are all documents that some node would know as connections.
func (o *outlook) anyConnections() []string {
	var names []string
	for _, v := range o.edited {
		if v.target == builtin.Connections && v.blob != nil {
			names = append(names, v.name)
		}
	}
	for _, d := range o.st.Documents() {
		if d.Target == builtin.Connections && !d.Deleted && o.editedAs(d.Name) == nil {
			names = append(names, d.Name)
		}
	}
	return names
}

// pair is hooks and the connections that the same nodes get.
type pair struct {
	hooks       sight
	connections []sight // several only where no node gets the hooks
	node        string  // one that gets both; "" = none does
	nodes       int     // how many do
}

// newPair is nil where nothing can be told: the documents have another form, or
// the caller may not see them.
func (o *outlook) newPair(hooks string, connections ...string) *pair {
	p := &pair{}
	for i, name := range append([]string{hooks}, connections...) {
		if name == "" {
			continue
		}
		v := o.editedAs(name)
		if v == nil {
			seen := sightOf(o.st, name, nil)
			v = &seen
		}
		if v.blob == nil || !v.known || !o.covers(name) {
			return nil
		}
		if i == 0 {
			p.hooks = *v
		} else {
			p.connections = append(p.connections, *v)
		}
	}
	return p
}

// dangling are the references of the hooks that lead nowhere.
func (p *pair) dangling() []Problem {
	text, err := p.hooks.blob.Text()
	if err != nil {
		return nil // reading the document tells why
	}
	references := builtin.References(text)
	if len(references) == 0 {
		return nil
	}
	defined := map[string]bool{}
	for _, v := range p.connections {
		if text, err = v.blob.Text(); err != nil {
			return nil
		}
		for name := range builtin.Names(text) {
			defined[name] = true
		}
	}
	var out []Problem
	for _, r := range references {
		if !defined[r.Connection] {
			out = append(out, Problem{Document: p.hooks.name, Pointer: r.Pointer, Message: fmt.Sprintf("there is no connection %q%s", r.Connection, p.where())})
		}
	}
	return out
}

// where ends the sentence that a connection is not there.
func (p *pair) where() string {
	on := fmt.Sprintf("on node %q", p.node)
	if p.nodes > 1 {
		on += fmt.Sprintf(" and %d more", p.nodes-1)
	}
	switch {
	case p.node == "" && len(p.connections) == 0:
		return ": no document is connections yet"
	case p.node == "":
		return " in any document that is connections"
	case len(p.connections) == 0:
		return fmt.Sprintf(": no document is connections %s", on)
	}
	return fmt.Sprintf(" in document %q, which is connections %s", p.connections[0].name, on)
}
