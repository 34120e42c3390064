package api

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/droverhq/drover/fsm"
)

// fleetOf makes three nodes: edge-1 (site a) acks, edge-2 (site b) refuses,
// edge-3 (site a) has never connected.
func fleetOf(t *testing.T) *world {
	w := newWorld(t)
	for id, site := range map[string]string{"edge-1": "a", "edge-2": "b", "edge-3": "a"} {
		w.enroll(id, map[string]string{"site": site, "role": "edge"})
	}
	w.report("edge-1", 1, nothingHeld, true)
	w.report("edge-2", 1, nothingHeld, true)
	w.put("a", `{"content":{"x":1},"message":"go"}`)
	w.report("edge-1", 2, w.desired("edge-1"), true)
	w.fail("edge-2", 2, fsm.Problem{Target: "a", Stage: "validate", Code: "schema_invalid", Pointer: "/x", Message: "edge-2: must be IPv4"})
	return w
}

// fail has a node report an error of what is wanted of it.
func (w *world) fail(id string, seq uint64, problems ...fsm.Problem) {
	w.t.Helper()
	var r fsm.Report
	w.store.View(func(st *fsm.State) {
		n := st.Node(id)
		row, at := st.Row(n.Ordinal), st.Position()
		r = fsm.Report{Node: n.Ordinal, Session: row.Session.ID, Seq: seq, Manifest: row.Reported, At: at, Confirmed: true, Tried: &at, Problems: problems}
	})
	w.must(fsm.Reports{Peer: "p1", Single: []fsm.Report{r}})
}

func TestAPushIsShownWithItsTargetsAndCauses(t *testing.T) {
	w := fleetOf(t)
	p := w.want(200, request{method: "GET", path: "/api/v1/pushes/1", as: "operator"})
	counts := p["counts"].(map[string]any)
	if p["id"] != "1" || p["strategy"] != "all" || p["state"] != "running" || p["total"] != 3.0 || p["message"] != "go" || p["author"] != "t-admin" ||
		counts["acked"] != 1.0 || counts["dead_letter"] != 1.0 || counts["offline"] != 1.0 || counts["pending"] != 0.0 || p["actions"].([]any)[0] != "retry" {
		t.Errorf("push %v", p)
	}
	if p := w.want(200, request{method: "GET", path: "/api/v1/pushes/1", as: "viewer"}); len(p["actions"].([]any)) != 0 {
		t.Errorf("a viewer may %v", p["actions"])
	}
	targets := items(w.want(200, request{method: "GET", path: "/api/v1/pushes/1/targets"}))
	if len(targets) != 3 || targets[0]["node"] != "edge-1" || targets[0]["status"] != "acked" || targets[0]["peer"] != "ctl-1" || targets[2]["status"] != "offline" {
		t.Errorf("targets %v", targets)
	}
	if e := targets[1]["error"].(map[string]any); e["code"] != "schema_invalid" || e["pointer"] != "/x" || e["stage"] != "validate" || e["target"] != "a" {
		t.Errorf("error %v", e)
	}
	causes := items(w.want(200, request{method: "GET", path: "/api/v1/pushes/1/causes"}))
	if len(causes) != 1 || causes[0]["count"] != 1.0 || causes[0]["message"] != "…: must be IPv4" || causes[0]["nodes"].([]any)[0] != "edge-2" {
		t.Fatalf("causes %v", causes)
	}
	for query, want := range map[string]int{"status=acked": 1, "status=dead_letter": 1, "status=pending": 0, "cause=" + causes[0]["cause"].(string): 1, "cause=x": 0} {
		if got := items(w.want(200, request{method: "GET", path: "/api/v1/pushes/1/targets?" + query})); len(got) != want {
			t.Errorf("%s: %v", query, got)
		}
	}
	w.refused(400, "bad_request", request{method: "GET", path: "/api/v1/pushes/1/targets?status=bad"})
	for _, path := range []string{"2", "x", "01", "0"} {
		w.refused(404, "not_found", request{method: "GET", path: "/api/v1/pushes/" + path})
	}
	for query, want := range map[string]int{"": 1, "state=running": 1, "state=done": 0, "document=a": 1, "document=b": 0} {
		if got := items(w.want(200, request{method: "GET", path: "/api/v1/pushes?" + query})); len(got) != want {
			t.Errorf("%s: %v", query, got)
		}
	}
}

