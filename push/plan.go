package push

import (
	"cmp"
	"slices"
	"time"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/wire"
)

// wish is a session that is to be sent the update of its group.
type wish struct {
	session *session
	seq     uint64 // of the last report that the plan knew
}

// groupKey tells apart the updates of one plan: sessions with equal keys are
// sent the same bytes.
type groupKey struct {
	base     fsm.Sum
	want     *fsm.Manifest
	audience fsm.Sum
	texts    *fsm.Versions // set where texts differ behind equal checksums
	full     bool
	instance bool // is called over HTTP: takes whole contents, and no signed frame
}

// group is what the frame of a key is made of, copied out of the state.
type group struct {
	key      groupKey
	cluster  string
	at       fsm.Position
	revision uint64
	parts    []part
	wishes   []wish
}

// part is one document that differs.
type part struct {
	target  string
	version *fsm.Version // nil: the target is removed
	to      *fsm.Blob
	base    fsm.Sum   // checksum of what the node holds, zero where it holds none
	from    *fsm.Blob // nil: send the full content
}

// plan is what the sessions that were marked are to be sent.
type plan struct {
	compared map[comparison]bool
	wishes   int // of all groups
	groups   map[groupKey]*group
	order    []*group // in which they were found
	// next is when the earliest retry is due, zero where there is none.
	next time.Time
}

// comparison is what a node accepted and what it is wanted to hold.
type comparison struct {
	held *fsm.Versions
	want *fsm.Manifest
}

// conditions are what the rules must know beside the state.
type conditions struct {
	now    time.Time
	quorum bool
	peers  []string // URLs of the controllers
}

// plan looks at all marked sessions. It runs inside Store.View: it makes no
// frame, and sends only what is small and made for one session.
func (c *core) plan(state *fsm.State, at conditions) plan {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := plan{compared: map[comparison]bool{}, groups: map[groupKey]*group{}}
	c.lookAtHeld(at.now, &p)
	marked := c.dirty
	c.dirty = nil
	for _, s := range marked {
		s.dirty = false
		if c.sessions[s.id] != s {
			continue
		}
		if !c.keeps(state, s) {
			continue
		}
		c.greet(state, s, at)
		if key, ok := c.wants(state, s, at, &p); ok {
			g := p.groups[key]
			if g == nil {
				var known bool
				if g, known = newGroup(state, s, key); !known {
					c.ask(s)
					continue
				}
				p.groups[key], p.order = g, append(p.order, g)
			}
			g.wishes = append(g.wishes, wish{s, s.seq})
			p.wishes++
		}
	}
	return p
}

// keeps ends a session whose node is gone, or which the state shows
// superseded: goaway carries the highest connection number, and the agent goes
// on above it. A session that the state has lost is told to it again.
func (c *core) keeps(state *fsm.State, s *session) bool {
	row := state.Row(s.ord)
	if row == nil {
		c.drop(s, wire.CloseRevoked, "this node was removed")
		return false
	}
	if row.Session.ID == s.id {
		s.welcome.opened = true
		if !row.Connected && len(s.pending) == 0 {
			c.reopen(state, s)
		}
		return true
	}
	if row.Session.Connection >= s.hello.connection {
		s.tell(wire.Goaway{Reason: wire.GoawayDuplicate, Connection: row.Session.Connection})
		c.drop(s, wire.CloseSuperseded, "another connection of this node took over")
		return false
	}
	if len(s.pending) == 0 {
		c.reopen(state, s)
	}
	return true
}

func (c *core) reopen(state *fsm.State, s *session) {
	node := state.NodeAt(s.ord)
	s.report(fsm.Report{Open: s.open(node.AgentVersion, node.Facts)})
	c.unsaid[s] = struct{}{}
}

// greet sends the welcome, sends it again when the audience has changed, and
// passes on a person's wish to hear what the node holds.
func (c *core) greet(state *fsm.State, s *session, at conditions) {
	audience := state.AudienceOf(s.ord).ID
	resync := state.Row(s.ord).Resync
	if s.welcome.done && s.welcome.resynced < resync {
		c.ask(s)
	}
	s.welcome.resynced = resync // a hello has just said what a new session holds
	if s.welcome.done && s.welcome.audience == audience {
		return
	}
	s.welcome.done, s.welcome.audience = true, audience
	if s.instance {
		return
	}
	name := ""
	if p := state.Peer(c.peer); p != nil {
		name = p.Name
	}
	text := wire.WelcomeText(state.Cluster().ID, s.node, s.nonce, s.hello.nonce, audience.String())
	s.tell(wire.Welcome{
		Peer: name, Peers: at.peers, Quorum: at.quorum, HeartbeatS: int(heartbeat / time.Second),
		Audience: audience.String(), Signature: c.sign(text),
	})
}

