package push

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/droverhq/drover/fsm"
)

var (
	simSeeds   = flag.Int("sim.seeds", simDefault, "seeds of the delivery simulation")
	simFirst   = flag.Uint64("sim.first", 1, "first seed")
	simStop    = flag.Bool("sim.stop", false, "stop soon after the first violation")
	simWithout = flag.String("sim.without", "", "rule of the agent to take out: stale, base, directory, tell, interrupted")
	simTrace   = flag.Uint64("sim.trace", 0, "print the story of this seed")
)

// Steps of a seed: with faults, and afterwards until everything must be still.
const (
	simFaulty = 700
	simCalm   = 9000 // at most
	simStill  = 600  // without an update or a proposal: then it is over
)

func TestDeliveryKeepsItsRulesThroughFaults(t *testing.T) {
	if *simTrace > 0 {
		w := simulate(*simTrace, story{traced: true, without: *simWithout})
		for _, line := range w.trace {
			fmt.Println(line)
		}
		return
	}
	found := simulateAll(*simFirst, *simSeeds, *simWithout)
	for _, what := range sortedKeys(found) {
		t.Errorf("%s: %d of %d seeds, the first is %d", what, len(found[what]), *simSeeds, slices.Min(found[what]))
	}
	if len(found) > 0 {
		t.Log("go test ./push -run Delivery -sim.trace SEED tells the story of a seed")
	}
}

// simulateAll returns the seeds in which each violation was seen.
func simulateAll(first uint64, seeds int, without string) map[string][]uint64 {
	found := map[string][]uint64{}
	var mu sync.Mutex
	var group sync.WaitGroup
	next := make(chan uint64)
	for range 2 {
		group.Go(func() {
			for seed := range next {
				w := simulate(seed, story{without: without})
				mu.Lock()
				for what := range w.found {
					found[what] = append(found[what], seed)
				}
				mu.Unlock()
			}
		})
	}
	for seed := first; seed < first+uint64(seeds); seed++ {
		next <- seed
		mu.Lock()
		enough := *simStop && len(found) > 0
		mu.Unlock()
		if enough {
			break
		}
	}
	close(next)
	group.Wait()
	return found
}

func simulate(seed uint64, s story) *world {
	w := newWorld(seed, s)
	for w.step < simFaulty {
		w.one()
	}
	w.heal()
	still, seen := 0, 0
	for calm := 0; still < simStill && calm < simCalm; calm++ {
		w.one()
		still++
		if w.sends+w.proposed > seen {
			still, seen = 0, w.sends+w.proposed
		}
	}
	if still < simStill {
		w.violated("live: updates or reports are sent without end")
	}
	w.final()
	return w
}

// one lets one thing happen somewhere.
func (w *world) one() {
	w.step++
	p := w.peers[w.rand.IntN(simPeers)]
	n := w.nodes[w.rand.IntN(simNodes)]
	live := p.up && !p.paused
	switch x := w.rand.IntN(100); {
	case x < 16:
		if live && (!p.cut || w.chance(.02)) {
			p.replay(1 + w.rand.IntN(6))
		}
	case x < 28:
		w.commitProposal(p)
	case x < 48:
		if live && len(p.conns) > 0 {
			w.peerConn(p, p.conns[w.rand.IntN(len(p.conns))])
		}
	case x < 60:
		if live {
			p.round()
		}
	case x < 68:
		if live {
			p.propose()
		}
	case x < 90:
		w.nodeTurn(n)
	case x < 94:
		if w.faults && w.chance(.5) {
			w.admin()
		}
	case x < 97:
		if w.faults && w.chance(.5) {
			w.fault(p, n)
		}
	case x < 98:
		if live && !p.cut {
			p.ghosts()
		}
	default:
		w.checkConverged(p)
	}
}

func (w *world) peerConn(p *simPeer, c *simConn) {
	switch {
	case len(c.toPeer) > 0 && (w.reach[c.node.ord][p.number] || !c.nodeOpen):
		p.receive(c)
	case len(c.toPeer) == 0 && !c.nodeOpen && w.chance(.3), !c.peerOpen:
		p.end(c)
	}
}

func (w *world) nodeTurn(n *simNode) {
	if !n.up {
		if w.chance(.3) {
			n.start()
		}
		return
	}
	switch {
	case n.job != nil && w.chance(.5):
		n.advance()
	case len(n.conns) == 0, w.faults && len(n.conns) == 1 && w.chance(.02):
		p := w.peers[w.rand.IntN(simPeers)]
		before := len(n.conns)
		if n.connect(p); len(n.conns) > before {
			p.conns = append(p.conns, n.conns[before])
		}
	default:
		w.nodeConn(n, n.conns[w.rand.IntN(len(n.conns))])
	}
}

func (w *world) nodeConn(n *simNode, c *simConn) {
	reached := w.reach[n.ord][c.peer.number]
	switch {
	case len(c.toNode) > 0 && reached:
		n.receive(c)
	case !c.peerOpen && len(c.toNode) == 0 && w.chance(.3),
		len(n.conns) > 1 && c == n.conns[0] && w.chance(.1),
		!w.faults && !reached:
		c.nodeOpen = false
		n.forget(c)
	case w.keeps("tell") && n.job == nil && c.said != n.sum() && w.chance(.3):
		n.say(c, n.status("drift"))
	}
}

