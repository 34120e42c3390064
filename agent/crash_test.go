package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/droverhq/drover/wire"
)

const childEnv = "DROVER_AGENT_TEST_CHILD"

// child is an agent in a process of its own that kills itself.
type child struct {
	Dir  string
	URL  string
	Kill int64 // at the how many-th step; 0: never
}

// watched is a rule whose application keeps, in the file app, what it loaded
// last. It is unhealthy with a document that says bad.
func watched() Rule {
	return Rule{Match: "**",
		Check:  script(`test -d "$DROVER_STAGED"`),
		Reload: script(`cat current/a.json current/sub/b.json current/c.json > app 2>/dev/null; true`),
		Health: script(`! grep -q bad app`),
	}
}

// childMain is the program of the child.
func childMain(spec string) {
	var c child
	if err := json.Unmarshal([]byte(spec), &c); err != nil {
		panic(err)
	}
	p := &parser{}
	config := Config{Dir: c.Dir, Peers: []string{c.URL}, Documents: []Rule{watched()}}
	p.check(&config, c.Dir)
	var steps atomic.Int64
	err := New(config, Deps{Random: func() float64 { return 0 }, Step: func(name string) error {
		if steps.Add(1) == c.Kill {
			fmt.Println(name)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}}).Run(context.Background())
	panic(err)
}

// process is a child that runs.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	out  strings.Builder
	done chan struct{}
	err  error // once done is closed
}

func (c child) start(t testing.TB) *process {
	t.Helper()
	spec, err := json.Marshal(c)
	must(t, err)
	p := &process{t: t, cmd: exec.Command(os.Args[0]), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), childEnv+"="+string(spec))
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	must(t, p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.end)
	return p
}

// died returns the step at which the child killed itself.
func (p *process) died() string {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatal("the child did not die")
	}
	var exit *exec.ExitError
	if !errors.As(p.err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		p.t.Fatalf("the child did not kill itself: %v\n%s", p.err, p.out.String())
	}
	return strings.TrimSpace(p.out.String())
}

func (p *process) end() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// crashes is a node that runs v1, to be copied for each crash.
type crashes struct {
	*node
	v1, v2 docs
	count  int
	steps  map[string]int64 // of an update, by name
	reboot bool             // a crash takes the application with it
}

func newCrashes(t *testing.T) *crashes {
	t.Helper()
	c := &crashes{node: newNode(t), steps: map[string]int64{}}
	c.v1 = docs{"a": `{"x":1}`, "sub/b": `{"same":true}`, "c": `{"goes":true}`}
	c.v2 = docs{"a": `{"x":2}`, "sub/b": `{"same":true}`, "sub/d": `{"comes":true}`}
	run := startAgent(t, c.config(watched()), Deps{Random: func() float64 { return 0 }})
	l := c.peer.session()
	v0 := docs{"a": `{"x":0}`} // for something to prune later
	c.acked(l, c.update(1, nil, v0), v0)
	c.acked(l, c.update(2, v0, c.v1), c.v1)
	run.stop()
	return c
}

// copyOf makes a node like the prepared one.
func (c *crashes) copyOf() string {
	c.t.Helper()
	c.count++
	dir := filepath.Join(c.t.TempDir(), fmt.Sprint(c.count))
	must(c.t, exec.Command("cp", "-a", c.dir, dir).Run())
	return dir
}

// app is what the application loaded last.
func app(t testing.TB, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "app"))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	must(t, err)
	return strings.ReplaceAll(string(text), "\n", "")
}

func loaded(d docs) string { return d["a"] + d["sub/b"] + d["c"] }

// recovers starts an agent on what a crash left and checks everything: wholly
// old or new, the application too, the report, and that it goes on from there.
// It tells whether the node went back.
func (c *crashes) recovers(dir string, try docs, index uint64, at string) bool {
	c.t.Helper()
	config := c.config(watched())
	config.Dir = dir
	run := startAgent(c.t, config, Deps{Random: func() float64 { return 0 }})
	defer run.stop()
	l := c.peer.session()
	held := try
	if l.hello.Manifest == c.v1.manifest(c.t) {
		held = c.v1
	} else if l.hello.Manifest != try.manifest(c.t) {
		c.t.Fatalf("%s: hello reports what is neither the old nor the new", at)
	}
	runs(c.t, dir, held)
	if got := app(c.t, dir); got != loaded(held) && !c.reboot {
		c.t.Fatalf("%s: the application runs %s, the files are %s", at, got, loaded(held))
	}
	back := held["a"] == c.v1["a"]
	told := strings.HasSuffix(at, "mark: sync told") // by the one that died then
	if back && l.hello.Index == index && !told {     // it was begun
		e := next[wire.Error](l)
		if e.Index != index || e.Manifest != held.manifest(c.t) || len(e.Errors) == 0 || !e.Errors[0].Retryable {
			c.t.Fatalf("%s: %+v", at, e)
		}
		if code := e.Errors[0].Code; code != wire.CodeInterrupted && code != wire.CodeUnhealthy {
			c.t.Fatalf("%s: %+v", at, e)
		}
	} else if back && l.hello.Index != 2 && !told {
		c.t.Fatalf("%s: the node accepted %d", at, l.hello.Index)
	}
	v3 := c.v2.with(docs{"a": `{"x":3}`})
	l.send(c.update(index+1, held, v3))
	ack := next[wire.Ack](l) // and nothing else was said before it
	if ack.Manifest != v3.manifest(c.t) {
		c.t.Fatalf("%s: %+v", at, ack)
	}
	runs(c.t, dir, v3)
	run.stop()
	if left := c.generations(dir); left > 3 {
		c.t.Fatalf("%s: %d generations are left", at, left)
	}
	return back
}

