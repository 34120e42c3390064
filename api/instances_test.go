package api

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/droverhq/drover/fsm"
)

const hooks = "/api/v1/instances"

// add adds an instance as an operator does.
func (w *world) add(body string) map[string]any {
	w.t.Helper()
	return w.want(201, request{method: "POST", path: hooks, body: body, as: "operator"})
}

// unreachable has the peer that serves an instance say that it cannot be called.
func (w *world) unreachable(id, code, message string) {
	w.t.Helper()
	var ord uint32
	w.store.View(func(st *fsm.State) { ord = st.Node(id).Ordinal })
	w.must(fsm.Reports{Peer: "p1", Unreachable: []fsm.Unreachable{{Node: ord, Code: code, Message: message}}})
}

// observe has an instance report what is wanted, and what was seen of it.
func (w *world) observe(id string, seq uint64, seen fsm.Observed) {
	w.t.Helper()
	var r fsm.Report
	w.store.View(func(st *fsm.State) {
		ord := st.Node(id).Ordinal
		r = fsm.Report{Node: ord, Session: uint64(ord) + 1, Seq: seq, Manifest: st.Wanted(ord).Sum, At: st.Position(), Confirmed: true, Observed: &seen}
	})
	w.must(fsm.Reports{Peer: "p1", Single: []fsm.Report{r}})
}

// keyPair is a client certificate of its own authority, as PEM.
func keyPair(t *testing.T) (cert, key string) {
	t.Helper()
	private := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der := must(x509.CreateCertificate(rand.Reader, template, template, private.Public(), private))
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(private))}))
}

func quote(s string) string { return string(must(json.Marshal(s))) }

func TestAnInstanceIsAddedReadChangedAndRemoved(t *testing.T) {
	w := newWorld(t)
	w.put("webhooks", `{"content":{"a":{"module":"m1"}},"selector":"role=webhook"}`)
	got := w.add(`{"id":"hook-1","url":"HTTP://127.0.0.1:9001/","token":"s","labels":{"role":"webhook"}}`)
	if got["id"] != "hook-1" || got["url"] != "http://127.0.0.1:9001" || got["source"] != "manual" || got["has_token"] != true || got["owner"] != "ctl-1" ||
		got["status"] != "offline" || got["in_sync"] != false || fmt.Sprint(got["accepts"]) != "[connections webhooks]" || fmt.Sprint(got["actions"]) != "[update sync remove retry]" {
		t.Errorf("added %v", got)
	}
	w.report("hook-1", 1, nothingHeld, true)
	w.observe("hook-1", 2, fsm.Observed{Baselines: []fsm.Baseline{{Target: "webhooks", Version: 1, Hash: "aa"}}, Unmanaged: []string{"connections"}, Warnings: []string{fsm.WarnNoAuth}})
	got = w.want(200, request{method: "GET", path: hooks + "/hook-1", as: "viewer"})
	doc := got["documents"].([]any)[0].(map[string]any)
	if got["in_sync"] != true || doc["document"] != "webhooks" || doc["accepted_version"] != 1.0 || doc["unverified"] != true || fmt.Sprint(got["unmanaged"]) != "[connections]" ||
		got["warnings"].([]any)[0].(map[string]any)["code"] != "no_auth" || len(got["actions"].([]any)) != 0 {
		t.Errorf("reported %v", got)
	}
	got = w.want(200, request{method: "PATCH", path: hooks + "/hook-1", as: "operator", body: `{"url":"http://127.0.0.1:9002","labels":{"role":null,"site":"x"},"accepts":["routing"],"token":""}`})
	if got["url"] != "http://127.0.0.1:9002" || got["has_token"] != false || fmt.Sprint(got["labels"]) != "map[site:x]" || fmt.Sprint(got["accepts"]) != "[routing]" || len(got["documents"].([]any)) != 0 {
		t.Errorf("changed %v", got)
	}
	got = w.want(200, request{method: "PATCH", path: hooks + "/hook-1", body: `{"labels":{"site":"y"}}`})
	if fmt.Sprint(got["labels"]) != "map[site:y]" {
		t.Errorf("labelled %v", got)
	}
	if got := w.want(200, request{method: "GET", path: "/api/v1/nodes/hook-1"}); got["kind"] != "instance" {
		t.Errorf("as a node %v", got)
	}
	w.want(204, request{method: "DELETE", path: hooks + "/hook-1", as: "operator"})
	w.refused(404, "not_found", request{method: "GET", path: hooks + "/hook-1"})
	w.refused(404, "not_found", request{method: "DELETE", path: hooks + "/hook-1"})
	w.refused(404, "not_found", request{method: "PATCH", path: hooks + "/hook-1", body: `{"accepts":["a"]}`})
	for _, action := range []string{"instance.add", "instance.set", "node.label", "node.remove"} {
		w.audit(func(e *fsm.AuditEntry) bool { return e.Action == action && e.Object == "hook-1" && e.Outcome == "done" })
	}
}

