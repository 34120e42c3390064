package fsm

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/droverhq/drover/document"
)

// Reports is what one peer has heard from its nodes since its last command of
// this kind: one entry for thousands of acknowledgements.
type Reports struct {
	Peer   string     `cbor:"1,keyasint"`
	Closed []Closed   `cbor:"2,keyasint,omitempty"`
	Single []Report   `cbor:"3,keyasint,omitempty"`
	Acks   []AckGroup `cbor:"4,keyasint,omitempty"`
	// Unreachable are instances that the peer could not call.
	Unreachable []Unreachable `cbor:"5,keyasint,omitempty"`
}

// Kind is the persisted number of the command.
func (Reports) Kind() Kind { return 25 }

// Closed says that a session has ended.
type Closed struct {
	Node    uint32 `cbor:"1,keyasint"`
	Session uint64 `cbor:"2,keyasint"`
}

// Report is what one node said. Reports are numbered within a session: older
// ones, and those of other sessions, are dropped.
type Report struct {
	Node      uint32       `cbor:"1,keyasint"`
	Session   uint64       `cbor:"2,keyasint"`
	Seq       uint64       `cbor:"3,keyasint"`
	Manifest  Sum          `cbor:"4,keyasint"`
	At        Position     `cbor:"5,keyasint"`
	Confirmed bool         `cbor:"6,keyasint,omitempty"`
	Open      *Open        `cbor:"7,keyasint,omitempty"` // the session begins, or is told again
	Versions  []DocVersion `cbor:"8,keyasint,omitempty"` // of the update that this confirms
	Tried     *Position    `cbor:"9,keyasint,omitempty"` // set for an error that counts
	Problems  []Problem    `cbor:"10,keyasint,omitempty"`
	Observed  *Observed    `cbor:"11,keyasint,omitempty"` // of an instance, where it changed
	Drifted   []string     `cbor:"12,keyasint,omitempty"` // targets that somebody changed on the node, sorted
}

// Open begins a session.
type Open struct {
	Connection   uint64            `cbor:"1,keyasint"`
	Process      string            `cbor:"2,keyasint"`
	AgentVersion string            `cbor:"3,keyasint,omitempty"`
	Facts        map[string]string `cbor:"4,keyasint,omitempty"`
}

// AckGroup is the confirmations of one update by many nodes. Packed holds, per
// node, three varints: its ordinal, its session and the number of its report.
//
// With Wanted it is the confirmations of all updates that were computed at one
// position, by nodes that are still wanted to hold what theirs brought: their
// manifests and versions are in the state, and Manifest and Versions are empty.
// So an entry grows with the nodes, and not with their documents and groups.
// What a node of it was wanted to hold may have changed before the entry is
// applied. Its report is not taken then, the outcome counts it, and the peer
// says it again in the other form.
type AckGroup struct {
	Manifest Sum          `cbor:"1,keyasint"`
	At       Position     `cbor:"2,keyasint"`
	Versions []DocVersion `cbor:"3,keyasint"`
	Packed   []byte       `cbor:"4,keyasint"`
	Wanted   bool         `cbor:"5,keyasint,omitempty"`
}

// featureWanted is the feature level from which on AckGroup.Wanted is known.
const featureWanted = 2

// AsWanted tells whether a node's confirmation of an update can go into an
// AckGroup with Wanted: at is the position that the update was computed at, sum
// the manifest that it brought.
func (s *State) AsWanted(ord uint32, at Position, sum Sum) bool {
	return s.cluster != nil && s.cluster.Feature >= featureWanted && s.stillWanted(ord, at) && s.Wanted(ord).Sum == sum
}

// stillWanted tells whether what a node is wanted to hold is what it was at a
// position.
func (s *State) stillWanted(ord uint32, at Position) bool {
	return s.Row(ord) != nil && at.Epoch == s.Epoch() && s.Since(ord) <= at.Index
}

// PackAck adds a node to the group.
func (g *AckGroup) PackAck(ord uint32, session, seq uint64) {
	g.Packed = binary.AppendUvarint(g.Packed, uint64(ord))
	g.Packed = binary.AppendUvarint(g.Packed, session)
	g.Packed = binary.AppendUvarint(g.Packed, seq)
}

// report is a Report in the form that both kinds share.
type report struct {
	Report
	peer     string
	versions *Versions // nil where they are not known
}

func (s *State) applyReports(c Reports) (out Outcome, err error) {
	for _, r := range c.Single {
		var versions *Versions
		if r.Versions != nil {
			versions = s.knownVersions(r.Node, r.Manifest, r.Versions)
		}
		s.applyReport(report{r, c.Peer, versions})
	}
	for i := range c.Acks {
		left, err := s.applyAcks(c.Peer, &c.Acks[i])
		if err != nil {
			return out, err
		}
		out.Count += left
	}
	// Last: what a session said before it ended still counts.
	for _, cl := range c.Closed {
		s.applyClosed(cl)
	}
	for _, u := range c.Unreachable {
		s.applyUnreachable(c.Peer, u)
	}
	return out, nil
}

