package api

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/droverhq/drover/fsm"
)

// hooksOf makes instances that hold a document "webhooks", and one that has
// never been called.
func hooksOf(t *testing.T, ids ...string) *world {
	w := newWorld(t)
	w.put("webhooks", `{"content":{"a":{"module":"m1"}}}`)
	for _, id := range ids {
		w.add(`{"id":"` + id + `","url":"http://` + id + `"}`)
		w.report(id, 1, w.desired(id), true)
	}
	w.add(`{"id":"new","url":"http://new"}`)
	return w
}

// syncing begins a sync, and returns when it is in the state.
func (w *world) syncing(body string) <-chan *httptest.ResponseRecorder {
	w.t.Helper()
	before := w.resyncs()
	q := w.build(request{method: "POST", path: hooks + "/sync", body: body, as: "operator"})
	answer := make(chan *httptest.ResponseRecorder, 1)
	go func() { answer <- w.serve(q) }()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for {
		moved := w.store.Watch().Changed()
		if w.resyncs() > before {
			return answer
		}
		select {
		case <-moved:
		case rec := <-answer:
			w.t.Fatalf("no sync began: %d %s", rec.Code, rec.Body)
		case <-deadline.C:
			w.t.Fatal("no sync began")
		}
	}
}

func (w *world) resyncs() (n int) {
	w.store.View(func(st *fsm.State) {
		for e := range st.Audit().All() {
			if e.Action == "node.resync" {
				n++
			}
		}
	})
	return n
}

