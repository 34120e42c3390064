package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/droverhq/drover/agent/hook"
	"github.com/droverhq/drover/document"
)

const (
	token    = "a-token-of-some-length"
	patience = 30 * time.Second
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(childEnv); spec != "" {
		childMain(spec)
		return
	}
	goleak.VerifyTestMain(m)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func script(text string) hook.Action { return hook.Action{Argv: []string{"/bin/sh", "-c", text}} }

// plain is a rule that runs nothing; all targets fall under the one given.
func plain() *Rule { return &Rule{Mode: 0o640, UID: -1, GID: -1, Timeout: patience} }

func always(r *Rule) func(string) *Rule { return func(string) *Rule { return r } }

// instance is a server that runs, and a client of it.
type instance struct {
	t      testing.TB
	server *Server
	dir    string
	url    string
	token  string
	client *http.Client
	stop   func() // ends it and waits
}

func start(t testing.TB, c Config, d Deps) *instance {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Token == "" && c.TokenFile == "" {
		c.Token = token
	}
	if c.Rate == 0 {
		c.Rate = maxRate
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	c.Check(func(key, message string) { t.Fatalf("serve.%s: %s", key, message) })
	address := make(chan string, 1)
	d.Listen = func(network, on string) (net.Listener, error) {
		l, err := net.Listen(network, on)
		if err == nil {
			address <- l.Addr().String()
		}
		return l, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	i := &instance{t: t, server: New(c, d), dir: c.Dir, token: string(c.Token), client: &http.Client{Transport: &http.Transport{}}}
	done := make(chan error, 1)
	go func() { done <- i.server.Run(ctx) }()
	stopped := false
	i.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server ended with %v", err)
		}
		i.client.CloseIdleConnections()
	}
	select {
	case a := <-address:
		i.url = "http://" + a
	case err := <-done:
		t.Fatalf("the server did not start: %v", err)
	}
	t.Cleanup(i.stop)
	i.idle()
	return i
}

// idle waits until no update and no recovery runs.
func (i *instance) idle() {
	for !i.server.working.TryLock() {
		runtime.Gosched()
	}
	i.server.working.Unlock()
}

// said is an answer.
type said struct {
	status int
	header http.Header
	text   string
	reply  reply
}

func (s said) error() string {
	if s.reply.Error == nil {
		return ""
	}
	return *s.reply.Error
}

func (i *instance) call(method, path, body string) said {
	i.t.Helper()
	s, err := i.try(context.Background(), method, path, body)
	must(i.t, err)
	return s
}

func (i *instance) try(ctx context.Context, method, path, body string) (s said, err error) {
	req, err := http.NewRequestWithContext(ctx, method, i.url+path, strings.NewReader(body))
	if err != nil {
		return s, err
	}
	if i.token != "" {
		req.Header.Set("Authorization", "Bearer "+i.token)
	}
	return i.do(req)
}

func (i *instance) do(req *http.Request) (s said, err error) {
	resp, err := i.client.Do(req)
	if err != nil {
		return s, err
	}
	text, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return s, err
	}
	s = said{status: resp.StatusCode, header: resp.Header, text: string(text)}
	return s, json.Unmarshal(text, &s.reply)
}

func pushOf(target, content string) string {
	return fmt.Sprintf(`{"type":%q,"config":%s,"version":"7","source":"drover"}`, target, content)
}

func (i *instance) push(target, content string) said {
	i.t.Helper()
	return i.call("POST", "/admin/config-update", pushOf(target, content))
}

// pushed pushes what must be accepted.
func (i *instance) pushed(target, content string) {
	i.t.Helper()
	if s := i.push(target, content); s.status != 200 || s.reply.Status != "success" || s.reply.Version != version(i.t, content) {
		i.t.Fatalf("%d %s", s.status, s.text)
	}
}

func version(t testing.TB, content string) string {
	t.Helper()
	v, err := document.InstanceVersion([]byte(content))
	must(t, err)
	return v
}

func (i *instance) get(path string) map[string]any {
	i.t.Helper()
	s := i.call("GET", path, "")
	out := map[string]any{}
	must(i.t, json.Unmarshal([]byte(s.text), &out))
	if s.status != 200 {
		i.t.Fatalf("%s: %d %s", path, s.status, s.text)
	}
	return out
}

func (i *instance) file(target string) string {
	i.t.Helper()
	text, err := os.ReadFile(filepath.Join(i.dir, currentDir, target+extension))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	must(i.t, err)
	return string(text)
}

// holds checks the file, what config-version says, and that nothing is on trial.
func (i *instance) holds(target, content string) {
	i.t.Helper()
	if got := i.file(target); got != content {
		i.t.Errorf("the file of %s is %q, want %q", target, got, content)
	}
	got, want := i.get("/admin/config-version")[target+"_version"], any(nil)
	if content != "" {
		want = version(i.t, content)
	}
	if got != want {
		i.t.Errorf("config-version says %v of %s, want %v", got, target, want)
	}
	if left, err := filepath.Glob(filepath.Join(i.dir, undoDir, "*")); err != nil || len(left) > 0 {
		i.t.Errorf("on trial: %v %v", left, err)
	}
	if left, err := filepath.Glob(filepath.Join(i.dir, newDir, "*")); err != nil || len(left) > 0 {
		i.t.Errorf("left behind: %v %v", left, err)
	}
}