func (s *State) applyClosed(c Closed) {
	row := s.Row(c.Node)
	if row == nil || row.Session.ID != c.Session || !row.Connected {
		return
	}
	next := *row
	next.Connected = false
	next.Session.Since = s.now
	s.rows[c.Node] = &next
	s.eventNode(c.Node)
}

// applyAcks takes the confirmations of a group, and counts those that it could
// not take.
func (s *State) applyAcks(peer string, g *AckGroup) (left int, err error) {
	sum, versions := g.Manifest, (*Versions)(nil)
	packed := g.Packed
	for len(packed) > 0 {
		var v [3]uint64
		for i := range v {
			n := 0
			if v[i], n = binary.Uvarint(packed); n <= 0 {
				return left, fmt.Errorf("%w: acknowledgements are damaged", ErrUnknownCommand)
			}
			packed = packed[n:]
		}
		ord := uint32(v[0])
		switch {
		case s.Row(ord) == nil:
			continue // the node was removed
		case g.Wanted && !s.stillWanted(ord, g.At):
			left++
			continue
		case g.Wanted:
			versions = s.Wanted(ord).Versions
			sum = versions.Sum
		case versions == nil:
			versions = s.knownVersions(ord, sum, g.Versions)
		}
		s.applyReport(report{Report{
			Node: ord, Session: v[1], Seq: v[2], Manifest: sum, At: g.At, Confirmed: true,
		}, peer, versions})
	}
	return left, nil
}

// knownVersions are the versions that a peer sent and a node confirmed, shared
// with what is wanted where that is the same; nil where retention has dropped
// one of them.
func (s *State) knownVersions(ord uint32, sum Sum, list []DocVersion) *Versions {
	if s.Row(ord) == nil {
		return nil
	}
	if w := s.Wanted(ord).Versions; w.Sum == sum && slices.Equal(w.List, list) {
		return w
	}
	for _, dv := range list {
		if d := s.documents[dv.Document]; d == nil || d.Version(dv.Version) == nil {
			return nil
		}
	}
	return &Versions{Sum: sum, List: list}
}

// applyReport takes what a node said into its row. The order matters: first
// which session speaks, then what the node accepted, then what an error means.
func (s *State) applyReport(r report) {
	row := s.Row(r.Node)
	if row == nil {
		return
	}
	next := *row
	if r.Open != nil {
		if !s.openSession(&next, r) {
			return
		}
	} else if row.Session.ID != r.Session || r.Seq <= row.Session.Seq {
		return
	}
	before := s.Wanted(r.Node).Sum
	next.Session.Seq = r.Seq
	next.Known, next.Reported, next.At, next.Confirmed = true, r.Manifest, r.At, r.Confirmed
	s.accept(r, row, &next)
	s.noteDrift(r, &next)
	next.observe(r)
	s.putRow(r.Node, &next)
	s.noteWanted(r.Node, before)
	if r.Tried != nil {
		s.applyError(r, before)
	} else if s.Wanted(r.Node).Sum == r.Manifest {
		s.forgive(r.Node)
	}
	s.mix(uint64(r.Node), sumWord(r.Manifest), r.At.Index, uint64(s.rows[r.Node].Attempts))
	s.eventNode(r.Node)
}

// openSession decides whether a session may begin: one with a lower connection
// number than the row's, or with the same number and another id, may not.
func (s *State) openSession(next *Row, r report) bool {
	old := next.Session
	if old.ID == r.Session {
		if r.Seq < old.Seq || r.Seq == old.Seq && next.Connected {
			return false
		}
	} else if r.Open.Connection <= old.Connection {
		return false
	}
	if old.ID != r.Session || !next.Connected {
		next.Session = Session{
			Peer: r.peer, ID: r.Session, Connection: r.Open.Connection, Process: r.Open.Process, Since: s.now,
		}
	}
	next.Connected = true
	n := s.byOrdinal[r.Node]
	if n.AgentVersion != r.Open.AgentVersion || !equalFacts(n.Facts, r.Open.Facts) {
		node := *n
		node.AgentVersion, node.Facts = r.Open.AgentVersion, r.Open.Facts
		s.share.node(&node)
		s.putNode(&node)
	}
	return true
}

func equalFacts(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if w, found := b[k]; !found || w != v {
			return false
		}
	}
	return true
}