func TestAnInstanceWithoutAnIDIsCalledAfterItsURL(t *testing.T) {
	w := newWorld(t)
	for url, id := range map[string]string{
		"http://127.0.0.1:9001": "127.0.0.1-9001", "https://Hook.Example": "hook.example", "http://[2001:db8::1]:80/x": "2001-db8--1", "http://a_b:1": "a-b-1",
	} {
		if got := w.add(`{"url":"` + url + `"}`); got["id"] != id {
			t.Errorf("%s is called %v", url, got["id"])
		}
	}
	w.refused(409, "conflict", request{method: "POST", path: hooks, body: `{"url":"http://127.0.0.1:9001"}`})
}

func TestInstancesThatCannotBeAreRefusedWithThePlace(t *testing.T) {
	w := newWorld(t)
	w.enroll("edge-1", nil)
	cert, key := keyPair(t)
	other, _ := keyPair(t)
	for body, pointer := range map[string]string{
		`{}`:                                      "/url",
		`{"url":"ftp://a"}`:                       "/url",
		`{"url":"http://u:p@a"}`:                  "/url",
		`{"url":"http://a","id":"a b"}`:           "/id",
		`{"url":"http://a","id":"sync"}`:          "/id",
		`{"url":"http://a","token":"a b"}`:        "/token",
		`{"url":"http://a","accepts":[]}`:         "/accepts",
		`{"url":"http://a","accepts":["A"]}`:      "/accepts/0",
		`{"url":"http://a","labels":{"a b":"c"}}`: "/labels/a b",
		`{"url":"http://a","accepts":["` + strings.Repeat(`a","`, 100) + `a"]}`:           "/accepts",
		`{"url":"http://a","tls":{"ca":"x"}}`:                                             "/tls/ca",
		`{"url":"http://a","tls":{"server_name":"a b"}}`:                                  "/tls/server_name",
		`{"url":"http://a","tls":{"cert":` + quote(cert) + `}}`:                           "/tls",
		`{"url":"http://a","tls":{"cert":` + quote(other) + `,"key":` + quote(key) + `}}`: "/tls/cert",
		`{"url":"http://a","tls":{"cert":"","key":` + quote(key) + `}}`:                   "/tls",
	} {
		got := w.refused(422, w.codeOf(request{method: "POST", path: hooks, body: body}), request{method: "POST", path: hooks, body: body})
		if got["pointer"] != pointer {
			t.Errorf("%s: %v", body, got)
		}
	}
	w.refused(409, "conflict", request{method: "POST", path: hooks, body: `{"url":"http://a","id":"edge-1"}`})
	w.refused(400, "unknown_member", request{method: "POST", path: hooks, body: `{"url":"http://a","tokn":"x"}`})
	w.refused(404, "not_found", request{method: "GET", path: hooks + "/edge-1"})
	w.store.View(func(st *fsm.State) {
		if st.NodeCount() != 1 {
			t.Errorf("%d nodes", st.NodeCount())
		}
	})
}

// codeOf is the code of a refusal that is made twice alike.
func (w *world) codeOf(r request) string {
	code, _ := object(w.t, w.do(r))["code"].(string)
	return code
}

