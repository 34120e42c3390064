package cluster

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/raft"
)

// What counts as a disk in trouble.
const (
	lowSpace      = 0.05 // of the disk: hand the leadership over, report it
	fullSpace     = 0.02 // of the disk: accept only what frees space
	diskInterval  = 250 * time.Millisecond
	spaceInterval = 2 * time.Second
)

// disk is what is known of the disk with the data directory.
type disk struct {
	space func(dir string) (float64, error)

	mu   sync.Mutex
	sick string
	full bool
}

func newDisk(space func(string) (float64, error)) *disk { return &disk{space: space} }

func (d *disk) state() (sick string, full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sick, d.full
}

// look measures the free space; it is well again as soon as there is enough.
func (d *disk) look(dir string) error {
	free, err := d.space(dir)
	if err != nil {
		return err
	}
	sick := ""
	if free < lowSpace {
		sick = fmt.Sprintf("its disk has %.1f %% free", free*100)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sick, d.full = sick, free < fullSpace
	return nil
}

// freeSpace is the free part of the disk that a directory is on.
func freeSpace(dir string) (float64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", dir, err)
	}
	if s.Blocks == 0 {
		return 1, nil
	}
	return float64(s.Bavail) / float64(s.Blocks), nil
}

// watchDisk gives way to the other peers when this one leads and its disk hangs
// (trap 4). It asks nothing of the disk itself, which would hang with it.
func (r *running) watchDisk(ctx context.Context, hung time.Duration) error {
	tick := time.NewTicker(diskInterval)
	defer tick.Stop()
	for {
		leads := r.core.raft.State() == raft.Leader
		if took := r.watch.Writing(time.Now()); leads && took > hung {
			r.port.Refuse()
			return fmt.Errorf("%w: a write takes %v already", ErrDiskHung, took.Round(time.Millisecond))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// watchSpace gives way when this peer leads and its disk is nearly full (trap 5).
func (r *running) watchSpace(ctx context.Context) error {
	tick := time.NewTicker(spaceInterval)
	defer tick.Stop()
	for {
		r.lookAtSpace(ctx)
		r.watchGrowth(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (r *running) lookAtSpace(ctx context.Context) {
	was, _ := r.disk.state()
	looked := make(chan error, 1)
	go func() { // on a disk that hangs this hangs too, and ends with it
		looked <- r.disk.look(string(r.home))
	}()
	select {
	case err := <-looked:
		if err != nil {
			r.log.Warn("the free space is not known", "err", err)
			return
		}
	case <-ctx.Done():
		return
	}
	now, full := r.disk.state()
	if was == "" && now != "" {
		r.log.Error("the disk is nearly full", "state", now, "full", full)
	} else if was != "" && now == "" {
		r.log.Info("the disk has space again")
	}
	if now != "" && r.core.raft.State() == raft.Leader {
		tctx, cancel := context.WithTimeout(ctx, configTimeout)
		defer cancel()
		if _, err := r.core.handleTransfer(tctx, r.core.id, empty{}); err != nil {
			r.log.Warn("no other peer takes over", "err", err)
		}
	}
}

// watchGrowth takes a snapshot when the log has grown by many bytes: Raft's own
// threshold counts entries.
func (r *running) watchGrowth(ctx context.Context) {
	if r.logs.Grown() < snapshotGrowth {
		return
	}
	r.logs.ResetGrown()
	go func() { // ends with ctx
		if err := settled(ctx, func() raft.Future { return r.core.raft.Snapshot() }); err != nil {
			r.log.Info("no snapshot of the grown log", "err", err)
		}
	}()
}
