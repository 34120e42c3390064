package api

import "github.com/droverhq/drover/fsm"

// driftRow tells what somebody else changed on a node. Held: it is left so until
// a person asks for it to be put back, or changes the document.
type driftRow struct {
	Targets []string `json:"targets"`
	Held    bool     `json:"held"`
	Since   string   `json:"since,omitzero"`
}

// Values of the term drift= in a query of nodes.
const (
	driftHeld    = "held"
	driftHealing = "healing"
)

// driftOf is nil for a node on which nobody changed anything.
func driftOf(st *fsm.State, n *fsm.Node) *driftRow {
	targets := st.Drifted(n.Ordinal)
	if len(targets) == 0 {
		return nil
	}
	out := &driftRow{Targets: targets, Held: st.Status(n.Ordinal) == fsm.Pending}
	if begun := st.Row(n.Ordinal).Drift.Begun; len(begun) > 0 {
		out.Since = timeText(begun[len(begun)-1])
	}
	return out
}

// driftWord is the value of the term drift= for a node, "" where there is none.
func driftWord(st *fsm.State, n *fsm.Node) string {
	switch d := driftOf(st, n); {
	case d == nil:
		return ""
	case d.Held:
		return driftHeld
	default:
		return driftHealing
	}
}
