package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/droverhq/drover/agent/hook"
	"github.com/droverhq/drover/wire"
)

const serveToken = "a-token-of-some-length"

// listening hands out the address that serve got.
func listening() (Deps, chan string) {
	addresses := make(chan string, 10)
	return Deps{Listen: func(network, on string) (net.Listener, error) {
		l, err := net.Listen(network, on)
		if err == nil {
			addresses <- "http://" + l.Addr().String()
		}
		return l, err
	}}, addresses
}

func pushTo(t *testing.T, url, body string) (status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/admin/config-update", strings.NewReader(body))
	must(t, err)
	req.Header.Set("Authorization", serveToken)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	must(t, resp.Body.Close())
	return resp.StatusCode
}

func TestANodeThatOnlyServesNeedsNoEnrolment(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	name := writeConfig(t, `
node: hook-1
dir: `+dir+`
serve: {listen: "127.0.0.1:0", token: `+serveToken+`, accepts: [webhooks, sub/x]}
documents:
  - match: sub/*
    mode: 0600
    reload: [/bin/sh, -c, "echo $DROVER_CHANGED >> loads"]
`)
	c, err := ReadConfig(name)
	must(t, err)
	deps, addresses := listening()
	run := startAgent(t, c, deps)
	url := <-addresses
	for _, target := range []string{"webhooks", "sub/x"} {
		if status := pushTo(t, url, `{"type":"`+target+`","config":{"a":1},"version":"3"}`); status != 200 {
			t.Errorf("%s: %d", target, status)
		}
	}
	for file, want := range map[string]string{"current/webhooks.json": `{"a":1}`, "current/sub/x.json": `{"a":1}`, "loads": "sub/x\n"} {
		if text, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(text) != want {
			t.Errorf("%s: %q %v", file, text, err)
		}
	}
	for file, want := range map[string]os.FileMode{"current/webhooks.json": 0o640, "current/sub/x.json": 0o600} {
		info, err := os.Stat(filepath.Join(dir, file))
		must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%s: %v", file, info.Mode())
		}
	}
	st, err := ReadStatus(c)
	must(t, err)
	if st.Node != "hook-1" || st.Cluster != "" || st.Serve == nil || !st.Serve.Running || st.Serve.ID != "hook-1" || len(st.Serve.Files) != 2 {
		t.Errorf("%+v", st)
	}
	run.stop()
}

func TestANodeMayHaveBothAChannelAndAnInstance(t *testing.T) {
	n := newNode(t)
	c := n.config(Rule{Match: "**", Mode: 0o600})
	p := &parser{}
	apart := p.serveWith(c, filepath.Join(n.dir, "served"))
	if len(p.problems) > 0 {
		t.Fatal(p.problems)
	}
	deps, addresses := listening()
	startAgent(t, apart, deps)
	l, url := n.peer.session(), <-addresses
	v1 := docs{"a": `{"x":1}`}
	n.acked(l, n.update(1, nil, v1), v1)
	if status := pushTo(t, url, `{"type":"webhooks","config":{"a":1}}`); status != 200 {
		t.Errorf("%d", status)
	}
	runs(t, n.dir, v1)
	st, err := ReadStatus(apart)
	if err != nil || st.Node != "edge-1" || len(st.Documents) != 1 || st.Serve == nil || len(st.Serve.Files) != 1 {
		t.Errorf("%+v %v", st, err)
	}
	// Without peers the identity on the disk tells that there is a channel.
	p = &parser{}
	same := p.serveWith(Config{Dir: n.dir}, n.dir)
	if err := New(same, Deps{}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "give serve.dir a directory of its own") {
		t.Errorf("%v", err)
	}
}

// serveWith adds an instance to a configuration.
func (p *parser) serveWith(c Config, dir string) Config {
	text := fmt.Sprintf("serve: {listen: '127.0.0.1:0', token: %s, dir: %s}", serveToken, dir)
	parsed := p.parse([]byte(text))
	c.Serve = parsed.Serve
	p.checkServe(&c, "/")
	return c
}

