package push

import (
	"bytes"
	"slices"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/wire"
)

// checkSend is asked for every update that a peer sends.
func (c *simConn) checkSend(f *frame) {
	w, s := c.peer.world, c.session
	if f.at.Less(s.last.at) {
		w.violated("behind: an update of a state that is behind the node")
	}
	if row := c.peer.store; s.retry.errorSeq > 0 {
		row.View(func(state *fsm.State) {
			if r := state.Row(s.ord); r.Session.ID == s.id && r.Session.Seq < s.retry.errorSeq {
				w.violated("error: an update before the state holds the node's error")
			}
		})
	}
	if c.mismatched && !f.full {
		w.violated("mismatch: no full content after a base that did not match")
	}
	c.mismatched, c.full = false, f.full
}

// nodeView is what the rules compare before and after a command.
type nodeView struct {
	reported fsm.Sum
	session  fsm.Session
	accepted *fsm.Versions
	desired  []string
	fallen   []string
}

func (w *world) fleetView() map[string]nodeView {
	out := map[string]nodeView{}
	w.reference.View(func(s *fsm.State) {
		for n := range s.Nodes {
			row := s.Row(n.Ordinal)
			v := nodeView{session: row.Session, reported: row.Reported, accepted: row.Accepted, fallen: s.FellBack(n.Ordinal)}
			for _, e := range s.Desired(n.Ordinal).Entries {
				v.desired = append(v.desired, e.Document)
			}
			out[n.ID] = v
		}
	})
	return out
}

// checkStep compares the rows before and after a command.
func (w *world) checkStep(before map[string]nodeView, res fsm.Result) {
	for id, now := range w.fleetView() {
		was := before[id]
		if now.session.Connection < was.session.Connection {
			w.violated("session: one with a lower connection number took over")
		}
		if now.session.ID == was.session.ID && now.session.Seq < was.session.Seq {
			w.violated("session: an older report was taken")
		}
		if now.reported != was.reported && !w.nodeOf(id).held(now.reported, 0) {
			w.violated("reported: what the node has never held")
		}
		for _, doc := range now.desired {
			if !slices.Contains(was.desired, doc) && now.accepted.Of(doc) != 0 {
				w.violated("accepted: of a document that had left the node")
			}
		}
		for _, e := range res.Outcome.Edits {
			if !e.Unchanged && slices.Contains(now.fallen, e.Document) {
				w.violated("refusal: a newer version is not tried")
			}
		}
	}
}

func (w *world) nodeOf(id string) *simNode {
	for _, n := range w.nodes {
		if n.id == id {
			return n
		}
	}
	return nil
}

// checkUpdate is asked whenever a node takes an update: was this ever wanted,
// and is every revision in it whole?
func (w *world) checkUpdate(n *simNode, at fsm.Position, h wire.Header, next generation) {
	want := w.wanted[at.Index][n.id]
	if want.manifest.String() != h.Manifest {
		w.violated("wanted: the node applies what no state wanted at that index")
	}
	if want.audience.String() != h.Audience {
		w.violated("audience: an update for another audience than the node's")
	}
	for a := range simDocs {
		for b := range simDocs {
			if a == b || next.docs[docName(a)] == "" || next.docs[docName(b)] == "" {
				continue
			}
			low, _ := w.places(a, contentOf(next.docs[docName(a)]))
			_, high := w.places(b, contentOf(next.docs[docName(b)]))
			if w.halved(a, low, b, high) {
				w.violated("atomic: the node gets half of a revision")
			}
		}
	}
}

// places are the first and the last version of a document with a content.
func (w *world) places(d, content int) (low, high int) {
	return slices.Index(w.versions[d], content), lastIndex(w.versions[d], content)
}

func lastIndex(list []int, v int) int {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == v {
			return i
		}
	}
	return -1
}

// halved tells whether some revision is in the one document and not in the
// other, though it edited both.
func (w *world) halved(a, low, b, high int) bool {
	va, vb := 0, 0 // versions that the revisions so far have made
	for _, names := range w.changes {
		ea, eb := slices.Contains(names, docName(a)), slices.Contains(names, docName(b))
		if ea && eb && low >= va && high < vb {
			return true
		}
		if ea {
			va++
		}
		if eb {
			vb++
		}
	}
	return false
}

