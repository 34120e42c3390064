package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestAClusterMadeByHand goes the way of a person with three machines: init,
// server, token, join, status, leave, stop. The API has the certificates of
// the cluster's own authority.
func TestAClusterMadeByHand(t *testing.T) {
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	h := &hand{fleet: &fleet{t: t, bin: bin}, dir: t.TempDir(), port: freePorts(t, 9)}
	h.env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(h.dir, "home"), "DROVER_ADDR=", "DROVER_TOKEN=")

	r := h.must(0, append([]string{"cluster", "init", "--cluster", "prod"}, h.flags(1)...)...)
	contains(t, r, "Next: drover server --config "+h.config(1))
	password := regexp.MustCompile(`password (\S+)`).FindStringSubmatch(r.stdout)
	if password == nil {
		t.Fatalf("no password is printed: %s", r.stdout)
	}
	h.must(1, append([]string{"cluster", "init"}, h.flags(1)...)...) // the directory is in use
	h.must(0, "server", "check-config", "--config", h.config(1))
	first := h.serve(1)
	h.must(0, "login", "admin", "--addr", h.url(1), "--ca", filepath.Join(h.peer(1), "ca.crt"), "--password-file", save(t, "pw", password[1]))
	contains(t, h.must(0, "cluster", "status"), "prod:", "1 voters", "tolerates 0")

	h.join(2, "One more controller is awaited")
	third := h.join(3, "ctl-3: voter")
	f := h.fleet
	f.eventually(20*time.Second, "there are three voters", func() error {
		if r := h.drover("cluster", "status"); !strings.Contains(r.stdout, "3 voters, tolerates 1") {
			return errors.New(r.stdout)
		}
		return nil
	})
	h.must(0, "cluster", "transfer-leader", "ctl-2")
	f.eventually(10*time.Second, "ctl-2 leads", func() error {
		if r := h.drover("cluster", "status"); !regexp.MustCompile(`ctl-2 +leader`).MatchString(r.stdout) {
			return errors.New(r.stdout)
		}
		return nil
	})
	h.must(0, "doc", "put", "hand/a", "-f", save(t, "a.json", `{"a":1}`))
	contains(t, h.must(0, "doc", "get", "hand/a", "--addr", h.url(3), "--ca", filepath.Join(h.peer(3), "ca.crt"), "--token", h.token()), `"a": 1`)

	h.must(0, "cluster", "leave", "--config", h.config(3), "--yes")
	if code := third.wait(t); code != 0 {
		t.Errorf("the server of a peer that left ended with %d", code)
	}
	if code := h.serve(3, "left the cluster").wait(t); code != 0 {
		t.Errorf("the server of a peer that had left ended with %d", code)
	}
	contains(t, h.must(0, "audit", "list"), "cluster.leave", "cluster.token.create", "admin")
	signal(t, first.cmd.Process.Pid, syscall.SIGTERM)
	if code := first.wait(t); code != 0 {
		t.Errorf("a planned stop ended with %d", code)
	}
}

// hand is a cluster that a person makes.
type hand struct {
	*fleet
	dir  string
	port int
}

func (h *hand) peer(i int) string   { return filepath.Join(h.dir, fmt.Sprintf("ctl-%d", i)) }
func (h *hand) config(i int) string { return filepath.Join(h.peer(i), "drover.yaml") }
func (h *hand) address(i, n int) string {
	return fmt.Sprintf("127.0.0.1:%d", h.port+3*(i-1)+n)
}
func (h *hand) url(i int) string { return "https://" + h.address(i, 0) }

func (h *hand) flags(i int) []string {
	return []string{
		"--data-dir", h.peer(i), "--name", fmt.Sprintf("ctl-%d", i), "--api-listen", h.address(i, 0), "--api-url", h.url(i),
		"--peer-listen", h.address(i, 1), "--peer-advertise", h.address(i, 1), "--gossip-listen", h.address(i, 2), "--raft-profile", "fast",
	}
}

// token makes an API token for addresses that the login is not for.
func (h *hand) token() string {
	h.t.Helper()
	return strings.TrimSpace(h.must(0, "token", "set", "e2e", "--role", "viewer").stdout)
}

// join has a further peer join and run, and waits for what `join --wait` says.
func (h *hand) join(i int, says string) *process {
	h.t.Helper()
	token := save(h.t, "token", h.must(0, "cluster", "token").stdout)
	args := append([]string{"cluster", "join", h.address(1, 1), "--token-file", token, "--wait"}, h.flags(i)...)
	join := h.run(args...)
	h.eventually(20*time.Second, "the configuration is written", func() error {
		_, err := os.Stat(h.config(i))
		return err
	})
	server := h.serve(i)
	if code := join.wait(h.t); code != 0 || !strings.Contains(join.said(), says) {
		h.t.Fatalf("join ended with %d, want it to say %q: %s", code, says, join.said())
	}
	if r := h.drover(append([]string{"cluster", "join", h.address(1, 1), "--token-file", token}, h.flags(9)...)...); r.code == 0 {
		h.t.Error("a token was taken twice")
	}
	return server
}

// process is a program that runs beside the test.
type process struct {
	cmd  *exec.Cmd
	over chan struct{}
	mu   sync.Mutex
	out  bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.over:
	case <-time.After(30 * time.Second):
		t.Fatalf("%v does not end: %s", p.cmd.Args, p.said())
	}
	return p.cmd.ProcessState.ExitCode()
}

// run starts drover; the test ends it.
func (h *hand) run(args ...string) *process {
	h.t.Helper()
	p := &process{cmd: exec.Command(h.bin.drover, args...), over: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = h.env, p, p
	if err := p.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in ProcessState
		close(p.over)
	}()
	h.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.over
		if h.t.Failed() {
			text := p.said()
			h.t.Logf("%s:\n%s", strings.Join(args, " "), text[max(0, len(text)-3000):])
		}
	})
	return p
}

// serve runs a peer and waits until its API answers, or it has said something.
func (h *hand) serve(i int, says ...string) *process {
	h.t.Helper()
	p := h.run("server", "--config", h.config(i))
	h.eventually(30*time.Second, "the peer runs", func() error {
		if len(says) == 0 && h.answers(i) || len(says) > 0 && strings.Contains(p.said(), says[0]) {
			return nil
		}
		return errors.New(p.said())
	})
	return p
}

// answers tells whether the API of a peer refuses a credential that is none.
func (h *hand) answers(i int) bool {
	ca := filepath.Join(h.peer(i), "ca.crt")
	return h.drover("whoami", "--addr", h.url(i), "--ca", ca, "--token", "none").code == 4
}
