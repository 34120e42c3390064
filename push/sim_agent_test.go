package push

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/wire"
)

// simNode is an agent as protocol.md describes it, with its disk.
type simNode struct {
	simDisk
	world *world
	id    string
	ord   uint32
	up    bool
	label bool
	// lost in a crash
	job         *job
	conns       []*simConn
	interrupted bool
	process     int
	// what the invariants look at
	highestRun fsm.Position
	history    []moment
	saved      *simDisk // a snapshot of the machine
}

// simDisk is what a node keeps over a crash.
type simDisk struct {
	gen        generation // what runs
	high       fsm.Position
	highSum    fsm.Sum
	connection uint64
	intent     *job // a generation on disk without its "good" mark
	drifted    map[string]bool
}

type generation struct {
	docs map[string]string // target → text
	at   fsm.Position
}

type moment struct {
	step int
	sum  fsm.Sum
}

type job struct {
	update   wire.Update
	header   wire.Header
	next     generation
	before   generation
	conn     *simConn
	step     int
	switched bool
}

// sum is the manifest as re-read from disk.
func (n *simNode) sum() fsm.Sum {
	gen := n.gen
	if n.job != nil && n.job.switched { // what is not yet good does not count
		gen = n.job.before
	}
	return manifestSum(n.have(gen))
}

func (n *simNode) have(gen generation) map[string]string {
	out := map[string]string{}
	for target, text := range gen.docs {
		sum, err := document.Sum([]byte(text))
		if err != nil {
			panic(err)
		}
		if n.drifted[target] {
			sum[0] ^= 0xff
		}
		out[target] = sum.String()
	}
	return out
}

func manifestSum(have map[string]string) fsm.Sum {
	var entries []document.Entry
	for _, target := range sortedKeys(have) {
		sum, err := document.ParseChecksum(have[target])
		if err != nil {
			panic(err)
		}
		entries = append(entries, document.Entry{Target: target, Checksum: sum})
	}
	return document.ManifestSum(entries)
}

// run makes a generation the one that runs.
func (n *simNode) run(gen generation, forward bool) {
	n.gen, n.drifted = gen, map[string]bool{}
	n.history = append(n.history, moment{n.world.step, manifestSum(n.have(gen))})
	if forward {
		if gen.at.Less(n.highestRun) {
			n.world.violated("order: the node runs an older (epoch, index) than before")
		}
		n.highestRun = gen.at
	}
}

func (n *simNode) say(c *simConn, m wire.Message) {
	if c == nil || !c.nodeOpen {
		return
	}
	c.toPeer = append(c.toPeer, m)
	c.said = n.sum()
}

func (n *simNode) status(reason string) wire.Status {
	gen := n.gen
	if n.job != nil && n.job.switched {
		gen = n.job.before
	}
	return wire.Status{
		Epoch: n.high.Epoch, Index: n.high.Index, Manifest: n.sum().String(), Have: n.have(gen), Reason: reason,
	}
}

// tellOthers: every other open connection hears what the node holds now.
func (n *simNode) tellOthers(not *simConn) {
	for _, c := range n.conns {
		if n.world.keeps("tell") && c != not && c.nodeOpen && c.said != n.sum() {
			n.say(c, n.status("changed"))
		}
	}
}

func (n *simNode) connect(p *simPeer) {
	if !p.up || p.paused || !n.world.reach[n.ord][p.number] {
		return
	}
	n.connection++
	hello := wire.Hello{
		Node: n.id, Process: fmt.Sprint(n.id, n.process), Connection: n.connection,
		Epoch: n.high.Epoch, Index: n.high.Index, Manifest: n.sum().String(), Nonce: "n",
	}
	c := &simConn{node: n, peer: p, nodeOpen: true, peerOpen: true, said: n.sum()}
	s, err := p.core.admit(c, n.ord, "c", hello)
	if err != nil {
		panic(err)
	}
	c.session = s
	n.conns = append(n.conns, c)
	n.world.log("%s connects to peer %d, connection %d, holds %s, at %v", n.id, p.number, n.connection, short(n.sum()), n.high)
	if n.interrupted {
		n.interrupted = false
		n.say(c, wire.Error{
			Epoch: n.high.Epoch, Index: n.high.Index, Manifest: n.sum().String(),
			Errors: []wire.Problem{{Stage: wire.StageHook, Code: wire.CodeInterrupted, Retryable: true}},
		})
	}
}

// receive takes the next frame of a connection.
func (n *simNode) receive(c *simConn) {
	m, err := wire.Decode(c.toNode[0])
	if err != nil {
		panic(err)
	}
	if u, ok := m.(wire.Update); ok {
		if n.job == nil {
			c.toNode = c.toNode[1:]
			n.begin(c, u)
		}
		return
	}
	c.toNode = c.toNode[1:]
	switch m := m.(type) {
	case wire.Welcome:
		c.audience = m.Audience
	case wire.Report:
		n.say(c, n.status("asked"))
	case wire.Goaway:
		n.connection = max(n.connection, m.Connection)
	}
}