func TestARetryReachesTheFailedNodesOfAPush(t *testing.T) {
	w := fleetOf(t)
	w.tokens["scoped"] = w.token("operator", "admin", "elsewhere")
	w.refused(403, "forbidden", request{method: "POST", path: "/api/v1/pushes/1/retry", as: "scoped"})
	r := request{method: "POST", path: "/api/v1/pushes/1/retry", as: "operator", body: `{}`, header: map[string]string{"Idempotency-Key": "1"}}
	if got := w.want(200, r); got["retried"] != 1.0 {
		t.Errorf("got %v", got)
	}
	if got := w.want(200, request{method: "GET", path: "/api/v1/nodes/edge-2"}); got["status"] != "in_flight" || got["last_error"] != nil {
		t.Errorf("after the retry: %v", got)
	}
	if got := w.want(200, r); got["retried"] != 1.0 {
		t.Errorf("repeated: %v", got)
	}
	r.header = nil
	if got := w.want(200, r); got["retried"] != 0.0 {
		t.Errorf("with nothing failed: %v", got)
	}
}

func TestTheFleetIsACellANode(t *testing.T) {
	w := fleetOf(t)
	rec := w.do(request{method: "GET", path: "/api/v1/fleet"})
	if !strings.Contains(rec.Body.String(), `"cells":[["edge-1","a","acked"],["edge-3","a","offline"],["edge-2","b","dead_letter"]]`) {
		t.Errorf("got %s", rec.Body)
	}
	got := object(t, rec)
	if got["total"] != 3.0 || got["counts"].(map[string]any)["acked"] != 1.0 || got["index"] != float64(w.proposer.index) {
		t.Errorf("got %v", got)
	}
	for query, want := range map[string]float64{"push=1": 3, "q=site%3Da": 2, "push=1&q=status%3Dacked": 1, "q=nothing": 0} {
		if got := w.want(200, request{method: "GET", path: "/api/v1/fleet?" + query}); got["total"] != want {
			t.Errorf("%s: %v", query, got)
		}
	}
	w.refused(404, "not_found", request{method: "GET", path: "/api/v1/fleet?push=9"})
}

func ids(rows []map[string]any) (out []string) {
	for _, r := range rows {
		out = append(out, r["id"].(string))
	}
	return out
}

func TestNodesAreFoundByWordsAndTerms(t *testing.T) {
	w := fleetOf(t)
	w.must(fsm.LabelNode{Node: "edge-3", Labels: map[string]*string{"rack": new("Blue")}})
	for q, want := range map[string]string{
		"":                              "edge-1 edge-2 edge-3",
		"edge-2":                        "edge-2",
		"EDGE-2":                        "edge-2",
		"blue":                          "edge-3",
		"site=a":                        "edge-1 edge-3",
		"site=a status=offline":         "edge-3",
		"status=acked status=offline":   "edge-1 edge-3",
		"in_sync=false":                 "edge-2 edge-3",
		"connected=true":                "edge-1 edge-2",
		"peer=ctl-1":                    "edge-1 edge-2",
		"document=a":                    "edge-1 edge-2 edge-3",
		"document=b":                    "",
		"kind=agent edge 1":             "edge-1",
		"nolabel=x":                     "",
		"site=a rack=Blue status=acked": "",
	} {
		got := items(w.want(200, request{method: "GET", path: "/api/v1/nodes?q=" + strings.NewReplacer(" ", "+", "=", "%3D").Replace(q)}))
		if strings.Join(ids(got), " ") != want {
			t.Errorf("%q: %v, want %s", q, ids(got), want)
		}
	}
	for sort, want := range map[string]string{
		"id": "edge-1 edge-2 edge-3", "-id": "edge-3 edge-2 edge-1", "site": "edge-1 edge-3 edge-2", "status": "edge-2 edge-3 edge-1",
	} {
		if got := items(w.want(200, request{method: "GET", path: "/api/v1/nodes?sort=" + sort})); strings.Join(ids(got), " ") != want {
			t.Errorf("sort %s: %v", sort, ids(got))
		}
	}
	w.refused(400, "bad_request", request{method: "GET", path: "/api/v1/nodes?sort=x"})
	w.refused(400, "bad_request", request{method: "GET", path: "/api/v1/nodes?q=status%3Dx"})
}

