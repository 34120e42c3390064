package agent

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/droverhq/drover/agent/hook"
	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/wire"
)

// delta signs a patch of one document.
func (n *node) delta(index uint64, from docs, target, patch string) (wire.Update, docs) {
	n.t.Helper()
	text, err := document.Apply([]byte(from[target]), []byte(patch), document.Limits{})
	must(n.t, err)
	base, err := document.Sum([]byte(from[target]))
	must(n.t, err)
	to := from.with(docs{target: string(text)})
	u := wire.Update{Update: fmt.Sprintf("d-%d", index), Documents: []wire.Document{
		{Target: target, Version: index, Base: base.String(), Patch: []byte(patch)},
	}}
	return n.sign(u, n.header(index, from, to)), to
}

// script makes a command of a node out of a shell text.
func script(text string) hook.Action { return hook.Action{Argv: []string{"/bin/sh", "-c", text}} }

// lines reads what hooks wrote.
func (n *node) lines(name string) []string {
	n.t.Helper()
	text, err := os.ReadFile(filepath.Join(n.dir, name))
	if os.IsNotExist(err) {
		return nil
	}
	must(n.t, err)
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func TestDeltaAddAndRemoveInOneUpdate(t *testing.T) {
	n := newNode(t)
	startAgent(t, n.config(), Deps{})
	l := n.peer.session()
	v1 := docs{"a": `{"x":1,"keep":1.0}`, "b": `{"y":2}`, "deep/er/c": `{}`}
	n.acked(l, n.update(1, nil, v1), v1)
	u, v2 := n.delta(2, v1, "a", `[{"op":"replace","path":"/x","value":5}]`)
	n.acked(l, u, v2)
	if v2["a"] != `{"x":5,"keep":1.0}` {
		t.Fatal(v2["a"])
	}
	v3 := v2.with(docs{"b": "", "deep/er/c": "", "deep/d": `{"z":3}`})
	n.acked(l, n.update(3, v2, v3), v3)
	n.acked(l, n.update(4, v3, docs{}), docs{})
}

// An update that names only what stays is good where it holds everything in
// full: what goes is told by the manifest.
func TestFullContentNeedsNoWordAboutWhatGoes(t *testing.T) {
	n := newNode(t)
	startAgent(t, n.config(), Deps{})
	l := n.peer.session()
	v1, v2 := docs{"a": `{"x":1}`, "b": `{}`}, docs{"a": `{"x":1}`}
	n.acked(l, n.update(1, nil, v1), v1)
	u := wire.Update{Update: "full", Documents: []wire.Document{{Target: "a", Content: []byte(v2["a"])}}}
	n.acked(l, n.sign(u, n.header(2, v1, v2)), v2)
}

// 1 and 1.0 have one checksum, and are two values to some services.
func TestAnotherTextOfTheSameChecksumIsWritten(t *testing.T) {
	n := newNode(t)
	startAgent(t, n.config(), Deps{})
	l := n.peer.session()
	v1 := docs{"a": `{"x":1}`, "b": `{}`}
	n.acked(l, n.update(1, nil, v1), v1)
	u, v2 := n.delta(2, v1, "a", `[{"op":"replace","path":"/x","value":1.0}]`)
	n.acked(l, u, v2)
	if text, err := os.ReadFile(filepath.Join(n.dir, "current", "a.json")); err != nil || !strings.Contains(string(text), "1.0") {
		t.Fatalf("the file holds %s, %v", text, err)
	}
}

func TestUpdatesThatAreNotWhatWasSigned(t *testing.T) {
	n := newNode(t)
	startAgent(t, n.config(), Deps{})
	l := n.peer.session()
	v1 := docs{"a": `{"x":1}`, "b": `{"y":2}`}
	v2 := v1.with(docs{"a": `{"x":2}`, "b": `{"y":3}`})
	n.acked(l, n.update(10, nil, v1), v1)
	good := func() wire.Update { return n.update(11, v1, v2) }
	stranger := newCluster(t)
	cases := []struct {
		name, code string
		update     func() wire.Update
	}{
		{"a byte of the header", wire.CodeBadSignature, func() wire.Update {
			u := good()
			u.Header = strings.Replace(u.Header, `"index":11`, `"index":12`, 1)
			return u
		}},
		{"a signature of another key", wire.CodeBadSignature, func() wire.Update { return stranger.sign(good(), n.header(11, v1, v2)) }},
		{"no signature", wire.CodeBadSignature, func() wire.Update { u := good(); u.Signature = ""; return u }},
		{"a header that is no JSON", wire.CodeMalformed, func() wire.Update {
			u := good()
			u.Header = "{"
			u.Signature = wire.Sign(n.key, u.Header)
			return u
		}},
		{"a check", wire.CodeBadSignature, func() wire.Update {
			h := n.header(11, v1, v2)
			h.Purpose = "check"
			return n.sign(good(), h)
		}},
		{"another cluster", wire.CodeWrongCluster, func() wire.Update {
			h := n.header(11, v1, v2)
			h.Cluster = "c-2"
			return n.sign(good(), h)
		}},
		{"another audience", wire.CodeWrongAudience, func() wire.Update {
			h := n.header(11, v1, v2)
			h.Audience = "audience-2"
			return n.sign(good(), h)
		}},
		{"content that was swapped", wire.CodeManifestMismatch, func() wire.Update {
			u := good()
			u.Documents[0].Content = []byte(`{"x":666}`)
			return u
		}},
		{"a document left out", wire.CodeManifestMismatch, func() wire.Update { u := good(); u.Documents = u.Documents[1:]; return u }},
		{"a document put in", wire.CodeManifestMismatch, func() wire.Update {
			u := good()
			u.Documents = append(u.Documents, wire.Document{Target: "c", Content: []byte(`{}`)})
			return u
		}},
		{"a target twice", wire.CodeMalformed, func() wire.Update { u := good(); u.Documents[1].Target = "a"; return u }},
		{"a path that climbs", wire.CodeMalformed, func() wire.Update { u := good(); u.Documents[0].Target = "../../etc/passwd"; return u }},
		{"no object", wire.CodeMalformed, func() wire.Update { u := good(); u.Documents[0].Content = []byte(`[1]`); return u }},
		{"content and removal", wire.CodeMalformed, func() wire.Update { u := good(); u.Documents[0].Removed = true; return u }},
		{"nothing in an entry", wire.CodeMalformed, func() wire.Update { u := good(); u.Documents[0].Content = nil; return u }},
		{"a patch for another base", wire.CodeBaseMismatch, func() wire.Update {
			u, _ := n.delta(11, docs{"a": `{"x":0}`}, "a", `[{"op":"replace","path":"/x","value":2}]`)
			return n.sign(u, n.header(11, v1, v2))
		}},
		{"a patch that does not apply", wire.CodeMalformed, func() wire.Update {
			u, _ := n.delta(11, v1, "a", `[{"op":"replace","path":"/x","value":2}]`)
			u.Documents[0].Patch = []byte(`[{"op":"remove","path":"/nowhere"}]`)
			return u
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := n.refused(l, c.update(), c.code, v1)
			if c.code == wire.CodeBaseMismatch || c.code == wire.CodeManifestMismatch {
				next[wire.Status](l)
			}
			if !e.Errors[0].Retryable {
				t.Errorf("what was damaged on the way must not make the controllers give the content up: %+v", e)
			}
		})
	}
	n.acked(l, good(), v2) // none of it used up the position
}

func TestOrderIsKeptAcrossRestarts(t *testing.T) {
	n := newNode(t)
	run := startAgent(t, n.config(), Deps{})
	l := n.peer.session()
	v1, v2, v3 := docs{"a": `{"x":1}`}, docs{"a": `{"x":2}`}, docs{"a": `{"x":3}`}
	n.acked(l, n.update(5, nil, v1), v1)
	n.refused(l, n.update(4, v1, v2), wire.CodeStaleIndex, v1)
	n.refused(l, n.update(5, v1, v2), wire.CodeStaleIndex, v1)
	// The same manifest under a higher number: no new generation, but the
	// number counts.
	n.acked(l, n.update(9, v1, v1), v1)
	run.stop()
	startAgent(t, n.config(), Deps{})
	l = n.peer.session()
	if l.hello.Index != 9 || l.hello.Manifest != v1.manifest(t) || l.hello.Connection != 2 {
		t.Fatalf("hello after a restart: %+v", l.hello)
	}
	n.refused(l, n.update(8, v1, v2), wire.CodeStaleIndex, v1)
	n.refused(l, n.update(9, v1, v3), wire.CodeStaleIndex, v1)
	n.acked(l, n.update(9, v1, v1), v1)
	// A higher epoch comes before any index.
	h := n.header(1, v1, v2)
	h.Epoch = 2
	n.acked(l, n.sign(n.update(1, v1, v2), h), v2)
	n.refused(l, n.update(100, v2, v3), wire.CodeStaleIndex, v2)
}

func TestBaseMismatchIsFollowedByWhatTheNodeHolds(t *testing.T) {
	n := newNode(t)
	startAgent(t, n.config(), Deps{})
	l := n.peer.session()
	v1, v2 := docs{"a": `{"x":1}`}, docs{"a": `{"x":2}`}
	n.acked(l, n.update(1, nil, v1), v1)
	// Even content in full is bound to what the node held when it was signed.
	n.refused(l, n.update(2, docs{"z": `{}`}, v2), wire.CodeBaseMismatch, v1)
	s := next[wire.Status](l)
	sum, err := document.Sum([]byte(v1["a"]))
	must(t, err)
	if s.Have["a"] != sum.String() || len(s.Have) != 1 || s.Manifest != v1.manifest(t) || s.Seq != 3 {
		t.Fatalf("status %+v", s)
	}
}

func TestHooksRunForWhatChangesOnly(t *testing.T) {
	n := newNode(t)
	note := `echo "$0 $DROVER_CHANGED $DROVER_REVISION $(cat "$DROVER_STAGED"/routing/a.json) $(cat "$DROVER_CURRENT"/routing/a.json 2>/dev/null)" >> `
	rule := Rule{Match: "routing/*",
		Check:  hook.Action{Argv: []string{"/bin/sh", "-c", note + "log", "check"}},
		Reload: hook.Action{Argv: []string{"/bin/sh", "-c", note + "log", "reload"}},
		Health: hook.Action{Argv: []string{"/bin/sh", "-c", note + "log", "health"}}}
	startAgent(t, n.config(rule), Deps{})
	l := n.peer.session()
	v1 := docs{"routing/a": `{"x":1}`, "routing/b": `{}`, "other": `{}`}
	n.acked(l, n.update(1, nil, v1), v1)
	want := []string{
		`check routing/a routing/b 1 {"x":1} `,
		`reload routing/a routing/b 1 {"x":1} {"x":1}`,
		`health routing/a routing/b 1 {"x":1} {"x":1}`,
	}
	if got := n.lines("log"); strings.Join(got, "|") != strings.Join(want, "|") {
		t.Fatalf("hooks saw %q, want %q", got, want)
	}
	v2 := v1.with(docs{"other": `{"new":true}`})
	n.acked(l, n.update(2, v1, v2), v2)
	n.acked(l, n.update(3, v2, v2), v2)
	if got := n.lines("log"); len(got) != 3 {
		t.Fatalf("a hook ran for nothing: %q", got)
	}
	v3 := v2.with(docs{"routing/b": ""})
	n.acked(l, n.update(4, v2, v3), v3)
	if got := n.lines("log"); len(got) != 6 || !strings.HasPrefix(got[3], "check routing/b 4") {
		t.Fatalf("removal: %q", got)
	}
}

func TestFailuresLeaveTheOldConfigurationRunning(t *testing.T) {
	schemaFile := filepath.Join(t.TempDir(), "s.json")
	must(t, os.WriteFile(schemaFile, []byte(`{"properties":{"x":{"type":"integer","maximum":9}}}`), 0o600))
	cases := []struct {
		name, code, stage string
		rule              Rule
		content           string
		retryable         bool
		reloads           int // of bad and then of old
	}{
		{name: "schema", code: wire.CodeSchemaInvalid, stage: wire.StageValidate, rule: Rule{Schema: schemaFile}, content: `{"x":10}`},
		{name: "check", code: wire.CodeCheckFailed, stage: wire.StageValidate,
			rule: Rule{Check: script(`echo bad port >&2; ! grep -q 10 $DROVER_STAGED/a.json`)}, content: `{"x":10}`},
		{name: "reload", code: wire.CodeHookFailed, stage: wire.StageHook, retryable: true, reloads: 2,
			rule: Rule{Reload: script(`echo r >> reloads; echo bad port; ! grep -q 10 $DROVER_CURRENT/a.json`)}, content: `{"x":10}`},
		{name: "health", code: wire.CodeUnhealthy, stage: wire.StageHealth, retryable: true, reloads: 2,
			rule: Rule{Reload: script(`echo r >> reloads`), Health: script(`echo bad port; ! grep -q 10 $DROVER_CURRENT/a.json`)}, content: `{"x":10}`},
		{name: "time", code: wire.CodeHookTimeout, stage: wire.StageHook, retryable: true, reloads: 2,
			rule: Rule{Timeout: 200 * time.Millisecond, Reload: script(`echo r >> reloads; echo bad port; grep -q 10 $DROVER_CURRENT/a.json && sleep 600 & wait`)}, content: `{"x":10}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n := newNode(t)
			c.rule.Match = "**"
			startAgent(t, n.config(c.rule, Rule{Match: "never"}), Deps{})
			l := n.peer.session()
			v1 := docs{"a": `{"x":1}`}
			n.acked(l, n.update(1, nil, v1), v1)
			before := len(n.lines("reloads"))
			v2 := docs{"a": c.content, "b": `{"also":"changed"}`}
			e := n.refused(l, n.update(2, v1, v2), c.code, v1)
			p := e.Errors[0]
			if p.Target != "a" || p.Stage != c.stage || p.Retryable != c.retryable || e.Index != 2 || e.Epoch != 1 {
				t.Fatalf("%+v", e)
			}
			if c.name == "schema" {
				if len(e.Errors) != 1 || p.Pointer != "/x" {
					t.Fatalf("the schema names what is wrong: %+v", e.Errors)
				}
			} else if len(e.Errors) != 2 || e.Errors[1].Target != "b" || p.LogTail != "bad port" {
				t.Fatalf("a command names what it was run for: %+v", e.Errors)
			}
			if ran := len(n.lines("reloads")) - before; ran != c.reloads {
				t.Fatalf("the reload ran %d times, want %d", ran, c.reloads)
			}
			// Tried is accepted: older ones are refused, a good one follows.
			n.refused(l, n.update(1, v1, v1.with(docs{"c": `{}`})), wire.CodeStaleIndex, v1)
			v3 := docs{"a": `{"x":3}`}
			n.acked(l, n.update(3, v1, v3), v3)
		})
	}
}

func TestKeysAreReplacedByThoseThatAPinnedKeySigned(t *testing.T) {
	n := newNode(t)
	run := startAgent(t, n.config(), Deps{})
	l := n.peer.session()
	next1 := newCluster(t)
	keys := func(signer *cluster, purpose string) wire.Keys {
		text, err := json.Marshal(wire.KeySet{Purpose: purpose, Cluster: n.id, Keys: []string{next1.public()}})
		must(t, err)
		return wire.Keys{Keys: string(text), Signature: wire.Sign(signer.key, string(text))}
	}
	v1, v2, v3 := docs{"a": `{"x":1}`}, docs{"a": `{"x":2}`}, docs{"a": `{"x":3}`}
	l.send(keys(next1, "keys"))      // signed by itself
	l.send(keys(n.cluster, "other")) // signed for something else
	n.refused(l, next1.sign(n.update(1, nil, v1), n.header(1, nil, v1)), wire.CodeBadSignature, nil)
	n.acked(l, n.update(1, nil, v1), v1)
	l.send(keys(n.cluster, "keys"))
	n.refused(l, n.update(2, v1, v2), wire.CodeBadSignature, v1) // in place of the old ones
	n.key = next1.key
	n.acked(l, n.update(2, v1, v2), v2)
	run.stop()
	startAgent(t, n.config(), Deps{})
	n.acked(n.peer.session(), n.update(3, v2, v3), v3)
}

func TestAnotherAudienceIsBoundByAnotherWelcome(t *testing.T) {
	n := newNode(t)
	startAgent(t, n.config(), Deps{})
	l := n.peer.session()
	v1 := docs{"a": `{"x":1}`}
	h := n.header(1, nil, v1)
	h.Audience = "audience-2"
	moved := n.sign(n.update(1, nil, v1), h)
	n.refused(l, moved, wire.CodeWrongAudience, nil)
	l.audience = "audience-2"
	l.send(l.welcome())
	n.acked(l, moved, v1)
	// One that was not signed for this connection ends it.
	forged := l.welcome()
	forged.Audience = "audience-3"
	l.send(forged)
	<-l.lost
}

func TestFramesThatAreNotUnderstood(t *testing.T) {
	n := newNode(t)
	startAgent(t, n.config(), Deps{})
	l := n.peer.session()
	for text, code := range map[string]string{
		`{"type":"from_the_future","x":1}`: "unknown_type",
		`{"type":"report","type":"x"}`:     wire.CodeMalformed,
		`nonsense`:                         wire.CodeMalformed,
		`{"type":"hello","node":"x"}`:      "unexpected_type",
	} {
		must(t, l.conn.WriteMessage(websocket.TextMessage, []byte(text)))
		if f := next[wire.Fault](l); f.Code != code {
			t.Errorf("%s: %+v", text, f)
		}
	}
	must(t, l.conn.WriteMessage(websocket.BinaryMessage, []byte(`{"type":"report"}`)))
	next[wire.Fault](l)
	l.send(wire.Report{})
	next[wire.Status](l) // the session goes on
}

func TestFrameBeyondTheLimitEndsTheSessionAndNothingElse(t *testing.T) {
	n := newNode(t)
	startAgent(t, n.config(), Deps{})
	l := n.peer.session()
	v1 := docs{"a": `{"x":1}`}
	n.acked(l, n.update(1, nil, v1), v1)
	big := make([]byte, wire.LimitUpdate+1)
	for i := range big {
		big[i] = ' '
	}
	// The agent may hang up before all of it is written.
	_ = l.conn.WriteMessage(websocket.TextMessage, big)
	<-l.lost
	l = n.peer.session()
	if l.hello.Manifest != v1.manifest(t) {
		t.Fatal("what ran before runs on")
	}
	runs(t, n.dir, v1)
}

func TestAWholeNodeInFullFits(t *testing.T) {
	n := newNode(t)
	startAgent(t, n.config(), Deps{})
	l := n.peer.session()
	v1 := docs{}
	for i := range 16 {
		v1[fmt.Sprintf("doc/%d", i)] = `{"x":"` + strings.Repeat("y", 1<<20-10) + `"}`
	}
	n.acked(l, n.update(1, nil, v1), v1)
}

func TestFilesThatTheReloadChangedAreNoticed(t *testing.T) {
	n := newNode(t)
	startAgent(t, n.config(Rule{Match: "**", Reload: script(`grep -q spoil current/a.json && echo '{}' > current/a.json; true`)}), Deps{})
	l := n.peer.session()
	v1, v2 := docs{"a": `{"x":1}`, "b": `{}`}, docs{"a": `{"x":"spoil"}`, "b": `{"y":1}`}
	n.acked(l, n.update(1, nil, v1), v1)
	e := n.refused(l, n.update(2, v1, v2), wire.CodeSelfCheck, v1)
	if p := e.Errors[0]; p.Target != "a" || p.Stage != wire.StageWrite || len(e.Errors) != 1 {
		t.Fatalf("%+v", e)
	}
}

// A planned stop in the middle of an update is nobody's fault: the node goes
// back, and no failure is told.
func TestAStopInTheMiddleOfAnUpdateGoesBackQuietly(t *testing.T) {
	n := newNode(t)
	reload := make(chan struct{}, 10)
	rule := Rule{Match: "**", Reload: script(`grep -q slow current/a.json && sleep 600; cp current/a.json app`)}
	run := startAgent(t, n.config(rule), Deps{Step: func(step string) error {
		if step == "reload" {
			reload <- struct{}{}
		}
		return nil
	}})
	l := n.peer.session()
	v1, v2 := docs{"a": `{"x":1}`}, docs{"a": `{"x":"slow"}`}
	n.acked(l, n.update(1, nil, v1), v1)
	<-reload
	l.send(n.update(2, v1, v2))
	<-reload
	begin := time.Now()
	run.stop()
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("the stop took %s", took)
	}
	runs(t, n.dir, v1)
	if got := n.lines("app"); len(got) != 1 || got[0] != v1["a"] {
		t.Errorf("the application was left with %q", got)
	}
	startAgent(t, n.config(rule), Deps{})
	l = n.peer.session()
	if l.hello.Manifest != v1.manifest(t) || l.hello.Index != 2 {
		t.Fatalf("%+v", l.hello)
	}
	v3 := docs{"a": `{"x":3}`}
	n.acked(l, n.update(3, v1, v3), v3) // and no config_error came before the ack
}
