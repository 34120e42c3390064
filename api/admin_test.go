package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/droverhq/drover/fsm"
)

func TestTheClusterIsShown(t *testing.T) {
	w := newWorld(t)
	w.must(fsm.PutPeer{Peer: fsm.Peer{ID: "p2", Name: "ctl-2"}})
	got := w.want(200, request{method: "GET", path: "/api/v1/cluster", as: "viewer"})
	if got["name"] != "test" || got["leader"] != "ctl-1" || got["term"] != 1.0 || got["quorum"] != true || got["voters"] != 1.0 || got["tolerates"] != 0.0 ||
		got["feature_level"] != float64(fsm.FeatureLevel) || got["stale_seconds"] != nil {
		t.Errorf("got %v", got)
	}
	first, second := got["peers"].([]any)[0].(map[string]any), got["peers"].([]any)[1].(map[string]any)
	if first["role"] != "leader" || first["applied"] != 7.0 || first["state_hash"] != "9" || first["sessions"] != 2.0 || first["lag"] != got["index"].(float64)-7 {
		t.Errorf("the leader %v", first)
	}
	if second["role"] != "non-voter" || second["applied"] != nil || second["lag"] != nil {
		t.Errorf("one that does not answer %v", second)
	}
	w.control.set(Standing{Self: "p1", Since: time.Now()})
	if got := w.want(200, request{method: "GET", path: "/api/v1/cluster"}); got["quorum"] != false || got["leader"] != nil || got["stale_seconds"] != 0.0 {
		t.Errorf("without a leader %v", got)
	}
}

func TestMembershipActionsAreRecordedBeforeTheyBegin(t *testing.T) {
	w := newWorld(t)
	got := w.want(201, request{method: "POST", path: "/api/v1/cluster/tokens"})
	if got["token"] != "drover1.x" || got["command"] != "drover cluster join" || got["expires"] == "" {
		t.Errorf("token %v", got)
	}
	for _, action := range []string{"leave", "remove", "transfer-leader"} {
		w.want(200, request{method: "POST", path: "/api/v1/cluster/" + action, body: `{"name":"ctl-1"}`})
		e := w.audit(func(e *fsm.AuditEntry) bool { return e.Action == "cluster."+action })
		if e.Object != "ctl-1" || e.Actor.Name != "t-admin" || e.Outcome != "requested" {
			t.Errorf("audited %+v", e)
		}
		w.refused(404, "not_found", request{method: "POST", path: "/api/v1/cluster/" + action, body: `{"name":"none"}`})
	}
	w.want(200, request{method: "POST", path: "/api/v1/cluster/transfer-leader"})
	w.refused(404, "not_found", request{method: "POST", path: "/api/v1/cluster/leave"})
	if strings.Join(w.control.done, ", ") != "leave ctl-1, remove ctl-1, transfer-leader ctl-1, transfer-leader " {
		t.Errorf("done %q", w.control.done)
	}
	w.control.err = ErrUnsafe
	w.refused(409, "conflict", request{method: "POST", path: "/api/v1/cluster/remove", body: `{"name":"ctl-1"}`})
	w.proposer.set(func(p *single) { p.down = ErrNoQuorum })
	before := len(w.control.done)
	w.refused(503, "no_quorum", request{method: "POST", path: "/api/v1/cluster/remove", body: `{"name":"ctl-1"}`})
	if len(w.control.done) != before {
		t.Error("what could not be recorded was done")
	}
}

