package push

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/wire"
)

const (
	simPeers = 3
	simNodes = 3
	simDocs  = 3
)

// world is three peers that apply one log at their own pace, three agents, and
// everything that can go wrong between them.
type world struct {
	rand   *rand.Rand
	step   int
	faults bool
	story
	simLog

	peers [simPeers]*simPeer
	nodes [simNodes]*simNode
	reach [simNodes][simPeers]bool

	content  int            // counter that every content holds
	versions [simDocs][]int // content of each version, by number-1
	changes  [][]string     // documents of each revision, by number-1
	sends    int
	proposed int
}

// simLog is the log, with what the invariants must know of each position.
type simLog struct {
	entries   [][]byte
	reference *fsm.Store           // has applied the whole log
	wanted    []map[string]wanting // what each node is wanted to hold
	appended  []int                // the step at which it was appended
	late      [][]byte             // entries that will reach the log once more
}

// wanting is what a node is wanted to hold, and to whom that may be sent.
type wanting struct{ manifest, audience fsm.Sum }

// story is what a seed is asked to do without and what came of it.
type story struct {
	traced  bool
	trace   []string
	without string         // a rule of the agent that is taken out
	found   map[string]int // violations, with the step of the first
}

// keeps tells whether a rule of the agent is in force.
func (s *story) keeps(rule string) bool { return s.without != rule }

type simPeer struct {
	world    *world
	number   int
	id       string
	up       bool
	paused   bool
	cut      bool // from the log
	store    *fsm.Store
	applied  int // entries of the log
	seen     fsm.Position
	core     *core
	foundry  *foundry
	conns    []*simConn
	closed   []fsm.Closed
	proposal *proposal
	runs     uint64
}

// proposal is a command on its way into the log.
type proposal struct {
	said   said
	entry  []byte
	at     int // place in the log, 0 while it has none
	lost   bool
	denied bool // committed, but the peer is told that it is not known
	// outcome is what the peer's own state made of it.
	outcome fsm.Outcome
}

// simConn is both ends of a connection. What is queued when an end closes may
// still arrive.
type simConn struct {
	node               *simNode
	peer               *simPeer
	session            *session
	nodeOpen, peerOpen bool
	toNode             [][]byte
	toPeer             []wire.Message
	audience           string
	said               fsm.Sum
	full               bool // the last update was
	mismatched         bool // the node has said that the base of a delta did not match
}

func (c *simConn) send(f *frame) {
	c.peer.world.sends++
	c.checkSend(f)
	c.toNode = append(c.toNode, f.data)
	c.peer.world.log("peer %d sends %s %v base %s, manifest %s full=%v", c.peer.number, c.node.id, f.at, short(c.session.last.manifest), short(f.manifest), f.full)
}

func (c *simConn) tell(m wire.Message) {
	if g, ok := m.(wire.Goaway); ok && g.Connection < c.session.hello.connection {
		c.peer.world.violated("goaway: it does not tell the highest connection number")
	}
	data, err := wire.Encode(m)
	if err != nil {
		panic(err)
	}
	c.toNode = append(c.toNode, data)
}

func (c *simConn) close(int, string) { c.peerOpen = false }

func newWorld(seed uint64, s story) *world {
	w := &world{rand: rand.New(rand.NewPCG(seed, 1)), story: s, faults: true}
	w.found = map[string]int{}
	w.simLog = simLog{[][]byte{nil}, fsm.NewStore(), []map[string]wanting{nil}, []int{0}, nil}
	w.append(fsm.Command{Body: fsm.CreateCluster{ID: "sim", Name: "sim", Feature: 1 + seed%fsm.FeatureLevel}})
	w.append(fsm.Command{Body: fsm.CreateEnrollToken{Token: fsm.EnrollToken{ID: "t", Hash: []byte("h"), Uses: 9, Expires: 1 << 60}}})
	settings := *fsm.DefaultSettings()
	settings.Attempts = 3
	w.append(fsm.Command{Body: fsm.PutSettings{Settings: settings}})
	for i := range w.nodes {
		id := fmt.Sprintf("n%d", i)
		w.append(fsm.Command{Body: fsm.EnrollNode{TokenID: "t", TokenHash: []byte("h"), Node: id, PublicKey: []byte(id)}})
		w.nodes[i] = &simNode{world: w, id: id, ord: uint32(i), up: true, history: []moment{{0, emptyManifest}}}
		w.nodes[i].simDisk = simDisk{highSum: emptyManifest, drifted: map[string]bool{}}
		for p := range w.reach[i] {
			w.reach[i][p] = true
		}
	}
	selector := "x=1"
	for d := range simDocs {
		e := w.edit(d)
		if d == simDocs-1 {
			e.Selector = &selector
		}
		w.commit(fsm.Commit{Edits: []fsm.Edit{e}})
	}
	for i := range w.peers {
		id := fmt.Sprintf("p%d", i)
		w.append(fsm.Command{Body: fsm.PutPeer{Peer: fsm.Peer{ID: id, Name: id}}})
		w.peers[i] = &simPeer{world: w, number: i, id: id, store: fsm.NewStore()}
		w.peers[i].start()
	}
	return w
}

