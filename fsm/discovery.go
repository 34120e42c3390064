package fsm

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/droverhq/drover/document/selector"
)

// Discovery is a source of instances. The leader asks it on an interval.
type Discovery struct {
	ID       string            `cbor:"1,keyasint"`
	Type     string            `cbor:"2,keyasint"` // dns, consul or file
	Config   string            `cbor:"3,keyasint"` // JSON, as the type needs it; it holds no secret
	Interval int64             `cbor:"4,keyasint"` // milliseconds
	Labels   map[string]string `cbor:"5,keyasint,omitempty"`
	Accepts  []string          `cbor:"6,keyasint,omitempty"`
	Token    []byte            `cbor:"7,keyasint,omitempty"` // of all its instances, sealed
	TLS      InstanceTLS       `cbor:"8,keyasint"`
	Secret   []byte            `cbor:"9,keyasint,omitempty"` // the source's own token, sealed
	// What the last answer said; replicated only when it changes.
	Found int    `cbor:"10,keyasint,omitempty"`
	Error string `cbor:"11,keyasint,omitempty"`
}

// PutDiscovery adds a source of instances.
type PutDiscovery struct {
	Discovery Discovery `cbor:"1,keyasint"`
}

// RemoveDiscovery takes a source away. Its instances stay, marked as gone.
type RemoveDiscovery struct {
	ID string `cbor:"1,keyasint"`
}

// Discovered is what a source answered, or why it could not. The leader proposes
// it; an error changes no instance.
type Discovered struct {
	ID    string  `cbor:"1,keyasint"`
	Found []Found `cbor:"2,keyasint,omitempty"`
	Error string  `cbor:"3,keyasint,omitempty"`
}

// Found is one instance that a source knows.
type Found struct {
	Node   string            `cbor:"1,keyasint"`
	URL    string            `cbor:"2,keyasint"`
	Labels map[string]string `cbor:"3,keyasint,omitempty"`
	// Accepts is empty where the discovery's is meant.
	Accepts []string `cbor:"4,keyasint,omitempty"`
}

// Kind is the persisted number of the command.
func (PutDiscovery) Kind() Kind { return 51 }

// Kind is the persisted number of the command.
func (RemoveDiscovery) Kind() Kind { return 52 }

// Kind is the persisted number of the command.
func (Discovered) Kind() Kind { return 53 }

func (s *State) applyPutDiscovery(c PutDiscovery) (Outcome, error) {
	d := c.Discovery
	if err := ValidNodeID(d.ID); err != nil {
		return Outcome{}, errorf(CodeInvalid, "%.140q is no name for a discovery: use letters, digits, '.', '_' or '-'", d.ID)
	}
	if s.discoveries[d.ID] != nil {
		return Outcome{}, errorf(CodeConflict, "a discovery called %q exists already", d.ID)
	}
	if err := selector.ValidLabels(d.Labels); err != nil {
		return Outcome{}, &Error{Code: CodeInvalid, Pointer: "/labels", Message: err.Error()}
	}
	d.Found, d.Error = 0, ""
	d.Accepts = slices.Compact(slices.Sorted(slices.Values(d.Accepts)))
	if len(d.Accepts) == 0 {
		d.Accepts = DefaultAccepts()
	}
	s.discoveries[d.ID] = &d
	return Outcome{ID: d.ID}, nil
}

func (s *State) applyRemoveDiscovery(c RemoveDiscovery) error {
	if s.discoveries[c.ID] == nil {
		return errorf(CodeNotFound, "no discovery is called %q", c.ID)
	}
	delete(s.discoveries, c.ID)
	s.markGone(c.ID, nil)
	return nil
}

