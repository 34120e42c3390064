package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/droverhq/drover/fsm"
)

const docA = "/api/v1/documents/a"

func TestBodiesAreReadStrictly(t *testing.T) {
	w := newWorld(t)
	deep := strings.Repeat(`{"a":`, 32) + `{}` + strings.Repeat(`}`, 32) // 33 levels
	for _, c := range []struct {
		name, body    string
		status        int
		code, pointer string
		problem       string // pointer of the first problem
	}{
		{"no JSON", `{"content":{`, 400, "malformed", "/content", ""},
		{"empty", ` `, 400, "malformed", "", ""},
		{"null", `null`, 400, "malformed", "", ""},
		{"an array", `[]`, 400, "malformed", "", ""},
		{"two values", `{"content":{}} {}`, 400, "malformed", "", ""},
		{"an unknown member", `{"content":{},"extra":1}`, 400, "unknown_member", "/extra", ""},
		{"a name in another case", `{"Content":{}}`, 400, "unknown_member", "/Content", ""},
		{"a member twice", `{"content":{},"content":{}}`, 400, "duplicate_key", "/content", ""},
		{"a key twice, deep", `{"content":{"a":[{"b":1,"b":2}]}}`, 400, "duplicate_key", "/content/a/0/b", ""},
		{"a key twice by an escape", `{"content":{"a":1,"\u0061":2}}`, 400, "duplicate_key", "/content/a", ""},
		{"a key twice in the schema", `{"content":{},"schema":{"type":"object","type":"array"}}`, 400, "duplicate_key", "/schema/type", ""},
		{"a number for a string", `{"content":{},"target":1}`, 400, "malformed", "/target", ""},
		{"no UTF-8", "{\"content\":{\"a\":\"\xff\"}}", 400, "malformed", "/content/a", ""},
		{"33 levels", `{"content":` + deep + `}`, 400, "too_deep", "/content" + strings.Repeat("/a", 32), strings.Repeat("/a", 32)},
		{"33 levels of schema", `{"content":{},"schema":` + deep + `}`, 400, "too_deep", "/schema" + strings.Repeat("/a", 32), ""},
		{"an array for a content", `{"content":[]}`, 422, "not_object", "/content", ""},
		{"2^53+1", `{"content":{"n":9007199254740993}}`, 422, "inexact_number", "/content/n", "/n"},
		{"1e400", `{"content":{"n":[1e400]}}`, 422, "inexact_number", "/content/n/0", "/n/0"},
		{"no content", `{}`, 422, "invalid", "/content", ""},
		{"a bad target", `{"content":{},"target":"A"}`, 422, "bad_name", "/target", ""},
		{"a bad selector", `{"content":{},"selector":"=="}`, 422, "bad_selector", "/selector", ""},
		{"a bad schema", `{"content":{},"schema":{"type":"objec"}}`, 422, "bad_schema", "/schema/type", ""},
		{"a schema elsewhere", `{"content":{},"schema":{"$ref":"https://example.com/x"}}`, 422, "bad_schema", "/schema", ""},
		{"what does not satisfy the schema", `{"content":{"x":{"y":"z"}},"schema":{"properties":{"x":{"properties":{"y":{"type":"integer"}}}}}}`, 422, "schema_invalid", "/content/x/y", "/x/y"},
		{"an unknown policy", `{"content":{},"policy":{"approvals":2}}`, 422, "invalid", "/policy/approvals", ""},
		{"a policy that is none", `{"content":{},"policy":[]}`, 422, "not_object", "/policy", ""},
		{"a long message", `{"content":{},"message":"` + strings.Repeat("x", 2001) + `"}`, 422, "invalid", "/message", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := w.refused(c.status, c.code, request{method: "PUT", path: docA, body: c.body})
			pointer, _ := got["pointer"].(string)
			if pointer != c.pointer {
				t.Errorf("pointer %q, want %q\n%v", pointer, c.pointer, got)
			}
			if c.problem != "" {
				first := got["problems"].([]any)[0].(map[string]any)
				if first["pointer"] != c.problem || first["message"] == "" {
					t.Errorf("problem %v", first)
				}
			}
		})
	}
	w.refused(404, "not_found", request{method: "GET", path: docA})
}

