package fsm

import (
	"regexp"
	"slices"

	"github.com/droverhq/drover/document/selector"
)

// Node is what is configured. Labels are set by enrolment or an administrator,
// and selectors match only these; facts are what the node says of itself.
type Node struct {
	ID           string            `cbor:"1,keyasint"`
	Ordinal      uint32            `cbor:"2,keyasint"` // dense, never reused
	Kind         string            `cbor:"3,keyasint"` // agent or instance
	Labels       map[string]string `cbor:"4,keyasint,omitempty"`
	Facts        map[string]string `cbor:"5,keyasint,omitempty"`
	PublicKey    []byte            `cbor:"6,keyasint,omitempty"` // Ed25519, 32 bytes
	Enrolled     int64             `cbor:"7,keyasint"`
	AgentVersion string            `cbor:"8,keyasint,omitempty"`
	Instance     *Instance         `cbor:"9,keyasint,omitempty"` // nil for an agent
	audience     *Audience
}

// KindAgent is a node that holds a WebSocket to a peer.
const KindAgent = "agent"

// EnrollToken lets nodes register their public keys.
type EnrollToken struct {
	ID      string            `cbor:"1,keyasint"`
	Hash    []byte            `cbor:"2,keyasint"` // SHA-256 of the secret
	Node    string            `cbor:"3,keyasint,omitempty"`
	Labels  map[string]string `cbor:"4,keyasint,omitempty"`
	Uses    int               `cbor:"5,keyasint"` // left
	Expires int64             `cbor:"6,keyasint"`
}

// CreateEnrollToken stores an enrolment token.
type CreateEnrollToken struct {
	Token EnrollToken `cbor:"1,keyasint"`
}

// EnrollNode registers a node's public key with a token. The same key may
// enrol again under the same name, which uses nothing up.
type EnrollNode struct {
	TokenID   string `cbor:"1,keyasint"`
	TokenHash []byte `cbor:"2,keyasint"`
	Node      string `cbor:"3,keyasint"`
	PublicKey []byte `cbor:"4,keyasint"`
}

// LabelNode sets labels, and removes those whose value is nil.
type LabelNode struct {
	Node   string             `cbor:"1,keyasint"`
	Labels map[string]*string `cbor:"2,keyasint"`
}

// RemoveNode takes a node out; its key is not known any more.
type RemoveNode struct {
	Node string `cbor:"1,keyasint"`
}

// RetryNodes forgets refusals and attempts, so that nodes are sent what is
// desired again. With Resync set the nodes are also asked what they hold, and
// instances are pushed what they should: all of it, or the documents named. An
// instance is done with that when it has accepted the index of the command, or
// is said anew to be unreachable.
type RetryNodes struct {
	Nodes     []string `cbor:"1,keyasint"`
	Resync    bool     `cbor:"2,keyasint,omitempty"`
	Documents []string `cbor:"3,keyasint,omitempty"`
}

// Kind is the persisted number of the command.
func (CreateEnrollToken) Kind() Kind { return 20 }

// Kind is the persisted number of the command.
func (EnrollNode) Kind() Kind { return 21 }

// Kind is the persisted number of the command.
func (LabelNode) Kind() Kind { return 22 }

// Kind is the persisted number of the command.
func (RemoveNode) Kind() Kind { return 23 }

// Kind is the persisted number of the command.
func (RetryNodes) Kind() Kind { return 24 }

