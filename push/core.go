package push

import (
	"math/rand/v2"
	"sync"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/wire"
)

// runBits is the number of low bits of a session's id that count the sessions of
// one process.
const runBits = 24

// core is the rules of delivery for the sessions of one peer. Its methods do
// no I/O beyond queueing frames on links, and start no goroutine.
type core struct {
	peer string // id of this peer
	sign func(text string) string
	rand *rand.Rand

	mu       sync.Mutex
	sessions map[uint64]*session
	byNode   map[uint32]*session // the newest of each node
	dirty    []*session
	held     heldSessions
	unsaid   map[*session]struct{} // with reports for the collector
	owing    map[uint32]*session   // ended, with an error that the log still lacks
	nextID   uint64
	// instances is the number of sessions with nodes that are called over HTTP:
	// they belong to this peer, and are never sent to another one.
	instances int
}

func newCore(peer string, run uint64, sign func(string) string, random *rand.Rand) *core {
	return &core{
		peer: peer, sign: sign, rand: random,
		sessions: map[uint64]*session{}, byNode: map[uint32]*session{},
		unsaid: map[*session]struct{}{}, owing: map[uint32]*session{}, nextID: run << runBits,
	}
}

// admit begins a session whose hello was verified. An older session of the
// same node on this peer ends: the newest wins.
func (c *core) admit(l link, ord uint32, nonce string, h wire.Hello) (*session, error) {
	manifest, err := document.ParseChecksum(h.Manifest)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nextID++
	h.Facts = boundedFacts(h.Facts)
	h.Process, h.AgentVersion = cut(h.Process, maxWord), cut(h.AgentVersion, maxWord)
	s := &session{link: l, id: c.nextID, ord: ord, node: h.Node, nonce: nonce}
	s.hello = hello{process: h.Process, connection: h.Connection, nonce: h.Nonce}
	s.last = held{manifest: manifest, at: fsm.Position{Epoch: h.Epoch, Index: h.Index}, confirmed: true}
	c.begin(s, fsm.Report{Open: s.open(h.AgentVersion, h.Facts)})
	return s, nil
}

// begin makes a session the one of its node.
func (c *core) begin(s *session, open fsm.Report) {
	if old := c.byNode[s.ord]; old != nil {
		c.drop(old, wire.CloseSuperseded, "a newer connection of this node took over")
	}
	c.sessions[s.id], c.byNode[s.ord] = s, s
	if s.instance {
		c.instances++
	}
	s.report(open)
	c.unsaid[s] = struct{}{}
	c.mark(s)
}

// drop ends a session from this side.
func (c *core) drop(s *session, code int, reason string) {
	s.close(code, reason)
	c.forget(s)
}

// forget takes a session out; whoever calls it tells the state. An error that
// the node has said is not lost with it: the node says it only once.
func (c *core) forget(s *session) {
	if c.sessions[s.id] != s {
		return
	}
	delete(c.sessions, s.id)
	delete(c.unsaid, s)
	if s.instance {
		c.instances--
	}
	if c.byNode[s.ord] == s {
		delete(c.byNode, s.ord)
	}
	if s.owes() {
		delete(c.unsaid, c.owing[s.ord])
		c.owing[s.ord], c.unsaid[s] = s, struct{}{}
	}
}

// speaks tells whether what a session said is still to be brought to the log.
func (c *core) speaks(s *session) bool { return c.sessions[s.id] == s || c.owing[s.ord] == s }

// ended takes a session out whose connection is gone, and tells whether it was
// still one of ours.
func (c *core) ended(s *session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ours := c.sessions[s.id]
	c.forget(s)
	return ours
}

func (c *core) mark(s *session) {
	if !s.dirty {
		s.dirty = true
		c.dirty = append(c.dirty, s)
	}
}

// markAll makes the next plan look at every session.
func (c *core) markAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sessions {
		c.mark(s)
	}
}

// markMoved makes the next plan look at the sessions whose nodes may be wanted
// to hold something else, or whose rows have moved.
func (c *core) markMoved(state *fsm.State, moved []fsm.Moved) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range moved {
		for _, e := range m.Events {
			switch e.Kind {
			case fsm.EventRevision:
				c.markPush(state.Push(e.Revision))
			case fsm.EventNode:
				for _, ord := range e.Nodes {
					if s := c.byNode[ord]; s != nil {
						c.mark(s)
					}
				}
			}
		}
	}
}

