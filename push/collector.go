package push

import (
	"cmp"
	"slices"
	"strings"

	"github.com/droverhq/drover/fsm"
)

// said is what one command tells the state, with the sessions it came from.
type said struct {
	command fsm.Reports
	upTo    map[*session]uint64
}

// maxSingles bounds the reports in one command that are no confirmations, so
// that a storm of sessions fits into log entries.
const maxSingles = 500

// collect makes the next command out of everything that nodes have said, or
// returns false. Confirmations of one update become one packed group.
func (c *core) collect(closed []fsm.Closed) (said, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unsaid) == 0 && len(closed) == 0 {
		return said{}, false
	}
	out := said{fsm.Reports{Peer: c.peer, Closed: closed}, make(map[*session]uint64, len(c.unsaid))}
	groups := map[*frame]*fsm.AckGroup{}
	for _, s := range c.inOrder() {
		if len(out.command.Single) >= maxSingles {
			break // the rest goes with the next command
		}
		delete(c.unsaid, s)
		out.upTo[s] = s.seq
		for i, r := range s.pending {
			if f := s.acked; i == len(s.pending)-1 && r.Open == nil && r.Versions != nil && f != nil && r.At == f.at {
				g := groups[f]
				if g == nil {
					g = &fsm.AckGroup{Manifest: f.manifest, At: f.at, Versions: f.versions}
					groups[f] = g
				}
				g.PackAck(r.Node, r.Session, r.Seq)
				continue
			}
			out.command.Single = append(out.command.Single, r)
		}
	}
	for _, g := range groups {
		out.command.Acks = append(out.command.Acks, *g)
	}
	slices.SortFunc(out.command.Acks, func(a, b fsm.AckGroup) int { return strings.Compare(string(a.Packed), string(b.Packed)) })
	return out, true
}

func (c *core) inOrder() []*session {
	out := make([]*session, 0, len(c.unsaid))
	for s := range c.unsaid {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *session) int { return cmp.Compare(a.ord, b.ord) })
	return out
}

// committed notes that the log has taken a command.
func (c *core) committed(d said) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s, seq := range d.upTo {
		s.settled(seq)
		c.mark(s)
	}
}

// failed puts back what the log may not have taken: it is said again, and the
// state drops what it has already.
func (c *core) failed(d said) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s := range d.upTo {
		if c.sessions[s.id] == s {
			c.unsaid[s] = struct{}{}
		}
	}
}
