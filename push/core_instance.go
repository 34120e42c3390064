package push

import (
	"strconv"
	"time"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/wire"
)

// instanceHello is what a session with an instance begins with.
type instanceHello struct {
	node       *fsm.Node
	connection uint64
	at         fsm.Position
	have       map[string]fsm.Sum
	listed     bool // what differs from what it accepted is drift
	facts      map[string]string
	observed   *fsm.Observed
}

// admitInstance begins a session with an instance that this peer serves.
func (c *core) admitInstance(l link, h instanceHello) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nextID++
	s := &session{
		link: l, id: c.nextID, ord: h.node.Ordinal, node: h.node.ID,
		called: called{instance: true, observed: h.observed}, welcome: delivery{listed: h.listed},
		hello: hello{process: strconv.FormatUint(c.run(), 36), connection: h.connection},
		last:  held{manifest: haveSum(h.have), at: h.at, confirmed: true, targets: h.have},
	}
	c.begin(s, fsm.Report{Open: s.open("", boundedFacts(h.facts))})
	return s
}

// run is the part of a session's id that all of this process share.
func (c *core) run() uint64 { return c.nextID >> runBits }

// ours tells whether a session was one of this process.
func (c *core) ours(id uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return id>>runBits == c.run()
}

// hearInstance takes what a caller says of its instance.
func (c *core) hearInstance(s *session, seen *fsm.Observed, m wire.Message) {
	if seen != nil {
		c.mu.Lock()
		s.observed = seen
		c.mu.Unlock()
	}
	c.hear(s, m)
}

// wait keeps the next try of a failed update back until the node wants it.
func (c *core) wait(s *session, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.retry.notUntil = instantOf(until)
}
