package api

import (
	"net/http"
	"slices"

	"github.com/droverhq/drover/fsm"
)

// instanceRow is a node that is called over HTTP, in the words of its registry.
// /nodes shows it as every other node.
type instanceRow struct {
	instanceSettings
	instanceHealth
	Actions []string `json:"actions"`
}

// instanceSettings are what a person, or a discovery, has said of an instance.
// Secrets are told by whether they are there.
type instanceSettings struct {
	ID       string            `json:"id"`
	URL      string            `json:"url"`
	Labels   map[string]string `json:"labels"`
	Accepts  []string          `json:"accepts"`
	Source   string            `json:"source"`        // manual, or the id of a discovery
	Gone     string            `json:"gone,omitzero"` // since when the discovery does not find it any more
	HasToken bool              `json:"has_token"`
	TLS      tlsRow            `json:"tls"`
	Added    string            `json:"added"`
}

// tlsRow tells which of the TLS settings there are.
type tlsRow struct {
	CA         bool   `json:"ca,omitzero"`
	ServerName string `json:"server_name,omitzero"`
	Cert       bool   `json:"cert,omitzero"`
}

// instanceHealth is what is known of an instance by calling it.
type instanceHealth struct {
	Connected   bool               `json:"connected"`
	Owner       string             `json:"owner"` // the peer that calls it
	Status      fsm.Status         `json:"status"`
	InSync      bool               `json:"in_sync"`
	Attempts    int                `json:"attempts"`
	LastError   *nodeError         `json:"last_error,omitzero"`
	Unreachable *unreachableRow    `json:"unreachable,omitzero"`
	Drift       *driftRow          `json:"drift,omitzero"`
	Facts       map[string]string  `json:"facts"`
	Warnings    []warningRow       `json:"warnings"`
	Unmanaged   []string           `json:"unmanaged"` // targets that it holds and nobody wants there
	Documents   []instanceDocument `json:"documents"`
}

type unreachableRow struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Time    string `json:"time"`
}

type warningRow struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// instanceDocument is a document of an instance. Unverified: the instance puts
// values into placeholders, so its hash was taken from it, not computed here.
type instanceDocument struct {
	nodeDocument
	Unverified bool `json:"unverified,omitzero"`
}

// sourceManual is the source of what no discovery has found.
const sourceManual = "manual"

func sourceOf(in *fsm.Instance) string {
	if in.Source == "" {
		return sourceManual
	}
	return in.Source
}

func tlsRowOf(t fsm.InstanceTLS) tlsRow {
	return tlsRow{CA: t.CA != "", ServerName: t.ServerName, Cert: t.Cert != ""}
}

func (c *call) instanceOf(st *fsm.State, n *fsm.Node) instanceRow {
	in := n.Instance
	out := instanceRow{
		instanceSettings: instanceSettings{
			ID: n.ID, URL: in.URL, Labels: notNilMap(n.Labels), Accepts: notNil(in.Accepts), Source: sourceOf(in), Gone: timeText(in.Gone),
			HasToken: len(in.Token) > 0, TLS: tlsRowOf(in.TLS), Added: timeText(n.Enrolled),
		},
		instanceHealth: healthOf(st, n),
		Actions:        []string{},
	}
	if c.who.role.has(permInstancesWrite) {
		out.Actions = []string{"update", "sync", "remove", "retry"}
	}
	return out
}

func healthOf(st *fsm.State, n *fsm.Node) instanceHealth {
	row := st.Row(n.Ordinal)
	seen := row.Observed()
	out := instanceHealth{
		Connected: row.Connected, Owner: ownerName(st, n), Status: st.Status(n.Ordinal), InSync: st.Converged(n.Ordinal),
		Attempts: st.Attempts(n.Ordinal), LastError: lastError(st, n), Drift: driftOf(st, n), Facts: notNilMap(n.Facts),
		Warnings: []warningRow{}, Unmanaged: notNil(seen.Unmanaged), Documents: []instanceDocument{},
	}
	if u := row.Unreachable(); u != nil {
		out.Unreachable = &unreachableRow{u.Code, u.Message, timeText(u.Time)}
	}
	for _, code := range seen.Warnings {
		out.Warnings = append(out.Warnings, warningOf(code))
	}
	for _, d := range documentsOf(st, n) {
		out.Documents = append(out.Documents, instanceDocument{d, unverified(seen, d)})
	}
	return out
}

