package serve

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/droverhq/drover/agent/hook"
	"github.com/droverhq/drover/document/schema"
)

const (
	v1  = `{"x":1}`
	bad = `{"x":"bad"}`
)

// await waits for a condition that another process brings about.
func await(t testing.TB, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !is(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about", what)
		}
	}
}

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if os.IsNotExist(err) {
		return ""
	}
	must(t, err)
	return string(text)
}

func TestAFailureLeavesTheContentBefore(t *testing.T) {
	forbids, err := schema.Compile([]byte(`{"properties":{"x":{"type":"integer"}}}`))
	must(t, err)
	const spoiled = `! grep -q bad current/a.json`
	cases := []struct {
		name        string
		rule        Rule
		status      int
		stage, code string
		tail        string
		restored    bool
		loads       string // what the application loaded, in order
	}{
		{name: "schema", rule: Rule{Schema: forbids}, status: 400, stage: "validate", code: "schema_invalid"},
		{name: "check", rule: Rule{Check: script(`cat $DROVER_STAGED/*.json $DROVER_CURRENT/a.json; echo $DROVER_CHANGED; ! grep -q bad $DROVER_STAGED/a.json`)},
			status: 400, stage: "validate", code: "check_failed", tail: bad + `{"y":1}` + v1 + "a"},
		{name: "reload", rule: Rule{Reload: script(`cat current/a.json >> loads; echo why; ` + spoiled)},
			status: 400, stage: "hook", code: "hook_failed", tail: "why", restored: true, loads: v1 + bad + v1},
		{name: "health", rule: Rule{Reload: script(`cat current/a.json >> loads`), Health: script(`echo ill; ` + spoiled)},
			status: 400, stage: "health", code: "unhealthy", tail: "ill", restored: true, loads: v1 + bad + v1},
		{name: "time-out", rule: Rule{Timeout: 3 * time.Second, Reload: script(`cat current/a.json >> loads; echo slow; grep -q bad current/a.json && sleep 600; true`)},
			status: 400, stage: "hook", code: "hook_timeout", tail: "slow", restored: true, loads: v1 + bad + v1},
		{name: "the file is changed by the reload", rule: Rule{Reload: script(`cat current/a.json >> loads; grep -q bad current/a.json && echo '{}' > current/a.json; true`)},
			status: 500, stage: "write", code: "write_failed", restored: true, loads: v1 + bad + v1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := c.rule
			r.Mode, r.UID, r.GID = 0o640, -1, -1
			if r.Timeout == 0 {
				r.Timeout = patience
			}
			i := start(t, Config{Rule: func(target string) *Rule {
				if target == "a" {
					return &r
				}
				return plain()
			}}, Deps{})
			i.pushed("sub/b", `{"y":1}`)
			i.pushed("b", `{"y":1}`)
			i.pushed("a", v1)
			s := i.push("a", bad)
			d := s.reply.Details
			if s.status != c.status || s.reply.Status != "error" || d.Stage != c.stage || d.Code != c.code || d.Restored != c.restored ||
				strings.ReplaceAll(d.LogTail, "\n", "") != c.tail || s.reply.Version != version(t, v1) {
				t.Errorf("%d %s", s.status, s.text)
			}
			i.holds("a", v1)
			if got := read(t, filepath.Join(i.dir, "loads")); got != c.loads {
				t.Errorf("the application loaded %s, want %s", got, c.loads)
			}
			i.pushed("a", `{"x":2}`) // and it goes on
			i.holds("a", `{"x":2}`)
		})
	}
}

func TestARefusedFirstContentLeavesNothing(t *testing.T) {
	r := plain()
	r.Reload = script(`! grep -q bad current/sub/a.json`)
	i := start(t, Config{Rule: always(r)}, Deps{})
	if s := i.push("sub/a", bad); s.status != 400 || !s.reply.Details.Restored || s.reply.Version != "" {
		t.Errorf("%d %s", s.status, s.text)
	}
	i.holds("sub/a", "")
}