func TestANodeIsShownWithItsDocuments(t *testing.T) {
	w := fleetOf(t)
	got := w.want(200, request{method: "GET", path: "/api/v1/nodes/edge-2"})
	d := got["documents"].([]any)[0].(map[string]any)
	if got["status"] != "in_flight" && got["status"] != "dead_letter" || got["in_sync"] != false || got["peer"] != "ctl-1" || got["agent_version"] != "1.0" ||
		d["document"] != "a" || d["version"] != 1.0 || d["accepted_version"] != 0.0 || d["refused_version"] != 1.0 || len(got["actions"].([]any)) != 4 {
		t.Errorf("got %v", got)
	}
	if got := w.want(200, request{method: "GET", path: "/api/v1/nodes/edge-1", as: "viewer"}); got["in_sync"] != true ||
		got["desired"].(map[string]any)["revision"] != 1.0 || got["reported"].(map[string]any)["revision"] != 1.0 || len(got["actions"].([]any)) != 0 {
		t.Errorf("got %v", got)
	}
	w.refused(404, "not_found", request{method: "GET", path: "/api/v1/nodes/none"})
}

func TestNodesAreLabelledRetriedResyncedAndRemoved(t *testing.T) {
	w := fleetOf(t)
	const one = "/api/v1/nodes/edge-2"
	got := w.want(200, request{method: "PATCH", path: one, as: "operator", body: `{"labels":{"role":null,"rack":"7"}}`})
	if labels := got["labels"].(map[string]any); labels["rack"] != "7" || labels["role"] != nil || labels["site"] != "b" {
		t.Errorf("labels %v", labels)
	}
	for body, code := range map[string]string{`{"labels":{"a b":"c"}}`: "invalid", `{"labels":{}}`: "invalid"} {
		if got := w.refused(422, code, request{method: "PATCH", path: one, body: body}); !strings.HasPrefix(got["pointer"].(string), "/labels") {
			t.Errorf("%s: %v", body, got)
		}
	}
	if got := w.want(200, request{method: "POST", path: one + "/retry"}); got["retried"] != 1.0 {
		t.Errorf("retry %v", got)
	}
	w.want(202, request{method: "POST", path: one + "/resync", body: `{}`})
	w.want(204, request{method: "DELETE", path: one})
	for _, r := range []request{
		{method: "PATCH", path: one, body: `{"labels":{"a":"b"}}`}, {method: "DELETE", path: one},
		{method: "POST", path: one + "/retry"}, {method: "POST", path: one + "/resync"}, {method: "GET", path: one + "/why"},
	} {
		w.refused(404, "not_found", r)
	}
}

func TestPagesNeitherRepeatNorHideRowsThatStay(t *testing.T) {
	w := newWorld(t)
	for i := range 10 {
		w.enroll(fmt.Sprintf("n-%d", i), nil)
		w.put(fmt.Sprintf("d-%d", i), `{"content":{}}`)
	}
	for _, list := range []struct {
		path, key  string
		first      string
		descending bool
	}{
		{"/api/v1/nodes?", "id", "n-0", false}, {"/api/v1/nodes?sort=-id&", "id", "n-9", true},
		{"/api/v1/documents?", "document", "d-0", false}, {"/api/v1/pushes?", "id", "10", true},
		{"/api/v1/revisions?", "revision", "10", true}, {"/api/v1/revisions?after=0&", "revision", "1", false},
		{"/api/v1/pushes/10/targets?", "node", "n-0", false}, {"/api/v1/audit?action=change&", "seq", "", true},
		{"/api/v1/users?", "user", "admin", false}, {"/api/v1/tokens?", "id", "", false},
	} {
		seen, cursor := map[string]int{}, ""
		for i := 0; ; i++ {
			if i == 1 && strings.HasPrefix(list.path, "/api/v1/nodes") {
				w.enroll(fmt.Sprintf("m-%t", list.descending), nil) // before all others, in between the pages
			}
			page := w.want(200, request{method: "GET", path: list.path + "limit=3&cursor=" + cursor})
			rows := items(page)
			for _, r := range rows {
				seen[fmt.Sprint(r[list.key])]++
			}
			if i == 0 && list.first != "" && fmt.Sprint(rows[0][list.key]) != list.first {
				t.Errorf("%s begins with %v", list.path, rows[0][list.key])
			}
			next, more := page["next_cursor"].(string)
			if len(rows) > 3 || more && len(rows) < 3 {
				t.Errorf("%s: %d rows", list.path, len(rows))
			}
			if !more {
				break
			}
			cursor = next
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s: %s was listed %d times", list.path, id, n)
			}
		}
		if len(seen) < 5 {
			t.Errorf("%s: only %d rows", list.path, len(seen))
		}
	}
	for _, q := range []string{"limit=0", "limit=-1", "limit=x", "cursor=!", "cursor=eA"} {
		w.refused(400, "bad_request", request{method: "GET", path: "/api/v1/nodes?" + q})
	}
	w.refused(400, "bad_request", request{method: "GET", path: "/api/v1/pushes?cursor=" + cursorOf("x")})
	w.want(200, request{method: "GET", path: "/api/v1/nodes?limit=99999"})
}

