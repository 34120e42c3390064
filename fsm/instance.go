package fsm

import (
	"maps"
	"net/url"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/droverhq/drover/document/selector"
)

// KindInstance is a node that a peer calls over HTTP.
const KindInstance = "instance"

// DefaultAccepts are the targets of an instance that lists none.
func DefaultAccepts() []string { return []string{"connections", "webhooks"} }

// Instance is how a node is called over HTTP. Tokens and keys are sealed; the
// state never holds them in clear.
type Instance struct {
	URL     string      `cbor:"1,keyasint"`
	Accepts []string    `cbor:"2,keyasint"`           // targets, sorted
	Token   []byte      `cbor:"3,keyasint,omitempty"` // sealed; nil where there is none
	TLS     InstanceTLS `cbor:"4,keyasint"`
	Source  string      `cbor:"5,keyasint,omitempty"` // id of the discovery that found it, "" where it was added by hand
	Gone    int64       `cbor:"6,keyasint,omitempty"` // since when its discovery does not find it any more; Unix ms, 0 while it does
}

// InstanceTLS is what differs from the machine's usual trust.
type InstanceTLS struct {
	CA         string `cbor:"1,keyasint,omitempty"` // PEM; "" is the system's
	ServerName string `cbor:"2,keyasint,omitempty"`
	Cert       string `cbor:"3,keyasint,omitempty"` // PEM, of the client
	Key        []byte `cbor:"4,keyasint,omitempty"` // sealed PEM
}

// PutInstance adds an instance, or changes one: a nil field keeps what is there.
// A change forgets refusals and attempts, because it is a reason to try again.
type PutInstance struct {
	ID      string            `cbor:"1,keyasint"`
	Create  bool              `cbor:"2,keyasint,omitempty"`
	URL     *string           `cbor:"3,keyasint,omitempty"`
	Token   *[]byte           `cbor:"4,keyasint,omitempty"` // sealed; empty takes it away
	Accepts *[]string         `cbor:"5,keyasint,omitempty"`
	TLS     *InstanceTLS      `cbor:"6,keyasint,omitempty"`
	Labels  map[string]string `cbor:"7,keyasint,omitempty"` // of a new one
	// Relabel sets labels of one that is there, and removes those that are nil.
	Relabel map[string]*string `cbor:"8,keyasint,omitempty"`
}

// Kind is the persisted number of the command.
func (PutInstance) Kind() Kind { return 50 }

func (s *State) applyPutInstance(c PutInstance) (Outcome, error) {
	if err := ValidNodeID(c.ID); err != nil {
		return Outcome{}, err
	}
	old := s.nodes[c.ID]
	switch {
	case old == nil && !c.Create:
		return Outcome{}, errorf(CodeNotFound, "no instance is called %q", c.ID)
	case old != nil && c.Create:
		return Outcome{}, errorf(CodeConflict, "a node called %q exists already; change it, or choose another id", c.ID)
	case old != nil && old.Instance == nil:
		return Outcome{}, errorf(CodeConflict, "node %q is an agent, not an instance", c.ID)
	}
	in := Instance{Accepts: DefaultAccepts()}
	if old != nil {
		in = *old.Instance
	}
	if err := in.take(c); err != nil {
		return Outcome{}, err
	}
	if old != nil {
		next := *old
		next.Instance = &in
		if err := next.relabel(c.Relabel); err != nil {
			return Outcome{}, err
		}
		if err := s.replaceNode(&next); err != nil {
			return Outcome{}, err
		}
		_, err := s.applyRetryNodes(RetryNodes{Nodes: []string{c.ID}, Resync: true})
		return Outcome{ID: c.ID}, err
	}
	return Outcome{ID: c.ID}, s.addInstance(c.ID, &in, c.Labels)
}

// take refuses to move a secret: it goes where the URL leads, so whoever sends
// it to another host, or in clear, must know it.
func (in *Instance) take(c PutInstance) error {
	if c.URL != nil && c.Token == nil && len(in.Token) > 0 {
		if err := keepsSecret(in.URL, *c.URL); err != nil {
			return err
		}
	}
	set(&in.URL, c.URL)
	if in.URL == "" {
		return &Error{Code: CodeInvalid, Pointer: "/url", Message: "an instance needs a URL"}
	}
	if c.Token != nil {
		in.Token = *c.Token
	}
	if c.TLS != nil {
		in.TLS = *c.TLS
	}
	if c.Accepts == nil {
		return nil
	}
	in.Accepts = slices.Compact(slices.Sorted(slices.Values(*c.Accepts)))
	if len(in.Accepts) == 0 {
		return &Error{Code: CodeInvalid, Pointer: "/accepts", Message: "an instance must accept at least one target"}
	}
	return nil
}

func keepsSecret(from, to string) error {
	message := ""
	was, is := origin(from), origin(to)
	switch {
	case was.Scheme == "https" && is.Scheme != "https":
		message = `the token that is kept would be sent in clear, as http does: give the token as well, or "" for none`
	case was.Hostname() != is.Hostname():
		message = `the URL leads to another host, where the token that is kept would be sent: give the token as well, or "" for none`
	default:
		return nil
	}
	return &Error{Code: CodeInvalid, Pointer: "/token", Message: message}
}

// origin is empty for what is no URL: the proposer has checked it.
func origin(text string) *url.URL {
	u, err := url.Parse(text)
	if err != nil {
		return &url.URL{}
	}
	return u
}

