package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/droverhq/drover/internal/client"
)

// gated is a fleet with agents and instances, and one more instance that is the
// test's own process: it refuses what its check does not like, and can be
// stopped.
type gated struct {
	*fleet
	gate *gate
}

// TestTheFleetsInstancesAreKeptInStep looks at what is in the files of
// instances that drover-agent serves, through what happens to them and to the
// controllers. The parts build on each other.
func TestTheFleetsInstancesAreKeptInStep(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3, "--agents", "2", "--instances", "2")
	f.start()
	g := newGate(t, f)
	for _, p := range []struct {
		name string
		do   func(*testing.T, gated)
	}{
		{"one change reaches agents and instances alike", oneChange},
		{"a refusal is a dead letter, and the old file stays", refusal},
		{"drift in a file is healed, or told", driftInFile},
		{"a dead instance and a hung one have their reason and delay nobody", deadAndHung},
		{"an instance that is killed comes back with the newest version", killedInstance},
		{"the peer that serves an instance is killed during pushes", killedOwner},
		{"what is not wanted any more stays, and is told", unmanaged},
	} {
		if !t.Run(p.name, func(t *testing.T) {
			here := *f
			here.t = t
			p.do(t, gated{&here, g})
		}) {
			t.FailNow()
		}
	}
	noSecretIn(t, f, g.token)
}

// gate is an instance whose check refuses webhooks with the word forbidden.
type gate struct {
	cmd              *exec.Cmd
	bin, dir, config string
	url, token       string
}