// unverified tells whether the hash of what an instance holds of a document is
// one that it told itself.
func unverified(seen fsm.Observed, d nodeDocument) bool {
	return slices.ContainsFunc(seen.Baselines, func(b fsm.Baseline) bool { return b.Target == d.Target && b.Version == d.Accepted })
}

func warningOf(code string) warningRow {
	if code == fsm.WarnNoAuth {
		return warningRow{code, "it tells the version of its configuration to anybody: have it ask for the token"}
	}
	return warningRow{code, "see the log of the controller that calls it"}
}

// ownerName is the name of the peer that calls an instance, "" where no peer is
// alive.
func ownerName(st *fsm.State, n *fsm.Node) string {
	id := st.Owner(n)
	if p := st.Peer(id); p != nil {
		return p.Name
	}
	return id
}

// listInstances lists the instances that fit ?q=, by their names.
func (s *Server) listInstances(c *call) error {
	w, err := c.window()
	if err != nil {
		return err
	}
	q, err := parseNodeQuery(c.QueryParam("q"))
	if err != nil {
		return err
	}
	var entries []entry
	s.view(c, func(st *fsm.State) {
		fits := q.matcher(st)
		for n := range st.Instances {
			if fits(n) {
				entries = append(entries, entry{n.ID, n.Ordinal})
			}
		}
	})
	part, next := w.cut(entries, false)
	out := page[instanceRow]{Items: []instanceRow{}, Next: next}
	s.view(c, func(st *fsm.State) {
		for _, e := range part {
			if n := st.NodeAt(e.ord); n != nil && n.Instance != nil {
				out.Items = append(out.Items, c.instanceOf(st, n))
			}
		}
	})
	return c.ok(out)
}

// instanceIn finds the instance in the path, or says that there is none.
func instanceIn(st *fsm.State, c *call) (*fsm.Node, error) { return instanceNamed(st, c.segment("id")) }

func instanceNamed(st *fsm.State, id string) (*fsm.Node, error) {
	switch n := st.Node(id); {
	case n == nil:
		return nil, failure(codeNotFound, "no instance is called %q; `drover instance list` shows them", clip(id, 140))
	case n.Instance == nil:
		return nil, failure(codeNotFound, "node %q is an agent, not an instance; see /api/v1/nodes", clip(id, 140))
	default:
		return n, nil
	}
}

func (s *Server) getInstance(c *call) error {
	return s.answerInstance(c, http.StatusOK, c.segment("id"))
}

func (s *Server) answerInstance(c *call, status int, id string) error {
	var (
		out instanceRow
		err error
	)
	s.view(c, func(st *fsm.State) {
		var n *fsm.Node
		if n, err = instanceNamed(st, id); err == nil {
			out = c.instanceOf(st, n)
		}
	})
	if err != nil {
		return err
	}
	return c.answer(status, out)
}

// deleteInstance forgets an instance. What it runs stays as it is. One that a
// discovery still finds is added again when that looks the next time.
func (s *Server) deleteInstance(c *call) error {
	if err := c.nothing(); err != nil {
		return err
	}
	if res, err := s.replayed(c); err != nil {
		return err
	} else if res == nil {
		s.view(c, func(st *fsm.State) { _, err = instanceIn(st, c) })
		if err != nil {
			return err
		}
		if _, err := s.propose(c, fsm.RemoveNode{Node: c.segment("id")}); err != nil {
			return err
		}
	}
	return c.NoContent(http.StatusNoContent)
}