func (w *world) violated(what string) {
	if _, known := w.found[what]; !known {
		w.found[what] = w.step
	}
	w.log("VIOLATION %s", what)
}

func (w *world) log(format string, args ...any) {
	if w.traced {
		w.trace = append(w.trace, fmt.Sprintf("%d: ", w.step)+fmt.Sprintf(format, args...))
	}
}

func (w *world) chance(p float64) bool { return w.rand.Float64() < p }

func (w *world) now() time.Time {
	return time.Unix(0, 0).Add(time.Duration(w.step) * 300 * time.Millisecond)
}

func short(s fsm.Sum) string { return s.String()[:5] }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// append puts a command into the log.
func (w *world) append(c fsm.Command) fsm.Result {
	c.Time = int64(w.step) * 300
	entry, err := fsm.Encode(c)
	if err != nil {
		panic(err)
	}
	return w.appendEntry(entry)
}

func (w *world) appendEntry(entry []byte) fsm.Result {
	w.entries = append(w.entries, entry)
	before := w.fleetView()
	res := w.reference.Apply(uint64(len(w.entries)-1), 1, entry)
	wanted := map[string]wanting{}
	w.reference.View(func(s *fsm.State) {
		for n := range s.Nodes {
			wanted[n.ID] = wanting{s.Wanted(n.Ordinal).Sum, s.AudienceOf(n.Ordinal).ID}
		}
	})
	w.wanted = append(w.wanted, wanted)
	w.appended = append(w.appended, w.step)
	w.checkStep(before, res)
	return res
}

func docName(d int) string { return fmt.Sprintf("d%d", d) }

// edit puts a new content into a document.
func (w *world) edit(d int) fsm.Edit {
	w.content++
	return contentEdit(d, w.content)
}

func contentEdit(d, content int) fsm.Edit {
	text := []byte(fmt.Sprintf(`{"content":%d,"padding":"%0120d","doc":%d}`, content, 0, d))
	sum, blob := fsm.Compress(text)
	checksum, err := document.Sum(text)
	if err != nil {
		panic(err)
	}
	return fsm.Edit{Document: docName(d), Blob: sum, Checksum: checksum, Inline: blob}
}

func (w *world) commit(c fsm.Commit) {
	res := w.append(fsm.Command{Body: c})
	if res.Err != nil {
		panic(res.Err)
	}
	if res.Outcome.Unchanged {
		return
	}
	var names []string
	for i, e := range res.Outcome.Edits {
		if e.Unchanged {
			continue
		}
		d := int(e.Document[1] - '0')
		w.versions[d] = append(w.versions[d], contentOf(textOf(c.Edits[i])))
		names = append(names, e.Document)
	}
	w.changes = append(w.changes, names)
	w.log("log %d: revision %d edits %v, contents %v", len(w.entries)-1, res.Outcome.Revision, names, w.versions)
}

func textOf(e fsm.Edit) string {
	text, err := e.Inline.Text()
	if err != nil {
		panic(err)
	}
	return string(text)
}

func contentOf(text string) int {
	var n int
	if _, err := fmt.Sscanf(text, `{"content":%d`, &n); err != nil {
		panic(err)
	}
	return n
}

// badness of a content on a node: most are good.
func badness(content int, n *simNode) string {
	if content <= simDocs {
		return ""
	}
	here := content%simNodes == int(n.ord)
	switch content % 11 {
	case 3:
		return "check"
	case 5:
		if here {
			return "hook-unnamed"
		}
	case 7:
		if here {
			return "hook-retry"
		}
	}
	if content%13 == 4 && here {
		return "hook-crash"
	}
	if content%17 == 3 && here {
		return "check-crash"
	}
	return ""
}

// trouble finds the first changed document that is bad in one of these ways.
func (w *world) trouble(next generation, changed []string, n *simNode, kinds ...string) (kind, target string) {
	for _, kind := range kinds {
		for _, target := range changed {
			if text, held := next.docs[target]; held && badness(contentOf(text), n) == kind {
				return kind, target
			}
		}
	}
	return "", ""
}

