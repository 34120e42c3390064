package agent

import (
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func writeConfig(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "agent.yaml")
	must(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}

func TestAConfigurationWithEveryKey(t *testing.T) {
	me, err := user.Current()
	must(t, err)
	name := writeConfig(t, `
node: edge-1
dir: state-of-agent
peers: [ "https://ctl-1:8443", 'http://127.0.0.1:8080' ]
proxy: http://proxy:3128
documents:
  - match: routing/**
    check: [/usr/sbin/routed, --check]
    reload: [systemctl, reload, routed]
    health: [curl, -f, "http://127.0.0.1/health"]
    timeout: 1m30s
    mode: 0600
    owner: `+me.Username+`
    schema: routing.schema.json
  - match: "**"
    mode: "0644"
    owner: "0:0"
`)
	must(t, os.WriteFile(filepath.Join(filepath.Dir(name), "routing.schema.json"), []byte(`{"type":"object"}`), 0o600))
	c, err := ReadConfig(name)
	must(t, err)
	r := c.rule("routing/core/x")
	if c.Node != "edge-1" || !filepath.IsAbs(c.Dir) || len(c.Peers) != 2 || c.Proxy != "http://proxy:3128" {
		t.Errorf("%+v", c)
	}
	uid, _ := strconv.Atoi(me.Uid)
	if r.Timeout != 90*time.Second || r.Mode != 0o600 || r.uid != uid || r.schema == nil || len(r.Check.Argv) != 2 || r.Health.Argv[2] != "http://127.0.0.1/health" {
		t.Errorf("%+v", r)
	}
	if r = c.rule("other"); r.Mode != 0o644 || r.uid != 0 || r.gid != 0 || r.Timeout != 30*time.Second || !r.Reload.IsZero() {
		t.Errorf("%+v", r)
	}
}

func TestAnEmptyConfigurationHasDefaults(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "dir: /var/lib/drover-agent\n"} {
		c, err := ReadConfig(writeConfig(t, text))
		must(t, err)
		if c.Dir != DefaultDir {
			t.Errorf("dir %s", c.Dir)
		}
		if r := c.rule("any/thing"); r.Mode != 0o640 || r.uid != -1 || !r.Reload.IsZero() {
			t.Errorf("%+v", r)
		}
	}
}

func TestComplaintsNameTheKeyAndTheLine(t *testing.T) {
	cases := map[string]string{
		"nodee: x":                    "line 1: nodee: unknown key, known here are ca, dir, documents, node, peers, proxy, serve",
		"dir: x\nnode: Ä":             "node: has another form",
		"peers: https://x":            "line 1: peers: is not a list",
		"peers: ['http://192.0.2.1']": "peers[0]: \"http://192.0.2.1\": plain http is for loopback",
		"peers: ['ctl-1:8443']":       "peers[0]:",
		"dir: [1]":                    "line 1: dir: is not a text",
		"dir: a\ndir: b":              "twice",
		"documents:\n  - match: a\n    reload: service reload": "line 3: documents[0].reload: is a text",
		"documents:\n  - match: a\n    reload: []":             "line 3: documents[0].reload: names no command",
		"documents:\n  - match: a\n    timeout: 30":            "line 3: documents[0].timeout: is not a time",
		"documents:\n  - match: a\n    timeout: 3h":            "documents[0].timeout: is not between",
		"documents:\n  - match: a\n    mode: 999":              "line 3: documents[0].mode: is not a mode",
		"documents:\n  - match: a\n    mode: 0":                "line 3: documents[0].mode: is not a mode",
		"documents:\n  - match: a\n    shell: x":               "line 3: documents[0].shell: unknown key",
		"documents:\n  - check: [a]":                           "line 2: documents[0].match: is missing",
		"documents:\n  - match: '[a'":                          "documents[0].match: is not a glob",
		"documents:\n  - match: a\n    owner: no-such-user-x":  "documents[0].owner: no user",
		"documents:\n  - match: a\n    schema: nowhere.json":   "documents[0].schema:",
		"documents: {}":             "line 1: documents: is not a list",
		"- a":                       "line 1: is not a set of keys and values",
		"ca: nowhere.pem":           "ca:",
		"proxy: ftp://x":            "proxy: is not of the form",
		"dir: 'unclosed":            "",
		"documents:\n  - just-text": "line 2: documents[0]: is not a set",
	}
	for text, want := range cases {
		_, err := ReadConfig(writeConfig(t, text))
		var invalid *ConfigError
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := ReadConfig(filepath.Join(t.TempDir(), "none")); err == nil || errors.As(err, new(*ConfigError)) || !strings.Contains(err.Error(), "write it first") {
		t.Errorf("%v", err)
	}
}

// The page for people has every key, and only those.
func TestEveryKeyIsInTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../docs/agent.md")
	must(t, err)
	page := string(text)
	known := 0
	for prefix, config := range map[string]string{
		"":                         "nope: 1",
		"serve.":                   "serve: {nope: 1}",
		"documents[].":             "documents: [{nope: 1}]",
		"documents[].reload.":      "documents: [{reload: {nope: 1}}]",
		"documents[].reload.http.": "documents: [{reload: {http: {nope: 1}}}]",
	} {
		_, err = ReadConfig(writeConfig(t, config))
		for _, key := range knownKeys(t, err) {
			known++
			if !strings.Contains(page, "| `"+prefix+key+"` |") {
				t.Errorf("docs/agent.md says nothing about %s%s", prefix, key)
			}
		}
	}
	if rows := strings.Count(page, "\n| `"); rows != known {
		t.Errorf("docs/agent.md has %d rows about keys, there are %d keys", rows, known)
	}
}

func knownKeys(t *testing.T, err error) []string {
	t.Helper()
	var invalid *ConfigError
	if !errors.As(err, &invalid) {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(invalid.Problems[0], "known here are ")
	return strings.Split(list, ", ")
}
