package api

import (
	"strings"
	"testing"
	"time"

	"github.com/droverhq/drover/fsm"
)

// why asks about a node and checks that a person can go on from the answer.
func (w *world) why(id string) map[string]any {
	w.t.Helper()
	got := w.want(200, request{method: "GET", path: "/api/v1/nodes/" + id + "/why", as: "viewer"})
	if got["summary"] == "" {
		w.t.Errorf("%s: no summary: %v", id, got)
	}
	for _, r := range got["reasons"].([]any) {
		if reason := r.(map[string]any); reason["message"] == "" || reason["code"] == "" || reason["next"] == nil {
			w.t.Errorf("%s: a reason without a next step: %v", id, reason)
		}
	}
	return got
}

func codes(why map[string]any) (out []string) {
	for _, r := range why["reasons"].([]any) {
		out = append(out, r.(map[string]any)["code"].(string))
	}
	return out
}

func reasonOf(t *testing.T, why map[string]any, code string) map[string]any {
	t.Helper()
	for _, r := range why["reasons"].([]any) {
		if reason := r.(map[string]any); reason["code"] == code {
			return reason
		}
	}
	t.Fatalf("no reason %s in %v", code, why)
	return nil
}

func TestWhyTellsEveryStatus(t *testing.T) {
	w := newWorld(t)
	w.enroll("edge-1", nil)
	expect := func(status string, reasons ...string) map[string]any {
		t.Helper()
		got := w.why("edge-1")
		if got["status"] != status || strings.Join(codes(got), " ") != strings.Join(reasons, " ") || got["in_sync"] != (status == "acked") {
			t.Fatalf("want %s %v, got %v", status, reasons, got)
		}
		return got
	}
	expect("offline", "never_connected")
	w.report("edge-1", 1, nothingHeld, true)
	expect("acked", "no_documents")

	w.put("a", `{"content":{"x":1}}`)
	expect("in_flight", "behind")
	w.report("edge-1", 2, w.desired("edge-1"), false)
	expect("in_flight", "unconfirmed")
	w.report("edge-1", 3, w.desired("edge-1"), true)
	got := expect("acked")
	if got["desired"].(map[string]any)["manifest"] != got["running"].(map[string]any)["manifest"] {
		t.Errorf("got %v", got)
	}

	w.put("a", `{"content":{"x":2}}`)
	w.fail("edge-1", 4, fsm.Problem{Stage: "hook", Code: "hook_failed", Target: "a", Message: "exit status 1", Retryable: true})
	r := reasonOf(t, expect("retrying", "waiting_retry"), "waiting_retry")
	if m := r["message"].(string); !strings.Contains(m, "attempt 1 of 8") || !strings.Contains(m, "exit status 1") || r["document"] != "a" {
		t.Errorf("reason %v", r)
	}
	w.fail("edge-1", 5, fsm.Problem{Stage: "validate", Code: "schema_invalid", Target: "a", Pointer: "/x", Message: "must be 1"})
	got = expect("dead_letter", "refused")
	r = reasonOf(t, got, "refused")
	if m := r["message"].(string); !strings.Contains(m, "version 2") || !strings.Contains(m, "stays at version 1") || !strings.Contains(m, "must be 1") ||
		r["document"] != "a" || r["pointer"] != "/x" || got["attempted"] == nil {
		t.Errorf("reason %v", r)
	}

	var session uint64
	w.store.View(func(st *fsm.State) { session = st.Row(0).Session.ID })
	w.must(fsm.RetryNodes{Nodes: []string{"edge-1"}})
	w.must(fsm.Reports{Peer: "p1", Closed: []fsm.Closed{{Node: 0, Session: session}}})
	w.sleep(90 * time.Second)
	r = reasonOf(t, expect("offline", "offline"), "offline")
	if !strings.Contains(r["message"].(string), "1m30") && !strings.Contains(r["message"].(string), "1m31") {
		t.Errorf("reason %v", r)
	}
	w.must(fsm.SetLiveness{})
	w.control.set(Standing{Self: "p1", Since: time.Now()})
	expect("offline", "offline", "no_quorum", "peer_down")
}

func TestWhyTellsWhatIsHeldBackWithARefusedDocument(t *testing.T) {
	w := newWorld(t)
	w.enroll("edge-1", nil)
	w.report("edge-1", 1, nothingHeld, true)
	w.put("a", `{"content":{"x":1}}`)
	w.put("b", `{"content":{"x":1}}`)
	w.report("edge-1", 2, w.desired("edge-1"), true)
	w.want(200, request{method: "POST", path: "/api/v1/changes", body: `{"commit":true,"edits":[{"document":"a","op":"put","content":{"x":2}},{"document":"b","op":"put","content":{"x":2}}]}`})
	w.fail("edge-1", 3, fsm.Problem{Stage: "validate", Code: "schema_invalid", Target: "a", Pointer: "/x", Message: "no"})
	got := w.why("edge-1")
	if r := reasonOf(t, got, "held_with"); r["document"] != "b" || !strings.Contains(r["message"].(string), "version 1") {
		t.Errorf("reason %v", r)
	}
	if !strings.Contains(got["summary"].(string), `"a", "b"`) {
		t.Errorf("summary %v", got["summary"])
	}
}

func TestWhyTellsThatNothingIsLeftToFallBackTo(t *testing.T) {
	w := newWorld(t)
	w.enroll("edge-1", nil)
	w.report("edge-1", 1, nothingHeld, true)
	w.put("a", `{"content":{"x":1}}`)
	w.report("edge-1", 2, w.desired("edge-1"), true)
	w.put("b", `{"content":{}}`)
	w.fail("edge-1", 3, fsm.Problem{Stage: "validate", Code: "schema_invalid", Target: "b", Message: "no"})
	// What it falls back to is refused as well.
	w.fail("edge-1", 4, fsm.Problem{Stage: "write", Code: "disk_full", Message: "no space left"})
	got := w.why("edge-1")
	if r := reasonOf(t, got, "stuck"); !strings.Contains(r["message"].(string), "no space left") {
		t.Errorf("reason %v", r)
	}
}

// Statuses that no row of this version has are explained all the same.
func TestEveryStatusHasASummaryAndANextStep(t *testing.T) {
	w := newWorld(t)
	w.enroll("edge-1", nil)
	for _, status := range []fsm.Status{fsm.Acked, fsm.InFlight, fsm.Pending, fsm.Retrying, fsm.Reverted, fsm.DeadLetter, fsm.Offline} {
		w.store.View(func(st *fsm.State) {
			q := &inquiry{st: st, node: st.Node("edge-1"), row: st.Row(0), now: time.Now()}
			if q.summary(status) == "" {
				t.Errorf("%s has no summary", status)
			}
			for _, r := range q.reasons {
				if r.Next == "" || r.Message == "" {
					t.Errorf("%s: %+v", status, r)
				}
			}
		})
	}
}