func (c *crashes) generations(dir string) int {
	c.t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "generations"))
	must(c.t, err)
	return len(entries)
}

// dies sends an update to a child that dies at its k-th step. It returns the
// step, "" when there are fewer.
func (c *crashes) dies(dir string, k int64, u wire.Update) string {
	c.t.Helper()
	p := child{Dir: dir, URL: c.url, Kill: k}.start(c.t)
	l := c.peer.session()
	l.send(u)
	select {
	case <-l.frames:
		if c.quiet(l) {
			p.end()
			return ""
		}
	case <-l.lost:
	case <-time.After(patience):
		c.t.Fatal("neither an answer nor an end")
	}
	return p.died()
}

// quiet tells whether the child is done with everything and lives: the answer
// to report comes from the goroutine that does it.
func (c *crashes) quiet(l *link) bool {
	const often = 5 // between two answers it does one more thing that waited
	for range often {
		if l.write(wire.Report{}) != nil {
			return false
		}
	}
	answers := 0
	for m := range l.framesUntilLost() {
		if s, ok := m.(wire.Status); ok && s.Reason == "report" {
			if answers++; answers == often {
				return true
			}
		}
	}
	return false
}

// framesUntilLost yields what comes until the connection ends.
func (l *link) framesUntilLost() func(func(wire.Message) bool) {
	return func(yield func(wire.Message) bool) {
		for {
			select {
			case m := <-l.frames:
				if !yield(m) {
					return
				}
			case <-l.lost:
				return
			}
		}
	}
}

func TestKilledAtEveryStepOfAnApply(t *testing.T) {
	c := newCrashes(t)
	undone, kept := 0, 0
	for k := int64(1); ; k++ {
		dir := c.copyOf()
		step := c.dies(dir, k, c.update(3, c.v1, c.v2))
		if step == "" {
			break
		}
		if c.recovers(dir, c.v2, 3, step) {
			undone++
		} else {
			kept++
		}
	}
	if undone < 15 || kept < 2 {
		t.Fatalf("%d crashes led back and %d did not: are all the steps there?", undone, kept)
	}
}

func TestKilledAtEveryStepOfAnUndo(t *testing.T) {
	c := newCrashes(t)
	bad := c.v2.with(docs{"a": `{"x":"bad"}`})
	undos := 0
	for k := int64(1); ; k++ {
		dir := c.copyOf()
		step := c.dies(dir, k, c.update(3, c.v1, bad))
		if step == "" {
			break
		}
		if !c.recovers(dir, bad, 3, step) {
			t.Fatalf("%s: the node runs what was unhealthy", step)
		}
		if strings.HasPrefix(step, "revert") || strings.HasPrefix(step, "mark") || step == "undo" {
			undos++
		}
	}
	if undos < 8 {
		t.Fatalf("only %d steps of an undo", undos)
	}
}

func TestKilledAtEveryStepOfARecovery(t *testing.T) {
	c := newCrashes(t)
	deaths := 0
	for _, first := range []string{"validate", "health", "mark: sync good"} {
		for k := int64(1); ; k++ {
			dir := c.copyOf()
			c.diesAt(dir, first, c.update(3, c.v1, c.v2))
			p := child{Dir: dir, URL: c.url, Kill: k}.start(t)
			lives := false
			select {
			case l := <-c.peer.links:
				lives = c.quiet(l)
			case <-p.done:
			}
			if lives { // there are fewer than k steps
				p.end()
				break
			}
			step := p.died()
			t.Logf("%s, then %s", first, step)
			deaths++
			c.recovers(dir, c.v2, 3, first+", then "+step)
		}
	}
	if deaths < 10 {
		t.Fatalf("only %d recoveries were killed", deaths)
	}
}

// diesAt lets a child die at a step by name.
func (c *crashes) diesAt(dir, name string, u wire.Update) {
	c.t.Helper()
	for k := int64(len(c.steps)) + 1; c.steps[name] == 0; k++ {
		step := c.dies(c.copyOf(), k, u)
		if step == "" {
			c.t.Fatalf("there is no step %q", name)
		}
		c.steps[step] = k
	}
	c.dies(dir, c.steps[name], u)
}
