package api

import (
	"net/http"
	"time"

	"github.com/droverhq/drover/fsm"
)

type readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []reason `json:"reasons,omitzero"`
}

// livez: the process serves. It says nothing of the cluster, so that nobody
// restarts a peer because others are gone.
func (s *Server) livez(c *call) error { return c.ok(struct{}{}) }

// readyz: this peer can take any request. Without, it says why not.
func (s *Server) readyz(c *call) error {
	out := readiness{Reasons: s.unready(c)}
	if out.Ready = len(out.Reasons) == 0; out.Ready {
		return c.ok(out)
	}
	return c.answer(http.StatusServiceUnavailable, out)
}

// noQuorumAfter is how long requests wait for a new leader; load balancers need
// not move clients for the moment that an election takes.
const noQuorumAfter = 2 * time.Second

func (s *Server) unready(c *call) (reasons []reason) {
	add := func(code, message string) { reasons = append(reasons, reason{Code: code, Message: message}) }
	if s.draining.Load() {
		add("stopping", "this controller is stopping")
	}
	created := false
	s.view(c, func(st *fsm.State) { created = st.Cluster() != nil })
	if !created {
		add("no_state", "this controller has not received the cluster's state yet")
	}
	if standing := s.deps.Control.Standing(); standing.Leader == "" && s.now().Sub(standing.Since) >= noQuorumAfter {
		add(codeNoQuorum, "there is no leader since "+timeText(standing.Since.UnixMilli())+"; writes are refused, reads are served as of then")
	}
	if s.deps.Ready != nil {
		for _, text := range s.deps.Ready() {
			add(codeNotReady, text)
		}
	}
	return reasons
}

type leadership struct {
	Leader bool   `json:"leader"`
	Name   string `json:"name,omitzero"` // of the leader
}

// leaderz answers 200 on the leader alone.
func (s *Server) leaderz(c *call) error {
	standing := s.deps.Control.Standing()
	out := leadership{Leader: standing.Leader != "" && standing.Leader == standing.Self}
	s.view(c, func(st *fsm.State) {
		if p := st.Peer(standing.Leader); p != nil {
			out.Name = p.Name
		}
	})
	if out.Leader {
		return c.ok(out)
	}
	return c.answer(http.StatusServiceUnavailable, out)
}
