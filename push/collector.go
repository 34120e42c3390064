package push

import (
	"cmp"
	"slices"
	"strings"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/wire"
)

// said is what one command tells the state, with the sessions it came from.
type said struct {
	command fsm.Reports
	upTo    map[*session]uint64
}

// gone is what the state is told beside reports: sessions that have ended, and
// instances that could not be called.
type gone struct {
	closed      []fsm.Closed
	unreachable []fsm.Unreachable
}

// take cuts off as much as one command may hold.
func (g *gone) take() gone {
	n, m := min(len(g.closed), maxClosed), min(len(g.unreachable), maxUnreachable)
	out := gone{g.closed[:n:n], g.unreachable[:m:m]}
	g.closed, g.unreachable = g.closed[n:], g.unreachable[m:]
	return out
}

// add takes in what is newer. Of an instance the latest is kept: without a
// quorum nothing is taken, and it may be told for hours.
func (g *gone) add(more gone) {
	g.closed = append(g.closed, more.closed...)
	for _, u := range more.unreachable {
		g.unreachable = slices.DeleteFunc(g.unreachable, func(old fsm.Unreachable) bool { return old.Node == u.Node })
		g.unreachable = append(g.unreachable, u)
	}
}

// putBack takes in what is older, because the state has not taken it.
func (g *gone) putBack(older gone) {
	older.closed, older.unreachable = slices.Clip(older.closed), slices.Clone(older.unreachable)
	older.add(*g)
	*g = older
}

// Limits of one command: a storm of sessions fits into log entries
// (fsm.MaxEntry), however little of it can be compressed.
const (
	maxSaid   = 192 << 10 // bytes, about; one session alone may need more
	maxClosed = 8 << 10   // sessions that have ended, at most 14 bytes each
	packedAck = 16        // bytes of one confirmation in a group, at most
	// maxUnreachable instances a command: each has a reason of some hundred bytes.
	maxUnreachable = 256
)

// wantedNow is fsm.State.AsWanted, inside a View.
type wantedNow func(ord uint32, at fsm.Position, sum fsm.Sum) bool

// collect makes the next command out of everything that nodes have said, or
// returns false. Confirmations by nodes that are still wanted to hold what they
// confirm become one packed group for each position, the others one for each
// update.
func (c *core) collect(wanted wantedNow, gone gone) (said, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unsaid) == 0 && len(gone.closed) == 0 && len(gone.unreachable) == 0 {
		return said{}, false
	}
	out := said{fsm.Reports{Peer: c.peer, Closed: gone.closed, Unreachable: gone.unreachable}, make(map[*session]uint64, len(c.unsaid))}
	groups := ackGroups{map[*offer]*fsm.AckGroup{}, map[fsm.Position]*fsm.AckGroup{}}
	size := 0
	for _, s := range c.inOrder() {
		cost, short := s.size(), s.confirms() && wanted(s.ord, s.acked.at, s.acked.manifest)
		if s.confirms() && len(s.pending) == 1 {
			cost = packedAck
			if !short && groups.offers[s.acked] == nil {
				cost += versionsSize(s.acked.versions)
			}
		}
		if size > 0 && size+cost > maxSaid {
			break // the rest goes with the next command
		}
		size += cost
		delete(c.unsaid, s)
		out.upTo[s] = s.seq
		singles := s.pending
		if s.confirms() {
			last := len(s.pending) - 1
			groups.of(s.acked, short).PackAck(s.ord, s.id, s.pending[last].Seq)
			singles = s.pending[:last]
		}
		out.command.Single = append(out.command.Single, singles...)
	}
	out.command.Acks = groups.list()
	return out, true
}

// ackGroups are the packed confirmations of one command.
type ackGroups struct {
	offers map[*offer]*fsm.AckGroup
	wanted map[fsm.Position]*fsm.AckGroup
}

func (a ackGroups) of(o *offer, short bool) *fsm.AckGroup {
	if short {
		if a.wanted[o.at] == nil {
			a.wanted[o.at] = &fsm.AckGroup{At: o.at, Wanted: true}
		}
		return a.wanted[o.at]
	}
	if a.offers[o] == nil {
		a.offers[o] = &fsm.AckGroup{Manifest: o.manifest, At: o.at, Versions: o.versions}
	}
	return a.offers[o]
}

func (a ackGroups) list() []fsm.AckGroup {
	var out []fsm.AckGroup
	for _, g := range a.offers {
		out = append(out, *g)
	}
	for _, g := range a.wanted {
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b fsm.AckGroup) int { return strings.Compare(string(a.Packed), string(b.Packed)) })
	return out
}

func (c *core) inOrder() []*session {
	out := make([]*session, 0, len(c.unsaid))
	for s := range c.unsaid {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *session) int { return cmp.Or(cmp.Compare(a.ord, b.ord), cmp.Compare(a.id, b.id)) })
	return out
}

// confirms tells whether the last pending report is nothing but the
// confirmation of the update that was acked last.
func (s *session) confirms() bool {
	if len(s.pending) == 0 || s.acked == nil {
		return false
	}
	r := &s.pending[len(s.pending)-1]
	return r.Open == nil && r.Tried == nil && r.Observed == nil && r.Drifted == nil && r.Confirmed && r.Versions != nil &&
		r.At == s.acked.at && r.Manifest == s.acked.manifest
}

// done notes what became of a command that is in the log. What the state did not
// take is said again: see fsm.AckGroup.
func (c *core) done(d said, outcome fsm.Outcome) {
	if outcome.Count > 0 {
		c.failed(d)
		return
	}
	c.committed(d)
}

// committed notes that the log has taken a command.
func (c *core) committed(d said) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s, seq := range d.upTo {
		s.settled(seq)
		if c.owing[s.ord] == s {
			delete(c.owing, s.ord)
		}
		// Taking a report moves the row, which marks the session by itself. Only
		// a session that the state has refused to open would never hear of it.
		if !s.welcome.opened && c.sessions[s.id] == s {
			c.mark(s)
		}
	}
}

// failed puts back what the log may not have taken: it is said again, and the
// state drops what it has already.
func (c *core) failed(d said) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range d.upTo {
		if c.speaks(s) {
			c.unsaid[s] = struct{}{}
		}
	}
}

// refused ends the sessions of a command that cannot be an entry of the log: to
// say it again would hold up all others for ever.
func (c *core) refused(d said) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range d.upTo {
		s.pending = nil
		delete(c.owing, s.ord)
		if c.sessions[s.id] == s {
			c.drop(s, wire.CloseProtocol, "what was reported is too large")
		}
	}
}
