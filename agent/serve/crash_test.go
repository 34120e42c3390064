package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
)

const childEnv = "DROVER_SERVE_TEST_CHILD"

// child is an instance in a process of its own that kills itself.
type child struct {
	Dir  string
	Kill int64 // at the how many-th step
	Push []string
}

// watched is a rule whose application keeps, in the file app, what it loaded
// last. It is unhealthy with a content that says bad.
func watched() *Rule {
	r := plain()
	r.Check = script(`test -e "$DROVER_STAGED/a.json"`)
	r.Reload = script(`if test -e current/a.json; then cat current/a.json > app; else rm -f app; fi`)
	r.Health = script(`! grep -q bad app`)
	return r
}

// childMain starts an instance, pushes to it, and is gone at the step it was
// told, of which it leaves the name.
func childMain(spec string) {
	var c child
	if err := json.Unmarshal([]byte(spec), &c); err != nil {
		panic(err)
	}
	var steps atomic.Int64
	address := make(chan string, 1)
	s := New(Config{Dir: c.Dir, Token: token, Listen: "127.0.0.1:0", Rate: maxRate, Rule: always(watched())}, Deps{
		Listen: func(network, on string) (net.Listener, error) {
			l, err := net.Listen(network, on)
			if err == nil {
				address <- l.Addr().String()
			}
			return l, err
		},
		Step: func(name string) error {
			if steps.Add(1) == c.Kill {
				fmt.Println(name)
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
			return nil
		},
	})
	go func() { panic(s.Run(context.Background())) }()
	i := &instance{server: s, url: "http://" + <-address, token: token, client: http.DefaultClient}
	for _, content := range c.Push {
		i.idle()
		if _, err := i.try(context.Background(), "POST", "/admin/config-update", pushOf("a", content)); err != nil {
			panic(err)
		}
	}
	fmt.Println("all done")
}

// run returns the step at which the child died, "all done" where it came to
// its end.
func (c child) run(t *testing.T) string {
	t.Helper()
	spec, err := json.Marshal(c)
	must(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(spec))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL) {
		t.Fatalf("the child did not kill itself: %v\n%s%s", err, out.String(), errs.String())
	}
	return strings.TrimSpace(out.String())
}

// A crash at every step of every kind of update: the next start holds the
// content before or the new one, whole, the application runs that, and nothing
// is on trial any more.
func TestACrashAtAnyStepLeavesOldOrNew(t *testing.T) {
	const v2 = `{"x":2}`
	for _, c := range []struct{ name, before, push string }{
		{"a new content", v1, v2},
		{"the first content", "", v2},
		{"a content that is taken back", v1, bad},
		{"a first content that is taken back", "", bad},
	} {
		t.Run(c.name, func(t *testing.T) {
			steps := map[string]bool{}
			for kill := int64(1); ; kill++ {
				dir := t.TempDir()
				if c.before != "" {
					i := start(t, Config{Dir: dir, Rule: always(watched())}, Deps{})
					i.pushed("a", c.before)
					i.stop()
				}
				died := child{Dir: dir, Kill: kill, Push: []string{c.push}}.run(t)
				again := start(t, Config{Dir: dir, Rule: always(watched())}, Deps{})
				held := again.file("a")
				again.holds("a", held)
				if held != c.before && (held != c.push || held == bad) {
					t.Errorf("killed at %q (%d): %q is held", died, kill, held)
				}
				if app := read(t, filepath.Join(dir, "app")); app != held {
					t.Errorf("killed at %q (%d): the application runs %q, %q is held", died, kill, app, held)
				}
				again.pushed("a", `{"x":3}`)
				again.holds("a", `{"x":3}`)
				again.stop()
				if died == "all done" {
					break
				}
				steps[died] = true
			}
			for _, want := range []string{"stage", "check", "keep", "switch", "sync", "reload", "health"} {
				if !steps[want] {
					t.Errorf("no crash at %q, only at %v", want, steps)
				}
			}
			if c.push == bad != steps["undo"] || c.push == bad != steps["put back"] || c.push == bad == steps["reread"] {
				t.Errorf("crashes at %v", steps)
			}
		})
	}
}

// A crash while the next start puts back what a crash left.
func TestACrashDuringARecovery(t *testing.T) {
	prepared := func() string {
		dir := t.TempDir()
		i := start(t, Config{Dir: dir, Rule: always(watched())}, Deps{})
		i.pushed("a", v1)
		i.stop()
		if died := (child{Dir: dir, Kill: 7, Push: []string{`{"x":2}`}}).run(t); died != "health" {
			t.Fatalf("died at %q", died)
		}
		return dir
	}
	for kill := int64(1); ; kill++ {
		dir := prepared()
		died := child{Dir: dir, Kill: kill, Push: []string{v1}}.run(t)
		i := start(t, Config{Dir: dir, Rule: always(watched())}, Deps{})
		i.holds("a", v1)
		if app := read(t, filepath.Join(dir, "app")); app != v1 {
			t.Errorf("killed at %q: the application runs %q", died, app)
		}
		i.stop()
		if died == "all done" {
			if kill < 4 {
				t.Errorf("only %d steps", kill-1)
			}
			return
		}
	}
}

// The disk fails at every step: nothing changes, or it is put back, and the
// answer says that the content is not to blame.
func TestADiskThatFailsAtAnyStep(t *testing.T) {
	for at := int64(1); ; at++ {
		var steps atomic.Int64
		var failed string
		fail := func(name string) error {
			if steps.Add(1) == at {
				failed = name
				return fmt.Errorf("write a.json: %w", syscall.ENOSPC)
			}
			return nil
		}
		armed := false
		i := start(t, Config{Rule: always(watched())}, Deps{Step: func(name string) error {
			if armed {
				return fail(name)
			}
			return nil
		}})
		i.pushed("a", v1)
		armed = true
		s := i.push("a", `{"x":2}`)
		if failed == "" {
			if s.status != 200 {
				t.Errorf("%d %s", s.status, s.text)
			}
			if at < 9 {
				t.Errorf("only %d steps", at-1)
			}
			return
		}
		if s.status != 500 || s.reply.Details.Code != "disk_full" || s.reply.Version != version(t, v1) {
			t.Errorf("failed at %q: %d %s", failed, s.status, s.text)
		}
		i.holds("a", v1)
		if app := read(t, filepath.Join(i.dir, "app")); app != v1 {
			t.Errorf("failed at %q: the application runs %q", failed, app)
		}
		armed = false
		i.pushed("a", `{"x":2}`)
		i.stop()
	}
}

// What cannot be put back is told, refuses further updates, and is put back as
// soon as the disk takes it.
func TestWhatCannotBePutBackIsTriedAgain(t *testing.T) {
	var broken atomic.Bool
	i := start(t, Config{Rule: always(watched())}, Deps{Step: func(name string) error {
		if name == "put back" && broken.Load() {
			return syscall.EIO
		}
		return nil
	}})
	i.pushed("a", v1)
	broken.Store(true)
	if s := i.push("a", bad); s.status != 500 || s.reply.Details.Restored || !strings.Contains(s.error(), "could not be put back") || s.reply.Version != version(t, v1) {
		t.Errorf("%d %s", s.status, s.text)
	}
	if s := i.push("b", v1); s.status != 500 || !strings.Contains(s.error(), "cannot be taken back") {
		t.Errorf("%d %s", s.status, s.text)
	}
	broken.Store(false)
	i.pushed("b", v1)
	i.holds("a", v1)
	if app := read(t, filepath.Join(i.dir, "app")); app != v1 {
		t.Errorf("the application runs %q", app)
	}
}
