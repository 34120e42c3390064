package api

import (
	"bytes"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/droverhq/drover/fsm"
)

func TestARepeatedWriteAnswersAsBeforeAndDoesNothingAgain(t *testing.T) {
	w := newWorld(t)
	key := func(k string) map[string]string { return map[string]string{"Idempotency-Key": k} }
	w.put("p", `{"content":{"n":0}}`)
	for _, r := range []request{
		{method: "PUT", path: docA, body: `{"content":{"x":1}}`, header: map[string]string{"Idempotency-Key": "1", "If-None-Match": "*"}},
		{method: "PATCH", path: "/api/v1/documents/p", body: `[{"op":"test","path":"/n","value":0},{"op":"replace","path":"/n","value":1}]`, header: key("2")},
		{method: "POST", path: "/api/v1/documents/p/rollback", body: `{"to":1}`, header: key("3")},
		{method: "POST", path: "/api/v1/changes", body: `{"commit":true,"edits":[{"document":"c","op":"put","content":{},"base_version":0}]}`, header: key("4")},
		{method: "DELETE", path: "/api/v1/documents/c", header: key("5")},
		{method: "POST", path: "/api/v1/users", body: `{"user":"kim","password":"12345678","role":"viewer"}`, header: key("6")},
		{method: "PATCH", path: "/api/v1/users/kim", body: `{"role":"editor"}`, header: key("7")},
		{method: "DELETE", path: "/api/v1/users/kim", header: key("8")},
	} {
		first := w.do(r)
		revisions := 0
		w.store.View(func(st *fsm.State) { revisions = int(st.LastRevision()) })
		second := w.do(r)
		if first.Code >= 300 || second.Code != first.Code || second.Body.String() != first.Body.String() {
			t.Errorf("%s %s: %d %s, then %d %s", r.method, r.path, first.Code, first.Body, second.Code, second.Body)
		}
		w.store.View(func(st *fsm.State) {
			if int(st.LastRevision()) != revisions {
				t.Errorf("%s %s was done twice", r.method, r.path)
			}
		})
		r.body = strings.Replace(r.body, "{", "{ ", 1)
		if r.body == "" {
			r.path = "/api/v1/documents/p"
		}
		w.refused(422, "idempotency_mismatch", r)
	}
}

func TestASecretIsNotToldTwice(t *testing.T) {
	w := newWorld(t)
	for path, body := range map[string]string{
		"/api/v1/tokens":       `{"name":"ci","role":"viewer"}`,
		"/api/v1/nodes/enroll": `{"node":"edge-1"}`,
	} {
		r := request{method: "POST", path: path, body: body, header: map[string]string{"Idempotency-Key": "k" + path}}
		if got := w.want(201, r); got["token"] == "" {
			t.Errorf("%s: %v", path, got)
		}
		w.refused(409, "secret_gone", r)
	}
}

func TestAKeyBelongsToWhoSentIt(t *testing.T) {
	w := newWorld(t)
	key := map[string]string{"Idempotency-Key": "same"}
	w.want(201, request{method: "PUT", path: docA, body: `{"content":{"x":1}}`, header: key})
	w.want(200, request{method: "PUT", path: docA, body: `{"content":{"x":2}}`, header: key, as: "editor"})
	for _, bad := range []string{strings.Repeat("x", 256), "a\tb", "é"} {
		w.refused(400, "bad_request", request{method: "PUT", path: docA, body: `{"content":{}}`, header: map[string]string{"Idempotency-Key": bad}})
	}
}

// The hash of a request is kept for a day, and is in backups: where there is a
// password in the request it must not be quicker to guess from than the user's row.
func TestNoQuickHashOfAPasswordIsKept(t *testing.T) {
	w := newWorld(t)
	var sent []fsm.Command
	w.proposer.set(func(p *single) { p.before = func(c fsm.Command) { sent = append(sent, c) } })
	for i, r := range []request{
		{method: "POST", path: "/api/v1/users", body: `{"user":"kim","password":"12345678","role":"viewer"}`},
		{method: "PATCH", path: "/api/v1/users/kim", body: `{"password":"87654321"}`},
	} {
		r.header = map[string]string{"Idempotency-Key": "k" + r.method}
		first, second := w.do(r), w.do(r)
		if first.Code >= 300 || second.Code != first.Code || len(sent) != i+1 {
			t.Fatalf("%s: %d, then %d, %d commands", r.method, first.Code, second.Code, len(sent))
		}
		quick := sha256.Sum256([]byte(r.method + "\x00" + r.path + "\x00" + r.body))
		if hash := sent[i].Once.Hash; len(hash) != 32 || bytes.Equal(hash, quick[:]) {
			t.Errorf("%s: kept %x", r.method, hash)
		}
	}
}