func (n *simNode) begin(c *simConn, u wire.Update) {
	var h wire.Header
	if err := json.Unmarshal([]byte(u.Header), &h); err != nil {
		panic(err)
	}
	at := fsm.Position{Epoch: h.Epoch, Index: h.Index}
	if h.Audience != c.audience {
		n.world.violated("audience: an update for another audience than the welcome's")
	}
	manifest, _ := document.ParseChecksum(h.Manifest)
	refuse := func(code string) {
		n.world.log("%s refuses %v: %s", n.id, at, code)
		c.mismatched = code == wire.CodeBaseMismatch && !c.full
		n.say(c, wire.Error{
			Update: u.Update, Epoch: h.Epoch, Index: h.Index, Manifest: n.sum().String(),
			Errors: []wire.Problem{{Stage: wire.StageVerify, Code: code, Retryable: true}},
		})
	}
	if n.world.keeps("stale") && (at.Less(n.high) || at == n.high && manifest != n.highSum) {
		refuse(wire.CodeStaleIndex)
		return
	}
	if n.world.keeps("base") && h.Base != n.sum().String() {
		refuse(wire.CodeBaseMismatch)
		return
	}
	next := n.staged(u)
	next.at = at
	if got := manifestSum((&simNode{}).have(next)); got != manifest {
		n.world.violated("content: the manifest does not come out")
		return
	}
	n.world.checkUpdate(n, at, h, next)
	n.job = &job{update: u, header: h, next: next, before: n.gen, conn: c}
}

// staged applies the documents of an update to what the node holds.
func (n *simNode) staged(u wire.Update) generation {
	next := generation{docs: maps.Clone(n.gen.docs)}
	if next.docs == nil {
		next.docs = map[string]string{}
	}
	for _, d := range u.Documents {
		switch {
		case d.Removed:
			delete(next.docs, d.Target)
		case d.Content != nil:
			next.docs[d.Target] = string(d.Content)
		default:
			text, err := document.Apply([]byte(next.docs[d.Target]), d.Patch, document.DefaultLimits())
			if err != nil {
				panic(err)
			}
			next.docs[d.Target] = string(text)
		}
	}
	return next
}

// advance does one step of the apply; a crash may come between any two.
func (n *simNode) advance() {
	j := n.job
	w := n.world
	changed := n.changedBy(j)
	if len(changed) == 0 && len(n.drifted) == 0 { // nothing to switch: keep the number and answer
		n.high, n.highSum, n.gen.at = j.next.at, manifestSum(n.have(j.next)), j.next.at
		if j.next.at.Less(n.highestRun) {
			w.violated("order: the node accepts an older (epoch, index) than before")
		}
		n.highestRun = j.next.at
		n.finish()
		return
	}
	switch j.step {
	case 0: // the generation's directory is on disk before anything is tried
		if !w.keeps("directory") {
			break
		}
		n.intent, n.high = j, j.next.at
		n.highSum = manifestSum((&simNode{}).have(j.next))
	case 1: // schema, check
		switch kind, target := w.trouble(j.next, changed, n, "check-crash", "check"); {
		case kind == "check-crash":
			n.crash()
			return
		case kind == "check":
			n.fail(wire.Problem{Target: target, Stage: wire.StageValidate, Code: wire.CodeSchemaInvalid})
			return
		case w.faults && w.chance(.1):
			n.fail(wire.Problem{Stage: wire.StageWrite, Code: wire.CodeDiskFull, Retryable: true})
			return
		}
	case 2:
		j.switched = true
		n.run(j.next, true)
	case 3: // hook
		switch kind, target := w.trouble(j.next, changed, n, "hook-crash", "hook-unnamed", "hook-retry"); kind {
		case "hook-crash":
			n.crash()
			return
		case "hook-unnamed":
			n.fail(wire.Problem{Stage: wire.StageHook, Code: wire.CodeCheckFailed})
			return
		case "hook-retry":
			n.fail(wire.Problem{Target: target, Stage: wire.StageHook, Code: wire.CodeHookFailed, Retryable: true})
			return
		}
	case 4: // good
		n.intent = nil
	case 5:
		n.finish()
		return
	}
	j.step++
}

func (n *simNode) changedBy(j *job) []string {
	var out []string
	for _, target := range sortedKeys(j.next.docs) {
		if j.before.docs[target] != j.next.docs[target] {
			out = append(out, target)
		}
	}
	for _, target := range sortedKeys(j.before.docs) {
		if _, kept := j.next.docs[target]; !kept {
			out = append(out, target)
		}
	}
	return out
}

func (n *simNode) finish() {
	j := n.job
	n.job = nil
	n.world.log("%s holds %s at %v", n.id, short(n.sum()), n.high)
	n.say(j.conn, wire.Ack{Update: j.update.Update, Manifest: n.sum().String(), Confirmed: true})
	n.tellOthers(j.conn)
}

func (n *simNode) fail(p wire.Problem) {
	j := n.job
	n.job, n.intent = nil, nil
	if j.switched {
		n.run(j.before, false)
	}
	n.world.log("%s fails %v: %s %s", n.id, j.next.at, p.Code, p.Target)
	n.say(j.conn, wire.Error{
		Update: j.update.Update, Epoch: j.next.at.Epoch, Index: j.next.at.Index, Manifest: n.sum().String(),
		Errors: []wire.Problem{p},
	})
	n.tellOthers(j.conn)
}

func (n *simNode) crash() {
	for _, c := range n.conns {
		c.nodeOpen = false
	}
	n.conns, n.job, n.up = nil, nil, false
	n.world.log("%s crashes, intent %v", n.id, n.intent != nil)
}

func (n *simNode) start() {
	n.up = true
	n.process++
	if j := n.intent; j != nil {
		n.intent = nil
		if j.switched {
			n.run(j.before, false)
		}
		n.interrupted = n.world.keeps("interrupted")
	}
}

// drift is somebody changing a file on the node.
func (n *simNode) drift() {
	if targets := sortedKeys(n.gen.docs); n.job == nil && n.up && len(targets) > 0 {
		n.drifted[targets[n.world.rand.IntN(len(targets))]] = true
		n.history = append(n.history, moment{n.world.step, n.sum()})
	}
}

func (n *simNode) forget(c *simConn) {
	for i, x := range n.conns {
		if x == c {
			n.conns = append(n.conns[:i:i], n.conns[i+1:]...)
			return
		}
	}
}
