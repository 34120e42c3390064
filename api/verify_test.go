package api

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/droverhq/drover/fsm"
)

// answers is a Verifier of instances that all answer at once, from the state:
// those of named ids cannot be reached.
type answers struct {
	store *fsm.Store
	gone  string
}

func (a *answers) Verify(_ context.Context, document string, ids []string) (out []Verified, err error) {
	a.store.View(func(st *fsm.State) {
		for _, id := range ids {
			for _, e := range st.Desired(st.Node(id).Ordinal).Entries {
				if document != "" && e.Document != document {
					continue
				}
				v := Verified{ID: id, Document: e.Document, Target: e.Target, InSync: true, Wanted: "w", Reported: "w"}
				if id == a.gone {
					v = Verified{ID: id, Document: e.Document, Target: e.Target, Wanted: "w", Code: "timeout", Error: "no answer"}
				}
				out = append(out, v)
			}
		}
	})
	return out, nil
}

func TestAVerificationTellsWhatEveryInstanceHolds(t *testing.T) {
	v := &answers{}
	w := newWorld(t, func(_ *Config, d *Deps) { v.store, d.Verifier = d.Store, v })
	w.put("webhooks", `{"content":{"a":{"module":"m"}}}`)
	w.put("connections", `{"content":{"a":{"type":"t"}},"selector":"role=both"}`)
	w.add(`{"id":"b","url":"http://b","labels":{"role":"both"}}`)
	w.add(`{"id":"a","url":"http://a"}`)
	w.enroll("edge-1", nil)
	verify := func(query string) map[string]any {
		return w.want(200, request{method: "GET", path: hooks + "/verify" + query, as: "viewer"})
	}
	for query, want := range map[string]string{
		"":                                 "true a=true b=true b=true",
		"?document=webhooks":               "true a=true b=true",
		"?document=connections":            "true b=true",
		"?document=connections&ids=a,b":    "false a=false:not_wanted b=true",
		"?document=webhooks&ids=a&ids=a,+": "true a=true",
	} {
		if got := verify(query); fmt.Sprint(got["in_sync"], " ", verdicts(got)) != want {
			t.Errorf("%s: %v", query, got)
		}
	}
	v.gone = "a"
	got := verify("?document=webhooks")
	first := got["instances"].([]any)[0].(map[string]any)
	if got["in_sync"] != false || got["document"] != "webhooks" || verdicts(got) != "a=false:timeout b=true" || first["wanted"] != "w" || first["document"] != "webhooks" || first["target"] != "webhooks" {
		t.Errorf("one that cannot be reached: %v", got)
	}
	w.refused(404, "not_found", request{method: "GET", path: hooks + "/verify?document=none"})
	w.refused(404, "not_found", request{method: "GET", path: hooks + "/verify?ids=a,edge-1"})
	w.tokens["scoped"] = w.token("viewer", "admin", "connections")
	w.refused(403, "forbidden", request{method: "GET", path: hooks + "/verify?document=webhooks", as: "scoped"})
	if got := w.want(200, request{method: "GET", path: hooks + "/verify", as: "scoped"}); verdicts(got) != "b=true" {
		t.Errorf("within prefixes: %v", got)
	}
}

func TestWithoutAVerifierNothingIsVerified(t *testing.T) {
	w := newWorld(t)
	w.refused(503, "not_ready", request{method: "GET", path: hooks + "/verify"})
}

func verdicts(v map[string]any) string {
	var out []string
	for _, i := range v["instances"].([]any) {
		r := i.(map[string]any)
		text := fmt.Sprint(r["id"], "=", r["in_sync"])
		if code, failed := r["code"].(string); failed {
			text += ":" + code
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}
