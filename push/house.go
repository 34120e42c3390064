package push

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/socket"
	"github.com/droverhq/drover/wire"
)

// noQuorumAfter is how long a leader may be missing before the agents are
// asked to look for a peer that has one.
const noQuorumAfter = 10 * time.Second

// Balance: a peer sheds agents above its fair share, slowly.
const (
	shedAbove  = 1.1
	shedPerSec = 50
	shedSlack  = 4 // agents above the share that are never worth a move
	// shedPatience is how long an agent that was asked to go counts as gone.
	shedPatience = 30 * time.Second
)

// keepHouse does what is due by the clock: pings, the word on the quorum,
// sessions that the state believes in and this peer has not, and balance. peers
// are the controllers of which the first agents are told.
func (s *Server) keepHouse(ctx context.Context, peers []string) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	steady, before := 0, 0
	quorum, _ := s.deps.Cluster.Quorum()
	for n := uint64(0); ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		s.pingSome(n, time.Now())
		ok, lost := s.deps.Cluster.Quorum()
		if now := s.urls(); ok != quorum || !slices.Equal(now, peers) && !s.stops() {
			quorum, peers = ok, now
			s.tellPeers(peers, ok)
		}
		if !ok {
			steady = 0
			s.tellGoaway(lost)
			continue
		}
		s.told = false
		s.kick(s.kicked)
		s.closeGhosts()
		connected, alive := s.spread()
		if steady++; connected > before+before/64+shedSlack {
			steady = 0 // who is still coming goes to all peers, and may well even it out
		}
		if before = connected; steady >= 10 {
			s.shed(connected, alive)
		}
	}
}

// pingSome pings the sessions whose turn it is, each once in a heartbeat, and
// ends those that have been silent for too long.
func (s *Server) pingSome(n uint64, now time.Time) {
	const turns = uint64(heartbeat / time.Second)
	ping := outgoing{data: socket.Frame(socket.Ping, nil)}
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	for id, session := range s.core.sessions {
		c, ok := session.link.(*conn)
		switch {
		case !ok:
		case c.silent(now):
			s.deps.Log.Debug("agent is silent", "node", session.node)
			c.shut()
		case id%turns == n%turns:
			c.put(ping)
		}
	}
}

// tellPeers tells all agents which controllers there are now, and whether this
// one has a quorum.
func (s *Server) tellPeers(peers []string, ok bool) {
	s.core.mu.Lock()
	for _, session := range s.core.sessions {
		session.tell(wire.Peers{Peers: peers, Quorum: ok})
	}
	s.core.mu.Unlock()
	if ok {
		s.core.markAll()
		s.kick(s.kicked)
		s.kick(s.heard)
	}
}

// tellGoaway asks the agents once to look for a peer with a quorum. They keep
// this connection until they have found one: if the whole cluster is down they
// stay where they are.
func (s *Server) tellGoaway(lost time.Duration) {
	if lost < noQuorumAfter || s.told {
		return
	}
	s.told = true
	peers := s.urls()
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	for _, session := range s.core.sessions {
		session.tell(wire.Goaway{Reason: wire.GoawayNoQuorum, Peers: peers})
	}
}

// closeGhosts tells the state of sessions that it believes in and that this
// peer has not: those of an earlier run, or whose end was not taken.
func (s *Server) closeGhosts() {
	s.mu.Lock()
	busy := len(s.gone.closed) > 0
	s.mu.Unlock()
	if busy {
		return // what was found before is not even proposed yet
	}
	var ghosts []fsm.Closed
	s.deps.Store.View(func(state *fsm.State) {
		s.core.mu.Lock()
		defer s.core.mu.Unlock()
		for n := range state.Nodes {
			row := state.Row(n.Ordinal)
			if row.Connected && row.Session.Peer == s.config.Peer && s.core.sessions[row.Session.ID] == nil {
				ghosts = append(ghosts, fsm.Closed{Node: n.Ordinal, Session: row.Session.ID})
			}
		}
	})
	if len(ghosts) > 0 {
		s.tellGone(gone{closed: ghosts})
	}
}

// spread is the number of agents that are connected to any peer, and of the
// peers that are alive.
func (s *Server) spread() (connected, alive int) {
	s.deps.Store.View(func(state *fsm.State) {
		for n := range state.Nodes {
			if n.Instance == nil && state.Row(n.Ordinal).Connected {
				connected++
			}
		}
		for _, p := range state.Peers() {
			if p.Alive {
				alive++
			}
		}
	})
	return connected, alive
}

// shed asks some agents to go elsewhere when this peer has more than its share.
func (s *Server) shed(connected, alive int) {
	if alive < 2 {
		return
	}
	share := float64(connected) / float64(alive)
	peers := s.urls()
	peers = peers[:max(len(peers)-1, 0)] // not this one
	s.core.shed(int(share*shedAbove)+shedSlack, peers, time.Now())
}

// shed asks the agents above a number to go, as many as a second may bring.
// Those that were asked and are still on their way are not asked again, and no
// others in their place.
func (c *core) shed(keep int, peers []string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	over := len(c.sessions) - c.instances - keep
	for _, s := range c.sessions {
		if instantOf(now)-s.welcome.sentAway < instant(shedPatience) {
			over--
		}
	}
	left := min(over, shedPerSec)
	for _, s := range c.sessions {
		if left <= 0 {
			return
		}
		if !s.instance && s.inflight == nil && instantOf(now)-s.welcome.sentAway >= instant(shedPatience) {
			s.welcome.sentAway = instantOf(now)
			s.tell(wire.Goaway{Reason: wire.GoawayRebalance, Peers: peers})
			left--
		}
	}
}

// claims counts how often two processes take one identity from each other.
type claims struct {
	mu     sync.Mutex
	recent map[uint32][]time.Time
}

// A node whose identity was taken this often within the window has a copy; the
// incumbent stays.
const (
	claimsAllowed = 3
	claimsWindow  = time.Minute
)

func (c *claims) tooMany(ord uint32, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.recent[ord][:0]
	for _, t := range c.recent[ord] {
		if now.Sub(t) < claimsWindow {
			kept = append(kept, t)
		}
	}
	if len(kept) >= claimsAllowed {
		c.recent[ord] = kept
		return true
	}
	c.recent[ord] = append(kept, now)
	return false
}