func (w *world) admin() {
	switch x := w.rand.IntN(10); {
	case x < 5:
		var c fsm.Commit
		for d := range simDocs {
			if w.chance(.45) {
				c.Edits = append(c.Edits, w.edit(d))
			}
		}
		if len(c.Edits) > 0 {
			w.commit(c)
		}
	case x < 6:
		w.rollBack()
	case x < 8:
		n := w.nodes[w.rand.IntN(simNodes)]
		n.label = !n.label
		one := "1"
		labels := map[string]*string{"x": nil}
		if n.label {
			labels["x"] = &one
		}
		w.append(fsm.Command{Body: fsm.LabelNode{Node: n.id, Labels: labels}})
		w.log("log %d: label of %s is %v", len(w.entries)-1, n.id, n.label)
	case x < 9 && w.chance(.2):
		w.retryAll()
	case w.chance(.2):
		w.append(fsm.Command{Body: fsm.RetryNodes{Nodes: []string{w.nodes[0].id}, Resync: true}})
	}
}

// rollBack puts the documents of an old revision back to what they were before.
func (w *world) rollBack() {
	names := w.changes[w.rand.IntN(len(w.changes))]
	var c fsm.Commit
	for _, name := range names {
		d := int(name[1] - '0')
		c.Edits = append(c.Edits, contentEdit(d, w.versions[d][w.rand.IntN(len(w.versions[d]))]))
	}
	if len(c.Edits) > 0 {
		w.commit(c)
	}
}

func (w *world) retryAll() {
	var ids []string
	for _, n := range w.nodes {
		ids = append(ids, n.id)
	}
	w.append(fsm.Command{Body: fsm.RetryNodes{Nodes: ids}})
}

func (w *world) fault(p *simPeer, n *simNode) {
	switch w.rand.IntN(10) {
	case 0:
		if p.up {
			p.crash()
			break
		}
		w.restart(p)
	case 1:
		p.paused = !p.paused
	case 2:
		p.cut = !p.cut
	case 3:
		w.reach[n.ord][p.number] = !w.reach[n.ord][p.number]
	case 4:
		if n.up {
			n.crash()
		}
	case 5:
		if len(n.conns) > 0 {
			n.conns[0].nodeOpen = false
			n.forget(n.conns[0])
		}
	case 6:
		if w.chance(.4) {
			n.drift()
		}
	case 7:
		w.machineSnapshot(n)
	case 8:
		if len(w.late) > 0 {
			w.appendEntry(w.late[w.rand.IntN(len(w.late))])
		}
	case 9:
		w.append(fsm.Command{Body: fsm.SetLiveness{Alive: w.aliveIDs()}})
	}
}

// aliveIDs is what the leader thinks; it may be wrong.
func (w *world) aliveIDs() []string {
	var ids []string
	for _, p := range w.peers {
		if p.up && (!w.faults || w.chance(.7)) {
			ids = append(ids, p.id)
		}
	}
	return ids
}

// restart brings a crashed peer back from the log, or from a snapshot of
// another one.
func (w *world) restart(p *simPeer) {
	if donor := w.peers[w.rand.IntN(simPeers)]; donor != p && donor.applied > p.applied && w.chance(.3) {
		p.store = copyStore(donor.store)
		p.applied = donor.applied
	}
	p.start()
}

// machineSnapshot takes or restores a snapshot of the node's machine.
func (w *world) machineSnapshot(n *simNode) {
	if n.job != nil || !n.up || n.intent != nil {
		return
	}
	if n.saved == nil || w.chance(.4) {
		saved := n.simDisk
		saved.drifted = maps.Clone(n.drifted)
		n.saved = &saved
		return
	}
	n.crash()
	n.simDisk = *n.saved
	n.drifted = maps.Clone(n.saved.drifted)
	n.interrupted, n.highestRun = false, fsm.Position{}
	n.history = append(n.history, moment{w.step, n.sum()})
	w.log("%s is put back to a snapshot of its machine", n.id)
}

// heal ends all faults; a person fixes every bad document in half of the seeds
// and retries in the others.
func (w *world) heal() {
	w.faults = false
	w.log("---- healed")
	for _, p := range w.peers {
		p.paused, p.cut = false, false
		if !p.up {
			p.start()
		}
	}
	for i := range w.reach {
		for j := range w.reach[i] {
			w.reach[i][j] = true
		}
	}
	w.append(fsm.Command{Body: fsm.SetLiveness{Alive: w.aliveIDs()}})
	w.nodes[w.rand.IntN(simNodes)].drift()
	if w.chance(.5) {
		w.retryAll()
		return
	}
	var c fsm.Commit
	for d := range simDocs {
		if !w.goodEverywhere(w.versions[d][len(w.versions[d])-1]) {
			for w.content++; !w.goodEverywhere(w.content); w.content++ {
			}
			c.Edits = append(c.Edits, contentEdit(d, w.content))
		}
	}
	if len(c.Edits) > 0 {
		w.commit(c)
	}
}

func (w *world) goodEverywhere(content int) bool {
	for _, n := range w.nodes {
		if badness(content, n) != "" {
			return false
		}
	}
	return true
}
