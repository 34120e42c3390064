package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/dev"
)

// TestAFleetOutlivesItsControllers is the demonstration, and what must hold
// around it. The parts build on each other: one fleet, many misfortunes.
func TestAFleetOutlivesItsControllers(t *testing.T) {
	f := newFleet(t, 3, "--agents", "5")
	f.start()
	part := func(name string, do func(*testing.T, *fleet)) {
		if !t.Run(name, func(t *testing.T) {
			here := *f
			here.t = t
			do(t, &here)
		}) {
			t.FailNow()
		}
	}
	part("the demo starts with its documents in the files of five agents and two instances", demoStarts)
	part("an edit arrives, also after the leader was killed", editsArrive)
	part("a leader that stops in order is not noticed by clients", plannedStop)
	part("a paused minority accepts nothing, and the rest goes on", pausedMinority)
	part("a paused majority stops the rest from accepting anything", pausedMajority)
	part("nothing acknowledged is lost when all peers are killed at once", killAll)
	var pids []int
	part("Ctrl-C ends every process", func(t *testing.T, f *fleet) { pids = pidsOf(f.file()) })
	if took := f.stop(); took > 8*time.Second {
		t.Errorf("it took %s, want at most 8 s", took)
	}
	for _, pid := range pids {
		if !gone(pid) {
			t.Errorf("process %d lives on", pid)
		}
	}
	resumed := f.start()
	part("a second start resumes what is there", func(t *testing.T, f *fleet) { f.arrives(0, "e2e/counter", last) })
	if err := f.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pidsOf(resumed) {
		f.eventually(5*time.Second, "the children of a killed drover dev end", func() error {
			if gone(pid) {
				return nil
			}
			return fmt.Errorf("process %d lives on", pid)
		})
	}
}

func pidsOf(file dev.File) (pids []int) {
	for _, p := range file.Peers {
		pids = append(pids, p.PID)
	}
	for _, a := range file.Agents {
		pids = append(pids, a.PID)
	}
	for _, i := range file.Instances {
		pids = append(pids, i.PID)
	}
	return pids
}

func demoStarts(t *testing.T, f *fleet) {
	file := f.file()
	if len(file.Peers) != 3 || len(file.Agents) != 5 || len(file.Instances) != 2 || file.Admin.Token == "" || file.CA != "" {
		t.Errorf("dev.json: %+v", file)
	}
	info, err := os.Stat(filepath.Join(f.dir, dev.FileName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("dev.json: %v, %v", info.Mode(), err)
	}
	for _, a := range file.Agents {
		for _, target := range []string{"routing/core", "security/policy", "vpn/tunnels"} {
			text, err := os.ReadFile(filepath.Join(a.Dir, "current", target+".json"))
			if err != nil || !json.Valid(text) {
				t.Errorf("%s of %s: %v", target, a.Node, err)
			}
		}
	}
	for _, i := range file.Instances {
		if held := names(t, filepath.Join(i.Dir, "current")); held != "connections.json webhooks.json" {
			t.Errorf("%s holds %s", i.Node, held)
		}
	}
	if held := names(t, filepath.Join(file.Agents[0].Dir, "current")); held != "routing security vpn" {
		t.Errorf("%s holds %s", file.Agents[0].Node, held)
	}
	role := func(node string) string {
		text, _ := os.ReadFile(filepath.Join(f.dir, node, "current", "vpn", "tunnels.json"))
		var content struct{ Role string }
		_ = json.Unmarshal(text, &content)
		return content.Role
	}
	if role("edge-1") != "hub" || role("edge-3") != "spoke" {
		t.Errorf("edge-1 is %q and edge-3 %q: the selectors by site do not hold", role("edge-1"), role("edge-3"))
	}
	if r := f.must(0, "node", "list", "-o", "json"); !strings.Contains(r.stdout, `"site": "site-5"`) {
		t.Error("edge-5 has no label site=site-5")
	}
}

// names are the entries of a directory.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func editsArrive(t *testing.T, f *fleet) {
	c := f.client()
	for n := 1; n <= 2; n++ {
		revision, err := put(t.Context(), c, "e2e/counter", n)
		if err != nil {
			t.Fatal(err)
		}
		f.arrives(10*time.Second, "e2e/counter", n)
		f.must(0, "wait", fmt.Sprint(revision))
	}
	old := f.leader()
	r := f.must(0, "dev", "kill", "leader", "--dir", f.dir)
	killed := time.Now()
	if !strings.Contains(r.stdout, old.Name) {
		t.Errorf("the leader was %s: %s", old.Name, r.stdout)
	}
	if _, err := put(t.Context(), c, "e2e/counter", 3); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(killed); took > 2*time.Second {
		t.Errorf("the next commit came %s after the leader was killed, want 2 s", took)
	}
	f.arrives(10*time.Second, "e2e/counter", 3)
	f.eventually(30*time.Second, "the killed peer is started again", func() error {
		for _, p := range f.file().Peers {
			if p.Name == old.Name && p.PID != old.PID {
				return nil
			}
		}
		return errors.New("dev.json has the old process")
	})
	f.settled(20 * time.Second)
}

