package api

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/droverhq/drover/fsm"
)

type nodeRow struct {
	ID        string            `json:"id"`
	Kind      string            `json:"kind"`
	Labels    map[string]string `json:"labels"`
	Facts     map[string]string `json:"facts"`
	Agent     string            `json:"agent_version,omitzero"`
	Connected bool              `json:"connected"`
	Peer      string            `json:"peer,omitzero"`
	Desired   manifestRow       `json:"desired"`
	Reported  manifestRow       `json:"reported"`
	InSync    bool              `json:"in_sync"`
	Status    fsm.Status        `json:"status"`
	Attempts  int               `json:"attempts"`
	LastError *nodeError        `json:"last_error,omitzero"`
	Drift     *driftRow         `json:"drift,omitzero"` // what somebody else changed there
	Enrolled  string            `json:"enrolled"`
}

type nodeFull struct {
	nodeRow
	Documents []nodeDocument `json:"documents"`
	Actions   []string       `json:"actions"`
}

// nodeDocument is a document of a node: version is the desired one, wanted the
// one that it is sent, which differs where it fell back.
type nodeDocument struct {
	Document string `json:"document"`
	Target   string `json:"target"`
	Version  uint64 `json:"version"`
	Wanted   uint64 `json:"wanted_version"`
	Accepted uint64 `json:"accepted_version"`
	Refused  uint64 `json:"refused_version,omitzero"`
}

func nodeOf(st *fsm.State, n *fsm.Node) nodeRow {
	row := st.Row(n.Ordinal)
	return nodeRow{
		ID: n.ID, Kind: n.Kind, Labels: notNilMap(n.Labels), Facts: notNilMap(n.Facts), Agent: n.AgentVersion,
		Connected: row.Connected, Peer: peerName(st, row),
		Desired: desiredRow(st.Desired(n.Ordinal)), Reported: reportedRow(st, row),
		InSync: st.Converged(n.Ordinal), Status: st.Status(n.Ordinal), Attempts: st.Attempts(n.Ordinal),
		LastError: lastError(st, n), Drift: driftOf(st, n), Enrolled: timeText(n.Enrolled),
	}
}

func (s *Server) nodeFullOf(st *fsm.State, n *fsm.Node, c *call) nodeFull {
	out := nodeFull{nodeRow: nodeOf(st, n), Documents: documentsOf(st, n), Actions: []string{}}
	if c.who.role.has(permNodesWrite) {
		out.Actions = []string{"label", "retry", "resync", "remove"}
	}
	return out
}

// documentsOf are the documents that a node should hold, by target.
func documentsOf(st *fsm.State, n *fsm.Node) []nodeDocument {
	out := []nodeDocument{}
	row, wanted := st.Row(n.Ordinal), st.Wanted(n.Ordinal).Versions
	for _, e := range st.Desired(n.Ordinal).Entries {
		d := nodeDocument{Document: e.Document, Target: e.Target, Version: e.Version.Number,
			Wanted: wanted.Of(e.Document), Accepted: row.Accepted.Of(e.Document)}
		for _, r := range row.Refused {
			if r.Document == e.Document {
				d.Refused = r.Version
			}
		}
		out = append(out, d)
	}
	return out
}

// severity orders statuses, the worst first.
func severity(status fsm.Status) string {
	order := []fsm.Status{fsm.DeadLetter, fsm.Reverted, fsm.Retrying, fsm.Offline, fsm.Pending, fsm.InFlight, fsm.Acked}
	return strconv.Itoa(slices.Index(order, status))
}

// sortKeys are what ?sort= can name.
var sortKeys = map[string]func(*fsm.State, *fsm.Node) string{
	"id":       func(*fsm.State, *fsm.Node) string { return "" },
	"site":     func(_ *fsm.State, n *fsm.Node) string { return n.Labels["site"] },
	"status":   func(st *fsm.State, n *fsm.Node) string { return severity(st.Status(n.Ordinal)) },
	"peer":     func(st *fsm.State, n *fsm.Node) string { return peerName(st, st.Row(n.Ordinal)) },
	"attempts": func(st *fsm.State, n *fsm.Node) string { return fmt.Sprintf("%08d", st.Attempts(n.Ordinal)) },
	"enrolled": func(_ *fsm.State, n *fsm.Node) string { return fmt.Sprintf("%015d", n.Enrolled) },
}