func TestAPushReachesTheFileAndEveryAnswer(t *testing.T) {
	clock := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	i := start(t, Config{ID: "hook-1"}, Deps{Version: "1.2.3", Now: func() time.Time { return clock }})
	if info := i.get("/admin/instance-info"); info["last_reload"] != nil || info["config_version"] != "" || info["webhooks_count"] != 0.0 {
		t.Errorf("before the first push: %v", info)
	}
	// Key order, escapes and number literals are kept; white space is not.
	content := `{"b":1.0,"a":{"é":"\u00e9"}}`
	s := i.push("webhooks", " "+strings.ReplaceAll(content, ",", " ,\n "))
	if s.status != 200 || s.reply.Status != "success" || s.reply.Error != nil || s.reply.InstanceID != "hook-1" ||
		s.reply.Timestamp != "2026-11-21T12:00:00Z" || !*s.reply.Details.Changed || s.reply.Version != version(t, content) {
		t.Errorf("%d %s", s.status, s.text)
	}
	i.holds("webhooks", content)
	i.pushed("connections", `{"db":{"type":"postgres"}}`)
	i.pushed("routing/core", `{"x":1}`)
	i.holds("routing/core", `{"x":1}`)
	host, err := os.Hostname()
	must(t, err)
	want := map[string]any{"instance_id": "hook-1", "hostname": host, "version": "1.2.3", "uptime_seconds": 0.0,
		"webhooks_count": 2.0, "connections_count": 1.0, "config_version": "7", "last_reload": "2026-11-21T12:00:00Z"}
	info := i.get("/admin/instance-info")
	for key, value := range want {
		if info[key] != value {
			t.Errorf("%s is %v, want %v", key, info[key], value)
		}
	}
	versions := i.get("/admin/config-version")
	if len(versions) != 4 || versions["connections_version"] != version(t, `{"db":{"type":"postgres"}}`) || versions["last_reload"] != "2026-11-21T12:00:00Z" {
		t.Errorf("%v", versions)
	}
}

// The hash is CPython's: this one was made with json and hashlib.
func TestTheHashIsThatOfPythonServices(t *testing.T) {
	i := start(t, Config{}, Deps{})
	if s := i.push("webhooks", `{"a":1.0}`); s.reply.Version != "742609b207f0900a" {
		t.Error(s.text)
	}
}

func TestAContentThatRunsAlreadyIsNotLoadedAgain(t *testing.T) {
	r := plain()
	i := start(t, Config{Rule: always(r)}, Deps{})
	r.Reload = script("echo x >> reloads")
	i.pushed("a", `{"x":1}`)
	if s := i.push("a", `{ "x": 1 }`); s.status != 200 || *s.reply.Details.Changed {
		t.Errorf("%d %s", s.status, s.text)
	}
	if text, err := os.ReadFile(filepath.Join(i.dir, "reloads")); err != nil || string(text) != "x\n" {
		t.Errorf("%q %v", text, err)
	}
}

func TestWhatIsHeldSurvivesARestart(t *testing.T) {
	i := start(t, Config{}, Deps{})
	i.pushed("webhooks", `{"x":1}`)
	before := i.get("/admin/instance-info")
	i.stop()
	again := start(t, Config{Dir: i.dir}, Deps{})
	again.holds("webhooks", `{"x":1}`)
	after := again.get("/admin/instance-info")
	if after["config_version"] != "7" || after["last_reload"] != before["last_reload"] || after["webhooks_count"] != 1.0 {
		t.Errorf("%v, before %v", after, before)
	}
}

func TestAChangeByHandShows(t *testing.T) {
	i := start(t, Config{}, Deps{})
	i.pushed("webhooks", `{"x":1}`)
	put := func(name, text string) {
		must(t, os.WriteFile(filepath.Join(i.dir, currentDir, name), []byte(text), 0o600))
	}
	put("webhooks.json", "{ \"x\": 2 }\n")
	put("added.json", `{"y":1}`)
	put("broken.json", `{"y":`)
	put("notes.txt", `{"y":1}`)
	put("Upper.json", `{"y":1}`)
	must(t, syscall.Mkfifo(filepath.Join(i.dir, currentDir, "pipe.json"), 0o600))
	must(t, os.Symlink("/etc/passwd", filepath.Join(i.dir, currentDir, "away.json")))
	got := i.get("/admin/config-version")
	if got["webhooks_version"] != version(t, `{"x":2}`) || got["added_version"] != version(t, `{"y":1}`) || got["broken_version"] != "" ||
		!strings.Contains(fmt.Sprint(got["errors"]), "broken:unexpected end") || got["pipe_version"] != "" || got["away_version"] != "" || len(got) != 7 {
		t.Errorf("%v", got)
	}
	if s := i.call("POST", "/admin/reload-config", ""); s.status != 400 || !strings.Contains(s.error(), "away: ") {
		t.Errorf("%d %s", s.status, s.text)
	}
	i.pushed("webhooks", `{"x":1}`)
	must(t, os.Remove(filepath.Join(i.dir, currentDir, "webhooks.json")))
	if got := i.get("/admin/config-version"); got["webhooks_version"] != nil {
		t.Errorf("%v", got)
	}
}