// writer commits one number after the other until it is stopped, and notes
// which were acknowledged.
type writer struct {
	stop func()
	done chan struct{}

	mu    sync.Mutex
	acked int // 1 … acked were acknowledged
	fails []error
}

// write starts a writer on a document of its own.
func write(t *testing.T, c *client.Client, name string) *writer {
	ctx, cancel := context.WithCancel(t.Context())
	w := &writer{stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for n := 1; ctx.Err() == nil; n++ {
			_, err := put(context.WithoutCancel(ctx), c, name, n)
			w.mu.Lock()
			if err != nil {
				w.fails = append(w.fails, fmt.Errorf("write %d: %w", n, err))
			} else {
				w.acked = n
			}
			w.mu.Unlock()
		}
	}()
	return w
}

func (w *writer) state() (acked int, fails []error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.acked, w.fails
}

func (w *writer) end() (acked int, fails []error) {
	w.stop()
	<-w.done
	return w.state()
}

// more waits until a writer has got on.
func (f *fleet) more(w *writer, than int) {
	f.t.Helper()
	f.eventually(15*time.Second, "writes go on", func() error {
		if acked, _ := w.state(); acked > than {
			return nil
		}
		return fmt.Errorf("still at %d", than)
	})
}

func plannedStop(t *testing.T, f *fleet) {
	w := write(t, f.client(), "e2e/planned")
	f.more(w, 5)
	old := f.leader()
	signal(t, old.PID, syscall.SIGTERM)
	f.eventually(15*time.Second, "the leader has ended", func() error {
		if gone(old.PID) {
			return nil
		}
		return errors.New("it runs")
	})
	at, _ := w.state()
	f.more(w, at+5)
	if f.leader().Name == old.Name {
		t.Error("the peer that was stopped leads")
	}
	acked, fails := w.end()
	for _, err := range fails {
		t.Error(err)
	}
	f.arrives(10*time.Second, "e2e/planned", acked)
	f.eventually(30*time.Second, "the stopped peer is started again", func() error {
		for _, p := range f.file().Peers {
			if p.Name == old.Name && p.PID == old.PID {
				return errors.New("dev.json has the old process")
			}
		}
		return nil
	})
	f.settled(20 * time.Second)
}