// An application that does not even take its old content back may run anything:
// the same content is loaded again when it is pushed.
func TestAReloadOfTheOldContentThatFailsIsNotForgotten(t *testing.T) {
	r := plain()
	i := start(t, Config{Rule: always(r)}, Deps{})
	r.Reload = script(`cat current/a.json >> loads; test ! -e broken`)
	i.pushed("a", v1)
	must(t, os.WriteFile(filepath.Join(i.dir, "broken"), nil, 0o600))
	if s := i.push("a", `{"x":2}`); s.status != 400 || !s.reply.Details.Restored || !strings.Contains(s.error(), "its reload failed too") {
		t.Errorf("%d %s", s.status, s.text)
	}
	i.onTrial("a", v1)
	must(t, os.Remove(filepath.Join(i.dir, "broken")))
	i.pushed("a", v1)
	i.holds("a", v1)
	i.pushed("a", v1)
	if got := read(t, filepath.Join(i.dir, "loads")); got != v1+`{"x":2}`+v1+v1 {
		t.Error(got)
	}
	// Nor is it known what the application runs when this process starts anew.
	i.stop()
	again := start(t, Config{Dir: i.dir, Rule: always(r)}, Deps{})
	again.pushed("a", v1)
	again.pushed("a", v1)
	if got := read(t, filepath.Join(i.dir, "loads")); got != v1+`{"x":2}`+v1+v1+v1 {
		t.Error(got)
	}
}

// onTrial checks that a content was put back on the disk, and that it is not
// forgotten that the application did not load it.
func (i *instance) onTrial(target, content string) {
	i.t.Helper()
	st, err := ReadStatus(i.server.config)
	must(i.t, err)
	if len(st.OnTrial) != 1 || st.OnTrial[0] != target || i.file(target) != content {
		i.t.Errorf("%q is on the disk, on trial: %v", i.file(target), st.OnTrial)
	}
}

func TestReloadBySignal(t *testing.T) {
	r := plain()
	i := start(t, Config{Rule: always(r)}, Deps{})
	pid := filepath.Join(i.dir, "app.pid")
	r.Reload = hook.Action{Signal: &hook.Signal{Number: syscall.SIGHUP, PIDFile: pid}}
	refused := func(why string) {
		t.Helper()
		s := i.push("a", bad)
		if s.status != 400 || s.reply.Details.Code != "hook_failed" || !strings.Contains(s.error(), why) {
			t.Errorf("%d %s; want %s", s.status, s.text, why)
		}
	}
	refused("no such file")
	app := exec.Command("/bin/sh", "-c", `trap 'cat current/a.json > loaded' HUP; echo $$ > app.tmp; mv app.tmp app.pid; while :; do sleep 0.02; done`)
	app.Dir = i.dir
	must(t, app.Start())
	end := sync.OnceFunc(func() { _ = app.Process.Kill(); _ = app.Wait() })
	t.Cleanup(end)
	await(t, "the application", func() bool { return read(t, pid) != "" })
	i.pushed("a", v1)
	await(t, "the reload", func() bool { return read(t, filepath.Join(i.dir, "loaded")) == v1 })
	r.Health = script(`for i in $(seq 500); do grep -q . loaded && cmp -s loaded current/a.json && break; sleep 0.02; done; ! grep -q bad loaded`)
	if s := i.push("a", bad); s.status != 400 || s.reply.Details.Code != "unhealthy" {
		t.Errorf("%d %s", s.status, s.text)
	}
	await(t, "the old content", func() bool { return read(t, filepath.Join(i.dir, "loaded")) == v1 })
	i.holds("a", v1)
	end()
	refused("no such process: " + strconv.Itoa(app.Process.Pid))
	i.onTrial("a", v1)
}

// application is one with a reload endpoint; it refuses what says bad.
type application struct {
	dir    string
	loads  atomic.Pointer[string]
	busy   atomic.Int64 // this many times
	answer atomic.Pointer[http.HandlerFunc]
	other  atomic.Int64 // calls to other paths
}

func (a *application) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch answer := a.answer.Load(); {
	case r.URL.Path != "/admin/reload-config":
		a.other.Add(1)
	case r.Method != http.MethodPost || r.Header.Get("Authorization") != "Bearer its-token":
		w.WriteHeader(http.StatusUnauthorized)
	case a.busy.Add(-1) >= 0:
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"detail":"Reload already in progress"}`))
	case answer != nil:
		(*answer)(w, r)
	default:
		text, err := os.ReadFile(filepath.Join(a.dir, currentDir, "a.json"))
		if err != nil || strings.Contains(string(text), "bad") {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"status":"error","error":"x is bad, and its-token is a token"}`))
			return
		}
		loaded := string(text)
		a.loads.Store(&loaded)
	}
}