func (c *core) markPush(p *fsm.Push) {
	if p == nil { // retention was quicker
		for _, s := range c.sessions {
			c.mark(s)
		}
		return
	}
	if p.Targets.Len() > 4*len(c.byNode) {
		for ord, s := range c.byNode {
			if p.Targets.Has(ord) {
				c.mark(s)
			}
		}
		return
	}
	for ord := range p.Targets.All() {
		if s := c.byNode[ord]; s != nil {
			c.mark(s)
		}
	}
}

// hear takes one message of a node. It returns false for a message that an
// agent has no business to send.
func (c *core) hear(s *session, m wire.Message) bool {
	ok, _ := c.listen(s, m)
	return ok
}

// listen is hear. look tells whether the plan now has something to look at.
func (c *core) listen(s *session, m wire.Message) (ok, look bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions[s.id] != s {
		return true, false // it ended while the message was read
	}
	look = true
	switch m := m.(type) {
	case wire.Ack:
		ok, look = c.hearAck(s, m)
	case wire.Error:
		ok = c.hearError(s, m)
	case wire.Status:
		ok = c.hearStatus(s, m)
	case wire.Fault:
		return true, false // logged by the caller
	}
	if ok {
		c.unsaid[s] = struct{}{}
	}
	if ok && look {
		c.mark(s)
	}
	return ok, ok && look
}

// hearAck need not make the plan look where a node holds what it was sent, and
// nothing has moved since: thousands say so at once.
func (c *core) hearAck(s *session, m wire.Ack) (ok, look bool) {
	manifest, err := document.ParseChecksum(m.Manifest)
	if err != nil {
		return false, false
	}
	look = true
	f := s.inflight
	s.last = held{manifest: manifest, at: s.last.at, confirmed: m.Confirmed}
	var r fsm.Report
	if f != nil && f.id == m.Update {
		s.inflight, s.welcome.full = nil, false
		s.raise(f.at)
		if f.manifest == manifest {
			r.Versions = f.versions
			s.acked = f
			look = s.welcome.behind || !m.Confirmed
		}
	}
	s.report(r)
	return true, look
}

// reasonSync marks the status of an instance that is to be pushed something
// again, whatever it holds: that is no drift.
const reasonSync = "sync"

func (c *core) hearStatus(s *session, m wire.Status) bool {
	manifest, err := document.ParseChecksum(m.Manifest)
	if err != nil {
		return false
	}
	targets := make(map[string]fsm.Sum, len(m.Have))
	entries := make([]document.Entry, 0, len(m.Have))
	for target, text := range m.Have {
		if targets[target], err = document.ParseChecksum(text); err != nil {
			return false
		}
		entries = append(entries, document.Entry{Target: target, Checksum: targets[target]})
	}
	if document.ManifestSum(entries) != manifest {
		return false // the update of all who report this manifest may be made from the list
	}
	s.last = held{manifest: manifest, at: fsm.Position{Epoch: m.Epoch, Index: m.Index}, confirmed: s.last.confirmed, targets: targets}
	s.welcome.asked = false
	s.welcome.listed = m.Reason != reasonSync
	s.report(fsm.Report{})
	return true
}

// hearError tells apart errors that count, those that need the full content,
// and those that only say that the moment was wrong.
func (c *core) hearError(s *session, m wire.Error) bool {
	manifest, err := document.ParseChecksum(m.Manifest)
	if err != nil || len(m.Errors) == 0 {
		return false
	}
	tried := fsm.Position{Epoch: m.Epoch, Index: m.Index}
	s.last = held{manifest: manifest, at: s.last.at, confirmed: true}
	s.raise(tried)
	wasFull := s.welcome.full
	if f := s.inflight; f != nil && f.id == m.Update {
		s.inflight = nil
		wasFull = f.full
		tried = f.at
	}
	s.welcome.full = false
	switch {
	case all(m.Errors, wire.CodeBaseMismatch, wire.CodeManifestMismatch) && !wasFull:
		s.welcome.full = true
		c.ask(s)
		s.report(fsm.Report{})
	case all(m.Errors, wire.CodeStaleIndex, wire.CodeBusy):
		c.ask(s)
		s.report(fsm.Report{})
	default:
		s.report(fsm.Report{Tried: &tried, Problems: problems(m.Errors)})
		s.retry.errorSeq = s.seq
	}
	return true
}

// ask makes the node say what it holds; until it has, nothing is sent.
func (c *core) ask(s *session) {
	if !s.welcome.asked {
		s.welcome.asked = true
		s.tell(wire.Report{})
	}
}

func all(errors []wire.Problem, codes ...string) bool {
	for _, e := range errors {
		found := false
		for _, code := range codes {
			found = found || e.Code == code
		}
		if !found {
			return false
		}
	}
	return true
}