// sized is a content of n bytes.
func sized(n int) string { return `{"a":"` + strings.Repeat("x", n-8) + `"}` }

func TestADocumentMayHaveAMegabyteAndNotOneByteMore(t *testing.T) {
	w := newWorld(t)
	w.want(201, request{method: "PUT", path: docA, body: `{"content":` + sized(1<<20) + `}`})
	w.refused(413, "too_large", request{method: "PUT", path: docA, body: `{"content":` + sized(1<<20+1) + `}`})
	w.refused(413, "too_large", request{method: "PUT", path: docA, body: `{"content":` + sized(1<<21) + `}`})
	q := w.build(request{method: "PUT", path: docA, body: `{"content":` + sized(1<<21) + `}`})
	q.ContentLength = -1 // chunked
	if rec := w.serve(q); rec.Code != 413 {
		t.Errorf("without a Content-Length: %d", rec.Code)
	}
	w.must(fsm.PutSettings{Settings: func() fsm.Settings { s := *fsm.DefaultSettings(); s.DocumentBytes = 100; return s }()})
	w.refused(413, "too_large", request{method: "PUT", path: docA, body: `{"content":` + sized(101) + `}`})
	w.want(200, request{method: "PUT", path: docA, body: `{"content":` + sized(100) + `}`})
}

// incompressible makes a content that zstd cannot make small.
func incompressible(n int, seed uint64) string {
	var b strings.Builder
	b.WriteString(`{"a":"`)
	for b.Len() < n-2 {
		seed ^= seed << 13
		seed ^= seed >> 7
		seed ^= seed << 17
		b.WriteByte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[seed%64])
	}
	return b.String() + `"}`
}

func TestALargeContentTravelsInParts(t *testing.T) {
	w := newWorld(t)
	var parts, commits int
	w.proposer.set(func(p *single) {
		p.before = func(c fsm.Command) {
			switch b := c.Body.(type) {
			case fsm.StoreBlob:
				parts++
			case fsm.Commit:
				commits++
				if b.Edits[0].Inline != nil {
					t.Error("the content is in the commit as well")
				}
			}
		}
	})
	text := incompressible(1<<20, 1)
	w.want(201, request{method: "PUT", path: docA, body: `{"content":` + text + `}`})
	if parts != 3 || commits != 1 {
		t.Errorf("%d parts, %d commits", parts, commits)
	}
	rec := w.do(request{method: "GET", path: docA})
	if !strings.Contains(rec.Body.String(), `"content":`+text) {
		t.Error("the content is not what was sent")
	}
	w.put("b", `{"content":`+text+`}`)
	if parts != 3 {
		t.Errorf("what the state has was sent again: %d parts", parts)
	}
}

// Two uploads of one content may disturb each other: who loses begins anew.
func TestAnUploadThatIsDisturbedBeginsAnew(t *testing.T) {
	w := newWorld(t)
	text, seen := incompressible(1<<20, 2), 0
	w.proposer.set(func(p *single) {
		p.before = func(c fsm.Command) {
			b, part := c.Body.(fsm.StoreBlob)
			if !part || b.Offset == 0 {
				return
			}
			if seen++; seen == 1 {
				first := b
				first.Offset, first.Data = 0, b.Data[:10]
				entry, err := fsm.Encode(fsm.Command{Time: c.Time, Body: first})
				if err != nil {
					t.Error(err)
				}
				p.mu.Lock()
				p.index++
				p.store.Apply(p.index, 1, entry)
				p.mu.Unlock()
			}
		}
	})
	w.want(201, request{method: "PUT", path: docA, body: `{"content":` + text + `}`})
	if seen < 2 {
		t.Error("nothing was disturbed")
	}
}

