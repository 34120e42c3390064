package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/dev"
)

// programs are the two programs, built once for all tests.
type programs struct{ drover, agent string }

var build = sync.OnceValues(func() (programs, error) {
	dir, err := os.MkdirTemp("", "drover-e2e-")
	if err != nil {
		return programs{}, err
	}
	cmd := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "./cmd/drover", "./cmd/drover-agent")
	cmd.Dir = filepath.Join("..", "..")
	if text, err := cmd.CombinedOutput(); err != nil {
		return programs{}, fmt.Errorf("go build: %w\n%s", err, text)
	}
	return programs{filepath.Join(dir, "drover"), filepath.Join(dir, "drover-agent")}, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if p, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(p.drover))
	}
	os.Exit(code)
}

// fleet is a `drover dev` of a test.
type fleet struct {
	t    *testing.T
	bin  programs
	dir  string
	args []string
	cmd  *exec.Cmd
	out  *bytes.Buffer
	over chan struct{}
	env  []string
}

// newFleet prepares a fleet; start runs it.
func newFleet(t *testing.T, peers int, args ...string) *fleet {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "fleet")
	f := &fleet{t: t, bin: bin, dir: dir}
	f.args = append([]string{"dev", "--dir", dir, "--peers", fmt.Sprint(peers), "--http-port", fmt.Sprint(freePorts(t, peers))}, args...)
	t.Cleanup(func() {
		if t.Failed() {
			f.dumpHung()
		}
		f.stop()
		if t.Failed() {
			f.showLogs()
		}
	})
	return f
}

// freePorts finds a row of free ports.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for range 200 {
		first := 12000 + rand.IntN(7000)
		if rowFree(first, n) {
			return first
		}
	}
	t.Fatal("no row of free ports was found")
	return 0
}

func rowFree(first, n int) bool {
	for port := first; port < first+n; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		if l.Close() != nil {
			return false
		}
	}
	return true
}

// start runs the fleet and waits until it is ready.
func (f *fleet) start() dev.File {
	f.t.Helper()
	if err := os.Remove(filepath.Join(f.dir, dev.FileName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		f.t.Fatal(err)
	}
	f.out = &bytes.Buffer{}
	f.cmd = exec.Command(f.bin.drover, f.args...)
	f.cmd.Stdout, f.cmd.Stderr = f.out, f.out
	if err := f.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	over := make(chan struct{})
	f.over = over
	go func() {
		_ = f.cmd.Wait() // how it ended is in ProcessState
		close(over)
	}()
	var file dev.File
	f.eventually(90*time.Second, "the fleet is ready", func() error {
		select {
		case <-over:
			f.t.Fatalf("drover dev ended: %s\n%s", f.cmd.ProcessState, f.out)
		default:
		}
		var err error
		file, err = dev.Read(f.dir)
		return err
	})
	f.env = append(os.Environ(), "DROVER_ADDR="+strings.Join(urls(file), ","), "DROVER_TOKEN="+file.Admin.Token,
		"XDG_CONFIG_HOME="+filepath.Join(f.dir, "config"), "DROVER_CA="+file.CA)
	return file
}

func urls(file dev.File) (all []string) {
	for _, p := range file.Peers {
		all = append(all, p.URL)
	}
	return all
}

// stop ends the fleet as Ctrl-C does, and returns how long that took.
func (f *fleet) stop() time.Duration {
	if f.cmd == nil {
		return 0
	}
	began := time.Now()
	_ = f.cmd.Process.Signal(os.Interrupt) // it may have ended
	select {
	case <-f.over:
	case <-time.After(20 * time.Second):
		f.t.Error("drover dev did not end")
		_ = f.cmd.Process.Kill()
		<-f.over
	}
	f.cmd = nil
	return time.Since(began)
}

// dumpHung makes peers that do not answer say what their goroutines do.
func (f *fleet) dumpHung() {
	file, err := dev.Read(f.dir)
	if err != nil || f.cmd == nil {
		return
	}
	for _, p := range file.Peers {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+"/livez", nil)
		resp, err := http.DefaultClient.Do(req)
		cancel()
		if err == nil {
			_ = resp.Body.Close()
			continue
		}
		if file.CA != "" || syscall.Kill(p.PID, syscall.SIGQUIT) != nil {
			continue
		}
		for tick, i := time.Tick(20*time.Millisecond), 0; !gone(p.PID) && i < 150; i++ {
			<-tick
		}
		text, _ := os.ReadFile(filepath.Join(f.dir, p.Name+".log"))
		if i := bytes.LastIndex(text, []byte("SIGQUIT")); i >= 0 {
			f.t.Logf("%s hung:\n%s", p.Name, text[i:min(len(text), i+200_000)])
		}
	}
}

func (f *fleet) showLogs() {
	f.t.Logf("drover dev said:\n%s", f.out)
	logs, _ := filepath.Glob(filepath.Join(f.dir, "*.log"))
	for _, name := range logs {
		text, _ := os.ReadFile(name)
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		f.t.Logf("%s ends with:\n%s", filepath.Base(name), strings.Join(lines[max(0, len(lines)-25):], "\n"))
	}
}

