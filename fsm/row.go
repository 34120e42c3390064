package fsm

import "slices"

// Row is what is known of the delivery to one node. Status and counts are
// derived from it; nothing is stored per push.
type Row struct {
	Session   Session   `cbor:"1,keyasint"`
	Connected bool      `cbor:"2,keyasint,omitempty"`
	Known     bool      `cbor:"3,keyasint,omitempty"` // it has reported at least once
	Reported  Sum       `cbor:"4,keyasint"`           // manifest that it holds
	At        Position  `cbor:"5,keyasint"`           // highest (epoch, index) that it accepted
	Confirmed bool      `cbor:"6,keyasint,omitempty"`
	Accepted  *Versions `cbor:"-"`                     // what it last accepted; shared, see snapshot.go
	Since     uint64    `cbor:"11,keyasint,omitempty"` // see State.Since
	Resync    uint64    `cbor:"14,keyasint,omitempty"` // index at which a person asked for a resync
	Trouble
	Instance *InstanceRow `cbor:"15,keyasint,omitempty"` // nil for an agent
	fallen   *Manifest    // what is wanted instead, where something was refused
}

// Trouble is what went wrong on a node, zero for nearly all of them.
type Trouble struct {
	Refused   []Refusal  `cbor:"8,keyasint,omitempty"`
	Attempts  int        `cbor:"9,keyasint,omitempty"`
	TriedAt   uint64     `cbor:"10,keyasint,omitempty"` // the Since that Attempts counts for
	Stuck     uint64     `cbor:"12,keyasint,omitempty"` // 1 + the Since at which nothing was left to fall back to
	Failure   *NodeError `cbor:"13,keyasint,omitempty"` // the last error that counted
	Drift     *Drift     `cbor:"16,keyasint,omitempty"`
	Discarded uint64     `cbor:"17,keyasint,omitempty"` // 1 + the Since at which a person discarded the dead letter
}

// Session is the connection that a node's reports come from. A peer makes the
// id; the agent's connection number is durable and rising.
type Session struct {
	Peer       string `cbor:"1,keyasint,omitempty"`
	ID         uint64 `cbor:"2,keyasint,omitempty"`
	Connection uint64 `cbor:"3,keyasint,omitempty"`
	Seq        uint64 `cbor:"4,keyasint,omitempty"` // of the last report
	Process    string `cbor:"5,keyasint,omitempty"`
	Since      int64  `cbor:"6,keyasint,omitempty"`
}

// Refusal is a version that a node does not take, with the documents that were
// blamed together with it.
type Refusal struct {
	Document string   `cbor:"1,keyasint"`
	Version  uint64   `cbor:"2,keyasint"`
	Together []string `cbor:"3,keyasint,omitempty"`
}

// NodeError is an error that a node reported.
type NodeError struct {
	Time     int64     `cbor:"1,keyasint"`
	Tried    Position  `cbor:"2,keyasint"`
	Revision uint64    `cbor:"3,keyasint"`
	Problems []Problem `cbor:"4,keyasint"`
	Attempts int       `cbor:"5,keyasint,omitempty"` // up to this one
}

// Problem is one reason of a NodeError, bounded by the peer that proposed it.
type Problem struct {
	Target    string `cbor:"1,keyasint,omitempty"`
	Stage     string `cbor:"2,keyasint,omitempty"`
	Code      string `cbor:"3,keyasint,omitempty"`
	Pointer   string `cbor:"4,keyasint,omitempty"`
	Message   string `cbor:"5,keyasint,omitempty"`
	LogTail   string `cbor:"6,keyasint,omitempty"`
	Retryable bool   `cbor:"7,keyasint,omitempty"`
}

// Status of a node.
type Status string

// The statuses, worst last among those that need nobody.
const (
	Acked      Status = "acked"
	InFlight   Status = "in_flight"
	Pending    Status = "pending"
	Retrying   Status = "retrying"
	Reverted   Status = "reverted"
	DeadLetter Status = "dead_letter"
	Offline    Status = "offline"
)

// Status is derived from the row. A dead letter stays one while the node is
// offline: it waits for a person or a newer version.
func (s *State) Status(ord uint32) Status {
	row := s.rows[ord]
	switch {
	case row.fallen != nil || s.Stuck(ord):
		return DeadLetter
	case !row.Connected:
		return Offline
	case s.Converged(ord):
		return Acked
	case s.Attempts(ord) > 0:
		return Retrying
	case s.DriftHeld(ord, s.now):
		return Pending
	}
	return InFlight
}