func TestAWriteOnAnOldBaseIsRefused(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{"x":1}}`)
	w.put("a", `{"content":{"x":2}}`)
	match := func(v string) map[string]string { return map[string]string{"If-Match": v} }
	for _, r := range []request{
		{method: "PUT", path: docA, body: `{"content":{}}`, header: match(`"1"`)},
		{method: "PATCH", path: docA, body: `[]`, header: match(`"1"`)},
		{method: "DELETE", path: docA, header: match(`"1"`)},
		{method: "POST", path: docA + "/rollback", body: `{"to":1}`, header: match(`"1"`)},
		{method: "PUT", path: "/api/v1/documents/none", body: `{"content":{}}`, header: match(`"1"`)},
		{method: "PUT", path: docA, body: `{"content":{}}`, header: map[string]string{"If-None-Match": "*"}},
		{method: "POST", path: "/api/v1/changes", body: `{"commit":true,"edits":[{"document":"a","op":"put","content":{},"base_version":1}]}`},
		{method: "POST", path: "/api/v1/changes", body: `{"commit":true,"edits":[{"document":"a","op":"put","content":{},"base_version":0}]}`},
	} {
		w.refused(412, "base_moved", r)
	}
	for _, v := range []string{`1`, `"x"`, `"0"`, `W/"1"`, `"1", "2"`, "`1`", `'1'`} {
		w.refused(400, "bad_request", request{method: "PUT", path: docA, body: `{"content":{}}`, header: match(v)})
	}
	w.refused(400, "bad_request", request{method: "PUT", path: docA, body: `{"content":{}}`, header: map[string]string{"If-None-Match": `"1"`}})
	w.refused(400, "bad_request", request{method: "PUT", path: docA, body: `{"content":{}}`, header: map[string]string{"If-None-Match": "*", "If-Match": `"1"`}})
	w.want(200, request{method: "PUT", path: docA, body: `{"content":{"x":3}}`, header: match(`"2"`)})
	w.want(200, request{method: "PUT", path: docA, body: `{"content":{"x":4}}`, header: match(`*`)})
	w.want(201, request{method: "PUT", path: "/api/v1/documents/new", body: `{"content":{}}`, header: map[string]string{"If-None-Match": "*"}})
}

func TestAPatchWithoutABaseIsMadeAgainOnWhatIsThere(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{"n":[]}}`)
	raced := false
	w.proposer.set(func(p *single) {
		p.before = func(c fsm.Command) {
			if b, ok := c.Body.(fsm.Commit); ok && !raced && b.Edits[0].Base != nil {
				raced = true
				w.put("a", `{"content":{"n":["other"]}}`)
			}
		}
	})
	got := w.want(200, request{method: "PATCH", path: docA, body: `[{"op":"add","path":"/n/-","value":"mine"}]`,
		header: map[string]string{"Content-Type": "application/json-patch+json"}})
	if !raced || got["version"] != 3.0 {
		t.Errorf("raced %v, got %v", raced, got)
	}
	if rec := w.do(request{method: "GET", path: docA}); !strings.Contains(rec.Body.String(), `{"n":["other","mine"]}`) {
		t.Errorf("an edit was lost: %s", rec.Body)
	}
}

func TestAPatchThatAlwaysComesLateGivesUp(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{"n":0}}`)
	n, busy := 0, false
	w.proposer.set(func(p *single) {
		p.before = func(c fsm.Command) {
			if b, ok := c.Body.(fsm.Commit); ok && !busy && b.Edits[0].Base != nil {
				busy = true
				n++
				w.put("a", fmt.Sprintf(`{"content":{"n":%d}}`, n))
				busy = false
			}
		}
	})
	w.refused(412, "base_moved", request{method: "PATCH", path: docA, body: `[{"op":"add","path":"/m","value":1}]`})
	if n != maxTries {
		t.Errorf("%d tries", n)
	}
}

func TestPatchesThatDoNotApply(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{"x":{"y":1}},"schema":{"required":["x"]}}`)
	for _, c := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"a test that fails", `[{"op":"test","path":"/x/y","value":2}]`, 409, "test_failed"},
		{"no such path", `[{"op":"remove","path":"/z"}]`, 422, "no_such_path"},
		{"no patch", `{"op":"remove","path":"/z"}`, 422, "bad_patch"},
		{"not an object any more", `[{"op":"replace","path":"","value":[]}]`, 422, "not_object"},
		{"an inexact number", `[{"op":"add","path":"/n","value":9007199254740993}]`, 422, "inexact_number"},
		{"against the schema", `[{"op":"remove","path":"/x"}]`, 422, "schema_invalid"},
		{"a key twice", `[{"op":"remove","op":"add","path":"/x"}]`, 400, "duplicate_key"},
		{"no JSON", `[`, 400, "malformed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w.refused(c.status, c.code, request{method: "PATCH", path: docA, body: c.body})
		})
	}
	w.refused(404, "not_found", request{method: "PATCH", path: "/api/v1/documents/none", body: `[]`})
	if got := w.want(200, request{method: "PATCH", path: docA, body: `[]`}); got["unchanged"] != true {
		t.Errorf("an empty patch: %v", got)
	}
}

