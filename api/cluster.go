package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/droverhq/drover/fsm"
)

type clusterAnswer struct {
	Name      string    `json:"name"`
	ID        string    `json:"id"`
	Epoch     uint64    `json:"epoch"`
	Leader    string    `json:"leader,omitzero"` // name
	Term      uint64    `json:"term"`
	Index     uint64    `json:"index"`
	Quorum    bool      `json:"quorum"`
	Voters    int       `json:"voters"`
	Tolerates int       `json:"tolerates"` // voters that may fail
	Feature   uint64    `json:"feature_level"`
	Stale     *int      `json:"stale_seconds,omitzero"` // without a leader: since when
	Peers     []peerRow `json:"peers"`
}

type peerRow struct {
	Name      string  `json:"name"`
	ID        string  `json:"id"`
	Role      string  `json:"role"` // leader, voter, non-voter
	Alive     bool    `json:"alive"`
	URL       string  `json:"url"`
	Address   string  `json:"address"`
	Version   string  `json:"version,omitzero"`
	Lag       *uint64 `json:"lag,omitzero"`     // commands behind the one furthest on
	Applied   *uint64 `json:"applied,omitzero"` // index; absent where the peer does not answer
	StateHash string  `json:"state_hash,omitzero"`
	Sessions  *int    `json:"sessions,omitzero"`
}

// statusTimeout bounds how long the peers are asked for their status.
const statusTimeout = 2 * time.Second

func (s *Server) getCluster(c *call) error {
	ctx, cancel := context.WithTimeout(c.ctx(), statusTimeout)
	defer cancel()
	statuses, standing := s.deps.Control.Status(ctx), s.deps.Control.Standing()
	out := clusterAnswer{Term: standing.Term, Quorum: standing.Leader != "", Peers: []peerRow{}}
	s.view(c, func(st *fsm.State) {
		if cl := st.Cluster(); cl != nil {
			out.Name, out.ID, out.Epoch, out.Feature = cl.Name, cl.ID, cl.Epoch, cl.Feature
		}
		out.Index = st.Index()
		for _, p := range st.Peers() {
			out.Peers = append(out.Peers, peerRow{
				Name: p.Name, ID: p.ID, Alive: p.Alive, URL: p.URL, Address: p.Address, Version: p.Version, Role: "non-voter",
			})
		}
	})
	furthest := out.Index
	for _, p := range statuses {
		furthest = max(furthest, p.Applied)
	}
	for i := range out.Peers {
		out.Peers[i].fill(statuses, standing, furthest)
		if out.Peers[i].Role != "non-voter" {
			out.Voters++
		}
		if out.Peers[i].Role == "leader" {
			out.Leader = out.Peers[i].Name
		}
	}
	out.Tolerates = max(0, (out.Voters-1)/2)
	if !out.Quorum {
		stale := int(s.now().Sub(standing.Since) / time.Second)
		out.Stale = &stale
	}
	return c.ok(out)
}

// fill adds what a peer said of itself.
func (p *peerRow) fill(statuses map[string]PeerStatus, standing Standing, furthest uint64) {
	status, known := statuses[p.ID]
	if known {
		p.Alive = p.Alive && status.Alive
		if status.Voter {
			p.Role = "voter"
		}
	}
	if p.ID == standing.Leader {
		p.Role = "leader"
	}
	if status.Applied == 0 {
		return
	}
	lag, applied := furthest-status.Applied, status.Applied
	p.Applied, p.Lag = &applied, &lag
	p.StateHash = strconv.FormatUint(status.Hash, 16)
	if status.Sessions >= 0 {
		sessions := status.Sessions
		p.Sessions = &sessions
	}
}

type invitationAnswer struct {
	Token   string `json:"token"`
	Expires string `json:"expires"`
	Command string `json:"command"`
}

// createJoinToken invites a new peer. The token is shown once; another request
// makes another token, so an Idempotency-Key has no meaning here.
func (s *Server) createJoinToken(c *call) error {
	if err := c.nothing(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx(), s.config.WriteTimeout)
	defer cancel()
	in, err := s.deps.Control.Invite(ctx, c.actor())
	if err != nil {
		return err
	}
	c.at = s.position()
	return c.answer(http.StatusCreated, invitationAnswer{in.Token, timeText(in.Expires.UnixMilli()), in.Command})
}

type memberRequest struct {
	Name string `json:"name,omitzero"`
}

// changeMembers makes the handler of a membership action. The action is
// recorded before it begins: afterwards this peer may have no say any more.
func changeMembers(action string) func(*Server, *call) error {
	return func(s *Server, c *call) error {
		var in memberRequest
		if err := c.decodeIfAny(smallBody, &in); err != nil {
			return err
		}
		if err := s.memberKnown(c, in.Name, action == "transfer-leader"); err != nil {
			return err
		}
		c.once = fsm.Once{} // each of these is done once by its nature
		if _, err := s.propose(c, fsm.Note{Action: "cluster." + action, Object: in.Name, Outcome: "requested"}); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(c.ctx(), memberTimeout)
		defer cancel()
		if err := s.deps.Control.Change(ctx, action, in.Name, c.actor()); err != nil {
			return err
		}
		c.at = s.position()
		return c.ok(struct{}{})
	}
}

// memberTimeout bounds a membership action: a peer that leaves hands over first.
const memberTimeout = 30 * time.Second

func (s *Server) memberKnown(c *call, name string, optional bool) error {
	known := name == "" && optional
	s.view(c, func(st *fsm.State) {
		known = known || slices.ContainsFunc(st.Peers(), func(p *fsm.Peer) bool { return p.Name == name })
	})
	if known {
		return nil
	}
	e := failure(codeNotFound, "no peer is called %q; `drover cluster status` lists them", clip(name, 100))
	e.Pointer = "/name"
	return e
}
