package api

import (
	"strconv"
	"sync"
	"time"

	"github.com/droverhq/drover/fsm"
)

type gapEvent struct {
	Index uint64 `json:"index"`
}

type revisionEvent struct {
	Index     uint64   `json:"index"`
	Revision  uint64   `json:"revision"`
	Documents []string `json:"documents"`
	Author    string   `json:"author"`
	Message   string   `json:"message"`
	Push      string   `json:"push"`
}

func revisionEventOf(r *fsm.Revision, index uint64) revisionEvent {
	e := revisionEvent{Index: index, Revision: r.Number, Author: r.Author, Message: r.Message, Push: strconv.FormatUint(r.Number, 10)}
	for _, edit := range r.Edits {
		e.Documents = append(e.Documents, edit.Document)
	}
	return e
}

type pushEvent struct {
	Index    uint64     `json:"index"`
	ID       string     `json:"id"`
	Revision uint64     `json:"revision"`
	State    string     `json:"state"`
	Counts   fsm.Counts `json:"counts"`
}

type nodesEvent struct {
	Index uint64       `json:"index"`
	Nodes []nodeChange `json:"nodes"`
}

// manyEvent says that more nodes changed than an event lists.
type manyEvent struct {
	Index uint64 `json:"index"`
	Many  int    `json:"many"`
}

type nodeChange struct {
	ID        string     `json:"id"`
	Status    fsm.Status `json:"status"`
	Connected bool       `json:"connected"`
	InSync    bool       `json:"in_sync"`
	Removed   bool       `json:"removed,omitzero"`
}

type peerEvent struct {
	Index uint64 `json:"index"`
	Name  string `json:"name"`
	Alive bool   `json:"alive"`
	Role  string `json:"role,omitzero"`
}

// peerEventOf tells of a peer; one that is gone is not alive and has no role.
func (t *stream) peerEventOf(st *fsm.State, name string, index uint64) peerEvent {
	e := peerEvent{Index: index, Name: name}
	for _, p := range st.Peers() {
		if p.Name != name {
			continue
		}
		e.Alive = p.Alive
		if p.ID == t.server.deps.Control.Standing().Leader {
			e.Role = "leader"
		}
	}
	return e
}

// pushState is what a stream last told of a push.
type pushState struct {
	state  string
	counts fsm.Counts
}

// pushesSeen is of how many pushes a stream remembers what it has told.
const pushesSeen = 256

// sendPush tells of a push, unless the client knows.
func (t *stream) sendPush(st *fsm.State, p *fsm.Push) {
	counts, fresh := t.server.streams.tally.counts(st, p, t.server.now())
	t.recount = t.recount || !fresh
	now := pushState{p.State, counts}
	if t.seen[p.Revision] == now {
		return
	}
	if len(t.seen) > pushesSeen {
		clear(t.seen) // at worst something is told twice
	}
	t.seen[p.Revision] = now
	t.event("push", pushEvent{t.at.Index, strconv.FormatUint(p.Revision, 10), p.Revision, now.state, now.counts})
}

// sendPushes tells how far the running pushes have come: nodes have changed.
func (t *stream) sendPushes(st *fsm.State) {
	for _, p := range st.Running() {
		t.sendPush(st, p)
	}
}

// tally shares the counts of running pushes between all event streams: to
// count is to look at every target.
type tally struct {
	mu    sync.Mutex
	known map[uint64]tallied
}

type tallied struct {
	index  uint64 // of the state that was counted
	at     time.Time
	counts fsm.Counts
}

func newTally() *tally { return &tally{known: map[uint64]tallied{}} }

// tallyFor is how long counts are used although the state has moved on.
const tallyFor = 100 * time.Millisecond

// counts counts the targets of a push. fresh is false where the state has moved
// since they were counted: who uses them has to ask again.
func (t *tally) counts(st *fsm.State, p *fsm.Push, now time.Time) (counts fsm.Counts, fresh bool) {
	if p.State != fsm.PushRunning {
		return p.Frozen, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if k, found := t.known[p.Revision]; found && (k.index == st.Index() || now.Sub(k.at) < tallyFor) {
		return k.counts, k.index == st.Index()
	}
	for revision := range t.known {
		if q := st.Push(revision); q == nil || q.State != fsm.PushRunning {
			delete(t.known, revision)
		}
	}
	k := tallied{st.Index(), now, st.PushCounts(p)}
	t.known[p.Revision] = k
	return k.counts, true
}
