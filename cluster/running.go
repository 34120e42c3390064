package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sync/errgroup"

	"github.com/droverhq/drover/cluster/logstore"
	"github.com/droverhq/drover/cluster/rpc"
	"github.com/droverhq/drover/cluster/transport"
)

// running is one run of a node: what is open, from the start of the peer to its
// end.
type running struct {
	home  home
	id    identity
	log   *slog.Logger
	creds *transport.Credentials
	trust trust
	port  *transport.Port
	pool  *rpc.Pool
	disk  *disk
	core  *core
	book  *book

	logs  *logstore.Store
	watch *logstore.Stopwatch

	closing  atomic.Bool
	caughtUp atomic.Bool
	left     chan error
}

// tweaks are what tests replace.
type tweaks struct {
	wrapLog func(raft.LogStore) raft.LogStore
	space   func(dir string) (free float64, err error)
	hung    time.Duration // a write of the log in flight for so long, on the leader
}

func usual() tweaks {
	return tweaks{wrapLog: func(s raft.LogStore) raft.LogStore { return s }, space: freeSpace, hung: 5 * time.Second}
}

// runOnce opens the peer, runs it, and closes what it has opened, in the
// opposite order.
func (n *Node) runOnce(ctx context.Context) error {
	r, closeAll, err := n.open(ctx)
	if err != nil {
		return err
	}
	n.run.Store(r)
	err = r.serve(ctx, n)
	n.run.Store(nil)
	if errors.Is(err, ErrDiskHung) {
		return err // to close would wait for the disk
	}
	return errors.Join(err, closeAll())
}

// serve runs everything until ctx ends or something cannot go on.
func (r *running) serve(ctx context.Context, n *Node) error {
	// The port outlives the work: who waits for a command of another peer gets
	// the answer that Raft gives when it shuts down.
	pctx, closePort := context.WithCancel(context.WithoutCancel(ctx))
	defer closePort()
	var outer errgroup.Group
	server := rpc.NewServer(r.core.handlers(), r.log)
	outer.Go(func() error {
		return r.port.Run(pctx, transport.Handlers{RPC: server.Serve, Join: n.serveJoin})
	})
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.core.run(ctx) })
	g.Go(func() error { return r.gossip(ctx, n.cfg) })
	g.Go(func() error { return r.watchDisk(ctx, n.tweaks.hung) })
	g.Go(func() error { return r.watchSpace(ctx) })
	g.Go(func() error { return r.announce(ctx, n.cfg) })
	g.Go(func() error { return r.catchUp(ctx) })
	g.Go(func() error { return r.keepContacts(ctx) })
	g.Go(func() error { return r.keepCertificates(ctx, n.certs) })
	g.Go(func() error { return r.watchFailures(ctx) })
	err := g.Wait()
	if errors.Is(err, ErrDiskHung) {
		return err
	}
	down := r.core.raft.Shutdown()
	r.core.machine.unpark()
	r.logs.Release()
	err = errors.Join(err, down.Error())
	closePort()
	r.pool.Close()
	return errors.Join(err, outer.Wait())
}

// watchFailures ends the run when the state, the log or the membership does not
// allow to go on.
func (r *running) watchFailures(ctx context.Context) error {
	select {
	case err := <-r.core.store.Failed():
		return fmt.Errorf("the state cannot be carried on: %w", err)
	case err := <-r.logs.Failed():
		return err
	case err := <-r.core.machine.installs.failed:
		return err
	case err := <-r.left:
		return err
	case <-ctx.Done():
		return nil
	}
}

// catchUp sets caughtUp once this peer's state has reached what was committed
// when it started.
func (r *running) catchUp(ctx context.Context) error {
	for ctx.Err() == nil {
		index, err := r.core.readIndex(ctx)
		if err == nil {
			err = r.core.store.Wait(ctx, index)
		}
		if err == nil {
			r.caughtUp.Store(true)
			return nil
		}
		_ = pause(ctx, 100*time.Millisecond)
	}
	return nil
}

// handOver gives the leadership away and takes a snapshot. What fails is logged:
// the peer stops all the same.
func (r *running) handOver(ctx context.Context) {
	if r.core.raft.State() == raft.Leader {
		if _, err := r.core.handleTransfer(ctx, r.core.id, empty{}); err != nil {
			r.log.Info("no other peer takes over", "err", err)
		}
	}
	err := settled(ctx, func() raft.Future { return r.core.raft.Snapshot() })
	if err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) {
		r.log.Info("no snapshot before the end", "err", err)
	}
}

// leave takes this peer out: hand over if it leads, ask the leader, mark the
// directory, end.
func (r *running) leave(ctx context.Context) error {
	if err := r.core.safeWithout(ctx, r.core.id); err != nil {
		return fromCode(err)
	}
	for try := 1; ; try++ {
		if r.core.raft.State() == raft.Leader {
			if err := r.core.transfer(ctx); err != nil {
				return err
			}
		}
		err := r.core.remove(ctx, r.core.id)
		if err == nil {
			break
		}
		if r.core.raft.State() != raft.Leader || try == transferTries { // it may have been elected again at once
			return err
		}
	}
	const reason = "it left by `drover cluster leave`"
	if err := r.home.mark(reason); err != nil {
		return err
	}
	r.end(fmt.Errorf("%w: %s", ErrLeft, reason))
	return nil
}

func (r *running) end(err error) {
	select {
	case r.left <- err:
	default:
	}
}