func TestAChangeOfAnInstanceIsRefusedAsAWhole(t *testing.T) {
	w := newWorld(t)
	w.add(`{"id":"a","url":"http://127.0.0.1:1","token":"s","labels":{"x":"1"}}`)
	w.put("p%2Fwebhooks", `{"content":{"a":{"module":"m1"}},"target":"webhooks","selector":"x=1"}`)
	w.put("q%2Fwebhooks", `{"content":{"a":{"module":"m1"}},"target":"webhooks","selector":"y=1"}`)
	for body, want := range map[string]string{
		`{}`:                                "422 ",
		`{"url":"nonsense"}`:                "422 /url",
		`{"url":"http://elsewhere:1"}`:      "422 /token",
		`{"labels":{"a b":"c"}}`:            "422 /labels",
		`{"accepts":[],"labels":{"z":"1"}}`: "422 /accepts",
		`{"url":"http://127.0.0.1:2","labels":{"y":"1"}}`: "409 ",
	} {
		rec := w.do(request{method: "PATCH", path: hooks + "/a", body: body})
		pointer, _ := object(t, rec)["pointer"].(string)
		if got := fmt.Sprint(rec.Code, " ", pointer); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s %s", body, got, rec.Body)
		}
	}
	got := w.want(200, request{method: "GET", path: hooks + "/a"})
	if got["url"] != "http://127.0.0.1:1" || fmt.Sprint(got["labels"]) != "map[x:1]" {
		t.Errorf("after refusals: %v", got)
	}
	w.want(200, request{method: "PATCH", path: hooks + "/a", body: `{"url":"http://elsewhere:1","token":"t"}`})
	w.want(200, request{method: "PATCH", path: hooks + "/a", body: `{"url":"http://further:1","token":""}`})
	w.want(200, request{method: "PATCH", path: hooks + "/a", body: `{"url":"http://back:1"}`})
}

func TestWhatTheTLSSettingsDoNotNameStays(t *testing.T) {
	w := newWorld(t)
	cert, key := keyPair(t)
	tls := func(got map[string]any) string { return fmt.Sprint(got["tls"]) }
	if got := w.add(`{"id":"a","url":"https://a","tls":{"ca":` + quote(cert) + `,"cert":` + quote(cert) + `,"key":` + quote(key) + `}}`); tls(got) != "map[ca:true cert:true]" {
		t.Errorf("added %v", got)
	}
	for _, c := range [][2]string{{`{"tls":{}}`, "map[ca:true cert:true]"}, {`{"tls":{"server_name":"b"}}`, "map[ca:true cert:true server_name:b]"}} {
		if got := w.want(200, request{method: "PATCH", path: hooks + "/a", body: c[0]}); tls(got) != c[1] {
			t.Errorf("%s: %v", c[0], got)
		}
	}
	w.store.View(func(st *fsm.State) {
		plain, err := w.key.Open("c-1", "instance", st.Node("a").Instance.TLS.Key)
		if err != nil || string(plain) != key {
			t.Errorf("the key is not what was sent: %v", err)
		}
	})
	if got := w.want(200, request{method: "PATCH", path: hooks + "/a", body: `{"tls":{"ca":"","server_name":"","cert":"","key":""}}`}); tls(got) != "map[]" {
		t.Errorf("cleared %v", got)
	}
}