// noteDrift tells the state which targets somebody changed on a node that has
// just listed what it holds: those that differ from what it accepted, where that
// is still all that is wanted. Nothing is sent until the state holds it, because
// it may have to be left as it is.
func (c *core) noteDrift(state *fsm.State, s *session) bool {
	if !s.welcome.listed {
		return false
	}
	s.welcome.listed = false
	row := state.Row(s.ord)
	want := state.Wanted(s.ord)
	if row.Accepted == nil || s.last.manifest == want.Sum || len(row.Refused) > 0 ||
		state.Attempts(s.ord) > 0 || !slices.Equal(row.Accepted.List, want.Versions.List) {
		return false
	}
	var drifted []string
	for _, e := range state.EntriesOf(row.Accepted) {
		if s.last.targets[e.Target] != e.Version.Checksum {
			drifted = append(drifted, e.Target)
		}
	}
	if len(drifted) == 0 {
		return false
	}
	slices.Sort(drifted)
	s.report(fsm.Report{Drifted: drifted})
	s.retry.errorSeq = s.seq
	c.unsaid[s] = struct{}{}
	return true
}

// wants decides whether a session is sent an update now. The order of the
// checks is that of the design: one update in flight; nothing from a state
// that is behind the node; nothing after an error until the state holds it.
func (c *core) wants(state *fsm.State, s *session, at conditions, p *plan) (groupKey, bool) {
	none := groupKey{}
	if !at.quorum {
		c.mark(s) // for when there is one again
		return none, false
	}
	if s.inflight != nil {
		s.welcome.behind = true
		return none, false
	}
	if s.welcome.asked || !s.last.confirmed {
		return none, false
	}
	if state.Position().Less(s.last.at) {
		return none, false
	}
	row := state.Row(s.ord)
	if s.retry.errorSeq > 0 && (row.Session.ID != s.id || row.Session.Seq < s.retry.errorSeq) {
		return none, false
	}
	if c.noteDrift(state, s) {
		return none, false
	}
	want := state.Wanted(s.ord)
	since := state.Since(s.ord)
	fenced := s.last.at.Less(fsm.Position{Epoch: state.Epoch(), Index: since})
	if s.last.manifest == want.Sum && !fenced || state.Stuck(s.ord) {
		return none, false
	}
	if state.DriftHeld(s.ord, at.now.UnixMilli()) {
		c.held.add(s, at.now, p)
		return none, false
	}
	if !c.due(s, since, state.Attempts(s.ord), at.now, p) {
		return none, false
	}
	return groupKey{
		base: s.last.manifest, want: want, texts: p.otherTexts(state, row, s.last.manifest, want),
		audience: s.welcome.audience, full: s.welcome.full, instance: s.instance,
	}, true
}

// heldAgain is how often sessions are looked at whose drift is left as it is:
// nothing moves in the state when the hour is over in which it was healed too
// often.
const heldAgain = time.Minute

// heldSessions are those that were passed over because of drift.
type heldSessions struct {
	sessions map[*session]struct{}
	next     time.Time // when they are looked at again
}

func (h *heldSessions) add(s *session, now time.Time, p *plan) {
	if len(h.sessions) == 0 {
		h.sessions, h.next = map[*session]struct{}{}, now.Add(heldAgain)
	}
	h.sessions[s] = struct{}{}
	p.wake(h.next)
}

// lookAtHeld marks the sessions that are held when it is time to.
func (c *core) lookAtHeld(now time.Time, p *plan) {
	switch {
	case len(c.held.sessions) == 0:
	case now.Before(c.held.next):
		p.wake(c.held.next)
	default:
		for s := range c.held.sessions {
			c.mark(s)
		}
		c.held.sessions = nil
	}
}

// wake has the plan made again at a time, if not before.
func (p *plan) wake(at time.Time) {
	if p.next.IsZero() || at.Before(p.next) {
		p.next = at
	}
}