// checkConverged asks a peer which nodes are converged: each of them must have
// held what it reports since it was last wanted to hold something else.
func (w *world) checkConverged(p *simPeer) {
	if !p.up {
		return
	}
	p.store.View(func(s *fsm.State) {
		for _, n := range w.nodes {
			if s.Node(n.id) == nil || !s.Converged(n.ord) {
				continue
			}
			since := w.appended[s.Since(n.ord)]
			if !n.held(s.Row(n.ord).Reported, since) {
				w.violated("converged: the node has not held it since it was wanted")
			}
		}
	})
}

// held tells whether the node held a manifest at some time after a step.
func (n *simNode) held(sum fsm.Sum, since int) bool {
	for i, h := range n.history {
		ends := n.world.step + 1
		if i+1 < len(n.history) {
			ends = n.history[i+1].step
		}
		if h.sum == sum && ends >= since {
			return true
		}
	}
	return false
}

// final is asked when everything has been calm for a while.
func (w *world) final() {
	w.reference.View(func(s *fsm.State) {
		for _, n := range w.nodes {
			w.finalNode(s, n)
		}
	})
	for _, p := range w.peers {
		p.replay(len(w.entries))
		w.checkSame(p)
	}
}

func (w *world) finalNode(s *fsm.State, n *simNode) {
	row := s.Row(n.ord)
	switch {
	case !n.up || len(n.conns) == 0:
		w.violated("live: the node is not connected")
	case row.Reported != n.sum():
		w.violated("row: the reported manifest stays wrong")
	case !row.Connected:
		w.violated("row: a connected node is shown offline")
	}
	desired, wanted, stuck := s.Desired(n.ord), s.Wanted(n.ord), s.Stuck(n.ord)
	fallen := len(s.FellBack(n.ord)) > 0
	w.log("final %s: holds %s, wanted %s, desired %s, stuck %v, refused %v, accepted %v", n.id, short(n.sum()),
		short(wanted.Sum), short(desired.Sum), stuck, row.Refused, row.Accepted)
	if n.sum() != wanted.Sum && !stuck {
		w.violated("live: the node does not come to what is wanted")
	}
	if row.Reported != desired.Sum && !fallen && !stuck {
		w.violated("live: neither converged nor a visible dead letter")
	}
	if row.Reported == desired.Sum && !fallen && !stuck && !s.Converged(n.ord) {
		w.violated("live: the index is never brought")
	}
	if !fallen && !stuck {
		return
	}
	for _, e := range desired.Entries { // somebody must be to blame
		if text := n.gen.docs[e.Target]; text != "" && e.Version.Number == uint64(lastIndex(w.versions[e.Document[1]-'0'], contentOf(text))+1) {
			continue
		}
		if w.blameless(n) {
			w.violated("block: a good document is held back, and no bad one was edited with it")
		}
	}
}

// blameless tells whether no document that this node should hold is bad.
func (w *world) blameless(n *simNode) bool {
	for d := range simDocs {
		if badness(w.versions[d][len(w.versions[d])-1], n) != "" {
			return false
		}
	}
	return true
}

// checkSame compares a peer's state with the reference, and a restored
// snapshot with both.
func (w *world) checkSame(p *simPeer) {
	want, have := snapshotOf(w.reference), snapshotOf(p.store)
	if !bytes.Equal(want, have) {
		w.violated("same: two peers hold different states at the same index")
	}
	if !bytes.Equal(have, snapshotOf(copyStore(p.store))) {
		w.violated("same: a restored snapshot is not what was saved")
	}
}

func snapshotOf(s *fsm.Store) []byte {
	var out bytes.Buffer
	if _, err := s.Snapshot().WriteTo(&out); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func copyStore(s *fsm.Store) *fsm.Store {
	out := fsm.NewStore()
	if err := out.Restore(bytes.NewReader(snapshotOf(s))); err != nil {
		panic(err)
	}
	return out
}
