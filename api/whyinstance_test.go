package api

import (
	"strings"
	"testing"

	"github.com/droverhq/drover/fsm"
)

func TestWhyTellsWhatKeepsAnInstanceFromBeingCalled(t *testing.T) {
	w := newWorld(t)
	w.add(`{"id":"a","url":"http://a.example"}`)
	reasonOf(t, w.why("a"), "not_called")
	for code, next := range map[string]string{
		"unauthorized": "--instance-token-file", "address_not_allowed": "instances.allow", "redirected": "--url", "bad_settings": "drover instance set a",
		"bad_answer": "/admin endpoints", "timeout": "http://a.example", "unreachable": "tried again by itself", "something_new": "http://a.example",
	} {
		w.unreachable("a", code, "because of "+code)
		got := w.why("a")
		r := reasonOf(t, got, code)
		if got["status"] != "offline" || !strings.Contains(r["message"].(string), "because of "+code+" (since 2") || !strings.Contains(r["next"].(string), next) {
			t.Errorf("%s: %v", code, got)
		}
		if row := w.want(200, request{method: "GET", path: "/api/v1/nodes/a"}); row["last_error"].(map[string]any)["code"] != code {
			t.Errorf("%s is not the last error: %v", code, row["last_error"])
		}
	}
	w.must(fsm.SetLiveness{})
	if got := codes(w.why("a")); strings.Contains(strings.Join(got, " "), "peer_down") {
		t.Errorf("an instance is told that its controller is down, which another takes over: %v", got)
	}
}

// drift has a node report something else than what it accepted.
func (w *world) drift(id string, seq uint64, targets ...string) {
	w.t.Helper()
	var r fsm.Report
	w.store.View(func(st *fsm.State) {
		n := st.Node(id)
		r = fsm.Report{Node: n.Ordinal, Session: uint64(n.Ordinal) + 1, Seq: seq, Manifest: fsm.Sum{9}, At: st.Position(), Confirmed: true, Drifted: targets}
	})
	w.must(fsm.Reports{Peer: "p1", Single: []fsm.Report{r}})
}

func TestWhyTellsDriftAndWhoHasToHealIt(t *testing.T) {
	w := newWorld(t)
	w.enroll("edge-1", nil)
	w.add(`{"id":"hook-1","url":"http://a"}`)
	for _, id := range []string{"edge-1", "hook-1"} {
		w.report(id, 1, nothingHeld, true)
	}
	w.put("webhooks", `{"content":{"a":{"module":"m"}},"policy":{"drift":"report"}}`)
	for id, next := range map[string]string{"edge-1": "drover node resync edge-1", "hook-1": "drover instance sync hook-1"} {
		w.report(id, 2, w.desired(id), true)
		w.drift(id, 3, "webhooks")
		got := w.why(id)
		r := reasonOf(t, got, "drift_reported")
		if got["status"] != "pending" || r["document"] != "webhooks" || !strings.Contains(r["message"].(string), "reported, not healed") || !strings.Contains(r["next"].(string), next) {
			t.Errorf("%s: %v", id, got)
		}
	}
	w.put("webhooks", `{"policy":{}}`)
	seq := uint64(4)
	for range 4 {
		w.report("edge-1", seq, w.desired("edge-1"), true)
		w.drift("edge-1", seq+1, "webhooks")
		seq += 2
	}
	got := w.why("edge-1")
	if r := reasonOf(t, got, "drift_often"); got["status"] != "pending" || !strings.Contains(r["next"].(string), "resync") {
		t.Errorf("healed often: %v", got)
	}
	reasonOf(t, got, "drift")
	w.want(202, request{method: "POST", path: "/api/v1/nodes/edge-1/resync"})
	if got := w.why("edge-1"); got["status"] != "in_flight" {
		t.Errorf("after a resync: %v", got)
	}
}

func TestADeadLetterThatCannotBeCalledKeepsItsCause(t *testing.T) {
	w := newWorld(t)
	w.add(`{"id":"a","url":"http://a"}`)
	w.report("a", 1, nothingHeld, true)
	w.put("webhooks", `{"content":{"a":{"module":"m"}}}`)
	w.fail("a", 2, fsm.Problem{Target: "webhooks", Stage: "validate", Code: "refused", Message: "no"})
	w.unreachable("a", "timeout", "no answer")
	d := w.want(200, request{method: "GET", path: dead + "/a"})
	if d["cause"].(map[string]any)["code"] != "refused" || d["connected"] != false {
		t.Errorf("dead letter %v", d)
	}
	got := w.want(200, request{method: "GET", path: hooks + "/a"})
	if got["last_error"].(map[string]any)["code"] != "refused" || got["unreachable"].(map[string]any)["code"] != "timeout" {
		t.Errorf("instance %v", got)
	}
}
