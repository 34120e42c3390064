package api

import (
	"cmp"
	"slices"

	"github.com/droverhq/drover/fsm"
)

// maxCells bounds the fleet strip; counts are of all nodes anyhow.
const maxCells = 20_000

type fleetAnswer struct {
	Index  uint64      `json:"index"`
	Total  int         `json:"total"`
	Counts fsm.Counts  `json:"counts"`
	Cells  [][3]string `json:"cells"` // node, site, status
}

// getFleet is one cell a node, ordered by site and name: of all nodes, of
// those that fit ?q=, or of the targets of a push. For a push it tells what
// the nodes are now, also after it has ended.
func (s *Server) getFleet(c *call) error {
	q, err := parseNodeQuery(c.QueryParam("q"))
	if err != nil {
		return err
	}
	push := c.QueryParam("push")
	out := fleetAnswer{}
	s.view(c, func(st *fsm.State) {
		out.Index = st.Index()
		fits := q.matcher(st)
		add := func(n *fsm.Node) {
			if fits(n) {
				status := st.Status(n.Ordinal)
				out.Counts.Add(status)
				out.Cells = append(out.Cells, [3]string{n.ID, n.Labels["site"], string(status)})
			}
		}
		if push == "" {
			for n := range st.Nodes {
				add(n)
			}
			return
		}
		p := st.Push(number(push))
		if p == nil {
			err = failure(codeNotFound, "there is no push %q (any more)", clip(push, 40))
			return
		}
		for ord := range p.Targets.All() {
			if n := st.NodeAt(ord); n != nil {
				add(n)
			}
		}
	})
	if err != nil {
		return err
	}
	slices.SortFunc(out.Cells, func(a, b [3]string) int { return cmp.Or(cmp.Compare(a[1], b[1]), cmp.Compare(a[0], b[0])) })
	out.Total = len(out.Cells)
	out.Cells = notNil(out.Cells[:min(len(out.Cells), maxCells)])
	return c.ok(out)
}
