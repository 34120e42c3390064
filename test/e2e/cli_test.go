package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestTheCommandLine walks the commands against one fleet that ends, over TLS.
func TestTheCommandLine(t *testing.T) {
	f := newFleet(t, 1, "--agents", "2", "--instances", "0", "--tls", "--no-restart")
	f.start()
	for _, p := range []struct {
		name string
		do   func(*testing.T, *fleet)
	}{
		{"documents", documents},
		{"an edit in the editor", edits},
		{"a conflicting edit is kept", conflictingEdit},
		{"plan, apply, export, prune", planAndApply},
		{"what webhook services read", webhookDocuments},
		{"exit codes", exitCodes},
		{"waiting", waiting},
		{"nodes", nodesByHand},
		{"users, tokens and logins", access},
		{"the audit", audits},
		{"events", events},
		{"formats", formats},
	} {
		t.Run(p.name, func(t *testing.T) {
			here := *f
			here.t = t
			p.do(t, &here)
		})
	}
}

// save writes a file for a command.
func save(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(name))
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func contains(t *testing.T, r result, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(r.stdout+r.stderr, want) {
			t.Errorf("%q is not in\n%s%s", want, r.stdout, r.stderr)
		}
	}
}

func documents(t *testing.T, f *fleet) {
	file := save(t, "a.json", `{"list": [1.0, 2], "n": 1e2}`)
	contains(t, f.must(0, "doc", "put", "cli/a", "-f", file, "--selector", "site=site-1", "-m", "first", "--watch"), "cli/a", "1 of 1 node in sync")
	if r := f.must(0, "doc", "get", "cli/a"); !strings.Contains(r.stdout, "1.0") || !strings.Contains(r.stdout, "1e2") {
		t.Errorf("number literals were not kept: %s", r.stdout)
	}
	text, err := os.ReadFile(filepath.Join(f.dir, "edge-1", "current", "cli", "a.json"))
	if err != nil || strings.TrimSpace(string(text)) != `{"list":[1.0,2],"n":1e2}` {
		t.Errorf("the agent has %s, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(f.dir, "edge-2", "current", "cli", "a.json")); err == nil {
		t.Error("a node that the selector does not match has it")
	}
	contains(t, f.must(0, "doc", "put", "cli/a", "-f", file), "no") // nothing changed
	f.must(0, "doc", "patch", "cli/a", "-p", `[{"op":"replace","path":"/n","value":7}]`, "-m", "second")
	contains(t, f.must(0, "doc", "diff", "cli/a"), "/n: 1e2 → 7")
	f.must(2, "doc", "diff", "cli/a", "1", "2", "--exit-code")
	contains(t, f.must(0, "doc", "history", "cli/a"), "first", "second")
	contains(t, f.must(0, "doc", "rollback", "cli/a", "1", "-m", "third"), "/n: 7 → 1e2")
	if r := f.must(0, "doc", "get", "cli/a", "--version", "3"); !strings.Contains(r.stdout, "1e2") {
		t.Errorf("after the rollback: %s", r.stdout)
	}
	contains(t, f.must(0, "doc", "list", "cli"), "cli/a", "site=site-1")
	contains(t, f.must(0, "doc", "validate", "cli/a", "-f", file), "valid")
	f.must(1, "doc", "delete", "cli/a") // nobody can be asked
	f.must(0, "doc", "delete", "cli/a", "--yes", "-m", "fourth")
	f.must(5, "doc", "get", "cli/a")
	f.eventually(10*time.Second, "the deleted document leaves the node", func() error {
		if _, err := os.Stat(filepath.Join(f.dir, "edge-1", "current", "cli", "a.json")); err == nil {
			return fmt.Errorf("it is there")
		}
		return nil
	})
}

func edits(t *testing.T, f *fleet) {
	editor := save(t, "editor.sh", "#!/bin/sh\nsed -i 's/\"hold\": 30/\"hold\": 90/' \"$1\"\n")
	if err := os.Chmod(editor, 0o700); err != nil {
		t.Fatal(err)
	}
	r := f.droverIn("", []string{"EDITOR=" + editor, "VISUAL="}, "doc", "edit", "routing/core", "-m", "slower", "--watch")
	if r.code != 0 {
		t.Fatalf("%d %s%s", r.code, r.stdout, r.stderr)
	}
	text, err := os.ReadFile(filepath.Join(f.dir, "edge-2", "current", "routing", "core.json"))
	if err != nil || !strings.Contains(string(text), `"hold":90`) {
		t.Errorf("the file of the agent: %.200s, %v", text, err)
	}
	r = f.droverIn("", []string{"EDITOR=true", "VISUAL="}, "doc", "edit", "routing/core")
	if r.code != 0 || !strings.Contains(r.stderr, "nothing was changed") {
		t.Errorf("an edit that changes nothing: %d %s", r.code, r.stderr)
	}
	r = f.droverIn("", []string{"EDITOR=false", "VISUAL="}, "doc", "edit", "routing/core")
	if r.code != 1 || !strings.Contains(r.stderr, "set EDITOR") {
		t.Errorf("an editor that fails: %d %s", r.code, r.stderr)
	}
}

// conflictingEdit has somebody else change the document while the editor is
// open: the text that was typed must not be lost.
func conflictingEdit(t *testing.T, f *fleet) {
	f.must(0, "doc", "put", "cli/shared", "-f", save(t, "s.json", `{"who":"nobody"}`))
	other := save(t, "o.json", `{"who":"somebody else"}`)
	editor := save(t, "editor.sh", fmt.Sprintf("#!/bin/sh\n%q doc put cli/shared -f %q >&2 && echo '{\"who\":\"me\"}' > \"$1\"\n", f.bin.drover, other))
	if err := os.Chmod(editor, 0o700); err != nil {
		t.Fatal(err)
	}
	r := f.droverIn("", []string{"EDITOR=" + editor, "VISUAL="}, "doc", "edit", "cli/shared")
	if r.code != 6 {
		t.Fatalf("%d %s%s, want 6", r.code, r.stdout, r.stderr)
	}
	_, name, ok := strings.Cut(strings.TrimSpace(r.stderr), "kept in ")
	if !ok {
		t.Fatalf("no file is named: %s", r.stderr)
	}
	defer os.Remove(name)
	if text, err := os.ReadFile(name); err != nil || !strings.Contains(string(text), "me") {
		t.Errorf("the file has %s, %v", text, err)
	}
	contains(t, f.must(0, "doc", "get", "cli/shared"), "somebody else")
}

func planAndApply(t *testing.T, f *fleet) {
	dir := filepath.Join(t.TempDir(), "config")
	f.must(0, "export", dir)
	contains(t, f.must(0, "plan", "-f", dir, "--prune", "--exit-code"), "No changes")

	manifest := save(t, "m.yaml", "document: plan/a\nselector: role=edge\ncontent: {x: 1.0}\n---\ndocument: plan/b\ntarget: other/b\ncontent: {y: [1, 2]}\n")
	contains(t, f.must(2, "plan", "-f", manifest, "--exit-code"), "+ plan/a", "+ plan/b", "2 to create", "2 nodes")
	f.must(5, "doc", "get", "plan/a")
	r := f.must(0, "apply", "-f", manifest, "-m", "plan test", "-o", "name")
	f.must(0, "wait", strings.TrimSpace(r.stdout))
	text, err := os.ReadFile(filepath.Join(f.dir, "edge-2", "current", "other", "b.json"))
	if err != nil || strings.TrimSpace(string(text)) != `{"y":[1,2]}` {
		t.Errorf("the agent has %s, %v", text, err)
	}
	contains(t, f.must(0, "apply", "-f", manifest), "No changes")
	if again := f.must(0, "apply", "-f", manifest, "-o", "name"); again.stdout != r.stdout {
		t.Errorf("an apply that changes nothing names revision %q, the files are in %q", again.stdout, r.stdout)
	}

	changed := save(t, "m2.yaml", "document: plan/a\nselector: site=site-1\ncontent: {x: 1}\n---\ndocument: plan/b\ntarget: other/b\nschema: {required: [y]}\ncontent: {y: [1, 2]}\n")
	contains(t, f.must(2, "plan", "-f", changed, "--exit-code"), "~ plan/a", "/x: 1.0 → 1", "selector: role=edge → site=site-1", "~ plan/b", "schema: added", "2 to change")
	f.must(0, "apply", "-f", changed)
	f.must(0, "plan", "-f", changed, "--exit-code")

	bad := save(t, "m3.yaml", "document: plan/a\ncontent: {x: 2}\n---\ndocument: plan/b\ntarget: other/b\nschema: {required: [z]}\ncontent: {y: 1}\n")
	contains(t, f.must(3, "apply", "-f", bad), "plan/b")
	contains(t, f.must(0, "doc", "get", "plan/a"), `"x": 1`) // nothing of it was committed

	f.must(0, "doc", "put", "plan/c", "-f", save(t, "c.json", `{}`))
	f.must(0, "export", dir)
	f.must(0, "doc", "put", "plan/extra", "-f", save(t, "d.json", `{}`))
	contains(t, f.must(2, "plan", "-f", dir, "--prune", "--exit-code"), "- plan/extra", "1 to delete")
	contains(t, f.must(1, "apply", "-f", dir, "--prune"), "--yes")
	f.must(0, "apply", "-f", dir, "--prune", "--yes")
	f.must(5, "doc", "get", "plan/extra")
	f.must(0, "doc", "get", "plan/c")
}

func exitCodes(t *testing.T, f *fleet) {
	ok := save(t, "ok.json", `{"a":1}`)
	f.must(0, "doc", "put", "codes/a", "-f", ok)
	viewer := strings.TrimSpace(f.must(0, "token", "set", "e2e-viewer", "--role", "viewer").stdout)
	for _, c := range []struct {
		code int
		args []string
		says string
	}{
		{3, []string{"doc", "put", "codes/a", "-f", save(t, "b.json", "{\n \"a\":\n}")}, "line 3"},
		{3, []string{"doc", "put", "codes/a", "-f", save(t, "c.json", `{"a":1,"a":2}`)}, "/a"},
		{3, []string{"doc", "put", "codes/a", "-f", save(t, "d.json", `{"a":9007199254740993}`)}, "/a"},
		{3, []string{"doc", "put", "codes/a", "-f", save(t, "e.json", `[1]`)}, "object"},
		{3, []string{"doc", "put", "routing/core", "-f", ok}, "schema"},
		{3, []string{"doc", "put", "Codes/A", "-f", ok}, "name"},
		{3, []string{"doc", "validate", "routing/core", "-f", ok}, "bgp"},
		{3, []string{"plan", "-f", save(t, "m.yaml", "document: x\nkontent: {}\n")}, ":2"},
		{4, []string{"doc", "put", "codes/a", "-f", ok, "--token", viewer}, "editor"},
		{4, []string{"doc", "list", "--token", "nonsense"}, "drover login"},
		{5, []string{"doc", "get", "codes/none"}, "codes/none"},
		{5, []string{"push", "show", "999999"}, ""},
		{5, []string{"node", "show", "nobody"}, "nobody"},
		{6, []string{"doc", "put", "codes/a", "-f", ok, "--if-version", "0"}, "exists already"},
		{6, []string{"doc", "put", "codes/a", "-f", save(t, "f.json", `{"a":3}`), "--if-version", "7"}, "version 1"},
		{9, []string{"doc", "list", "--addr", "https://127.0.0.1:1"}, "--addr"},
		{9, []string{"doc", "list", "--ca", save(t, "wrong.crt", otherCA(t))}, "--ca"},
		{64, []string{"doc", "get"}, "Usage: drover doc get NAME"},
		{64, []string{"doc", "nonsense"}, "nonsense"},
		{64, []string{"doc", "list", "--nonsense"}, "--nonsense"},
		{64, []string{"doc", "list", "-o", "xml"}, "jsonl"},
		{64, []string{"wait", "soon"}, "soon"},
		{64, []string{"doc", "put", "codes/a"}, "-f"},
	} {
		r := f.drover(c.args...)
		if r.code != c.code || !strings.Contains(r.stderr, c.says) {
			t.Errorf("drover %s: %d, want %d and %q\n%s%s", strings.Join(c.args, " "), r.code, c.code, c.says, r.stdout, r.stderr)
		}
		if r.code != 0 && r.stdout != "" && c.args[1] != "validate" {
			t.Errorf("drover %s wrote to standard output although it failed: %s", strings.Join(c.args, " "), r.stdout)
		}
	}
}

// otherCA is a certificate that nothing leads to.
func otherCA(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func waiting(t *testing.T, f *fleet) {
	r := f.must(0, "doc", "put", "wait/a", "-f", save(t, "a.json", `{"n":1}`), "-o", "json")
	var w struct{ Revision int }
	if err := json.Unmarshal([]byte(r.stdout), &w); err != nil {
		t.Fatal(err)
	}
	f.must(0, "wait", fmt.Sprint(w.Revision), "--timeout", "20s")
	f.must(5, "wait", "999999")

	paused := f.file().Agents[1]
	signal(t, paused.PID, syscall.SIGSTOP)
	defer func() { _ = syscall.Kill(paused.PID, syscall.SIGCONT) }() // again, where the test has failed
	first := strings.TrimSpace(f.must(0, "apply", "-f", save(t, "m.yaml", "document: wait/a\ncontent: {n: 2}\n"), "-o", "name").stdout)
	r = f.must(8, "wait", first, "--timeout", "2s")
	contains(t, r, "1 of 2 nodes")
	f.must(0, "wait", first, "--for", "50%", "--timeout", "10s")
	f.must(0, "doc", "put", "wait/a", "-f", save(t, "c.json", `{"n":3}`))
	f.must(8, "wait", first, "--timeout", "1s") // it was superseded, and its successor is awaited
	signal(t, paused.PID, syscall.SIGCONT)
	f.must(0, "wait", first, "--timeout", "40s")
	f.arrives(10*time.Second, "wait/a", 3)
	contains(t, f.must(0, "push", "watch"), "2 of 2 nodes in sync")
	contains(t, f.must(0, "push", "list", "--limit", "3"), "superseded", "done")
	contains(t, f.must(0, "push", "targets"), "edge-1", "edge-2")
}

func nodesByHand(t *testing.T, f *fleet) {
	contains(t, f.must(0, "node", "list", "site=site-1"), "edge-1")
	if r := f.must(0, "node", "list", "site=site-1", "-o", "name"); r.stdout != "edge-1\n" {
		t.Errorf("%q", r.stdout)
	}
	contains(t, f.must(0, "node", "why", "edge-1"), "edge-1")
	contains(t, f.must(0, "node", "show", "edge-1"), "routing/core", "vpn/tunnels")
	contains(t, f.must(0, "node", "label", "edge-1", "tier=gold"), "tier=gold")
	if r := f.must(0, "node", "label", "edge-1", "tier-"); strings.Contains(r.stdout, "tier") {
		t.Errorf("the label is still there: %s", r.stdout)
	}
	f.must(0, "node", "resync", "edge-1")
	f.must(0, "node", "retry", "edge-1")
	token := strings.TrimSpace(f.must(0, "node", "enroll", "--node", "edge-9", "--label", "site=site-9").stdout)
	if token == "" || strings.ContainsAny(token, " \n") {
		t.Errorf("the token is %q", token)
	}
}

func access(t *testing.T, f *fleet) {
	secret := save(t, "pw", "correct horse battery\n")
	contains(t, f.must(64, "user", "set", "ann", "--password-file", secret), "--role")
	f.must(0, "user", "set", "ann", "--role", "editor", "--prefix", "team/", "--password-file", secret)
	contains(t, f.must(0, "user", "list"), "ann", "team/", "editor")
	addr := urls(f.file())[0]
	home := []string{"DROVER_TOKEN=", "DROVER_ADDR=", "DROVER_CA=", "XDG_CONFIG_HOME=" + t.TempDir()}
	as := func(code int, args ...string) result {
		t.Helper()
		r := f.droverIn("", home, args...)
		if r.code != code {
			t.Errorf("drover %s: %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
		}
		return r
	}
	as(4, "login", "ann", "--addr", addr, "--ca", f.file().CA, "--password-file", save(t, "pw2", "wrong password"))
	as(0, "login", "ann", "--addr", addr, "--ca", f.file().CA, "--password-file", secret)
	contains(t, as(0, "whoami"), "ann", "editor", "team/")
	as(0, "doc", "put", "team/a", "-f", save(t, "a.json", `{}`), "-l", "none=none")
	as(4, "doc", "put", "others/a", "-f", save(t, "a.json", `{}`))
	as(4, "user", "list")
	contains(t, as(0, "context", "list"), "default", "session", addr)
	as(0, "logout")
	as(4, "whoami")
	token := strings.TrimSpace(f.must(0, "token", "set", "ci", "--role", "editor", "--expires", "1h").stdout)
	as(0, "context", "set", "ci", "--addr", addr, "--ca", f.file().CA, "--token", token)
	as(0, "context", "use", "ci")
	contains(t, as(0, "whoami"), "ci")
	as(5, "context", "use", "nope")
	id := ""
	for _, line := range strings.Split(f.must(0, "token", "list").stdout, "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[1] == "ci" {
			id = fields[0]
		}
	}
	f.must(0, "token", "remove", id)
	as(4, "whoami")
	f.must(0, "user", "remove", "ann")
	f.must(5, "user", "show", "ann")
}

func audits(t *testing.T, f *fleet) {
	contains(t, f.must(0, "audit", "list", "--action", "change.commit", "--limit", "2"), "change.commit")
	contains(t, f.must(0, "audit", "verify"), "valid")
	export := f.must(0, "audit", "export").stdout
	nowhere := []string{"DROVER_ADDR=https://127.0.0.1:1"} // the file is checked without a cluster
	if r := f.droverIn("", nowhere, "audit", "verify", "-f", save(t, "a.jsonl", export)); r.code != 0 {
		t.Fatalf("%d %s%s", r.code, r.stdout, r.stderr)
	}
	lines := strings.SplitAfter(strings.TrimSpace(export), "\n")
	if len(lines) < 10 {
		t.Fatalf("%d entries only", len(lines))
	}
	without := strings.Join(lines[:4], "") + strings.Join(lines[5:], "")
	for name, text := range map[string]string{
		"an altered entry": strings.Replace(export, `"outcome":"done"`, `"outcome":"dune"`, 1),
		"a missing entry":  without,
		"an added key":     strings.Replace(export, `{"seq"`, `{"note":"x","seq"`, 1),
		"no entries":       "\n",
	} {
		if r := f.droverIn(text, nowhere, "audit", "verify", "-f", "-"); r.code != 3 {
			t.Errorf("%s: %d %s%s", name, r.code, r.stdout, r.stderr)
		}
	}
}

func events(t *testing.T, f *fleet) {
	r := f.must(0, "events", "-o", "jsonl")
	kinds := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(r.stdout), "\n") {
		var e struct{ Type string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		kinds[e.Type] = true
	}
	if !kinds["revision"] || !kinds["push"] {
		t.Errorf("kinds of events: %v", kinds)
	}
}

func formats(t *testing.T, f *fleet) {
	f.must(0, "doc", "put", "formats/a", "-f", save(t, "a.json", `{}`), "--watch") // a push with targets
	for _, format := range []string{"table", "wide", "json", "jsonl", "yaml", "name"} {
		for _, args := range [][]string{
			{"doc", "list"},
			{"node", "list"},
			{"push", "list"},
			{"push", "show"},
			{"push", "targets"},
			{"user", "list"},
			{"token", "list"},
			{"audit", "list"},
			{"cluster", "status"},
			{"whoami"},
			{"node", "show", "edge-1"},
			{"doc", "history", "routing/core"},
		} {
			r := f.must(0, append(args, "-o", format)...)
			if r.stdout == "" || strings.Contains(r.stdout, "\x1b") {
				t.Errorf("%v -o %s: %q", args, format, r.stdout)
			}
			if format == "json" && !json.Valid([]byte(r.stdout)) {
				t.Errorf("%v -o json is not JSON: %s", args, r.stdout)
			}
		}
	}
	contains(t, f.must(0, "cluster", "status"), "ctl-1", "leader")
	f.must(0, "version", "-o", "json")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := f.must(0, "completion", shell); len(r.stdout) < 500 {
			t.Errorf("completion for %s: %q", shell, r.stdout)
		}
	}
	contains(t, f.must(0, "__complete", "doc", "get", ""), "routing/core")
	dir := t.TempDir()
	f.must(0, "man", dir)
	if text, err := os.ReadFile(filepath.Join(dir, "drover-doc-put.1")); err != nil || !strings.Contains(string(text), "put") {
		t.Errorf("man page: %v", err)
	}
}
