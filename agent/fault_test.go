package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/droverhq/drover/wire"
)

// faults lets steps fail: the k-th one, or all from there on.
type faults struct {
	from, until atomic.Int64
	count       atomic.Int64
	err         error
}

func (f *faults) step(string) error {
	if n := f.count.Add(1); n >= f.from.Load() && n < f.until.Load() {
		return f.err
	}
	return nil
}

// failing runs an update on a node whose disk fails from the k-th step on, for
// so many steps, and checks that it ends old or new, says so, and goes on once
// the disk is well. It tells whether there were k steps.
func (c *crashes) failing(t *testing.T, k, many int64, err error, code string) bool {
	dir := c.copyOf()
	config := c.config(watched())
	config.Dir = dir
	f := &faults{err: err}
	f.from.Store(k)
	f.until.Store(k + many)
	run := startAgent(t, config, Deps{Step: f.step, Random: func() float64 { return 0 }})
	defer run.stop()
	l := c.peer.session()
	v3 := c.v2.with(docs{"a": `{"x":3}`})
	held := c.v1
	l.send(c.update(3, c.v1, c.v2))
	switch m := (<-l.frames).(type) {
	case wire.Ack:
		held = c.v2
		runs(t, dir, held)
	case wire.Error:
		if p := m.Errors[0]; p.Code != code || !p.Retryable || p.Message == "" {
			t.Fatalf("step %d: %+v", k, m)
		}
	default:
		t.Fatalf("step %d: %+v", k, m)
	}
	if !c.quiet(l) {
		t.Fatalf("step %d: the agent gave up", k)
	}
	reached := f.count.Load() >= k
	f.until.Store(0)
	// What is held now is told, whatever it is; the next update brings v3.
	for index := uint64(4); ; index++ {
		l.send(wire.Report{})
		s := l.status()
		h := c.header(index, held, v3)
		h.Base = s.Manifest
		u := wire.Update{Update: fmt.Sprint(index), Documents: []wire.Document{}}
		for target, content := range v3 {
			u.Documents = append(u.Documents, wire.Document{Target: target, Content: []byte(content)})
		}
		l.send(c.sign(u, h))
		if l.answer(u.Update) {
			break
		}
		if index > 8 {
			t.Fatalf("step %d: the node does not recover", k)
		}
	}
	runs(t, dir, v3)
	if got := app(t, dir); got != loaded(v3) {
		t.Fatalf("step %d: the application runs %s", k, got)
	}
	return reached
}

// status waits for the answer to report.
func (l *link) status() wire.Status {
	for m := range l.framesUntilLost() {
		if s, ok := m.(wire.Status); ok && s.Reason == "report" {
			return s
		}
	}
	l.peer.cluster.t.Fatal("no status")
	return wire.Status{}
}

// answer waits for the answer to an update and tells whether it was an ack.
func (l *link) answer(update string) bool {
	for m := range l.framesUntilLost() {
		switch m := m.(type) {
		case wire.Ack:
			return m.Update == update
		case wire.Error:
			if m.Update == update {
				return false
			}
		}
	}
	return false
}

func TestADiskThatFailsOnceAtEveryStep(t *testing.T) {
	c := newCrashes(t)
	k := int64(1)
	for c.failing(t, k, 1, syscall.EIO, wire.CodeWriteFailed) {
		k++
	}
	if k < 20 {
		t.Fatalf("only %d steps", k)
	}
}

func TestADiskThatFailsFromEveryStepOn(t *testing.T) {
	c := newCrashes(t)
	k := int64(1)
	for c.failing(t, k, 1000, syscall.ENOSPC, wire.CodeDiskFull) {
		k++
	}
	if k < 20 {
		t.Fatalf("only %d steps", k)
	}
}

// A real full disk: the update does not fit, what runs stays, and once there
// is room it goes through.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("only root can mount a small file system: the failing steps stand for it")
		return
	}
	n := newNode(t)
	small := t.TempDir()
	must(t, syscall.Mount("tmpfs", small, "tmpfs", 0, "size=1m"))
	t.Cleanup(func() { must(t, syscall.Unmount(small, 0)) })
	n.dir = filepath.Join(small, "agent")
	n.enrolled(n.dir, "edge-1")
	run := startAgent(t, n.config(), Deps{})
	t.Cleanup(run.stop)
	l := n.peer.session()
	v1 := docs{"a": `{"x":1}`}
	n.acked(l, n.update(1, nil, v1), v1)
	filler := filepath.Join(small, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	v2 := docs{"a": `{"x":2}`}
	e := n.refused(l, n.update(2, v1, v2), wire.CodeDiskFull, v1)
	if !e.Errors[0].Retryable {
		t.Fatalf("%+v", e)
	}
	must(t, os.Remove(filler))
	n.acked(l, n.update(3, v1, v2), v2)
}