func TestReloadByHTTP(t *testing.T) {
	r := plain()
	i := start(t, Config{Rule: always(r)}, Deps{})
	app := &application{dir: i.dir}
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	r.Reload = hook.Action{HTTP: &hook.Request{Method: "POST", URL: server.URL + "/admin/reload-config", Token: "its-token"}}
	i.pushed("a", v1)
	if *app.loads.Load() != v1 {
		t.Error(*app.loads.Load())
	}
	s := i.push("a", bad)
	if s.status != 400 || s.reply.Details.Code != "hook_failed" || !strings.Contains(s.reply.Details.LogTail, "x is bad, and [redacted] is") || strings.Contains(s.text, "its-token") {
		t.Errorf("%d %s", s.status, s.text)
	}
	i.holds("a", v1)

	app.busy.Store(1) // it is asked again
	i.pushed("a", `{"x":2}`)

	answers := func(f http.HandlerFunc) said {
		app.answer.Store(&f)
		return i.push("a", `{"x":3}`)
	}
	s = answers(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	if s.status != 400 || !strings.Contains(s.error(), "redirects are not followed") || app.other.Load() != 0 {
		t.Errorf("%d %s, followed %d times", s.status, s.text, app.other.Load())
	}
	s = answers(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"status":"error","error":"no"}`))
	})
	if s.status != 400 || s.reply.Details.Code != "hook_failed" {
		t.Errorf("%d %s", s.status, s.text)
	}
	r.Timeout = 2 * time.Second
	s = answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	if s.status != 503 || s.reply.Details.Code != "busy" || s.header.Get("Retry-After") == "" || !s.reply.Details.Restored {
		t.Errorf("%d %s", s.status, s.text)
	}
	s = answers(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if s.status != 400 || s.reply.Details.Code != "hook_timeout" {
		t.Errorf("%d %s", s.status, s.text)
	}
	r.Timeout = patience
	i.onTrial("a", `{"x":2}`)
	app.answer.Store(nil)
	i.pushed("a", `{"x":2}`)
	i.holds("a", `{"x":2}`)
	server.Close()
	if s = i.push("a", `{"x":3}`); s.status != 400 || !strings.Contains(s.error(), "refused") {
		t.Errorf("%d %s", s.status, s.text)
	}
	i.onTrial("a", `{"x":2}`)
}

// An instance of ours can be the application of another.
func TestAnInstanceIsTheHookOfAnother(t *testing.T) {
	behind := start(t, Config{}, Deps{})
	behind.pushed("x", `{"y":1}`)
	r := plain()
	front := start(t, Config{Rule: always(r)}, Deps{})
	r.Reload = hook.Action{HTTP: &hook.Request{Method: "POST", URL: behind.url + "/admin/reload-config", Token: token}}
	front.pushed("a", v1)
	must(t, os.WriteFile(filepath.Join(behind.dir, currentDir, "x.json"), []byte("{"), 0o600))
	if s := front.push("a", `{"x":2}`); s.status != 400 || !strings.Contains(s.reply.Details.LogTail, "x: the name of a member is missing") {
		t.Errorf("%d %s", s.status, s.text)
	}
	front.onTrial("a", v1)
	behind.pushed("x", `{"y":1}`)
	front.pushed("a", `{"x":2}`)
	front.holds("a", `{"x":2}`)
}

// held is an instance whose reload waits for the file go.
func heldUp(t *testing.T) (i *instance, done chan said) {
	r := plain()
	i = start(t, Config{Rule: always(r)}, Deps{})
	i.pushed("a", v1)
	r.Reload = script(`touch reloading; for n in $(seq 1500); do test -e go && exit; sleep 0.02; done; exit 1`)
	done = make(chan said, 1)
	return i, done
}

func (i *instance) reloading() {
	await(i.t, "the reload", func() bool { _, err := os.Stat(filepath.Join(i.dir, "reloading")); return err == nil })
}

func (i *instance) let() { must(i.t, os.WriteFile(filepath.Join(i.dir, "go"), nil, 0o600)) }

func TestOneUpdateAtATime(t *testing.T) {
	i, done := heldUp(t)
	go func() {
		s, err := i.try(context.Background(), "POST", "/admin/config-update", pushOf("a", `{"x":2}`))
		if err != nil {
			s.text = err.Error()
		}
		done <- s
	}()
	i.reloading()
	for _, s := range []said{i.push("a", `{"x":3}`), i.push("b", v1), i.call("POST", "/admin/reload-config", "")} {
		if s.status != 503 || s.error() != "Reload already in progress" || s.header.Get("Retry-After") != "1" || s.reply.Details.Code != "busy" {
			t.Errorf("%d %s", s.status, s.text)
		}
	}
	// What is on trial does not count yet.
	if got := i.get("/admin/config-version")["a_version"]; got != version(t, v1) || i.file("a") != `{"x":2}` {
		t.Errorf("config-version says %v while %s is on trial", got, i.file("a"))
	}
	if st, err := ReadStatus(i.server.config); err != nil || len(st.OnTrial) != 1 || st.OnTrial[0] != "a" {
		t.Errorf("%+v %v", st, err)
	}
	i.let()
	if s := <-done; s.status != 200 {
		t.Errorf("%d %s", s.status, s.text)
	}
	i.holds("a", `{"x":2}`)
}

func TestAnUpdateGoesOnWithoutItsCaller(t *testing.T) {
	i, _ := heldUp(t)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := i.try(ctx, "POST", "/admin/config-update", pushOf("a", `{"x":2}`))
		gone <- err
	}()
	i.reloading()
	cancel()
	if err := <-gone; err == nil {
		t.Fatal("the caller did not go away")
	}
	i.let()
	i.idle()
	i.holds("a", `{"x":2}`)
}

func TestAStopTakesAnUpdateBack(t *testing.T) {
	i, done := heldUp(t)
	go func() {
		s, err := i.try(context.Background(), "POST", "/admin/config-update", pushOf("a", `{"x":2}`))
		if err != nil {
			s.text = err.Error()
		}
		done <- s
	}()
	i.reloading()
	stopped := make(chan struct{})
	go func() { i.stop(); close(stopped) }()
	await(t, "the content before", func() bool { return i.file("a") == v1 })
	i.let()
	s := <-done
	<-stopped
	if s.status != 503 || s.reply.Details.Code != "stopping" || !s.reply.Details.Restored {
		t.Errorf("%d %s", s.status, s.text)
	}
	again := start(t, Config{Dir: i.dir}, Deps{})
	again.holds("a", v1)
}

// Whatever wins, what is held is one of the accepted contents, and whole.
func TestManyPushesAtOnce(t *testing.T) {
	r := plain()
	r.Reload = script(`cat current/a.json > loaded`)
	i := start(t, Config{Rule: always(r)}, Deps{})
	const callers, each = 8, 12
	var accepted sync.Map
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for n := range each {
				content := fmt.Sprintf(`{"x":%d,"fill":%q}`, c*each+n, strings.Repeat("x", 2000))
				s, err := i.try(context.Background(), "POST", "/admin/config-update", pushOf("a", content))
				switch {
				case err != nil:
					t.Error(err)
				case s.status == 200:
					accepted.Store(content, true)
				case s.status != 503:
					t.Errorf("%d %s", s.status, s.text)
				}
				if s, err := i.try(context.Background(), "GET", "/admin/config-version", ""); err != nil || s.status != 200 || strings.Contains(s.text, "errors") {
					t.Errorf("%d %s %v", s.status, s.text, err)
				}
			}
		})
	}
	wg.Wait()
	if _, ok := accepted.Load(i.file("a")); !ok {
		t.Errorf("%q was not accepted", i.file("a"))
	}
	if got := read(t, filepath.Join(i.dir, "loaded")); got != i.file("a") {
		t.Errorf("the application runs %q", got)
	}
	i.holds("a", i.file("a"))
}

func TestReloadOfEverythingRunsEachRuleOnce(t *testing.T) {
	one, two := plain(), plain()
	i := start(t, Config{Rule: func(target string) *Rule {
		if target == "z" {
			return two
		}
		return one
	}}, Deps{})
	for _, target := range []string{"a", "b", "z"} {
		i.pushed(target, v1)
	}
	one.Reload = script(`echo one $DROVER_CHANGED >> loads`)
	two.Check = script(`test "$DROVER_STAGED" = "$DROVER_CURRENT" -a -e $DROVER_STAGED/z.json`)
	two.Reload = script(`echo two $DROVER_CHANGED >> loads`)
	if s := i.call("POST", "/admin/reload-config", ""); s.status != 200 || s.reply.Version != "7" {
		t.Errorf("%d %s", s.status, s.text)
	}
	if got := read(t, filepath.Join(i.dir, "loads")); got != "one a b\ntwo z\n" {
		t.Errorf("%q", got)
	}
	two.Health = script(`exit 1`)
	if s := i.call("POST", "/admin/reload-config", ""); s.status != 400 || s.reply.Details.Code != "unhealthy" || s.reply.Details.Restored {
		t.Errorf("%d %s", s.status, s.text)
	}
}