// start brings a peer up: its state is a snapshot, or the replayed log.
func (p *simPeer) start() {
	p.up = true
	p.runs++
	p.core = newCore(p.id, uint64(p.number+1)<<20|p.runs, func(string) string { return "signed" }, p.world.rand)
	p.foundry = newFoundry(func(string) string { return "signed" })
	p.foundry.made = p.runs << 32
	p.seen = fsm.Position{}
	p.conns, p.closed, p.proposal = nil, nil, nil
}

func (p *simPeer) crash() {
	for _, c := range p.conns {
		c.peerOpen = false
	}
	p.up, p.conns = false, nil
	p.world.log("peer %d crashes", p.number)
}

// replay applies up to n more entries of the log.
func (p *simPeer) replay(n int) {
	for ; n > 0 && p.applied < len(p.world.entries)-1; n-- {
		p.applied++
		res := p.store.Apply(uint64(p.applied), 1, p.world.entries[p.applied])
		if pr := p.proposal; pr != nil && pr.at == p.applied {
			pr.outcome = res.Outcome
		}
	}
	if pr := p.proposal; pr != nil && (pr.lost || pr.at > 0 && pr.at <= p.applied) {
		p.proposal = nil
		if pr.lost || pr.denied {
			p.core.failed(pr.said)
			p.closed = append(p.closed, pr.said.command.Closed...)
		} else {
			p.core.done(pr.said, pr.outcome)
		}
	}
}

// round is what the planner does when something has moved.
func (p *simPeer) round() {
	moved, ok := p.store.Since(p.seen)
	if !ok {
		p.core.markAll()
		p.store.View(func(s *fsm.State) { p.seen = s.Position() })
	} else if len(moved) > 0 {
		p.seen = moved[len(moved)-1].Position
	}
	var made plan
	p.store.View(func(s *fsm.State) {
		p.core.markMoved(s, moved)
		made = p.core.plan(s, conditions{now: p.world.now(), quorum: !p.cut})
	})
	if err := p.core.dispatch(made, p.foundry); err != nil {
		panic(err)
	}
}

// propose is what the collector does.
func (p *simPeer) propose() {
	if p.proposal != nil {
		return
	}
	var d said
	var some bool
	p.store.View(func(s *fsm.State) { d, some = p.core.collect(s.AsWanted, gone{closed: p.closed}) })
	if !some {
		return
	}
	p.closed = nil
	entry, err := fsm.Encode(fsm.Command{Time: int64(p.world.step) * 300, Body: d.command})
	if err != nil {
		panic(err)
	}
	p.world.proposed++
	p.proposal = &proposal{said: d, entry: entry}
}

// ghosts tells the state of sessions that it believes in and this peer has not.
func (p *simPeer) ghosts() {
	if p.proposal != nil || len(p.closed) > 0 {
		return
	}
	p.store.View(func(s *fsm.State) {
		for n := range s.Nodes {
			row := s.Row(n.Ordinal)
			if row.Connected && row.Session.Peer == p.id && p.core.sessions[row.Session.ID] == nil {
				p.closed = append(p.closed, fsm.Closed{Node: n.Ordinal, Session: row.Session.ID})
			}
		}
	})
}

func (p *simPeer) receive(c *simConn) {
	m := c.toPeer[0]
	c.toPeer = c.toPeer[1:]
	if !p.core.hear(c.session, m) {
		p.world.violated("protocol: a message of the agent was not understood")
	}
}

// end is the peer's reader seeing that a connection is gone.
func (p *simPeer) end(c *simConn) {
	if p.core.ended(c.session) {
		p.closed = append(p.closed, fsm.Closed{Node: c.node.ord, Session: c.session.id})
	}
	c.peerOpen = false
	p.conns = slices.DeleteFunc(p.conns, func(x *simConn) bool { return x == c })
}

func (w *world) commitProposal(p *simPeer) {
	pr := p.proposal
	if pr == nil || pr.at > 0 || pr.lost || p.cut {
		return
	}
	if w.faults && w.chance(.15) {
		pr.lost = true
		return
	}
	pr.denied = w.faults && w.chance(.1)
	w.appendEntry(pr.entry)
	pr.at = len(w.entries) - 1
	w.log("log %d: reports of peer %d: %d single, %d groups", pr.at, p.number, len(pr.said.command.Single), len(pr.said.command.Acks))
	if w.faults && w.chance(.2) {
		w.late = append(w.late, pr.entry) // it was sent twice, and comes again some time
	}
}
