package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/droverhq/drover/fsm"
)

const dead = "/api/v1/deadletters"

// deadOf makes an agent and two instances that refuse a document, for two
// reasons; edge-2 has taken it.
func deadOf(t *testing.T) *world {
	w := newWorld(t)
	for _, id := range []string{"edge-1", "edge-2"} {
		w.enroll(id, map[string]string{"site": id})
	}
	for _, id := range []string{"hook-1", "hook-2"} {
		w.add(`{"id":"` + id + `","url":"http://` + id + `"}`)
	}
	for _, id := range []string{"edge-1", "edge-2", "hook-1", "hook-2"} {
		w.report(id, 1, nothingHeld, true)
	}
	w.put("webhooks", `{"content":{"a":{"module":"m1"}}}`)
	w.report("edge-2", 2, w.desired("edge-2"), true)
	w.fail("edge-1", 2, fsm.Problem{Target: "webhooks", Stage: "validate", Code: "schema_invalid", Pointer: "/x", Message: "no", LogTail: "line"})
	for _, id := range []string{"hook-1", "hook-2"} {
		w.fail(id, 2, fsm.Problem{Target: "webhooks", Stage: "push", Code: "refused", Message: id + ": a module is missing"})
	}
	return w
}

func (w *world) deadIDs(query string) string {
	var ids []string
	for _, d := range items(w.want(200, request{method: "GET", path: dead + query, as: "viewer"})) {
		ids = append(ids, d["id"].(string))
	}
	return strings.Join(ids, " ")
}

func TestDeadLettersOfBothKindsAreListed(t *testing.T) {
	w := deadOf(t)
	all := items(w.want(200, request{method: "GET", path: dead}))
	if len(all) != 3 {
		t.Fatalf("listed %v", all)
	}
	d, cause := all[0], all[0]["cause"].(map[string]any)
	if d["id"] != "edge-1" || d["node"] != "edge-1" || d["kind"] != "agent" || d["status"] != "dead_letter" || fmt.Sprint(d["documents"]) != "[webhooks]" ||
		d["attempts"] != 1.0 || d["revision"] != 1.0 || d["since"] == nil || d["connected"] != true || cause["code"] != "schema_invalid" ||
		cause["pointer"] != "/x" || cause["stage"] != "validate" || cause["message"] != "no" || cause["log_tail"] != "line" || cause["id"] == "" {
		t.Errorf("edge-1: %v", d)
	}
	hook := all[1]["cause"].(map[string]any)
	if hook["message"] != "hook-1: a module is missing" || hook["id"] != all[2]["cause"].(map[string]any)["id"] {
		t.Errorf("hooks: %v", all[1:])
	}
	causes := items(w.want(200, request{method: "GET", path: dead + "/causes"}))
	if len(causes) != 2 || causes[0]["count"] != 2.0 || causes[0]["cause"] != hook["id"] || fmt.Sprint(causes[0]["nodes"]) != "[hook-1 hook-2]" {
		t.Errorf("causes %v", causes)
	}
	for query, want := range map[string]string{
		"": "edge-1 hook-1 hook-2", "?kind=instance": "hook-1 hook-2", "?document=webhooks&kind=agent": "edge-1", "?document=x": "",
		"?q=site%3Dedge-1": "edge-1", "?cause=" + hook["id"].(string): "hook-1 hook-2", "?limit=1": "edge-1",
	} {
		if got := w.deadIDs(query); got != want {
			t.Errorf("%s: %s", query, got)
		}
	}
	w.refused(400, "bad_request", request{method: "GET", path: dead + "?kind=x"})
	w.refused(404, "not_found", request{method: "GET", path: dead + "/edge-2"})
	w.refused(404, "not_found", request{method: "GET", path: dead + "/nobody"})
	if got := w.want(200, request{method: "GET", path: dead + "/hook-1", as: "operator"}); got["node"] != "hook-1" || fmt.Sprint(got["actions"]) != "[retry discard]" {
		t.Errorf("one: %v", got)
	}
}

func TestDeadLettersAreRetriedAndDiscarded(t *testing.T) {
	w := deadOf(t)
	r := request{method: "POST", path: dead + "/hook-1/retry", as: "operator", header: map[string]string{"Idempotency-Key": "1"}}
	for range 2 {
		if got := w.want(200, r); got["retried"] != 1.0 {
			t.Errorf("retried %v", got)
		}
	}
	w.refused(404, "not_found", request{method: "POST", path: dead + "/hook-1/retry"})
	r = request{method: "POST", path: dead + "/edge-1/discard", as: "operator", header: map[string]string{"Idempotency-Key": "2"}}
	for range 2 {
		if got := w.want(200, r); got["discarded"] != 1.0 {
			t.Errorf("discarded %v", got)
		}
	}
	if got := w.deadIDs(""); got != "hook-2" {
		t.Errorf("left: %s", got)
	}
	if got := w.want(200, request{method: "GET", path: "/api/v1/nodes/edge-1"}); got["status"] != "dead_letter" {
		t.Errorf("discarded: %v", got)
	}
	reasonOf(t, w.why("edge-1"), "discarded")
	w.put("webhooks", `{"content":{"a":{"module":"m2"}}}`)
	w.fail("edge-1", 3, fsm.Problem{Target: "webhooks", Code: "schema_invalid", Message: "no"})
	if got := w.deadIDs("?kind=agent"); got != "edge-1" {
		t.Errorf("after something newer: %s", got)
	}
}

func TestManyDeadLettersAreSettledAtOnce(t *testing.T) {
	w := deadOf(t)
	cause := items(w.want(200, request{method: "GET", path: dead + "/causes"}))[0]["cause"].(string)
	for _, c := range []struct{ path, body, answer string }{
		{"/discard", `{"cause":"none"}`, "map[discarded:0]"},
		{"/discard", `{"cause":"` + cause + `"}`, "map[discarded:2]"},
		{"/retry", `{"ids":[]}`, "map[retried:0]"},
		{"/retry", `{"ids":["edge-1","edge-1","edge-2","nobody","hook-1"]}`, "map[retried:1]"},
	} {
		if got := w.want(200, request{method: "POST", path: dead + c.path, body: c.body, as: "operator"}); fmt.Sprint(got) != c.answer {
			t.Errorf("%s: %v", c.body, got)
		}
	}
	for _, bad := range []string{`{}`, `{"ids":["a"],"cause":"x"}`, `{"ids":["` + strings.Repeat(`a","`, maxSelected) + `a"]}`} {
		w.refused(422, "invalid", request{method: "POST", path: dead + "/retry", body: bad})
	}
}

func TestDeadLettersOutsideOfThePrefixesAreNotSettled(t *testing.T) {
	w := deadOf(t)
	w.tokens["scoped"] = w.token("operator", "admin", "elsewhere")
	for _, r := range []request{{path: dead + "/hook-1/retry"}, {path: dead + "/discard", body: `{"ids":["hook-1"]}`}} {
		r.method, r.as = "POST", "scoped"
		w.refused(403, "forbidden", r)
	}
	if got := w.deadIDs(""); got != "edge-1 hook-1 hook-2" {
		t.Errorf("left: %s", got)
	}
}