func TestTheAuditIsListedVerifiedAndExported(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{},"message":"why"}`)
	w.want(404, request{method: "DELETE", path: "/api/v1/nodes/none"})
	list := items(w.want(200, request{method: "GET", path: "/api/v1/audit", as: "viewer"}))
	if e := list[0]; e["action"] != "node.remove" || e["outcome"] != "not_found" || e["actor"] != "t-admin" || e["object"] != "none" || e["hash"] == "" {
		t.Errorf("newest %v", e)
	}
	if e := list[1]; e["action"] != "change.commit" || e["detail"] != "why" || e["outcome"] != "done" || e["revision"] != 1.0 || e["address"] != "192.0.2.1" {
		t.Errorf("before %v", e)
	}
	for query, want := range map[string]int{"action=change": 1, "action=change.commit": 1, "action=chang": 0, "actor=t-admin": 2, "object=non": 1, "actor=t-admin&action=node": 1} {
		if got := items(w.want(200, request{method: "GET", path: "/api/v1/audit?" + query})); len(got) != want {
			t.Errorf("%s: %v", query, got)
		}
	}
	got := w.want(200, request{method: "GET", path: "/api/v1/audit/verify"})
	if got["valid"] != true || got["first"] != 1.0 || got["last"] != got["entries"] {
		t.Errorf("verified %v", got)
	}
	rec := w.do(request{method: "GET", path: "/api/v1/audit/export"})
	var entries []*fsm.AuditEntry
	for in := bufio.NewScanner(rec.Body); in.Scan(); {
		e := &fsm.AuditEntry{}
		if err := json.Unmarshal(in.Bytes(), e); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	if len(entries) != int(got["entries"].(float64)) || fsm.VerifyAudit(entries) != 0 {
		t.Errorf("%d entries were exported, the first that does not fit is %d", len(entries), fsm.VerifyAudit(entries))
	}
	if kind := rec.Header().Get("Content-Type"); kind != "application/jsonl" {
		t.Errorf("Content-Type %q", kind)
	}
}

func TestALongAuditIsVerifiedAcrossItsBatches(t *testing.T) {
	w := newWorld(t)
	for range verifyBatch + 50 {
		w.must(fsm.Note{Action: "x", Outcome: "y"})
	}
	if got := w.want(200, request{method: "GET", path: "/api/v1/audit/verify"}); got["valid"] != true {
		t.Errorf("got %v", got)
	}
	var log fsm.AuditLog
	w.store.View(func(st *fsm.State) { log = st.Audit() })
	verify := func(entries []*fsm.AuditEntry) verdict {
		out, err := verifyChain(t.Context(), slices.Values(entries))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	forged := slices.Collect(log.All())
	entry := *forged[verifyBatch]
	entry.Object, forged[verifyBatch] = "forged", &entry
	if got := verify(forged); got.Valid || got.Broken != entry.Seq || got.Entries != log.Len() || got.Last != forged[log.Len()-1].Seq {
		t.Errorf("got %+v, want %d", got, entry.Seq)
	}
	// A forger who makes the hash of an entry anew is found by the next one,
	// also where that is in another batch.
	for _, at := range []int{verifyBatch - 1, verifyBatch, verifyBatch + 1} {
		forged = slices.Collect(log.All())
		entry = *forged[at]
		entry.Object = "forged"
		entry.Hash = fsm.HashEntry(entry)
		forged[at] = &entry
		if got := verify(forged); got.Broken != entry.Seq+1 {
			t.Errorf("got %+v, want %d", got, entry.Seq+1)
		}
	}
	w.server.verifying <- struct{}{}
	w.refused(429, "rate_limited", request{method: "GET", path: "/api/v1/audit/verify"})
}

func TestRefusalsAreRecordedWithoutFloodingTheAudit(t *testing.T) {
	w := newWorld(t)
	for range 50 {
		w.refused(403, "forbidden", request{method: "DELETE", path: "/api/v1/users/admin", as: "viewer"})
	}
	w.audit(func(e *fsm.AuditEntry) bool {
		return e.Action == "denied" && e.Object == "/api/v1/users/admin" && e.Actor.Name == "t-viewer" && strings.HasPrefix(e.Detail, "DELETE needs users.write")
	})
	w.sleep(time.Minute)
	w.refused(403, "forbidden", request{method: "GET", path: "/api/v1/users", as: "viewer"})
	w.audit(func(e *fsm.AuditEntry) bool { return e.Action == "denied" && e.Object == "/api/v1/users" })
	recorded, left := 0, 0
	w.store.View(func(st *fsm.State) {
		for e := range st.Audit().All() {
			if e.Action != "denied" {
				continue
			}
			recorded++
			n := 0
			if _, text, some := strings.Cut(e.Detail, "("); some {
				if _, err := fmt.Sscanf(text, "%d others", &n); err != nil {
					t.Errorf("detail %q", e.Detail)
				}
			}
			left += n
		}
	})
	if recorded != 4 || left != 47 {
		t.Errorf("%d were recorded, %d said to be left out", recorded, left)
	}
}

func TestARefusalThatCannotBeRecordedIsLogged(t *testing.T) {
	w := newWorld(t)
	w.proposer.set(func(p *single) { p.down = ErrNoQuorum })
	w.server.writeNote(context.Background(), fsm.Command{Body: fsm.Note{Action: "denied", Object: "/x"}})
	if !strings.Contains(w.log.String(), "could not be recorded") || w.server.notes.skipped.Load() != 1 {
		t.Errorf("log %s", w.log)
	}
}

func TestUsersAreManaged(t *testing.T) {
	w := newWorld(t)
	got := w.want(201, request{method: "POST", path: "/api/v1/users", body: `{"user":"kim","password":"12345678","role":"editor","prefixes":["routing","vpn/"]}`})
	if got["user"] != "kim" || got["role"] != "editor" || len(got["prefixes"].([]any)) != 2 || got["password"] != nil {
		t.Errorf("created %v", got)
	}
	w.refused(409, "conflict", request{method: "POST", path: "/api/v1/users", body: `{"user":"kim","password":"12345678","role":"editor"}`})
	for body, pointer := range map[string]string{
		`{"user":"a b","password":"12345678","role":"viewer"}`:                "/user",
		`{"user":"x","password":"1234567","role":"viewer"}`:                   "/password",
		`{"user":"x","password":"12345678","role":"root"}`:                    "/role",
		`{"user":"x","password":"12345678","role":"viewer","prefixes":["A"]}`: "/prefixes",
		`{"user":"x","role":"viewer"}`:                                        "",
	} {
		rec := w.do(request{method: "POST", path: "/api/v1/users", body: body})
		pointer_, _ := object(t, rec)["pointer"].(string)
		if rec.Code != 422 || pointer_ != pointer {
			t.Errorf("%s: %d %s", body, rec.Code, rec.Body)
		}
	}
	login := func(password string) int {
		return w.do(request{method: "POST", path: loginPath, as: "-", body: loginBody("kim", password)}).Code
	}
	if login("12345678") != 200 {
		t.Error("kim cannot log in")
	}
	rec := w.do(request{method: "POST", path: loginPath, as: "-", body: loginBody("kim", "12345678")})
	session := rec.Result().Cookies()[0].Value
	w.want(200, request{method: "PATCH", path: "/api/v1/users/kim", body: `{"role":"viewer"}`})
	if me := w.want(200, withCookie("GET", "/api/v1/me", session)); me["role"] != "viewer" || len(me["prefixes"].([]any)) != 2 {
		t.Errorf("me %v", me)
	}
	w.want(200, request{method: "PATCH", path: "/api/v1/users/kim", body: `{"password":"another one","prefixes":[]}`})
	w.refused(401, "unauthorized", withCookie("GET", "/api/v1/me", session))
	if login("12345678") != 401 || login("another one") != 200 {
		t.Error("the password did not change")
	}
	w.refused(422, "invalid", request{method: "PATCH", path: "/api/v1/users/kim", body: `{"user":"other"}`})
	w.refused(409, "conflict", request{method: "DELETE", path: "/api/v1/users/admin"})
	w.refused(409, "conflict", request{method: "PATCH", path: "/api/v1/users/admin", body: `{"role":"viewer"}`})
	w.want(204, request{method: "DELETE", path: "/api/v1/users/kim"})
	w.refused(404, "not_found", request{method: "DELETE", path: "/api/v1/users/kim"})
	w.refused(404, "not_found", request{method: "PATCH", path: "/api/v1/users/kim", body: `{"role":"viewer"}`})
}

// Two changes of one user at once: neither is undone by the other unseen.
func TestAChangeOfAUserDoesNotUndoAnother(t *testing.T) {
	w := newWorld(t)
	w.proposer.set(func(p *single) {
		p.before = func(c fsm.Command) {
			if b, ok := c.Body.(fsm.PutUser); ok && b.Was != nil {
				w.proposer.set(func(p *single) { p.before = nil })
				w.must(fsm.PutUser{User: fsm.User{Name: "editor", Password: "x", Role: "viewer"}})
			}
		}
	})
	w.refused(409, "conflict", request{method: "PATCH", path: "/api/v1/users/editor", body: `{"password":"another one"}`})
}

func TestNobodyGivesMoreThanTheyHave(t *testing.T) {
	w := newWorld(t)
	w.tokens["scoped"] = w.token("admin", "admin", "routing")
	for _, r := range []request{
		{method: "POST", path: "/api/v1/users", body: `{"user":"x","password":"12345678","role":"admin"}`},
		{method: "POST", path: "/api/v1/users", body: `{"user":"x","password":"12345678","role":"viewer","prefixes":["vpn"]}`},
		{method: "PATCH", path: "/api/v1/users/admin", body: `{"password":"12345678"}`},
		{method: "PATCH", path: "/api/v1/users/admin", body: `{"role":"viewer","prefixes":["routing"]}`},
		{method: "DELETE", path: "/api/v1/users/viewer"},
		{method: "POST", path: "/api/v1/tokens", body: `{"name":"x","role":"viewer"}`},
	} {
		r.as = "scoped"
		w.refused(403, "forbidden", r)
	}
	w.want(201, request{method: "POST", path: "/api/v1/tokens", as: "scoped", body: `{"name":"x","role":"viewer","prefixes":["routing/core"]}`})
}

func TestTokensAreManaged(t *testing.T) {
	w := newWorld(t)
	got := w.want(201, request{method: "POST", path: "/api/v1/tokens", body: `{"name":"ci","role":"editor","prefixes":["routing"],"expires":"24h"}`})
	token, id := got["token"].(string), got["id"].(string)
	if !strings.HasPrefix(token, "drover_"+id+"-1-") || got["owner"] != "admin" {
		t.Errorf("created %v", got)
	}
	w.tokens["ci"] = token
	if me := w.want(200, request{method: "GET", path: "/api/v1/me", as: "ci"}); me["user"] != "ci" || me["kind"] != "token" || me["role"] != "editor" || me["expires"] == nil {
		t.Errorf("me %v", me)
	}
	for _, row := range items(w.want(200, request{method: "GET", path: "/api/v1/tokens"})) {
		if row["token"] != nil || row["hash"] != nil {
			t.Errorf("a list shows a secret: %v", row)
		}
	}
	w.sleep(25 * time.Hour)
	w.refused(401, "unauthorized", request{method: "GET", path: "/api/v1/me", as: "ci"})
	w.want(204, request{method: "DELETE", path: "/api/v1/tokens/" + id})
	w.refused(404, "not_found", request{method: "DELETE", path: "/api/v1/tokens/" + id})
	never := w.want(201, request{method: "POST", path: "/api/v1/tokens", body: `{"name":"ci","role":"viewer","expires":"never"}`})
	standard := w.want(201, request{method: "POST", path: "/api/v1/tokens", body: `{"name":"ci","role":"viewer"}`})
	if never["expires"] != nil || standard["expires"] == nil {
		t.Errorf("expires %v and %v", never["expires"], standard["expires"])
	}
	for _, body := range []string{`{"name":"","role":"viewer"}`, `{"name":"x","role":""}`, `{"name":"x","role":"viewer","expires":"soon"}`} {
		w.refused(422, "invalid", request{method: "POST", path: "/api/v1/tokens", body: body})
	}
}

func TestHealthSaysWhyNot(t *testing.T) {
	reasons := []string{}
	w := newWorld(t, func(_ *Config, d *Deps) { d.Ready = func() []string { return reasons } })
	get := func(path string) request { return request{method: "GET", path: path, as: "-"} }
	w.want(200, get("/livez"))
	if got := w.want(200, get("/readyz")); got["ready"] != true {
		t.Errorf("ready %v", got)
	}
	if got := w.want(200, get("/leaderz")); got["leader"] != true || got["name"] != "ctl-1" {
		t.Errorf("leader %v", got)
	}
	w.control.set(Standing{Self: "p2", Leader: "p1"})
	w.want(503, get("/leaderz"))
	w.want(200, get("/readyz"))
	w.control.set(Standing{Self: "p1", Since: time.Now()})
	w.want(200, get("/readyz")) // an election is not worth sending everybody away
	w.sleep(noQuorumAfter)
	reasons = []string{"the disk is full"}
	w.server.Drain()
	got := w.want(503, get("/readyz"))
	if strings.Join(codes(got), " ") != "stopping no_quorum not_ready" || got["ready"] != false {
		t.Errorf("got %v", got)
	}
	w.want(503, get("/leaderz"))
	w.want(200, get("/livez"))
	empty, err := New(Config{}, Deps{Store: fsm.NewStore(), Proposer: w.proposer, Control: &alone{standing: Standing{Leader: "p1"}}})
	if err != nil {
		t.Fatal(err)
	}
	if rec := serveWith(empty, w.build(get("/readyz"))); rec.Code != 503 || strings.Join(codes(object(t, rec)), " ") != "no_state" {
		t.Errorf("before the state has come: %s", rec.Body)
	}
}

func TestMetricsTellOfRequestsAndTheState(t *testing.T) {
	extra := prometheus.NewGauge(prometheus.GaugeOpts{Name: "drover_extra", Help: "x"})
	w := newWorld(t, func(_ *Config, d *Deps) { d.Collectors = []prometheus.Collector{extra} })
	w.enroll("edge-1", nil)
	w.report("edge-1", 1, nothingHeld, true)
	w.put("a", `{"content":{}}`)
	w.want(404, request{method: "GET", path: "/api/v1/documents/none"})
	w.do(request{method: "GET", path: "/some/page/of/nobody", as: "-"})
	w.refused(401, "unauthorized", request{method: "GET", path: "/metrics", as: "-"})
	text := w.do(request{method: "GET", path: "/metrics", as: "viewer"}).Body.String()
	for _, want := range []string{
		`drover_http_requests_total{code="201",method="PUT",route="/api/v1/documents/:name"} 1`,
		`drover_http_requests_total{code="404",method="GET",route="/api/v1/documents/:name"} 1`,
		`drover_http_request_duration_seconds_count{method="PUT",route="/api/v1/documents/:name"} 1`,
		`drover_nodes{status="in_flight"} 1`, `drover_nodes{status="acked"} 0`, `drover_pushes{state="running"} 1`,
		`drover_node_sessions{peer="ctl-1"} 1`, `drover_leader 1`, `drover_revision 1`, `drover_fsm_epoch 1`, `drover_documents 1`,
		`drover_extra 0`, `drover_event_streams 0`, `drover_no_leader_seconds 0`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	if strings.Contains(text, "/some/page") {
		t.Error("a path is a label")
	}
	deps := w.server.deps
	deps.Collectors = append(deps.Collectors, extra)
	if _, err := New(Config{}, deps); err == nil {
		t.Error("a collector was taken twice")
	}
	if _, err := New(Config{}, Deps{}); err == nil {
		t.Error("a server without a state was made")
	}
}

func TestTheDescriptionIsServed(t *testing.T) {
	w := newWorld(t)
	got := w.want(200, request{method: "GET", path: "/api/v1/openapi.json", as: "-"})
	if got["openapi"] != "3.1.0" {
		t.Errorf("got %v", got["openapi"])
	}
}

func TestEveryCodeHasAStatus(t *testing.T) {
	for _, err := range []error{ErrNoQuorum, ErrOutcomeUnknown, ErrDiskFull, ErrNotReady, ErrNoPeer, ErrUnsafe, context.DeadlineExceeded, context.Canceled, errors.Join(ErrNoQuorum)} {
		e, ours := asError(err)
		if !ours || statusOf(e.Code) == 500 || e.Detail == "" {
			t.Errorf("%v: %+v", err, e)
		}
	}
	for code, status := range statusTable {
		if status < 400 || status > 599 || code == "" {
			t.Errorf("%q: %d", code, status)
		}
	}
}
