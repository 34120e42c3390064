package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/droverhq/drover/fsm"
)

// drifts reports that somebody changed a target on a node.
func (w *world) drifts(id string, seq uint64, target string) {
	w.t.Helper()
	var r fsm.Report
	w.store.View(func(st *fsm.State) {
		ord := st.Node(id).Ordinal
		r = fsm.Report{Node: ord, Session: uint64(ord) + 1, Seq: seq, Manifest: fsm.Sum{9}, At: st.Position(), Confirmed: true, Drifted: []string{target}}
	})
	w.must(fsm.Reports{Peer: "p1", Single: []fsm.Report{r}})
}

func TestDriftIsShownAndFoundByWhetherItIsHeld(t *testing.T) {
	w := newWorld(t)
	w.put("left", `{"content":{"a":1},"selector":"role=left","policy":{"drift":"report"}}`)
	w.put("mended", `{"content":{"a":1},"selector":"role=mended"}`)
	for _, role := range []string{"left", "mended", "same"} {
		w.enroll("edge-"+role, map[string]string{"role": role})
		w.report("edge-"+role, 1, nothingHeld, true)
		w.report("edge-"+role, 2, w.desired("edge-"+role), true)
	}
	w.drifts("edge-left", 3, "left")
	w.drifts("edge-mended", 3, "mended")
	for query, want := range map[string]string{"drift=held": "[edge-left]", "drift=healing": "[edge-mended]", "drift=held drift=healing": "[edge-left edge-mended]"} {
		var ids []string
		for _, item := range w.want(200, request{method: "GET", path: "/api/v1/nodes?q=" + strings.ReplaceAll(query, " ", "+")})["items"].([]any) {
			ids = append(ids, item.(map[string]any)["id"].(string))
		}
		if fmt.Sprint(ids) != want {
			t.Errorf("%s finds %v, want %s", query, ids, want)
		}
	}
	for id, want := range map[string]string{"edge-left": "true [left] true", "edge-mended": "true [mended] false", "edge-same": "false <nil> <nil>"} {
		drift, drifted := w.want(200, request{method: "GET", path: "/api/v1/nodes/" + id})["drift"].(map[string]any)
		if got := fmt.Sprint(drifted, " ", drift["targets"], " ", drift["held"]); got != want {
			t.Errorf("%s: drift %s, want %s", id, got, want)
		}
		if drifted && drift["since"] == "" {
			t.Errorf("%s does not tell since when", id)
		}
	}
}