var nodeID = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$`)

// ValidNodeID checks the name of a node: 1 to 128 letters, digits, ".", "_"
// and "-", beginning and ending with a letter or digit.
func ValidNodeID(id string) error {
	if nodeID.MatchString(id) {
		return nil
	}
	return errorf(CodeInvalid, "%.140q is no name for a node: use 1 to 128 letters, digits, '.', '_' or '-', beginning and ending with a letter or digit", id)
}

func (s *State) applyCreateEnrollToken(c CreateEnrollToken) error {
	if s.enrollTokens[c.Token.ID] != nil {
		return errorf(CodeConflict, "enrolment token %q exists already", c.Token.ID)
	}
	if c.Token.Node != "" {
		if err := ValidNodeID(c.Token.Node); err != nil {
			return err
		}
	}
	if err := selector.ValidLabels(c.Token.Labels); err != nil {
		return &Error{Code: CodeInvalid, Pointer: "/labels", Message: err.Error()}
	}
	t := c.Token
	s.enrollTokens[t.ID] = &t
	return nil
}

func (s *State) applyEnrollNode(c EnrollNode) (Outcome, error) {
	t := s.enrollTokens[c.TokenID]
	if t == nil || !sameHash(t.Hash, c.TokenHash) {
		return Outcome{}, errorf(CodeDenied, "the enrolment token is not known; make a new one with `drover node enroll`")
	}
	id := c.Node
	if id == "" {
		id = t.Node
	}
	if err := ValidNodeID(id); err != nil {
		return Outcome{}, err
	}
	if t.Node != "" && t.Node != id {
		return Outcome{}, errorf(CodeDenied, "the enrolment token is for node %q, not %q", t.Node, id)
	}
	if old := s.nodes[id]; old != nil {
		if slices.Equal(old.PublicKey, c.PublicKey) {
			return Outcome{ID: id, Unchanged: true}, nil
		}
		return Outcome{}, errorf(CodeConflict, "node %q is enrolled with another key; remove it first with `drover node remove %s`", id, id)
	}
	if t.Expires < s.now {
		return Outcome{}, errorf(CodeDenied, "the enrolment token has expired; make a new one with `drover node enroll`")
	}
	if t.Uses < 1 {
		return Outcome{}, errorf(CodeDenied, "the enrolment token is used up; make a new one with `drover node enroll`")
	}
	if err := s.addNode(&Node{ID: id, Kind: KindAgent, Labels: t.Labels, PublicKey: c.PublicKey, Enrolled: s.now}); err != nil {
		return Outcome{}, err
	}
	used := *t
	used.Uses--
	s.enrollTokens[t.ID] = &used
	return Outcome{ID: id}, nil
}

// addNode gives a new node its ordinal, its row and its audience.
func (s *State) addNode(n *Node) error {
	n.Ordinal = uint32(len(s.byOrdinal))
	plan, err := s.planNode(n)
	if err != nil {
		return err
	}
	s.byOrdinal = append(s.byOrdinal, n)
	s.rows = append(s.rows, &Row{Since: s.index, Confirmed: true})
	if n.Instance != nil {
		s.instances = append(s.instances, n.Ordinal)
	}
	n = s.placeNode(n, plan.moves[0].id, plan.moves[0].bindings)
	s.eventNode(n.Ordinal)
	s.mix(uint64(n.Ordinal), sumWord(n.audience.ID))
	return nil
}

func (s *State) applyLabelNode(c LabelNode) error {
	n := s.nodes[c.Node]
	if n == nil {
		return errorf(CodeNotFound, "no node is called %q", c.Node)
	}
	next := *n
	if err := next.relabel(c.Labels); err != nil {
		return err
	}
	return s.replaceNode(&next)
}

// relabel sets labels, and removes those whose value is nil.
func (n *Node) relabel(change map[string]*string) error {
	n.Labels = relabel(n.Labels, nil)
	for k, v := range change {
		if v == nil {
			delete(n.Labels, k)
		} else {
			n.Labels[k] = *v
		}
	}
	if err := selector.ValidLabels(n.Labels); err != nil {
		return &Error{Code: CodeInvalid, Pointer: "/labels", Message: err.Error()}
	}
	return nil
}

func (s *State) applyRemoveNode(c RemoveNode) error {
	n := s.nodes[c.Node]
	if n == nil {
		return errorf(CodeNotFound, "no node is called %q", c.Node)
	}
	s.leaveAudience(n)
	delete(s.nodes, n.ID)
	delete(s.refusing, n.Ordinal)
	s.instances = slices.DeleteFunc(s.instances, func(ord uint32) bool { return ord == n.Ordinal })
	s.byOrdinal[n.Ordinal], s.rows[n.Ordinal] = nil, nil
	s.event(Event{Kind: EventNode, Nodes: []uint32{n.Ordinal}, Removed: n.ID})
	return nil
}

// left are the refusals that are not forgotten: where documents are named, those
// of others.
func (c RetryNodes) left(refused []Refusal) (out []Refusal) {
	for _, r := range refused {
		meant := func(name string) bool { return name == r.Document || slices.Contains(r.Together, name) }
		if len(c.Documents) > 0 && !slices.ContainsFunc(c.Documents, meant) {
			out = append(out, r)
		}
	}
	return out
}

func (s *State) applyRetryNodes(c RetryNodes) (Outcome, error) {
	done := 0
	for _, id := range c.Nodes {
		n := s.nodes[id]
		if n == nil {
			continue
		}
		before := s.Wanted(n.Ordinal).Sum
		row := *s.rows[n.Ordinal]
		row.Refused, row.Attempts, row.Stuck, row.Discarded = c.left(row.Refused), 0, 0, 0
		if len(row.Refused) == 0 {
			row.Failure = nil
		}
		if row.Drift != nil {
			row.Drift = &Drift{Targets: row.Drift.Targets, Released: true}
		}
		owes := row.Resync > 0 && row.At.Less(Position{s.Epoch(), row.Resync})
		if c.Resync {
			row.Resync = s.index
		}
		if c.Resync && n.Instance != nil {
			row.Since = s.index // what was tried before does not count, and it is in sync when it has been pushed again
			in := row.instance()
			if in.Unreachable = nil; owes { // whether it can be called is found out anew
				in.Only = bothOf(in.Only, c.Documents)
			} else {
				in.Only = c.Documents
			}
			row.Instance = &in
		}
		s.putRow(n.Ordinal, &row)
		s.noteWanted(n.Ordinal, before)
		s.eventNode(n.Ordinal)
		done++
	}
	return Outcome{Count: done}, nil
}

func (s *State) putNode(n *Node) {
	s.nodes[n.ID] = n
	s.byOrdinal[n.Ordinal] = n
}

// Node returns a node by its name, or nil.
func (s *State) Node(id string) *Node { return s.nodes[id] }

// NodeAt returns a node by its ordinal, or nil.
func (s *State) NodeAt(ord uint32) *Node {
	if int(ord) >= len(s.byOrdinal) {
		return nil
	}
	return s.byOrdinal[ord]
}

// Nodes yields all nodes in the order of their enrolment.
func (s *State) Nodes(yield func(*Node) bool) {
	for _, n := range s.byOrdinal {
		if n != nil && !yield(n) {
			return
		}
	}
}

// NodeCount is the number of nodes.
func (s *State) NodeCount() int { return len(s.nodes) }