func (s *State) addInstance(id string, in *Instance, labels map[string]string) error {
	if err := selector.ValidLabels(labels); err != nil {
		return &Error{Code: CodeInvalid, Pointer: "/labels", Message: err.Error()}
	}
	return s.addNode(&Node{ID: id, Kind: KindInstance, Labels: labels, Enrolled: s.now, Instance: in})
}

// replaceNode puts a changed node in the place of the old one, in the audience
// that it then belongs to.
func (s *State) replaceNode(next *Node) error {
	plan, err := s.planNode(next)
	if err != nil {
		return err
	}
	s.rebind(plan)
	s.eventNode(next.Ordinal)
	return nil
}

// Instances yields the nodes that are called over HTTP, in the order in which
// they were added.
func (s *State) Instances(yield func(*Node) bool) {
	for _, ord := range s.instances {
		if n := s.byOrdinal[ord]; n != nil && !yield(n) {
			return
		}
	}
}

// Owner is the id of the peer that serves an instance, "" where no peer is
// alive: the highest of the hashes of (peer, node) over the peers that the state
// says are alive (rendezvous hashing, Thaler and Ravishankar 1998), so that a
// peer that goes moves only what it served.
func (s *State) Owner(n *Node) string {
	owner, best := "", uint64(0)
	for id, p := range s.peers {
		if !p.Alive {
			continue
		}
		h := xxhash.New()
		_, _ = h.WriteString(id)
		_, _ = h.Write([]byte{0})
		_, _ = h.WriteString(n.ID)
		if sum := h.Sum64(); owner == "" || sum > best || sum == best && id < owner {
			owner, best = id, sum
		}
	}
	return owner
}

// InstanceRow is what is known of an instance beside what every node reports.
type InstanceRow struct {
	Observed    *Observed    `cbor:"1,keyasint,omitempty"`
	Unreachable *Unreachable `cbor:"2,keyasint,omitempty"` // why it could not be called; nil once it can
	Only        []string     `cbor:"3,keyasint,omitempty"` // the documents that the last resync was asked for; none = all
}

// Observed is what a peer saw of an instance. It is replicated only where it has
// changed.
type Observed struct {
	Baselines []Baseline `cbor:"1,keyasint,omitempty"` // sorted by target
	Unmanaged []string   `cbor:"2,keyasint,omitempty"` // targets that it holds and nobody wants there, sorted
	Warnings  []string   `cbor:"3,keyasint,omitempty"` // WarnNoAuth
}

// WarnNoAuth: the instance tells its configuration's version without a token.
const WarnNoAuth = "no_auth"

// Baseline is the hash that an instance reported right after it took a version
// whose hash cannot be computed here, because the instance puts values into its
// placeholders.
type Baseline struct {
	Target  string `cbor:"1,keyasint"`
	Version uint64 `cbor:"2,keyasint"`
	Hash    string `cbor:"3,keyasint"`
}

// Unreachable says that an instance could not be called, and why.
type Unreachable struct {
	Node    uint32 `cbor:"1,keyasint"`
	Time    int64  `cbor:"2,keyasint,omitempty"` // set when applied
	Code    string `cbor:"3,keyasint"`
	Message string `cbor:"4,keyasint"`
}

// Same tells whether two say the same; nil says nothing.
func (u *Unreachable) Same(v *Unreachable) bool {
	return u != nil && v != nil && u.Code == v.Code && u.Message == v.Message
}

// Instance returns what is known of an instance beside its row; it is never nil.
func (r *Row) instance() InstanceRow {
	if r.Instance == nil {
		return InstanceRow{}
	}
	return *r.Instance
}

// Observed returns what was seen of an instance, or an empty value.
func (r *Row) Observed() Observed {
	if o := r.instance().Observed; o != nil {
		return *o
	}
	return Observed{}
}

// Unreachable returns why an instance cannot be called, or nil.
func (r *Row) Unreachable() *Unreachable { return r.instance().Unreachable }

// bothOf is what two resyncs were asked for, nil for all.
func bothOf(a, b []string) []string {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// ResyncOf tells whether the last resync was asked for a document.
func (r *Row) ResyncOf(document string) bool {
	only := r.instance().Only
	return len(only) == 0 || slices.Contains(only, document)
}

// observe takes what a report says of an instance into its row.
func (next *Row) observe(r report) {
	if r.Observed == nil && next.Unreachable() == nil { // all agents: nothing is allocated
		return
	}
	in := next.instance()
	if r.Observed != nil {
		in.Observed = r.Observed
	}
	in.Unreachable = nil
	next.Instance = &in
}

// applyUnreachable takes the word of the peer that serves an instance.
func (s *State) applyUnreachable(peer string, u Unreachable) {
	n, row := s.NodeAt(u.Node), s.Row(u.Node)
	if row == nil || n.Instance == nil || s.Owner(n) != peer {
		return
	}
	u.Time = s.now
	if old := row.Unreachable(); u.Same(old) && !row.Connected {
		return
	}
	next := *row
	in := next.instance()
	in.Unreachable = &u
	next.Instance, next.Connected = &in, false
	s.rows[u.Node] = &next
	s.eventNode(u.Node)
}

// accepts tells whether a node takes a target: agents take all.
func (n *Node) accepts(target string) bool {
	if n.Instance == nil {
		return true
	}
	_, found := slices.BinarySearch(n.Instance.Accepts, target)
	return found
}

// relabel returns labels with those of more on top.
func relabel(labels, more map[string]string) map[string]string {
	out := maps.Clone(labels)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, more)
	return out
}