// A file that has not been touched for a while is not read at every call, but
// it is read again, should its time be wrong.
func TestFilesAreNotReadForNothing(t *testing.T) {
	var clock atomic.Int64 // ahead of the system's
	i := start(t, Config{}, Deps{Now: func() time.Time { return time.Now().Add(time.Duration(clock.Load())) }})
	i.pushed("a", `{"x":1}`)
	name := filepath.Join(i.dir, currentDir, "a.json")
	edit := func(text string, when time.Time) {
		must(t, os.WriteFile(name, []byte(text), 0o600))
		must(t, os.Chtimes(name, time.Time{}, when))
	}
	says := func(content string) {
		t.Helper()
		if got := i.get("/admin/config-version")["a_version"]; got != version(t, content) {
			t.Errorf("%v, want that of %s", got, content)
		}
	}
	says(`{"x":1}`)
	fresh := time.Now()
	edit(`{"x":2}`, fresh)
	says(`{"x":2}`)
	edit(`{"x":3}`, fresh) // within one tick of a coarse clock
	says(`{"x":3}`)
	old := time.Now().Add(-time.Hour)
	edit(`{"x":4}`, old)
	says(`{"x":4}`)
	edit(`{"x":5}`, old)
	says(`{"x":4}`) // nothing tells that it changed
	clock.Store(int64(trusted))
	says(`{"x":5}`)
	edit(`{"x":66}`, old)
	says(`{"x":66}`)
	edit(`{"x":77}`, old.Add(time.Second))
	says(`{"x":77}`)
	must(t, os.WriteFile(name+".other", []byte(`{"x":88}`), 0o600))
	must(t, os.Chtimes(name+".other", time.Time{}, old.Add(time.Second)))
	must(t, os.Rename(name+".other", name))
	says(`{"x":88}`)
}

func TestModeOfTheFile(t *testing.T) {
	r := plain()
	r.Mode, r.UID, r.GID = 0o604, os.Getuid(), os.Getgid()
	i := start(t, Config{Rule: always(r)}, Deps{})
	i.pushed("sub/a", `{"x":1}`)
	info, err := os.Stat(filepath.Join(i.dir, currentDir, "sub", "a.json"))
	must(t, err)
	if info.Mode().Perm() != 0o604 {
		t.Errorf("%v", info.Mode())
	}
}

func TestOneProcessHasADirectory(t *testing.T) {
	i := start(t, Config{}, Deps{})
	err := New(Config{Dir: i.dir, Token: token, Listen: "127.0.0.1:0"}, Deps{}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), i.dir) {
		t.Errorf("%v", err)
	}
	dir := t.TempDir()
	must(t, os.Symlink("generations/1/files", filepath.Join(dir, currentDir)))
	err = New(Config{Dir: dir, Token: token, Listen: "127.0.0.1:0"}, Deps{}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "give serve.dir a directory of its own") {
		t.Errorf("%v", err)
	}
}

func TestStatusLooksWithoutDisturbing(t *testing.T) {
	dir := t.TempDir()
	c := Config{ID: "hook-1", Listen: "127.0.0.1:1", Dir: dir}
	if st, err := ReadStatus(c); err != nil || st.Running || len(st.Files) != 0 {
		t.Errorf("before the first start: %+v %v", st, err)
	}
	i := start(t, Config{Dir: dir}, Deps{})
	i.pushed("a", `{"x":1,"y":2}`)
	st, err := ReadStatus(c)
	if err != nil || !st.Running || st.ID != "hook-1" || st.Version != "7" || st.LastReload.IsZero() || len(st.Files) != 1 ||
		st.Files[0] != (File{Target: "a", Version: version(t, `{"x":1,"y":2}`), Bytes: 13, Entries: 2}) {
		t.Errorf("%+v %v", st, err)
	}
	i.stop()
	if st, err = ReadStatus(c); err != nil || st.Running || len(st.Files) != 1 {
		t.Errorf("%+v %v", st, err)
	}
}

func TestNothingPrintsTheToken(t *testing.T) {
	var log bytes.Buffer
	c := Config{Token: token}
	text, err := json.Marshal(c.Token)
	must(t, err)
	fmt.Fprintf(&log, "%v %+v %#v %s", c, c, c, text)
	if strings.Contains(log.String(), token) {
		t.Error(log.String())
	}
}