func TestDocumentsAreFoundByAPartOfTheirName(t *testing.T) {
	w := newWorld(t)
	w.put("routing%2Fcore", `{"content":{}}`)
	w.put("vpn", `{"content":{},"target":"tunnels"}`)
	for q, want := range map[string]int{"": 2, "core": 1, "TUNNEL": 1, "x": 0} {
		if got := items(w.want(200, request{method: "GET", path: "/api/v1/documents?q=" + q})); len(got) != want {
			t.Errorf("%s: %v", q, got)
		}
	}
}

func TestVersionsAndDifferences(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{"x":1,"s":"","l":[]}}`)
	w.put("a", `{"content":{"x":1.0,"s":"","l":[],"e":""}}`)
	list := items(w.want(200, request{method: "GET", path: docA + "/versions"}))
	if len(list) != 2 || list[0]["version"] != 2.0 || list[0]["checksum"] == list[1]["checksum"] {
		t.Errorf("versions %v", list)
	}
	for query, want := range map[string]string{
		"":             `{"document":"a","from":1,"to":2,"patch":[{"op":"replace","path":"/x","value":1.0,"old":1},{"op":"add","path":"/e","value":""}]}`,
		"?from=2&to=1": `{"document":"a","from":2,"to":1,"patch":[{"op":"replace","path":"/x","value":1,"old":1.0},{"op":"remove","path":"/e","old":""}]}`,
		"?from=1&to=1": `{"document":"a","from":1,"to":1,"patch":[]}`,
	} {
		if got := w.do(request{method: "GET", path: docA + "/diff" + query}); strings.TrimSpace(got.Body.String()) != want {
			t.Errorf("%q: %s", query, got.Body)
		}
	}
	for _, path := range []string{"/versions/3", "/versions/0", "/versions/x", "/diff?from=7", "/diff?to=9"} {
		w.refused(404, "not_found", request{method: "GET", path: docA + path})
	}
	w.refused(404, "not_found", request{method: "GET", path: "/api/v1/documents/none/versions"})
}

func TestValidationTellsWhatAPutWouldDo(t *testing.T) {
	w := fleetOf(t)
	for _, c := range []struct {
		body      string
		valid     bool
		unchanged bool
		pointer   string
		nodes     float64
	}{
		{`{"content":{"x":2}}`, true, false, "", 3},
		{`{"content":{"x":1}}`, true, true, "", 0},
		{`{"content":{"x":2},"schema":{"properties":{"x":{"type":"string"}}}}`, false, false, "/x", 0},
		{`{"content":[]}`, false, false, "", 0},
		{`{"content":{"n":9007199254740993}}`, false, false, "/n", 0},
		{`{"content":{},"schema":{"type":"objec"}}`, false, false, "", 0},
	} {
		got := w.want(200, request{method: "POST", path: docA + "/validate", body: c.body, as: "viewer"})
		unchanged, _ := got["unchanged"].(bool)
		if got["valid"] != c.valid || unchanged != c.unchanged || got["affected"].(map[string]any)["nodes"] != c.nodes {
			t.Errorf("%s: %v", c.body, got)
		}
		if !c.valid {
			if p := got["problems"].([]any)[0].(map[string]any); p["pointer"] != c.pointer || p["message"] == "" {
				t.Errorf("%s: %v", c.body, p)
			}
		}
	}
}

func TestAnAgentEnrollsWithItsToken(t *testing.T) {
	w := newWorld(t)
	made := w.want(201, request{method: "POST", path: "/api/v1/nodes/enroll", as: "operator", body: `{"node":"edge-9","labels":{"site":"x"},"expires":"2h"}`})
	token := made["token"].(string)
	if !strings.HasPrefix(token, "droverenroll.") {
		t.Errorf("token %q", token)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	body := func(node string) string {
		// The text that docs/protocol.md defines, put together by hand.
		key := b64(public)
		text := "drover.v1\x00enroll\n" + token + "\n" + node + "\n" + key
		out, err := json.Marshal(map[string]string{"token": token, "node": node, "public_key": key, "proof": b64(ed25519.Sign(private, []byte(text)))})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	w.refused(403, "denied", request{method: "POST", path: "/agent/v1/enroll", as: "-", body: body("another")})
	got := w.want(200, request{method: "POST", path: "/agent/v1/enroll", as: "-", body: body("")})
	if got["node"] != "edge-9" || got["cluster"] != "c-1" || got["keys"].([]any)[0] != b64(make([]byte, 32)) || got["peers"].([]any)[0] != "http://127.0.0.1:8080" {
		t.Errorf("got %v", got)
	}
	w.want(200, request{method: "POST", path: "/agent/v1/enroll", as: "-", body: body("")}) // the same key again
	if n := w.want(200, request{method: "GET", path: "/api/v1/nodes/edge-9"}); n["labels"].(map[string]any)["site"] != "x" {
		t.Errorf("node %v", n)
	}
	forged := strings.Replace(body(""), `"node":""`, `"node":"edge-9"`, 1)
	w.refused(400, "malformed", request{method: "POST", path: "/agent/v1/enroll", as: "-", body: forged})
	var proposed int
	w.proposer.set(func(p *single) {
		p.before = func(c fsm.Command) {
			if _, enrolls := c.Body.(fsm.EnrollNode); enrolls {
				proposed++
			}
		}
	})
	token = strings.Join([]string{"droverenroll", strings.Split(token, ".")[1], b64(make([]byte, 32))}, ".")
	w.refused(403, "denied", request{method: "POST", path: "/agent/v1/enroll", as: "-", body: body("")})
	if proposed != 0 {
		t.Error("a wrong secret came into the log")
	}
	token = "droverenroll.aaaa." + strings.SplitN(token, ".", 3)[2]
	w.refused(403, "denied", request{method: "POST", path: "/agent/v1/enroll", as: "-", body: body("")})
	w.audit(func(e *fsm.AuditEntry) bool {
		return e.Action == "node.enroll" && e.Object == "token aaaa" && e.Outcome == "denied"
	})
}

func TestEnrolmentTokensHaveBounds(t *testing.T) {
	w := newWorld(t)
	for body, pointer := range map[string]string{
		`{"uses":-1}`: "/uses", `{"uses":100001}`: "/uses", `{"node":"a b"}`: "/node", `{"labels":{"a b":"c"}}`: "/labels/a b",
		`{"expires":"1y"}`: "/expires", `{"expires":"-1h"}`: "/expires", `{"expires":"31d"}`: "/expires", `{"expires":"2001-01-01T00:00:00Z"}`: "/expires",
	} {
		rec := w.do(request{method: "POST", path: "/api/v1/nodes/enroll", body: body})
		if got := object(t, rec); rec.Code != 422 || got["pointer"] != pointer {
			t.Errorf("%s: %d %v", body, rec.Code, got)
		}
	}
	got := w.want(201, request{method: "POST", path: "/api/v1/nodes/enroll"})
	expires, err := time.Parse(time.RFC3339, got["expires"].(string))
	if err != nil || time.Until(expires) > time.Hour || time.Until(expires) < 59*time.Minute {
		t.Errorf("expires %v", got["expires"])
	}
}

func TestEnrolmentsOfAnAddressAreLimited(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.EnrollsPerSecond = 1 })
	codes := []int{}
	for range 11 {
		codes = append(codes, w.do(request{method: "POST", path: "/agent/v1/enroll", as: "-", body: `{}`}).Code)
	}
	if i := slices.Index(codes, 429); i != 10 {
		t.Errorf("codes %v", codes)
	}
}