// listNodes lists the nodes that fit ?q=, in the order of ?sort=: a key, with
// "-" before it from the last to the first; nodes of one key go by their names.
func (s *Server) listNodes(c *call) error {
	w, err := c.window()
	if err != nil {
		return err
	}
	q, err := parseNodeQuery(c.QueryParam("q"))
	if err != nil {
		return err
	}
	order, descending := strings.CutPrefix(c.QueryParam("sort"), "-")
	if order == "" {
		order = "id"
	}
	key := sortKeys[order]
	if key == nil {
		return failure(codeBadRequest, "sort is %q; it is id, site, status, peer, attempts or enrolled, with - before it for the other way round", clip(order, 40))
	}
	var entries []entry
	s.view(c, func(st *fsm.State) {
		fits := q.matcher(st)
		for n := range st.Nodes {
			if fits(n) {
				entries = append(entries, entry{key(st, n) + "\x00" + n.ID, n.Ordinal})
			}
		}
	})
	part, next := w.cut(entries, descending)
	out := page[nodeRow]{Items: []nodeRow{}, Next: next}
	s.view(c, func(st *fsm.State) {
		for _, e := range part {
			if n := st.NodeAt(e.ord); n != nil {
				out.Items = append(out.Items, nodeOf(st, n))
			}
		}
	})
	return c.ok(out)
}

// nodeIn finds the node in the path, or says that there is none.
func nodeIn(st *fsm.State, c *call) (*fsm.Node, error) {
	id := c.segment("id")
	if n := st.Node(id); n != nil {
		return n, nil
	}
	return nil, failure(codeNotFound, "no node is called %q", clip(id, 140))
}

func (s *Server) getNode(c *call) error {
	var (
		out nodeFull
		err error
	)
	s.view(c, func(st *fsm.State) {
		var n *fsm.Node
		if n, err = nodeIn(st, c); err == nil {
			out = s.nodeFullOf(st, n, c)
		}
	})
	if err != nil {
		return err
	}
	return c.ok(out)
}

type labelRequest struct {
	Labels map[string]*string `json:"labels"`
}

// patchNode sets labels, and takes away those that are null.
func (s *Server) patchNode(c *call) error {
	var in labelRequest
	if err := c.decode(smallBody, &in); err != nil {
		return err
	}
	if len(in.Labels) == 0 {
		return &Error{Code: codeInvalid, Pointer: "/labels", Detail: "name the labels to set; null takes one away"}
	}
	if _, err := s.propose(c, fsm.LabelNode{Node: c.segment("id"), Labels: in.Labels}); err != nil {
		return err
	}
	return s.getNode(c)
}

func (s *Server) deleteNode(c *call) error {
	if err := c.nothing(); err != nil {
		return err
	}
	if _, err := s.propose(c, fsm.RemoveNode{Node: c.segment("id")}); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// resyncNode has a node say anew what it holds, and sends it what is desired.
func (s *Server) resyncNode(c *call) error {
	if _, err := s.again(c, true); err != nil {
		return err
	}
	return c.answer(http.StatusAccepted, struct{}{})
}

// retryNode forgets what a node refused and sends it what is desired again.
func (s *Server) retryNode(c *call) error {
	res, err := s.again(c, false)
	if err != nil {
		return err
	}
	return c.ok(retryAnswer{res.Outcome.Count})
}

func (s *Server) again(c *call, resync bool) (fsm.Result, error) {
	if err := c.nothing(); err != nil {
		return fsm.Result{}, err
	}
	if res, err := s.replayed(c); err != nil || res != nil {
		return deref(res), err
	}
	var err error
	s.view(c, func(st *fsm.State) { _, err = nodeIn(st, c) })
	if err != nil {
		return fsm.Result{}, err
	}
	return s.propose(c, fsm.RetryNodes{Nodes: []string{c.segment("id")}, Resync: resync})
}

func deref(res *fsm.Result) fsm.Result {
	if res == nil {
		return fsm.Result{}
	}
	return *res
}