func newGate(t *testing.T, f *fleet) *gate {
	t.Helper()
	dir := t.TempDir()
	g := &gate{bin: f.bin.agent, dir: filepath.Join(dir, "gate"), config: filepath.Join(dir, "gate.yaml"), token: "a-secret-of-the-gate"}
	listen := fmt.Sprintf("127.0.0.1:%d", freePorts(t, 1))
	g.url = "http://" + listen
	text := fmt.Sprintf(`node: gate
dir: %q
serve: {listen: %q, token: %q}
documents:
  - match: webhooks
    check: [/bin/sh, -c, "if grep -q forbidden $DROVER_STAGED/webhooks.json; then echo this is forbidden; exit 1; fi"]
`, g.dir, listen, g.token)
	if err := os.WriteFile(g.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g.start(t)
	t.Cleanup(g.kill)
	f.must(0, "instance", "add", g.url, "--id", "gate", "--instance-token-file", save(t, "token", g.token), "-l", "role=webhook")
	return g
}

func (g *gate) start(t *testing.T) {
	t.Helper()
	g.cmd = exec.Command(g.bin, "run", "--config", g.config)
	g.cmd.Stderr = os.Stderr
	if err := g.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

func (g *gate) kill() {
	_ = g.cmd.Process.Kill() // it may have ended
	_ = g.cmd.Wait()         // it was killed
}

// hooks is a content for webhooks, told apart by n.
func hooks(n int) string { return fmt.Sprintf(`{"e2e":{"module":"log","n":%d}}`, n) }

// put writes webhooks with the command line.
func (s gated) put(content string, args ...string) {
	s.t.Helper()
	s.must(0, append([]string{"doc", "put", "webhooks", "-f", save(s.t, "webhooks.json", content)}, args...)...)
}

// file is what a node holds as webhooks.
func (s gated) hookFile(node string) string {
	dir := filepath.Join(s.dir, node)
	if node == "gate" {
		dir = s.gate.dir
	}
	return filepath.Join(dir, "current", "webhooks.json")
}

// holds waits until webhooks of nodes are a content.
func (s gated) holds(limit time.Duration, content string, nodes ...string) {
	s.t.Helper()
	for _, node := range nodes {
		s.eventually(limit, node+" has the new content", func() error {
			text, err := os.ReadFile(s.hookFile(node))
			if err == nil && strings.TrimSpace(string(text)) != content {
				err = fmt.Errorf("it has %.200s", text)
			}
			return err
		})
	}
}

func (s gated) instance(id string) (in client.Instance) {
	s.t.Helper()
	if _, err := s.client().Get(s.t.Context(), client.Path("instances", id), nil, &in); err != nil {
		s.t.Fatal(err)
	}
	return in
}

// until waits until an instance is as it should be.
func (s gated) until(limit time.Duration, id, what string, is func(client.Instance) bool) client.Instance {
	s.t.Helper()
	var in client.Instance
	s.eventually(limit, id+" "+what, func() error {
		if in = s.instance(id); is(in) {
			return nil
		}
		return fmt.Errorf("%s, in sync %t, %+v", in.Status, in.InSync, in.LastError)
	})
	return in
}

func (s gated) inSync(limit time.Duration, ids ...string) {
	s.t.Helper()
	for _, id := range ids {
		s.until(limit, id, "is in sync", func(in client.Instance) bool { return in.InSync && in.Status == "acked" })
	}
}

// oneChange widens webhooks to the agents: one revision, one push, both kinds.
func oneChange(t *testing.T, s gated) {
	s.inSync(20*time.Second, "gate") // it has the examples, with their placeholders
	manifest := save(t, "both.yaml", "document: webhooks\nselector: role in (edge, webhook)\ncontent: "+hooks(1)+"\n---\n"+
		"document: e2e/agents\nselector: role=edge\ncontent: {n: 1}\n")
	revision := strings.TrimSpace(s.must(0, "apply", "-f", manifest, "-m", "both kinds", "-o", "name").stdout)
	s.must(0, "wait", revision, "--timeout", "30s")
	s.holds(time.Second, hooks(1), "edge-1", "edge-2", "hook-1", "hook-2", "gate")
	for node, want := range map[string]bool{"edge-1": true, "hook-1": false, "gate": false} {
		_, err := os.Stat(filepath.Join(filepath.Dir(s.hookFile(node)), "e2e", "agents.json"))
		if (err == nil) != want {
			t.Errorf("%s has what is for agents: %t", node, !want)
		}
	}
	if got := strings.Fields(s.must(0, "push", "targets", "-o", "name").stdout); len(got) != 5 {
		t.Errorf("the push had the targets %v, want two agents and three instances", got)
	}
	if r := s.must(0, "instance", "verify", "--document", "webhooks"); strings.Count(r.stdout, "yes") != 3 || strings.Contains(r.stdout, "unverified") {
		t.Errorf("%s", r.stdout)
	}
	s.put(hooks(2), "--selector", "role=webhook", "--watch")
	s.eventually(10*time.Second, "an agent loses what is not for it any more", func() error {
		if _, err := os.Stat(s.hookFile("edge-1")); err == nil {
			return errors.New("edge-1 has it")
		}
		return nil
	})
}

// refusal writes what the check of one instance refuses.
func refusal(t *testing.T, s gated) {
	bad := `{"forbidden":{"module":"log"}}`
	s.must(7, "doc", "put", "webhooks", "-f", save(t, "bad.json", bad), "--watch")
	s.holds(time.Second, bad, "hook-1", "hook-2")
	s.holds(10*time.Second, hooks(2), "gate")
	in := s.until(10*time.Second, "gate", "is a dead letter", func(in client.Instance) bool { return in.Status == "dead_letter" })
	if in.InSync || in.LastError == nil || in.LastError.Code != "refused" {
		t.Errorf("%t, %+v", in.InSync, in.LastError)
	}
	contains(t, s.must(0, "deadletter", "list"), "gate", "webhooks", "exit status 1")
	contains(t, s.must(0, "deadletter", "show", "gate"), "this is forbidden", "refused")
	contains(t, s.must(7, "instance", "verify"), "1 instance not in sync")
	before := s.refusals("gate")
	s.must(0, "deadletter", "retry", "gate")
	s.eventually(20*time.Second, "it was asked once more", func() error {
		if n := s.refusals("gate"); n <= before {
			return fmt.Errorf("%d refusals", n)
		}
		return nil
	})
	s.until(10*time.Second, "gate", "is a dead letter again", func(in client.Instance) bool { return in.Status == "dead_letter" })
	s.must(0, "deadletter", "discard", "gate")
	if r := s.must(0, "deadletter", "list", "-o", "name"); r.stdout != "" {
		t.Errorf("a discarded dead letter is listed: %s", r.stdout)
	}
	s.put(hooks(3), "--watch")
	s.holds(time.Second, hooks(3), "hook-1", "hook-2", "gate")
	s.must(0, "instance", "verify")
}

// refusals counts how often controllers say that an instance did not take a
// document.
func (s gated) refusals(id string) (n int) {
	s.t.Helper()
	for _, p := range s.file().Peers {
		text, err := os.ReadFile(filepath.Join(s.dir, p.Name+".log"))
		if err != nil {
			s.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "did not take a document") && strings.Contains(line, "node="+id+" ") {
				n++
			}
		}
	}
	return n
}

func driftInFile(t *testing.T, s gated) {
	const byHand = `{"by_hand":{"module":"log"}}`
	write := func() {
		if err := os.WriteFile(s.hookFile("hook-1"), []byte(byHand), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	s.holds(20*time.Second, hooks(3), "hook-1")
	s.inSync(10*time.Second, "hook-1")

	policy := "document: webhooks\nselector: role=webhook\npolicy: {drift: %s}\ncontent: " + hooks(3) + "\n"
	s.must(0, "apply", "-f", save(t, "report.yaml", fmt.Sprintf(policy, "report")), "--watch")
	write()
	s.until(20*time.Second, "hook-1", "is seen to hold something else", func(in client.Instance) bool {
		return in.Status == "pending" && !in.InSync
	})
	contains(t, s.must(7, "node", "why", "hook-1"), "drift_reported", "drover instance sync hook-1")
	contains(t, s.must(7, "instance", "verify", "hook-1"), "hook-1")
	s.must(0, "instance", "verify", "hook-2", "gate")
	s.holds(time.Second, byHand, "hook-1")
	contains(t, s.must(0, "instance", "sync", "hook-1", "--document", "webhooks"), "hook-1", "yes")
	s.holds(time.Second, hooks(3), "hook-1")
	s.must(0, "instance", "verify")
	s.must(0, "apply", "-f", save(t, "heal.yaml", fmt.Sprintf(policy, "heal")), "--watch")
}

func deadAndHung(t *testing.T, s gated) {
	s.gate.kill()
	began := time.Now()
	s.put(hooks(4))
	s.inSync(10*time.Second, "hook-1", "hook-2")
	t.Logf("with a dead instance the others were done after %s", time.Since(began))
	in := s.until(20*time.Second, "gate", "is offline", func(in client.Instance) bool { return in.Status == "offline" })
	if in.LastError == nil || in.LastError.Code != "unreachable" || !strings.Contains(in.LastError.Message, "refused") {
		t.Errorf("its reason: %+v", in.LastError)
	}
	contains(t, s.must(0, "instance", "list", "status=offline"), "gate", "unreachable")
	contains(t, s.must(0, "push", "targets", "--status", "offline"), "gate")
	contains(t, s.must(7, "instance", "verify"), "gate", "unreachable")
	contains(t, s.must(7, "instance", "sync", "--timeout", "3s"), "gate", "offline")
	s.gate.start(t)
	s.inSync(30*time.Second, "gate")
	s.holds(time.Second, hooks(4), "gate")

	signal(t, s.gate.cmd.Process.Pid, syscall.SIGSTOP)
	defer func() { _ = s.gate.cmd.Process.Signal(syscall.SIGCONT) }() // again, where the test has failed
	began = time.Now()
	s.put(hooks(5))
	s.holds(5*time.Second, hooks(5), "hook-1", "hook-2")
	s.inSync(5*time.Second, "hook-1", "hook-2")
	t.Logf("with a hung instance the others were done after %s", time.Since(began))
	began = time.Now()
	contains(t, s.must(7, "instance", "verify"), "gate", "timeout")
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("verify took %s", took)
	}
	signal(t, s.gate.cmd.Process.Pid, syscall.SIGCONT)
	s.inSync(60*time.Second, "gate")
	s.holds(time.Second, hooks(5), "gate")
}

func killedInstance(t *testing.T, s gated) {
	contains(t, s.must(0, "dev", "kill", "hook-1", "--dir", s.dir), "killed hook-1")
	s.put(hooks(6))
	s.inSync(10*time.Second, "hook-2", "gate")
	s.holds(30*time.Second, hooks(6), "hook-1")
	s.inSync(30*time.Second, "hook-1")
}

// firstVersion to lastVersion are the versions that are written while a peer is killed.
const firstVersion, lastVersion = 100, 140

// killedOwner kills the peer that calls hook-1 while one version follows the
// other. What was pushed by the old one must not come after what the new one
// pushes.
func killedOwner(t *testing.T, s gated) {
	owner := s.instance("hook-1").Owner
	var pid int
	for _, p := range s.file().Peers {
		if p.Name == owner {
			pid = p.PID
		}
	}
	if pid == 0 {
		t.Fatalf("%q serves hook-1", owner)
	}
	stop := s.risesOnly("hook-1")
	c := s.client()
	for n := firstVersion; n <= lastVersion; n++ {
		if n == firstVersion+15 {
			signal(t, pid, syscall.SIGKILL)
		}
		body := map[string]any{"content": json.RawMessage(hooks(n))}
		if _, err := c.Send(t.Context(), http.MethodPut, client.Path("documents", "webhooks"), body, nil); err != nil {
			t.Fatalf("version %d: %v", n, err)
		}
	}
	s.holds(60*time.Second, hooks(lastVersion), "hook-1", "hook-2", "gate")
	s.eventually(30*time.Second, "the killed peer is started again", func() error {
		for _, p := range s.file().Peers {
			if p.Name == owner && p.PID != pid {
				return nil
			}
		}
		return errors.New("dev.json has the old process")
	})
	s.settled(60 * time.Second)
	s.must(0, "instance", "verify")
	stop()
}

// risesOnly watches the versions that an instance runs, until it is stopped: a
// lower one after a higher one is an error.
func (s gated) risesOnly(node string) (stop func()) {
	s.t.Helper()
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		highest, seen := 0, 0
		for tick := time.Tick(2 * time.Millisecond); ; {
			select {
			case <-tick:
			case <-done:
				if seen < 3 {
					s.t.Errorf("%d versions of %s were seen", seen, node)
				}
				return
			}
			text, err := os.ReadFile(s.hookFile(node))
			var content struct{ E2E struct{ N int } }
			if err == nil {
				err = json.Unmarshal(text, &content)
			}
			switch n := content.E2E.N; {
			case err != nil || n < highest:
				s.t.Errorf("%s had version %d, and then %s (%v)", node, highest, text, err)
				return
			case n > highest:
				highest, seen = n, seen+1
			}
		}
	}()
	return func() { close(done); <-over }
}

// unmanaged narrows what an instance takes: no call could take a file away.
func unmanaged(t *testing.T, s gated) {
	s.must(0, "instance", "set", "hook-2", "--accepts", "connections")
	s.until(20*time.Second, "hook-2", "tells what it keeps", func(in client.Instance) bool {
		return len(in.Unmanaged) == 1 && in.Unmanaged[0] == "webhooks"
	})
	s.put(hooks(200), "--watch")
	s.holds(time.Second, hooks(200), "hook-1", "gate")
	s.holds(time.Second, hooks(lastVersion), "hook-2")
	s.must(0, "instance", "set", "hook-2", "--accepts", "connections,webhooks")
	s.inSync(20*time.Second, "hook-2")
	s.holds(time.Second, hooks(200), "hook-2")
}

// noSecretIn looks for a secret in everything that controllers have written.
func noSecretIn(t *testing.T, f *fleet, token string) {
	t.Helper()
	looked := 0
	for _, p := range f.file().Peers {
		err := filepath.WalkDir(f.dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasPrefix(path, filepath.Join(f.dir, p.Name)) {
				return err
			}
			text, err := os.ReadFile(path)
			if looked++; strings.Contains(string(text), token) {
				t.Errorf("%s has the token of an instance", path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if looked < 6 {
		t.Errorf("%d files were looked at", looked)
	}
}