// accept notes which versions the node holds, all or none: those of the update
// that the report confirms, otherwise those of what is wanted, if it reports
// exactly that. Accepting a newer version of a document that was blamed
// together with others gives those another try.
func (s *State) accept(r report, old, next *Row) {
	if !r.Confirmed {
		return
	}
	switch wanted := s.Wanted(r.Node); {
	case r.versions != nil:
		next.Accepted = r.versions
	case wanted.Sum != r.Manifest:
		return
	case old.Accepted != nil && old.Accepted.Sum == r.Manifest && r.At.Less(Position{s.Epoch(), s.Since(r.Node)}):
		// It has not been sent what is wanted: versions of the same checksum,
		// but perhaps of other texts (see sameTexts).
		return
	default:
		next.Accepted = wanted.Versions
	}
	if len(next.Refused) == 0 {
		return
	}
	next.Refused = slices.DeleteFunc(slices.Clone(next.Refused), func(ref Refusal) bool {
		return slices.ContainsFunc(ref.Together, func(name string) bool {
			return name != ref.Document && next.Accepted.Of(name) > old.Accepted.Of(name)
		})
	})
}

// forgive ends the attempts at what the node now holds.
func (s *State) forgive(ord uint32) {
	row := s.rows[ord]
	clean := row.Failure == nil || row.fallen != nil
	if row.Attempts == 0 && row.Stuck == 0 && clean {
		return
	}
	next := *row
	next.Attempts, next.Stuck = 0, 0
	if row.fallen == nil {
		next.Failure = nil
	}
	s.rows[ord] = &next
}

// applyError counts an attempt or remembers a refusal. An error of an update
// that is not wanted any more means nothing.
func (s *State) applyError(r report, before Sum) {
	since := s.Since(r.Node)
	wanted := s.Wanted(r.Node)
	if r.Tried.Epoch != s.Epoch() || r.Tried.Index < since || wanted.Sum != before {
		return
	}
	row := *s.rows[r.Node]
	if row.TriedAt != since {
		row.Attempts, row.TriedAt = 0, since
	}
	row.Attempts++
	row.Failure = &NodeError{Time: s.now, Tried: *r.Tried, Revision: s.LastRevision(), Problems: r.Problems, Attempts: row.Attempts}
	if retryable(r.Problems) && row.Attempts < s.settings.Attempts {
		s.rows[r.Node] = &row
		return
	}
	blamed := s.blame(r, &row, wanted)
	if len(blamed) == 0 {
		row.Stuck = since + 1
		s.rows[r.Node] = &row
		return
	}
	row.Attempts = 0
	desired := s.Desired(r.Node).Versions
	for _, name := range blamed {
		row.Refused = slices.DeleteFunc(slices.Clone(row.Refused), func(ref Refusal) bool { return ref.Document == name })
		row.Refused = append(row.Refused, Refusal{Document: name, Version: desired.Of(name), Together: blamed})
	}
	s.putRow(r.Node, &row)
	s.noteWanted(r.Node, before)
}

// retryable: one reason that cannot go away by itself is enough to refuse.
func retryable(problems []Problem) bool {
	return !slices.ContainsFunc(problems, func(p Problem) bool { return !p.Retryable })
}

// blame tells which documents a refusal is about, sorted: those that the error
// names, or all that the update changed, as far as there is something else to
// fall back to.
func (s *State) blame(r report, row *Row, wanted *Manifest) []string {
	a := s.AudienceOf(r.Node)
	changed := s.changed(row, wanted)
	named := map[string]bool{}
	for _, p := range r.Problems {
		if name := a.document(p.Target); name != "" && changed[name] {
			named[name] = true
		}
	}
	if len(named) == 0 {
		named = changed
	}
	desired := s.Desired(r.Node).Versions
	var out []string
	for _, name := range sortedKeys(named) {
		v := desired.Of(name)
		if v != 0 && v == wanted.Versions.Of(name) && v != row.Accepted.Of(name) {
			out = append(out, name)
		}
	}
	return out
}

// changed are the documents that an update to wanted would change on a node.
// Where it is not known what the node runs, all of them count.
func (s *State) changed(row *Row, wanted *Manifest) map[string]bool {
	out := map[string]bool{}
	known := row.Accepted != nil && row.Accepted.Sum == row.Reported || row.Reported == emptyManifest
	for _, e := range wanted.Entries {
		held := s.checksum(e.Document, row.Accepted.Of(e.Document))
		if !known || held != e.Version.Checksum {
			out[e.Document] = true
		}
	}
	if row.Accepted != nil {
		for _, dv := range row.Accepted.List {
			if wanted.Versions.Of(dv.Document) == 0 {
				out[dv.Document] = true
			}
		}
	}
	return out
}

func (s *State) checksum(name string, version uint64) Sum {
	if d := s.documents[name]; d != nil {
		if v := d.Version(version); v != nil {
			return v.Checksum
		}
	}
	return Sum{}
}

// emptyManifest is what a node reports that holds nothing.
var emptyManifest = document.ManifestSum(nil)