func results(v map[string]any) string {
	var out []string
	for _, i := range v["instances"].([]any) {
		r := i.(map[string]any)
		text := fmt.Sprint(r["id"], "=", r["in_sync"])
		if e, failed := r["error"].(map[string]any); failed {
			text += ":" + e["code"].(string)
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func TestASyncWaitsForEveryInstanceAndTellsHowItWent(t *testing.T) {
	w := hooksOf(t, "a", "b", "c")
	w.unreachable("c", "timeout", "no answer in 10s")
	w.proposer.set(func(p *single) {
		p.before = func(c fsm.Command) {
			if r, ok := c.Body.(fsm.RetryNodes); ok && (!r.Resync || fmt.Sprint(r.Nodes, r.Documents) != "[a b c new] [webhooks]") {
				t.Errorf("asked for %+v", r)
			}
		}
	})
	answer := w.syncing(`{"document":"webhooks","timeout":"60s"}`)
	w.report("a", 2, w.desired("a"), true)
	w.fail("b", 2, fsm.Problem{Target: "webhooks", Code: "refused", Message: "each needs a module"})
	w.unreachable("c", "timeout", "no answer in 10s")
	select {
	case rec := <-answer:
		t.Fatalf("it did not wait: %s", rec.Body)
	default:
	}
	w.unreachable("new", "unreachable", "connection refused")
	got := object(t, <-answer)
	if results(got) != "a=true b=false:refused c=false:timeout new=false:unreachable" {
		t.Errorf("got %v", got)
	}
}

func TestARefusalAfterASyncIsItsResult(t *testing.T) {
	w := hooksOf(t, "a")
	w.put("webhooks", `{"content":{"a":{"module":"m2"}}}`)
	answer := w.syncing(`{"ids":["a"]}`)
	w.fail("a", 2, fsm.Problem{Target: "webhooks", Code: "refused", Message: "each needs a module"})
	got := object(t, <-answer)
	if results(got) != "a=false:refused" || got["failed"] != 1.0 || got["synced"] != 0.0 || got["waiting"] != 0.0 {
		t.Errorf("got %v", got)
	}
}

func TestASyncOfOneDocumentDoesNotMindAnother(t *testing.T) {
	w := newWorld(t)
	w.put("webhooks", `{"content":{"a":{"module":"m1"}}}`)
	w.put("connections", `{"content":{"a":{"type":"t1"}}}`)
	w.add(`{"id":"a","url":"http://a"}`)
	w.report("a", 1, w.desired("a"), true)
	w.put("connections", `{"content":{"a":{"type":"t2"}}}`)
	answer := w.syncing(`{"document":"webhooks"}`)
	w.fail("a", 2, fsm.Problem{Target: "connections", Code: "refused", Message: "no"})
	w.observe("a", 3, fsm.Observed{})
	if got := object(t, <-answer); results(got) != "a=true" || got["synced"] != 1.0 {
		t.Errorf("got %v", got)
	}
}

func TestASyncEndsWhenItsTimeIsOverOrThePeerGoesAway(t *testing.T) {
	w := hooksOf(t)
	got := w.want(200, request{method: "POST", path: hooks + "/sync", body: `{"timeout":"1ms"}`})
	if results(got) != "new=false" || got["waiting"] != 1.0 {
		t.Errorf("got %v", got)
	}
	answer := w.syncing(`{"timeout":"60s"}`)
	w.server.Drain()
	if got := object(t, <-answer); results(got) != "new=false" {
		t.Errorf("got %v", got)
	}
}

func TestAnInstanceThatIsRemovedEndsItsSync(t *testing.T) {
	w := hooksOf(t)
	answer := w.syncing(`{}`)
	w.must(fsm.RemoveNode{Node: "new"})
	if got := object(t, <-answer); results(got) != "new=false:removed" {
		t.Errorf("got %v", got)
	}
}

func TestASyncThatCannotBeIsRefused(t *testing.T) {
	w := hooksOf(t, "a")
	w.enroll("edge-1", nil)
	w.put("other", `{"content":{},"selector":"x=1"}`)
	for body, want := range map[string]string{
		`{"document":"none"}`: "404 not_found", `{"ids":["a","x","edge-1"]}`: "404 not_found", `{"ids":[]}`: "422 invalid",
		`{"timeout":"61s"}`: "422 invalid", `{"timeout":"-1s"}`: "422 invalid", `{"timeout":"soon"}`: "422 invalid", `{"idz":[]}`: "400 unknown_member",
	} {
		rec := w.do(request{method: "POST", path: hooks + "/sync", body: body})
		got := object(t, rec)
		if fmt.Sprint(rec.Code, " ", got["code"]) != want {
			t.Errorf("%s: %d %v", body, rec.Code, got)
		}
		if strings.Contains(body, "edge-1") && !strings.Contains(got["detail"].(string), `"x", "edge-1"`) {
			t.Errorf("%s does not name them: %v", body, got["detail"])
		}
	}
	if n := w.resyncs(); n != 0 {
		t.Errorf("%d syncs began", n)
	}
	got := w.want(200, request{method: "POST", path: hooks + "/sync", body: `{"document":"other","ids":["a","a"]}`})
	if results(got) != "a=false:not_wanted" || got["failed"] != 1.0 {
		t.Errorf("got %v", got)
	}
	w.tokens["scoped"] = w.token("operator", "admin", "elsewhere")
	w.refused(403, "forbidden", request{method: "POST", path: hooks + "/sync", body: `{"document":"webhooks"}`, as: "scoped"})
}

func TestASyncOfAllKeepsToThePrefixes(t *testing.T) {
	w := hooksOf(t, "a")
	w.add(`{"id":"other","url":"http://other","accepts":["connections"]}`)
	w.tokens["scoped"] = w.token("operator", "admin", "connections")
	for _, body := range []string{`{"timeout":"0s"}`, `{"ids":["a"],"timeout":"0s"}`} {
		w.refused(403, "forbidden", request{method: "POST", path: hooks + "/sync", body: body, as: "scoped"})
	}
	if n := w.resyncs(); n != 0 {
		t.Errorf("%d syncs were asked for all the same", n)
	}
	w.want(200, request{method: "POST", path: hooks + "/sync", body: `{"ids":["other"],"timeout":"0s"}`, as: "scoped"})
}