// file reads dev.json as it is now.
func (f *fleet) file() dev.File {
	f.t.Helper()
	file, err := dev.Read(f.dir)
	if err != nil {
		f.t.Fatal(err)
	}
	return file
}

// eventually waits for a condition.
func (f *fleet) eventually(limit time.Duration, what string, check func() error) {
	f.t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			f.t.Fatalf("not after %s: %s: %v", limit, what, err)
		}
	}
}

// result is what a command did.
type result struct {
	code           int
	stdout, stderr string
}

// drover runs the command line.
func (f *fleet) drover(args ...string) result { return f.droverIn("", nil, args...) }

func (f *fleet) droverIn(stdin string, env []string, args ...string) result {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, f.bin.drover, args...)
	cmd.Env = append(append([]string(nil), f.env...), env...)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		f.t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// must runs the command line and expects an exit code.
func (f *fleet) must(code int, args ...string) result {
	f.t.Helper()
	r := f.drover(args...)
	if r.code != code {
		f.t.Fatalf("drover %s ended with %d, want %d\n%s%s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	return r
}

// client is a client of the fleet.
func (f *fleet) client(addrs ...string) *client.Client {
	f.t.Helper()
	file := f.file()
	if len(addrs) == 0 {
		addrs = urls(file)
	}
	cfg := client.Config{Addrs: addrs, Token: file.Admin.Token}
	if file.CA != "" {
		var err error
		if cfg.CA, err = os.ReadFile(file.CA); err != nil {
			f.t.Fatal(err)
		}
	}
	c, err := client.New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(c.Close)
	return c
}

// put commits {"n": n} as a document and returns the revision.
func put(ctx context.Context, c *client.Client, name string, n int) (uint64, error) {
	var w client.Written
	_, err := c.Send(ctx, http.MethodPut, client.Path("documents", name), map[string]any{"content": map[string]int{"n": n}}, &w)
	return w.Revision, err
}

// arrives waits until a file of every agent holds {"n": n}.
func (f *fleet) arrives(limit time.Duration, target string, n int) {
	f.t.Helper()
	for _, a := range f.file().Agents {
		f.eventually(limit, fmt.Sprintf("%s of %s holds %d", target, a.Node, n), func() error {
			text, err := os.ReadFile(filepath.Join(a.Dir, "current", filepath.FromSlash(target)+".json"))
			if err != nil {
				return err
			}
			var content struct{ N int }
			if err := json.Unmarshal(text, &content); err != nil {
				return err
			}
			if content.N != n {
				return fmt.Errorf("it holds %s", text)
			}
			return nil
		})
	}
}

// leader finds who leads.
func (f *fleet) leader() dev.PeerEntry {
	f.t.Helper()
	var found dev.PeerEntry
	f.eventually(10*time.Second, "there is a leader", func() error {
		for _, p := range f.file().Peers {
			if f.status(p.URL+"/leaderz") == http.StatusOK {
				found = p
				return nil
			}
		}
		return errors.New("no peer leads")
	})
	return found
}

// status asks without a credential, and quickly: 0 is no answer.
func (f *fleet) status(url string) int {
	base, path := url[:strings.LastIndexByte(url, '/')], url[strings.LastIndexByte(url, '/'):]
	ctx, cancel := context.WithTimeout(f.t.Context(), 500*time.Millisecond)
	defer cancel()
	status, err := f.client(base).Probe(ctx, base, path)
	if err != nil {
		return 0
	}
	return status
}

func signal(t *testing.T, pid int, s syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatalf("signal %d to %d: %v", s, pid, err)
	}
}

// gone tells whether a process has ended.
func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// settled waits until every peer is a ready voter, with the same state at the
// same index, and every agent is in sync.
func (f *fleet) settled(limit time.Duration) {
	f.t.Helper()
	file := f.file()
	c := f.client()
	f.eventually(limit, "all peers are alike and all agents in sync", func() error {
		for _, p := range file.Peers {
			if s := f.status(p.URL + "/readyz"); s != http.StatusOK {
				return fmt.Errorf("%s/readyz answers %d", p.URL, s)
			}
		}
		var s client.Cluster
		if _, err := c.Get(f.t.Context(), client.Path("cluster"), nil, &s); err != nil {
			return err
		}
		hashes := map[string]bool{}
		for _, p := range s.Peers {
			hashes[p.StateHash] = true
			if !p.Alive || p.Role != "leader" && p.Role != "voter" || p.Lag == nil || *p.Lag != 0 {
				return fmt.Errorf("peer %+v", p)
			}
		}
		if len(s.Peers) != len(file.Peers) || len(hashes) != 1 {
			return fmt.Errorf("%d peers with %d different states", len(s.Peers), len(hashes))
		}
		nodes, err := client.List[client.Node](f.t.Context(), c, client.Path("nodes"), nil, 0)
		if err != nil {
			return err
		}
		for _, n := range nodes {
			if !n.Value.InSync || !n.Value.Connected {
				return fmt.Errorf("node %s: %s", n.Value.ID, n.Value.Status)
			}
		}
		return nil
	})
}