// pausedMinority stops the leader's process without ending it: the others
// elect another one. When it goes on it must not accept a write as a leader
// that it no longer is.
func pausedMinority(t *testing.T, f *fleet) {
	old := f.leader()
	signal(t, old.PID, syscall.SIGSTOP)
	defer func() { _ = syscall.Kill(old.PID, syscall.SIGCONT) }() // again, where the test has failed
	var rest []string
	for _, p := range f.file().Peers {
		if p.Name != old.Name {
			rest = append(rest, p.URL)
		}
	}
	c := f.client(rest...)
	if _, err := put(t.Context(), c, "e2e/counter", 4); err != nil {
		t.Fatal(err)
	}
	signal(t, old.PID, syscall.SIGCONT)
	revision, err := put(t.Context(), f.client(old.URL), "e2e/counter", 5) // through the old leader, as a follower
	if err != nil {
		t.Fatal(err)
	}
	var doc client.Document
	if _, err := c.Get(t.Context(), client.Path("documents", "e2e/counter"), map[string][]string{"consistency": {"strong"}}, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Revision != revision {
		t.Errorf("the others are at revision %d, the paused peer answered %d: two histories", doc.Revision, revision)
	}
	f.arrives(15*time.Second, "e2e/counter", 5)
	f.settled(20 * time.Second)
}

func pausedMajority(t *testing.T, f *fleet) {
	lead := f.leader()
	var paused []int
	for _, p := range f.file().Peers {
		if p.Name != lead.Name {
			paused = append(paused, p.PID)
			signal(t, p.PID, syscall.SIGSTOP)
		}
	}
	defer func() {
		for _, pid := range paused {
			_ = syscall.Kill(pid, syscall.SIGCONT) // again, where the test has failed
		}
	}()
	f.eventually(10*time.Second, "the last peer knows that it is alone", func() error {
		if s := f.status(lead.URL + "/readyz"); s != http.StatusServiceUnavailable {
			return fmt.Errorf("/readyz answers %d", s)
		}
		return nil
	})
	began := time.Now()
	_, err := once(t, f, lead.URL, "e2e/refused")
	if client.Code(err) != "no_quorum" {
		t.Errorf("a write without a majority: %v", err)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("the refusal took %s, want at most 1 s", took)
	}
	answer, err := f.client(lead.URL).Get(t.Context(), client.Path("documents"), nil, nil)
	if err != nil || answer.Stale == "" {
		t.Errorf("a read without a majority: stale %v, %v", answer, err)
	}
	for _, pid := range paused {
		signal(t, pid, syscall.SIGCONT)
	}
	f.settled(30 * time.Second)
	if r := f.drover("doc", "get", "e2e/refused"); r.code != 5 {
		t.Errorf("the refused write is there: %d %s", r.code, r.stdout)
	}
	if _, err := put(t.Context(), f.client(), "e2e/counter", last); err != nil {
		t.Fatal(err)
	}
	f.arrives(15*time.Second, "e2e/counter", last)
}

// last is what the counter holds at the end.
const last = 6

// once puts a document by one request, where the client would try again.
func once(t *testing.T, f *fleet, url, name string) (status int, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	body := strings.NewReader(`{"content":{"n":0}}`)
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url+client.Path("documents", name), body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.file().Admin.Token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode < 300 {
		return resp.StatusCode, nil
	}
	problem := &client.Error{}
	if err := json.NewDecoder(resp.Body).Decode(problem); err != nil {
		return resp.StatusCode, err
	}
	return resp.StatusCode, problem
}

func killAll(t *testing.T, f *fleet) {
	const writers = 4
	var all []*writer
	for i := range writers {
		all = append(all, write(t, f.client(), fmt.Sprintf("e2e/kill-%d", i)))
	}
	for _, w := range all {
		f.more(w, 10)
	}
	before := f.file()
	for _, p := range before.Peers {
		signal(t, p.PID, syscall.SIGKILL)
	}
	acked := make([]int, writers)
	for i, w := range all {
		w.stop()
		acked[i], _ = w.state()
	}
	f.eventually(40*time.Second, "all peers are started again", func() error {
		for i, p := range f.file().Peers {
			if p.PID == before.Peers[i].PID {
				return fmt.Errorf("%s is the old process", p.Name)
			}
		}
		return nil
	})
	for _, w := range all {
		<-w.done // the write in flight may end either way, now or when it is given up
	}
	f.settled(30 * time.Second)
	c := f.client()
	for i := range writers {
		name := fmt.Sprintf("e2e/kill-%d", i)
		a, err := c.Get(t.Context(), client.Path("documents", name), map[string][]string{"consistency": {"strong"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct{ Content struct{ N int } }
		if err := a.Decode(&doc); err != nil {
			t.Fatal(err)
		}
		if doc.Content.N < acked[i] {
			t.Errorf("%s holds %d, but %d was acknowledged", name, doc.Content.N, acked[i])
		}
	}
}