// An address that is taken ends a node that only serves, so that its supervisor
// sees it, and does not cut a node with a channel off.
func TestAnAddressThatIsTaken(t *testing.T) {
	taken := Deps{Listen: func(string, string) (net.Listener, error) { return nil, syscall.EADDRINUSE }}
	p := &parser{}
	if err := New(p.serveWith(Config{Dir: t.TempDir()}, t.TempDir()), taken).Run(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("%v", err)
	}
	n := newNode(t)
	run := startAgent(t, p.serveWith(n.config(), filepath.Join(n.dir, "served")), taken)
	l := n.peer.session()
	v1 := docs{"a": `{"x":1}`}
	n.acked(l, n.update(1, nil, v1), v1)
	run.stop()
}

func TestComplaintsAboutServeAndHooks(t *testing.T) {
	const rule = "documents:\n  - match: a\n    "
	cases := map[string]string{
		"serve: yes": "line 1: serve: is not a set",
		"serve: {}":  "serve.listen: is missing",
		"serve: {listen: ':1', token: " + serveToken + "}":                                           "in the clear",
		"serve:\n  listen: 127.0.0.1:1\n  tokn: x":                                                   "line 3: serve.tokn: unknown key",
		"serve:\n  rate: many":                                                                       "line 2: serve.rate: is not a whole number",
		"serve: {listen: '127.0.0.1:1', token: short}":                                               "serve.token: a token has 5 characters",
		"serve: {listen: '127.0.0.1:1', token_file: none}":                                           "none: no such file",
		"serve: {listen: '127.0.0.1:1', token: " + serveToken + "}\npeers: ['https://ctl-1:8443']":   "serve.dir: has to differ from dir",
		"serve: {listen: '127.0.0.1:1', token: " + serveToken + ", accepts: [a, 'b.json']}":          "serve.accepts[1]: ",
		"serve: {listen: '127.0.0.1:1', token: " + serveToken + ", cert: a.pem}":                     "serve.cert: cert and key belong together",
		rule + "reload: {signal: KILL, pid_file: x}":                                                 `documents[0].reload.signal: "KILL" is none of`,
		rule + "reload: {signal: HUP}":                                                               "documents[0].reload: a signal needs both keys",
		rule + "reload: {pid_file: x}":                                                               "a signal needs both keys",
		rule + "reload: {}":                                                                          "is either a command",
		rule + "reload: {signal: HUP, pid_file: x, http: {url: 'http://127.0.0.1/'}}":                "is either a command",
		rule + "health: {signal: HUP, pid_file: x}":                                                  "documents[0].health: a signal has no answer",
		rule + "check: {http: {url: 'http://127.0.0.1/'}}":                                           "documents[0].check: is not a list",
		rule + "reload: {http: {}}":                                                                  "documents[0].reload.http.url: is not of the form",
		rule + "reload: {http: {url: 'http://192.0.2.1/x'}}":                                         "plain http is for loopback",
		rule + "reload: {http: {url: 'https://u:p@h/x'}}":                                            "is not of the form",
		rule + "reload: {http: {url: 'https://h/x', method: DELETE}}":                                "documents[0].reload.http.method: is none of",
		rule + "reload: {http: {url: 'https://h/x', token: a, token_file: b}}":                       "one is enough",
		rule + "reload: {http: {url: 'https://h/x', ca: none}}":                                      "documents[0].reload.http.ca: ",
		rule + "reload: {http: {url: 'https://h/x', tls: no}}":                                       "unknown key",
		"dir: x\n" + rule + "reload: {http: {url: 'https://h/x?q=1', token: a}}\n    health: [true]": "",
	}
	for text, want := range cases {
		_, err := ReadConfig(writeConfig(t, text))
		var invalid *ConfigError
		if want == "" {
			must(t, err)
		} else if !errors.As(err, &invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// The examples for people are right, but for the files that they name.
func TestExamplesAreValid(t *testing.T) {
	page, err := os.ReadFile("../docs/agent.md")
	must(t, err)
	shipped, err := os.ReadFile("../deploy/systemd/agent-instance.yaml")
	must(t, err)
	examples := []string{string(shipped)}
	for i, block := range strings.Split(string(page), "\n```\n") {
		if i%2 == 1 && !strings.HasPrefix(block, "drover-agent ") {
			examples = append(examples, block)
		}
	}
	if len(examples) != 3 {
		t.Fatalf("%d examples were found", len(examples))
	}
	for _, text := range examples {
		_, err := ReadConfig(writeConfig(t, text))
		var invalid *ConfigError
		if err != nil && !errors.As(err, &invalid) {
			t.Fatal(err)
		}
		if err == nil {
			continue
		}
		for _, problem := range invalid.Problems {
			if !strings.Contains(problem, "no such file") {
				t.Errorf("%s in:\n%s", problem, text)
			}
		}
	}
}

func TestHooksAreReadWithTheirFiles(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, newAuthority(t).pem(), 0o600))
	name := writeConfig(t, `
documents:
  - match: a
    reload: {signal: usr1, pid_file: app.pid}
    health: {http: {url: "http://127.0.0.1:1/healthz"}}
  - match: b
    reload: {http: {url: "https://app:1/reload?x=1", method: put, token_file: app.token, ca: "`+ca+`"}}
`)
	c, err := ReadConfig(name)
	must(t, err)
	base := filepath.Dir(name)
	a, b := c.Documents[0], c.Documents[1]
	if *a.Reload.Signal != (hook.Signal{Number: syscall.SIGUSR1, PIDFile: filepath.Join(base, "app.pid")}) || a.Health.HTTP.Method != "GET" || a.Health.HTTP.Roots != nil {
		t.Errorf("%+v", a)
	}
	if r := b.Reload.HTTP; r.Method != "PUT" || r.TokenFile != filepath.Join(base, "app.token") || r.Roots == nil {
		t.Errorf("%+v", r)
	}
}

// The WebSocket agent reloads by the endpoint of an application, and asks for
// its health, and takes back what that refuses.
func TestAnAgentReloadsByHTTPAndBySignal(t *testing.T) {
	n := newNode(t)
	var reloads atomic.Int64
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := os.ReadFile(filepath.Join(n.dir, "current", "a.json"))
		if r.Method == http.MethodPost {
			reloads.Add(1)
		}
		if err != nil || strings.Contains(string(text), "bad") || r.Method == http.MethodPost && r.Header.Get("Authorization") != "Bearer its-token" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"status":"error","error":"x is bad"}`))
		}
	}))
	t.Cleanup(app.Close)
	program := exec.Command("/bin/sh", "-c", `trap 'echo loaded >> signalled' HUP; echo $$ > app.tmp; mv app.tmp app.pid; echo; while :; do sleep 0.02; done`)
	program.Dir = n.dir
	ready, err := program.StdoutPipe()
	must(t, err)
	must(t, program.Start())
	t.Cleanup(sync.OnceFunc(func() { _ = program.Process.Kill(); _ = program.Wait() }))
	_, err = ready.Read(make([]byte, 1))
	must(t, err)
	startAgent(t, n.config(
		Rule{Match: "a", Health: hook.Action{HTTP: &hook.Request{Method: "GET", URL: app.URL + "/healthz"}},
			Reload: hook.Action{HTTP: &hook.Request{Method: "POST", URL: app.URL + "/admin/reload-config", Token: "its-token"}}},
		Rule{Match: "s", Reload: hook.Action{Signal: &hook.Signal{Number: syscall.SIGHUP, PIDFile: filepath.Join(n.dir, "app.pid")}},
			Health: script(`for i in $(seq 500); do test -s signalled && exit; sleep 0.02; done; exit 1`)}), Deps{})
	l := n.peer.session()
	v1 := docs{"a": `{"x":1}`, "s": `{"y":1}`}
	n.acked(l, n.update(1, nil, v1), v1)
	e := n.refused(l, n.update(2, v1, v1.with(docs{"a": `{"x":"bad"}`})), wire.CodeHookFailed, v1)
	if p := e.Errors[0]; p.Target != "a" || p.Stage != wire.StageHook || !strings.Contains(p.LogTail, "x is bad") || reloads.Load() != 3 {
		t.Errorf("%+v after %d reloads", e, reloads.Load())
	}
	if got := n.lines("signalled"); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// A stop ends both, whichever way it comes.
func TestAStopEndsWhatServes(t *testing.T) {
	p := &parser{}
	deps, addresses := listening()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- New(p.serveWith(Config{Dir: t.TempDir()}, t.TempDir()), deps).Run(ctx) }()
	<-addresses
	cancel()
	must(t, <-ended)
}
