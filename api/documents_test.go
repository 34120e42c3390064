package api

import (
	"fmt"
	"strings"
	"testing"
)

func TestADocumentIsWrittenAndReadAsItWasSent(t *testing.T) {
	w := newWorld(t)
	const content = `{ "b" : 1.0, "a": [1e2, "\u00e9\/"], "n": -0 }`
	got := w.want(201, request{method: "PUT", path: "/api/v1/documents/routing%2Fcore",
		body: `{"content":` + content + `,"message":"first","selector":"role=edge"}`})
	if got["document"] != "routing/core" || got["version"] != 1.0 || got["revision"] != 1.0 || got["push"] != "1" {
		t.Errorf("put answered %v", got)
	}
	rec := w.do(request{method: "GET", path: "/api/v1/documents/routing%2Fcore", as: "viewer"})
	if !strings.Contains(rec.Body.String(), `"content":{"b":1.0,"a":[1e2,"\u00e9\/"],"n":-0}`) {
		t.Errorf("the content is not as it was sent: %s", rec.Body)
	}
	if rec.Header().Get("ETag") != `"1"` {
		t.Errorf("ETag %q", rec.Header().Get("ETag"))
	}
	if index := rec.Header().Get("Drover-Index"); index != fmt.Sprintf("1.%d", w.proposer.index) {
		t.Errorf("Drover-Index %q", index)
	}
	row := object(t, rec)
	if row["selector"] != "role=edge" || row["target"] != "routing/core" || row["message"] != "first" || row["author"] != "t-admin" {
		t.Errorf("got %v", row)
	}
}

func TestAPutThatChangesNothingCommitsNothing(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{"x":1}}`)
	got := w.want(200, request{method: "PUT", path: "/api/v1/documents/a", body: `{"content":{"x": 1}}`})
	if got["unchanged"] != true || got["version"] != 1.0 || got["revision"] != 1.0 || got["push"] != "1" {
		t.Errorf("got %v", got)
	}
}

func TestNamesAreDecodedOnce(t *testing.T) {
	w := newWorld(t)
	for path, status := range map[string]int{
		"routing%2Fcore":   201,
		"routing%252Fcore": 422,
		"routing/core":     404,
		"..":               422,
		"%2e%2e":           422,
		"a%2F..%2Fb":       422,
		"a%2F%2Fb":         422,
		"A":                422,
		"x.json":           422,
		"a%00":             422,
		"a%20b":            422,
	} {
		rec := w.do(request{method: "PUT", path: "/api/v1/documents/" + path, body: `{"content":{}}`})
		if rec.Code != status {
			t.Errorf("%s: %d, want %d\n%s", path, rec.Code, status, rec.Body)
		}
	}
	if list := items(w.want(200, request{method: "GET", path: "/api/v1/documents"})); len(list) != 1 || list[0]["document"] != "routing/core" {
		t.Errorf("documents: %v", list)
	}
}