func TestTheSchemaHoldsForEveryWayToWrite(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{"x":"one"}}`)
	w.put("a", `{"content":{"x":1}}`)
	schema := `{"properties":{"x":{"type":"integer"}}}`
	got := w.want(200, request{method: "PUT", path: docA, body: `{"schema":` + schema + `}`})
	if got["version"] != 2.0 || got["revision"] != 3.0 || got["unchanged"] != nil {
		t.Errorf("a schema alone: %v", got)
	}
	w.refused(422, "schema_invalid", request{method: "PUT", path: docA, body: `{"content":{"x":"two"}}`})
	w.refused(422, "schema_invalid", request{method: "POST", path: docA + "/rollback", body: `{"to":1}`})
	w.refused(422, "schema_invalid", request{method: "PATCH", path: docA, body: `[{"op":"replace","path":"/x","value":"s"}]`})
	w.refused(422, "schema_invalid", request{method: "POST", path: "/api/v1/changes", body: `{"commit":true,"edits":[{"document":"a","op":"put","content":{"x":"s"}}]}`})
	w.refused(422, "schema_invalid", request{method: "PUT", path: docA, body: `{"schema":{"required":["y"]}}`})
	if full := w.want(200, request{method: "GET", path: docA}); full["schema"] == nil || full["has_schema"] != true {
		t.Errorf("got %v", full)
	}
	w.want(200, request{method: "PUT", path: docA, body: `{"schema":null}`})
	if full := w.want(200, request{method: "GET", path: docA}); full["schema"] != nil || full["has_schema"] != false {
		t.Errorf("without its schema: %v", full)
	}
	w.want(200, request{method: "POST", path: docA + "/rollback", body: `{"to":1}`})
}

// A schema that comes in between is not passed by: the content is checked
// against it, too.
func TestAContentIsHeldAgainstTheSchemaThatItIsCommittedUnder(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{"x":1}}`)
	raced := false
	w.proposer.set(func(p *single) {
		p.before = func(c fsm.Command) {
			if b, ok := c.Body.(fsm.Commit); ok && !raced && b.Edits[0].Schema == nil {
				raced = true
				w.put("a", `{"schema":{"properties":{"x":{"type":"integer"}}}}`)
			}
		}
	})
	w.refused(422, "schema_invalid", request{method: "PUT", path: docA, body: `{"content":{"x":"two"}}`})
	if !raced {
		t.Error("nothing came in between")
	}
}

// A content that comes in between is held against the schema that is being set.
func TestASchemaIsSetForTheContentThatItWasHeldAgainst(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{"x":1}}`)
	raced := false
	w.proposer.set(func(p *single) {
		p.before = func(c fsm.Command) {
			if b, ok := c.Body.(fsm.Commit); ok && !raced && b.Edits[0].Schema != nil {
				raced = true
				w.put("a", `{"content":{"x":"two"}}`)
			}
		}
	})
	w.refused(422, "schema_invalid", request{method: "PUT", path: docA, body: `{"schema":{"properties":{"x":{"type":"integer"}}}}`})
	if !raced {
		t.Error("nothing came in between")
	}
}

func TestARollbackRestoresTheContentAlone(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{"x":1},"selector":"site=one","message":"first"}`)
	w.put("a", `{"content":{"x":2},"selector":"site=two"}`)
	got := w.want(200, request{method: "POST", path: docA + "/rollback", body: `{"to":1,"message":"back"}`})
	if got["version"] != 3.0 || got["revision"] != 3.0 {
		t.Errorf("got %v", got)
	}
	full := w.want(200, request{method: "GET", path: docA})
	if full["selector"] != "site=two" || full["message"] != "back" || full["content"].(map[string]any)["x"] != 1.0 {
		t.Errorf("after: %v", full)
	}
	for to, pointer := range map[string]string{"9": "/to", "0": "/to"} {
		if e := w.refused(404, "not_found", request{method: "POST", path: docA + "/rollback", body: `{"to":` + to + `}`}); e["pointer"] != pointer {
			t.Errorf("to %s: %v", to, e)
		}
	}
}

