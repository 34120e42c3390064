package api

import (
	"encoding/json"
	"net/http"
	"testing"
)

func FuzzPutDocument(f *testing.F) {
	w := newWorld(f)
	for _, body := range []string{
		`{"content":{"a":1}}`, `{"content":{"a":{"b":[1,2,{"c":"\u00e9"}]}},"selector":"a=b","schema":{"type":"object"},"message":"m"}`,
		`{"content":{"a":1,"a":2}}`, `{"content":[]}`, `{"content":{},"policy":{}}`, `{"content":{"n":1e400}}`, `[`, `{"content":{"a":"\ud800"}}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w.t = t
		rec := w.do(request{method: http.MethodPut, path: "/api/v1/documents/fuzz", body: body})
		checkAnswer(t, rec.Code, rec.Body.Bytes())
		if rec.Code != 200 && rec.Code != 201 {
			return
		}
		// What was taken is given back, and taken again without a change.
		var full struct{ Content json.RawMessage }
		got := w.do(request{method: http.MethodGet, path: "/api/v1/documents/fuzz"})
		if err := json.Unmarshal(got.Body.Bytes(), &full); err != nil {
			t.Fatal(err)
		}
		again := w.do(request{method: http.MethodPut, path: "/api/v1/documents/fuzz", body: `{"content":` + string(full.Content) + `}`})
		if object(t, again)["unchanged"] != true {
			t.Errorf("what was read back is a change: %s\n%s", full.Content, again.Body)
		}
	})
}

func FuzzChanges(f *testing.F) {
	w := newWorld(f)
	for _, body := range []string{
		`{"commit":true,"edits":[{"document":"a","op":"put","content":{}}]}`,
		`{"dry_run":true,"edits":[{"document":"a","op":"patch","patch":[{"op":"add","path":"/x","value":1}]},{"document":"b","op":"delete"}]}`,
		`{"dry_run":true,"edits":[{"document":"a","op":"put","content":{"x":1},"base_version":3,"schema":null}]}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w.t = t
		rec := w.do(request{method: http.MethodPost, path: "/api/v1/changes", body: body})
		checkAnswer(t, rec.Code, rec.Body.Bytes())
	})
}

func FuzzPatchDocument(f *testing.F) {
	w := newWorld(f)
	for _, body := range []string{`[{"op":"add","path":"/x","value":{}}]`, `[{"op":"copy","from":"","path":"/x"}]`, `[]`, `[{"op":"move","from":"/x","path":"/y"}]`} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w.t = t
		w.put("fuzz", `{"content":{"x":1,"list":[1,2,3]}}`)
		rec := w.do(request{method: http.MethodPatch, path: "/api/v1/documents/fuzz", body: body})
		checkAnswer(t, rec.Code, rec.Body.Bytes())
	})
}

// checkAnswer: whatever comes in, what goes out is JSON and no fault of ours.
func checkAnswer(t *testing.T, status int, body []byte) {
	t.Helper()
	if status >= 500 || !json.Valid(body) {
		t.Errorf("status %d: %s", status, body)
	}
}

func FuzzInstances(f *testing.F) {
	w := newWorld(f)
	for _, body := range []string{
		`{"id":"a","url":"http://[::1]:9/x","token":"t","labels":{"a":"b"},"accepts":["webhooks"],"tls":{"ca":"","server_name":"x","cert":"","key":""}}`,
		`{"url":"https://EXAMPLE:443"}`, `{"url":"http://a_b."}`, `{"accepts":[]}`, `{"labels":{"a":null}}`, `{"token":""}`, `{"document":"a","ids":["a"],"timeout":"0s"}`,
		`{"id":"s","dns":{"name":"x","port":1}}`, `{"id":"c","consul":{"address":"a:1","service":"s"}}`, `{"id":"f","file":{"path":"x"},"interval":"5s"}`, `{"cause":"x"}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w.t = t
		for _, r := range []request{
			{method: http.MethodPost, path: hooks}, {method: http.MethodPatch, path: hooks + "/a"}, {method: http.MethodPost, path: sources},
			{method: http.MethodPost, path: dead + "/retry"}, {method: http.MethodPost, path: dead + "/discard"},
		} {
			r.body = body
			rec := w.do(r)
			checkAnswer(t, rec.Code, rec.Body.Bytes())
			if id, _ := object(t, rec)["id"].(string); rec.Code == http.StatusCreated && id != "a" { // do not fill up
				w.do(request{method: http.MethodDelete, path: r.path + "/" + id})
			}
		}
	})
}