func TestNoSecretOfAnInstanceIsEverShown(t *testing.T) {
	w := newWorld(t)
	const token = "hook-secret-0815"
	cert, key := keyPair(t)
	line := strings.Split(key, "\n")[1]
	var seen strings.Builder
	for _, r := range []request{
		{method: "POST", path: hooks, body: `{"id":"a","url":"https://a","token":"` + token + `","tls":{"cert":` + quote(cert) + `,"key":` + quote(key) + `}}`},
		{method: "POST", path: hooks, body: `{"id":"a","url":"https://a","token":"` + token + `"}`},
		{method: "POST", path: hooks, body: `{"id":"b","url":"https://a:` + token + `@b","token":"` + token + ` x"}`},
		{method: "PATCH", path: hooks + "/a", body: `{"token":"` + token + `"}`},
		{method: "PATCH", path: hooks + "/a", body: `{"token":"` + token + `","accepts":["A"]}`},
		{method: "PATCH", path: hooks + "/a", body: `{"url":"http://x:` + token + `@h"}`},
		{method: "PATCH", path: hooks + "/a", body: `{"token":"` + token + `"}`, as: "viewer"},
		{method: "GET", path: hooks}, {method: "GET", path: hooks + "/a"}, {method: "GET", path: "/api/v1/nodes/a"}, {method: "GET", path: "/api/v1/nodes/a/why"},
		{method: "GET", path: "/api/v1/audit/export"},
	} {
		if r.method != "GET" {
			r.header = map[string]string{"Idempotency-Key": r.method + r.body[:20]}
		}
		seen.WriteString(w.do(r).Body.String())
	}
	var state bytes.Buffer
	if _, err := w.store.Snapshot().WriteTo(&state); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{token, line} {
		if strings.Contains(seen.String()+w.log.String(), secret) || bytes.Contains(state.Bytes(), []byte(secret)) {
			t.Errorf("%s was shown", secret)
		}
	}
	w.store.View(func(st *fsm.State) {
		if plain, err := w.key.Open("c-1", "instance", st.Node("a").Instance.Token); err != nil || string(plain) != token {
			t.Errorf("the token is not what was sent: %v", err)
		}
	})
}

func TestARepeatedWriteOfAnInstanceIsDoneOnce(t *testing.T) {
	w := newWorld(t)
	commands := 0
	w.proposer.set(func(p *single) { p.before = func(fsm.Command) { commands++ } })
	for _, r := range []request{
		{method: "POST", path: hooks, body: `{"id":"a","url":"http://a","token":"s"}`},
		{method: "PATCH", path: hooks + "/a", body: `{"url":"http://b","token":"t"}`},
		{method: "POST", path: hooks + "/sync", body: `{"timeout":"0s"}`},
		{method: "DELETE", path: hooks + "/a"},
	} {
		r.header = map[string]string{"Idempotency-Key": r.method + r.path}
		first := w.do(r)
		before := commands
		second := w.do(r)
		other := r
		other.body = strings.Replace(r.body, `:"s"`, `:"x"`, 1)
		if other.body != r.body {
			w.refused(422, "idempotency_mismatch", other)
		}
		if first.Code >= 300 || first.Code != second.Code || r.method != "POST" && commands != before {
			t.Errorf("%s %s: %d %s, then %d %s, %d commands", r.method, r.path, first.Code, first.Body, second.Code, second.Body, commands-before)
		}
	}
}

func TestInstancesAreFound(t *testing.T) {
	w := newWorld(t)
	w.enroll("edge-1", map[string]string{"site": "x"})
	w.add(`{"id":"a","url":"http://alpha:1","labels":{"site":"x"}}`)
	w.add(`{"id":"b","url":"http://beta:1"}`)
	w.must(fsm.PutDiscovery{Discovery: fsm.Discovery{ID: "dns", Type: "dns", Config: "{}"}})
	w.must(fsm.Discovered{ID: "dns", Found: []fsm.Found{{Node: "c", URL: "http://c"}, {Node: "d", URL: "http://d"}}})
	w.must(fsm.Discovered{ID: "dns", Found: []fsm.Found{{Node: "c", URL: "http://c"}}})
	w.report("a", 1, nothingHeld, true)
	for q, want := range map[string]string{
		"": "a b c d", "site%3Dx": "a", "source%3Dmanual": "a b", "source%3Ddns": "c d", "gone%3Dtrue": "d", "gone%3Dfalse": "a b c",
		"beta": "b", "status%3Dacked": "a", "connected%3Dfalse+source%3Dmanual": "b", "kind%3Dagent": "",
	} {
		var ids []string
		for _, row := range items(w.want(200, request{method: "GET", path: hooks + "?q=" + q})) {
			ids = append(ids, row["id"].(string))
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %s", q, got)
		}
	}
	first := w.want(200, request{method: "GET", path: hooks + "?limit=3"})
	if rest := items(w.want(200, request{method: "GET", path: hooks + "?limit=3&cursor=" + first["next_cursor"].(string)})); len(rest) != 1 || rest[0]["id"] != "d" || rest[0]["gone"] == nil || rest[0]["source"] != "dns" {
		t.Errorf("the second page: %v", rest)
	}
	w.refused(400, "bad_request", request{method: "GET", path: hooks + "?q=status%3Dx"})
	w.refused(409, "conflict", request{method: "PATCH", path: hooks + "/c", body: `{"url":"http://other"}`})
}