// otherTexts returns what a node accepted, where that has the checksums of what
// is wanted and other texts: 1 for 1.0. Nodes with the same checksums and
// different texts are different groups.
func (p *plan) otherTexts(state *fsm.State, row *fsm.Row, base fsm.Sum, want *fsm.Manifest) *fsm.Versions {
	if row.Accepted == nil || row.Accepted.Sum != base {
		return nil
	}
	key := comparison{row.Accepted, want}
	differ, known := p.compared[key]
	if !known {
		differ = state.TextsDiffer(row.Accepted, want)
		p.compared[key] = differ
	}
	if differ {
		return row.Accepted
	}
	return nil
}

// Backoff of updates that failed: full jitter over a rising base.
const (
	retryBase = time.Second
	retryCap  = 5 * time.Minute
)

// due tells whether the wait after a failed attempt is over, and notes in the
// plan when it will be.
func (c *core) due(s *session, since uint64, attempts int, now time.Time, p *plan) bool {
	if attempts == 0 {
		return true
	}
	if s.retry.since != since || s.retry.attempts != attempts {
		ceiling := min(retryCap, retryBase<<min(attempts-1, 20))
		s.retry.since, s.retry.attempts = since, attempts
		s.retry.at = max(instantOf(now)+instant(c.rand.Int64N(int64(ceiling))), s.retry.notUntil)
	}
	if s.retry.at <= instantOf(now) {
		return true
	}
	p.wake(s.retry.at.time())
	c.mark(s)
	return false
}

// newGroup copies out of the state what differs between what a node holds and
// what it is wanted to hold. known is false where it is not known what the
// manifest that it reported stands for.
func newGroup(state *fsm.State, s *session, key groupKey) (g *group, known bool) {
	g = &group{key: key, cluster: state.Cluster().ID, at: state.Position(), revision: state.LastRevision()}
	have, known := holds(state, s)
	if !known && !key.full {
		return nil, false
	}
	// Both are sorted by target.
	for _, e := range key.want.Entries {
		for len(have) > 0 && have[0].target < e.Target {
			g.parts = append(g.parts, part{target: have[0].target})
			have = have[1:]
		}
		base := holding{}
		if len(have) > 0 && have[0].target == e.Target {
			base, have = have[0], have[1:]
		}
		from := (*fsm.Blob)(nil)
		text := key.texts == nil || base.version == nil || base.version.Blob == e.Version.Blob
		if base.sum == e.Version.Checksum && text && !key.full {
			continue
		}
		if base.version != nil && !key.full && !key.instance {
			from = state.Blob(base.version.Blob)
		}
		g.parts = append(g.parts, part{e.Target, e.Version, state.Blob(e.Version.Blob), base.sum, from})
	}
	for _, h := range have {
		g.parts = append(g.parts, part{target: h.target})
	}
	return g, true
}

// holding is one document on a node: version is nil where no version of the
// document has this checksum.
type holding struct {
	target  string
	sum     fsm.Sum
	version *fsm.Version
}

// holds tells what a node holds, sorted by target.
func holds(state *fsm.State, s *session) ([]holding, bool) {
	var out []holding
	row := state.Row(s.ord)
	if s.last.targets != nil && (row.Accepted == nil || row.Accepted.Sum != s.last.manifest) {
		for target, sum := range s.last.targets {
			out = append(out, holding{target, sum, state.VersionBy(s.ord, target, sum)})
		}
		return sorted(out), true
	}
	if s.last.manifest == emptyManifest {
		return nil, true
	}
	var acked *fsm.Versions // the state may not hold it yet
	if s.acked != nil {
		acked = &fsm.Versions{Sum: s.acked.manifest, List: s.acked.versions}
	}
	for _, known := range []*fsm.Versions{row.Accepted, state.Wanted(s.ord).Versions, acked} {
		if known != nil && known.Sum == s.last.manifest {
			entries := state.EntriesOf(known)
			out = make([]holding, len(entries))
			for i, e := range entries {
				out[i] = holding{e.Target, e.Version.Checksum, e.Version}
			}
			return sorted(out), len(out) == len(known.List)
		}
	}
	return nil, false
}

func sorted(list []holding) []holding {
	slices.SortFunc(list, func(a, b holding) int { return cmp.Compare(a.target, b.target) })
	return list
}