func (s *State) applyDiscovered(c Discovered) (Outcome, error) {
	d := s.discoveries[c.ID]
	if d == nil {
		return Outcome{}, errorf(CodeNotFound, "no discovery is called %q", c.ID)
	}
	next := *d
	next.Error = c.Error
	changed := 0
	if c.Error == "" {
		next.Found = len(c.Found)
		present := map[string]bool{}
		var refused []string
		for _, f := range c.Found {
			present[f.Node] = true
			moved, err := s.discovered(d, f)
			if err != nil {
				refused = append(refused, err.Error())
			}
			if moved {
				changed++
			}
		}
		changed += s.markGone(d.ID, present)
		next.Error = bounded(strings.Join(refused, "; "), 500)
	}
	unchanged := changed == 0 && next.Error == d.Error && next.Found == d.Found
	s.discoveries[d.ID] = &next
	return Outcome{ID: d.ID, Count: changed, Unchanged: unchanged}, nil
}

// discovered adds what a source found, or brings it up to date.
func (s *State) discovered(d *Discovery, f Found) (moved bool, err error) {
	if err := ValidNodeID(f.Node); err != nil {
		return false, err
	}
	old := s.nodes[f.Node]
	if old == nil {
		in := &Instance{URL: f.URL, Accepts: d.acceptsOf(f), Token: d.Token, TLS: d.TLS, Source: d.ID}
		return true, s.addInstance(f.Node, in, relabel(d.Labels, f.Labels))
	}
	if old.Instance == nil || old.Instance.Source != d.ID {
		return false, fmt.Errorf("node %q was not added by this discovery and is left alone", f.Node)
	}
	labels := relabel(old.Labels, f.Labels)
	if d.knows(old, f) {
		return false, nil
	}
	if err := selector.ValidLabels(labels); err != nil {
		return false, fmt.Errorf("node %q: %w", f.Node, err)
	}
	next, in := *old, *old.Instance
	in.URL, in.Gone, in.Accepts = f.URL, 0, d.acceptsOf(f)
	next.Labels, next.Instance = labels, &in
	return true, s.replaceNode(&next)
}

func (d *Discovery) acceptsOf(f Found) []string {
	if len(f.Accepts) == 0 {
		return d.Accepts
	}
	return slices.Compact(slices.Sorted(slices.Values(f.Accepts)))
}

// knows tells whether a node of this source is as it was found.
func (d *Discovery) knows(n *Node, f Found) bool {
	in := n.Instance
	return in.URL == f.URL && in.Gone == 0 && slices.Equal(in.Accepts, d.acceptsOf(f)) &&
		maps.Equal(relabel(n.Labels, f.Labels), n.Labels)
}

// Changes tells whether an answer of a source would change anything: the leader
// asks on an interval, and writes only that into the log.
func (s *State) Changes(c Discovered) bool {
	d := s.discoveries[c.ID]
	if d == nil || c.Error != "" || d.Error != "" {
		return d != nil && c.Error != d.Error
	}
	known := 0
	for _, f := range c.Found {
		n := s.nodes[f.Node]
		if n == nil || n.Instance == nil || n.Instance.Source != d.ID || !d.knows(n, f) {
			return true
		}
		known++
	}
	for n := range s.Instances {
		if n.Instance.Source == d.ID && n.Instance.Gone == 0 {
			known--
		}
	}
	return known != 0 || d.Found != len(c.Found)
}

// markGone marks the instances of a source that are not among the present ones.
// They are kept: absence of an answer never takes a configuration away.
func (s *State) markGone(id string, present map[string]bool) (marked int) {
	for _, ord := range s.instances {
		n := s.byOrdinal[ord]
		if n == nil || n.Instance.Source != id || n.Instance.Gone != 0 || present[n.ID] {
			continue
		}
		next, in := *n, *n.Instance
		in.Gone = s.now
		next.Instance = &in
		s.putNode(&next)
		s.eventNode(ord)
		marked++
	}
	return marked
}

// Discovery returns a source of instances by its id, or nil.
func (s *State) Discovery(id string) *Discovery { return s.discoveries[id] }

// Discoveries returns the sources of instances, sorted by their id.
func (s *State) Discoveries() []*Discovery {
	return sortedRows(s.discoveries, func(d *Discovery) string { return d.ID })
}