func TestAnInstanceThatCannotBeReachedIsNotInSync(t *testing.T) {
	w := hooksOf(t, "a")
	for _, reached := range []bool{true, false} {
		if !reached {
			w.unreachable("a", "unreachable", "connection refused")
		} else {
			w.report("a", 2, w.desired("a"), true)
		}
		for _, path := range []string{hooks + "/a", "/api/v1/nodes/a", "/api/v1/nodes/a/why"} {
			if got := w.want(200, request{method: "GET", path: path}); got["in_sync"] != reached {
				t.Errorf("reached %t: %s tells %v", reached, path, got)
			}
		}
		query := fmt.Sprintf("%s?q=in_sync%%3D%t+a", hooks, reached)
		if got := items(w.want(200, request{method: "GET", path: query})); len(got) != 1 || got[0]["id"] != "a" {
			t.Errorf("%s finds %v", query, got)
		}
	}
}

// The hash of a request is kept for a day, and is in backups: a token that a
// person chose must not be guessed from it.
func TestNoPlainHashOfATokenIsKept(t *testing.T) {
	w := newWorld(t)
	var kept []byte
	w.proposer.set(func(p *single) { p.before = func(c fsm.Command) { kept = c.Once.Hash } })
	r := request{method: "POST", path: hooks, body: `{"id":"a","url":"http://a","token":"s"}`, header: map[string]string{"Idempotency-Key": "k"}}
	w.want(201, r)
	plain := sha256.Sum256([]byte(r.method + "\x00" + r.path + "\x00" + r.body))
	if len(kept) != 32 || bytes.Equal(kept, plain[:]) {
		t.Errorf("kept %x", kept)
	}
}

func TestNothingSecretIsTakenWithoutAKey(t *testing.T) {
	w := newWorld(t, func(_ *Config, d *Deps) { d.Seal = nil })
	w.add(`{"id":"a","url":"http://a"}`)
	w.refused(503, "not_ready", request{method: "PATCH", path: hooks + "/a", body: `{"token":"x"}`})
}

func TestADocumentsPolicyForDriftIsChecked(t *testing.T) {
	w := newWorld(t)
	for _, good := range []string{`{}`, `{"drift":"heal"}`, `{"drift":"report"}`} {
		w.put("a", `{"content":{},"policy":`+good+`}`)
	}
	if got := w.want(200, request{method: "GET", path: docA}); fmt.Sprint(got["policy"]) != "map[drift:report]" {
		t.Errorf("policy %v", got["policy"])
	}
	for bad, pointer := range map[string]string{`{"drift":"ignore"}`: "/policy/drift", `{"drift":1}`: "/policy/drift", `{"strategy":"all"}`: "/policy/strategy"} {
		if got := w.refused(422, "invalid", request{method: "PUT", path: docA, body: `{"policy":` + bad + `}`}); got["pointer"] != pointer {
			t.Errorf("%s: %v", bad, got)
		}
	}
}

func TestATokenIsNotSentInClearWithoutIt(t *testing.T) {
	w := newWorld(t)
	w.add(`{"id":"a","url":"https://a:8443","token":"secret"}`)
	change := request{method: "PATCH", path: hooks + "/a", body: `{"url":"http://a:8443"}`}
	w.refused(422, "invalid", change)
	change.body = `{"url":"http://a:8443","token":"secret"}`
	w.want(200, change)
	change.body = `{"url":"https://a"}`
	w.want(200, change)
}
