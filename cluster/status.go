package cluster

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/droverhq/drover/fsm"
)

// Status is the state of the cluster as one peer can tell.
type Status struct {
	Leader    string // id; "" = none
	Term      uint64
	Index     uint64 // of the last command applied here
	Quorum    bool
	Voters    int
	Tolerates int // voters that may fail before the quorum is lost
	Peers     []PeerStatus
}

// PeerStatus is one peer. What it says of itself is zero when it did not answer.
type PeerStatus struct {
	ID, Name string
	URL      string
	Address  string
	Version  string
	Role     string // leader, voter, non-voter, or joining: known, but not yet seen by Raft
	Alive    bool   // it answered just now
	Sick     string // why it should not lead; "" = healthy
	Applied  uint64 // index of the last command in its state
	Lag      uint64 // entries that it is behind the leader, or behind this peer
	Hash     uint64 // rolling hash of its state at Applied
	CaughtUp bool   // Lag is small enough for a vote
}

// statusTimeout is how long a peer may take to say how it is.
const statusTimeout = time.Second

// statusAnswer is what a peer says of itself.
type statusAnswer struct {
	LastIndex   uint64        `cbor:"1,keyasint"` // of Raft's log
	LastTerm    uint64        `cbor:"2,keyasint"`
	LastContact time.Duration `cbor:"3,keyasint"` // since it heard from the leader
	Applied     uint64        `cbor:"4,keyasint"`
	Hash        uint64        `cbor:"5,keyasint"`
	Sick        string        `cbor:"6,keyasint,omitempty"`
	Version     string        `cbor:"7,keyasint,omitempty"`
}

func (c *core) handleStatus(context.Context, string, empty) (statusAnswer, error) {
	return c.ownStatus(), nil
}

func (c *core) ownStatus() statusAnswer {
	a := statusAnswer{LastIndex: c.raft.LastIndex()}
	c.store.View(func(s *fsm.State) { a.Applied, a.Hash = s.Index(), s.Hash() })
	a.LastTerm, _ = strconv.ParseUint(c.raft.Stats()["last_log_term"], 10, 64)
	if c.raft.State() != raft.Leader {
		a.LastContact = time.Since(c.raft.LastContact())
	}
	me := c.local()
	a.Sick, a.Version = me.sick, me.peer.Version
	if me.closed {
		a.Sick = "it is stopping"
	}
	return a
}

// askAll asks every peer that Raft or the state knows how it is. Who does not
// answer in time is not in the map.
func (c *core) askAll(ctx context.Context) map[string]statusAnswer {
	ids := map[string]bool{}
	for _, s := range c.members() {
		ids[string(s.ID)] = true
	}
	for _, p := range c.rows() {
		ids[p.ID] = true
	}
	delete(ids, c.id)
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	var mu sync.Mutex
	answers := map[string]statusAnswer{c.id: c.ownStatus()}
	var wg sync.WaitGroup
	for id := range ids {
		wg.Go(func() {
			var a statusAnswer
			if c.calls.Call(ctx, id, methodStatus, empty{}, &a) == nil {
				mu.Lock()
				answers[id] = a
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return answers
}

func (c *core) status(ctx context.Context) Status {
	answers := c.askAll(ctx)
	v, _ := c.view.get()
	s := Status{Leader: v.Leader, Term: c.raft.CurrentTerm(), Index: answers[c.id].Applied, Quorum: v.Leader != ""}
	roles := map[string]raft.Server{}
	for _, m := range c.members() {
		roles[string(m.ID)] = m
		if m.Suffrage == raft.Voter {
			s.Voters++
		}
	}
	ahead := answers[c.id].LastIndex
	if a, ok := answers[v.Leader]; ok {
		ahead = a.LastIndex
	}
	healthy := 0
	add := func(p PeerStatus) {
		m, known := roles[p.ID]
		delete(roles, p.ID)
		switch {
		case p.ID == v.Leader:
			p.Role = "leader"
		case !known:
			p.Role = "joining"
		case m.Suffrage == raft.Voter:
			p.Role = "voter"
		default:
			p.Role = "non-voter"
		}
		if a, ok := answers[p.ID]; ok {
			p.Alive, p.Sick, p.Applied, p.Hash = true, a.Sick, a.Applied, a.Hash
			p.Lag = ahead - min(ahead, a.LastIndex)
			p.CaughtUp = known && p.Lag <= maxLag && a.LastIndex > 0
			if a.Version != "" {
				p.Version = a.Version
			}
			if m.Suffrage == raft.Voter && known {
				healthy++
			}
		}
		s.Peers = append(s.Peers, p)
	}
	for _, r := range c.rows() {
		add(PeerStatus{ID: r.ID, Name: r.Name, URL: r.URL, Address: r.Address, Version: r.Version})
	}
	for _, m := range c.members() { // in Raft, but without a row
		if _, left := roles[string(m.ID)]; left {
			add(PeerStatus{ID: string(m.ID), Address: string(m.Address)})
		}
	}
	s.Tolerates = max(0, healthy-(s.Voters/2+1))
	return s
}