// Attempts is the number of failed attempts at what is wanted now.
func (s *State) Attempts(ord uint32) int {
	if row := s.rows[ord]; row.TriedAt == s.Since(ord) {
		return row.Attempts
	}
	return 0
}

// Stuck tells whether a node refused what is wanted and nothing is left to
// fall back to: nothing is sent until that changes or a person retries.
func (s *State) Stuck(ord uint32) bool { return s.rows[ord].Stuck == s.Since(ord)+1 }

// Row returns the delivery row of a node, or nil.
func (s *State) Row(ord uint32) *Row {
	if int(ord) >= len(s.rows) {
		return nil
	}
	return s.rows[ord]
}

// FellBack returns the documents that fall back on a node, sorted.
func (s *State) FellBack(ord uint32) []string {
	row := s.rows[ord]
	if row.fallen == nil {
		return nil
	}
	return sortedKeys(s.fallenDocuments(ord, row))
}

// putRow replaces a row and derives what hangs on its refusals.
func (s *State) putRow(ord uint32, row *Row) {
	row.fallen = nil
	if len(row.Refused) > 0 {
		row.Refused = slices.DeleteFunc(slices.Clone(row.Refused), func(r Refusal) bool { return !s.stillRefused(ord, r) })
		row.fallen = s.fall(ord, row)
	}
	if len(row.Refused) > 0 {
		s.refusing[ord] = struct{}{}
	} else {
		delete(s.refusing, ord)
	}
	s.rows[ord] = row
}

// stillRefused tells whether a refused version is still the desired one: a
// newer version clears the refusal, and so does the document's leaving.
func (s *State) stillRefused(ord uint32, r Refusal) bool {
	return binds(s.AudienceOf(ord).Bindings, r.Document) && s.documents[r.Document].Current().Number == r.Version
}

// noteWanted records that what a node is wanted to hold has changed.
func (s *State) noteWanted(ord uint32, before Sum) {
	after := s.Wanted(ord).Sum
	if after == before {
		return
	}
	row := *s.rows[ord]
	row.Since = s.index
	s.rows[ord] = &row
	s.mix(uint64(ord), sumWord(after))
}

// disconnectPeer marks the nodes of a peer that is gone as not connected.
func (s *State) disconnectPeer(id string) {
	for ord, row := range s.rows {
		if row != nil && row.Connected && row.Session.Peer == id {
			next := *row
			next.Connected = false
			s.rows[ord] = &next
			s.eventNode(uint32(ord))
		}
	}
}

// review is a refusing node as it was before a commit.
type review struct {
	ord    uint32
	wanted Sum
	groups map[string]map[string]bool // refused document → all that fell back with it
}

// refusalsTouching notes, before a commit, which refusals it may clear: a
// newer version of any document falling back with a refused one does.
func (s *State) refusalsTouching(names []string) []review {
	var out []review
	for ord := range s.refusing {
		a := s.AudienceOf(ord)
		if !slices.ContainsFunc(names, func(n string) bool { return binds(a.Bindings, n) }) {
			continue
		}
		row := s.rows[ord]
		r := review{ord, s.Wanted(ord).Sum, map[string]map[string]bool{}}
		for _, ref := range row.Refused {
			group := map[string]bool{ref.Document: true}
			s.growTogether(a, row.Accepted, group)
			for _, t := range ref.Together {
				group[t] = true
			}
			r.groups[ref.Document] = group
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b review) int { return int(a.ord) - int(b.ord) })
	return out
}

// reviewRefusals clears, after a commit to the named documents, what it clears.
func (s *State) reviewRefusals(reviews []review, changed map[string]*Document) {
	for _, r := range reviews {
		row := *s.rows[r.ord]
		row.Refused = slices.DeleteFunc(slices.Clone(row.Refused), func(ref Refusal) bool {
			for name := range r.groups[ref.Document] {
				if d := changed[name]; d != nil && d.Current().Revision == s.LastRevision() {
					return true
				}
			}
			return false
		})
		s.putRow(r.ord, &row)
		s.noteWanted(r.ord, r.wanted)
	}
}