func TestADeletedDocumentKeepsItsHistoryAndItsNumbersGoOn(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{"x":1},"selector":"site=one"}`)
	got := w.want(200, request{method: "DELETE", path: docA, header: map[string]string{"If-Match": `"1"`}})
	if got["document"] != "a" || got["version"] != 1.0 || got["revision"] != 2.0 || got["push"] != "2" || got["checksum"] == "" {
		t.Errorf("delete: %v", got)
	}
	w.refused(404, "not_found", request{method: "GET", path: docA})
	w.refused(404, "not_found", request{method: "DELETE", path: docA})
	w.refused(404, "not_found", request{method: "POST", path: docA + "/rollback", body: `{"to":1}`})
	if full := w.want(200, request{method: "GET", path: docA + "?deleted=true"}); full["deleted"] != true || len(full["actions"].([]any)) != 1 {
		t.Errorf("deleted: %v", full)
	}
	if list := items(w.want(200, request{method: "GET", path: "/api/v1/documents"})); len(list) != 0 {
		t.Errorf("listed: %v", list)
	}
	if list := items(w.want(200, request{method: "GET", path: "/api/v1/documents?deleted=true"})); len(list) != 1 {
		t.Errorf("listed with the deleted: %v", list)
	}
	if got := w.want(200, request{method: "GET", path: docA + "/versions/1"}); got["content"].(map[string]any)["x"] != 1.0 {
		t.Errorf("version 1: %v", got)
	}
	got = w.want(201, request{method: "PUT", path: docA, body: `{"content":{"x":1}}`})
	if full := w.want(200, request{method: "GET", path: docA}); got["version"] != 2.0 || full["selector"] != "" {
		t.Errorf("again: %v, %v", got, full)
	}
}

func TestWhatCannotBeCommittedSaysWhy(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{ErrNoQuorum, 503, "no_quorum"}, {fmt.Errorf("deep: %w", ErrNoQuorum), 503, "no_quorum"},
		{ErrOutcomeUnknown, 504, "outcome_unknown"}, {ErrDiskFull, 503, "disk_full"}, {ErrNotReady, 503, "not_ready"},
		{fmt.Errorf("a bug"), 500, "internal"},
	} {
		w.proposer.set(func(p *single) { p.down = c.err })
		got := w.refused(c.status, c.code, request{method: "PUT", path: docA, body: `{"content":{}}`})
		if strings.Contains(got["detail"].(string), "a bug") {
			t.Error("an inner error is shown to people")
		}
	}
	if !strings.Contains(w.log.String(), "a bug") {
		t.Error("an inner error is not in the log")
	}
}

func TestTwoDocumentsWithOneTargetOnOneNodeAreRefused(t *testing.T) {
	w := newWorld(t)
	w.enroll("edge-1", nil)
	w.put("prod", `{"content":{},"target":"webhooks"}`)
	got := w.refused(409, "conflict", request{method: "PUT", path: "/api/v1/documents/test", body: `{"content":{},"target":"webhooks"}`})
	if !strings.Contains(got["detail"].(string), "edge-1") {
		t.Errorf("detail %v", got["detail"])
	}
	dry := w.want(200, request{method: "POST", path: "/api/v1/changes", body: `{"dry_run":true,"edits":[{"document":"test","op":"put","content":{},"target":"webhooks"}]}`})
	if dry["valid"] != false {
		t.Errorf("dry run %v", dry)
	}
}

func TestADocumentThatReachesNobodyIsWarnedAbout(t *testing.T) {
	w := newWorld(t)
	w.enroll("edge-1", map[string]string{"site": "one"})
	if got := w.put("a", `{"content":{},"selector":"site=two"}`); got["warnings"] == nil {
		t.Errorf("got %v", got)
	}
	if got := w.put("b", `{"content":{},"selector":"site=one"}`); got["warnings"] != nil {
		t.Errorf("got %v", got)
	}
}
