package api

import (
	"strings"
	"testing"
)

func TestAChangeOfSeveralDocumentsIsOneRevision(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{"x":1}}`)
	got := w.want(200, request{method: "POST", path: "/api/v1/changes", body: `{"message":"both","commit":true,"edits":[
		{"document":"a","op":"patch","patch":[{"op":"replace","path":"/x","value":2}]},
		{"document":"b","op":"put","content":{"y":1},"base_version":0}]}`})
	if got["revision"] != 2.0 || got["push"] != "2" || len(got["edits"].([]any)) != 2 {
		t.Errorf("got %v", got)
	}
	w.want(200, request{method: "POST", path: "/api/v1/changes", body: `{"commit":true,"edits":[{"document":"a","op":"delete"}]}`})
	w.refused(404, "not_found", request{method: "GET", path: "/api/v1/documents/a"})
	list := items(w.want(200, request{method: "GET", path: "/api/v1/revisions"}))
	if len(list) != 3 || list[0]["revision"] != 3.0 || list[1]["message"] != "both" {
		t.Errorf("revisions %v", list)
	}
}

func TestADryRunKeepsNothing(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{"x":1},"schema":{"properties":{"x":{"type":"integer"}}}}`)
	body := func(x string) string {
		return `{"dry_run":true,"edits":[{"document":"a","op":"put","content":{"x":` + x + `},"base_version":1},{"document":"n","op":"put","content":{}}]}`
	}
	rec := w.do(request{method: "POST", path: "/api/v1/changes", body: body("2")})
	got := object(t, rec)
	if got["valid"] != true || len(got["diff"].([]any)) != 2 || !strings.Contains(rec.Body.String(), `"patch":[{"op":"replace","path":"/x","value":2,"old":1}]`) {
		t.Errorf("got %s", rec.Body)
	}
	got = w.want(200, request{method: "POST", path: "/api/v1/changes", body: body(`"two"`)})
	problems := got["problems"].([]any)
	if got["valid"] != false || len(problems) != 1 || problems[0].(map[string]any)["pointer"] != "/x" || problems[0].(map[string]any)["document"] != "a" {
		t.Errorf("got %v", got)
	}
	if v := w.want(200, request{method: "GET", path: "/api/v1/documents/a"}); v["version"] != 1.0 {
		t.Errorf("the document moved: %v", v)
	}
	w.refused(404, "not_found", request{method: "GET", path: "/api/v1/documents/n"})
}

func TestAChangeThatIsNeitherCommittedNorTriedIsRefused(t *testing.T) {
	w := newWorld(t)
	w.refused(422, "not_available", request{method: "POST", path: "/api/v1/changes", body: `{"edits":[{"document":"a","op":"put","content":{}}]}`})
	w.refused(400, "bad_request", request{method: "POST", path: "/api/v1/changes", body: `{"commit":true,"dry_run":true,"edits":[]}`})
	w.refused(422, "invalid", request{method: "POST", path: "/api/v1/changes", body: `{"commit":true,"edits":[]}`})
	got := w.refused(422, "invalid", request{method: "POST", path: "/api/v1/changes",
		body: `{"commit":true,"edits":[{"document":"a","op":"put","content":{}},{"document":"a","op":"delete"}]}`})
	if got["pointer"] != "/edits/1/document" {
		t.Errorf("pointer %v", got["pointer"])
	}
}
