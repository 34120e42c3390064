package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/raft"

	"github.com/droverhq/drover/cluster/logstore"
	"github.com/droverhq/drover/cluster/rpc"
	"github.com/droverhq/drover/cluster/transport"
	"github.com/droverhq/drover/fsm"
)

// open opens everything a run needs. When it fails half-way it releases what it
// took (trap 15); otherwise closeAll does.
func (n *Node) open(ctx context.Context) (_ *running, closeAll func() error, err error) {
	var undo opened
	defer func() {
		if err != nil {
			err = errors.Join(err, undo.closeAll())
		}
	}()
	r := &running{home: home(n.cfg.DataDir), log: n.log, left: make(chan error, 1), disk: newDisk(n.tweaks.space)}
	if r.id, err = r.home.identity(); err != nil {
		return nil, nil, err
	}
	r.log = n.log.With("peer", r.id.Peer)
	if r.creds, err = r.home.credentials(r.id); err != nil {
		return nil, nil, err
	}
	r.trust.store = n.store
	if r.trust.key, err = r.home.sealKey(); err != nil {
		return nil, nil, err
	}
	if r.logs, err = logstore.Open(r.home.peerPath(r.id.Peer, fileLog), r.id.Peer); err != nil {
		return nil, nil, err
	}
	undo = append(undo, r.logs.Close)
	if err = r.logs.Probe(); err != nil {
		return nil, nil, err
	}
	r.watch = logstore.NewStopwatch(n.tweaks.wrapLog(r.logs))
	if r.book, err = newBook(r.home, r.id.Peer, n.store); err != nil {
		return nil, nil, err
	}
	r.port = transport.New(transport.Config{Listen: n.cfg.Peer.Listen, Advertise: n.cfg.Peer.Advertise},
		transport.Deps{Credentials: r.creds, Dial: n.deps.Dial, Logger: r.log})
	if err = r.port.Listen(ctx); err != nil {
		return nil, nil, err
	}
	undo = append(undo, func() error { r.port.Close(); return nil })
	r.pool = r.newPool()
	undo = append(undo, func() error { r.pool.Close(); return nil })
	p, err := n.openRaft(r)
	if err != nil {
		return nil, nil, err
	}
	n.dutiesMu.Lock()
	defer n.dutiesMu.Unlock()
	r.core = newCore(r.id.Peer, n.store, r.log, p, n.duties)
	r.book.raft.Store(p.raft)
	return r, undo.closeAll, nil
}

// opened is what has to be closed, in the order in which it was opened.
type opened []func() error

func (o opened) closeAll() error {
	var errs []error
	for _, c := range slices.Backward(o) {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

func (h home) credentials(id identity) (*transport.Credentials, error) {
	bundle, err := os.ReadFile(h.path(fileCA))
	if err != nil {
		return nil, fmt.Errorf("trust bundle: %w", err)
	}
	cert, err := os.ReadFile(h.peerPath(id.Peer, fileCert))
	if err != nil {
		return nil, fmt.Errorf("peer certificate: %w", err)
	}
	key := cert // a renewed certificate has its key in the same file
	if !bytes.Contains(cert, []byte("PRIVATE KEY")) {
		if key, err = os.ReadFile(h.peerPath(id.Peer, fileKey)); err != nil {
			return nil, fmt.Errorf("peer key: %w", err)
		}
	}
	return transport.NewCredentials(bundle, cert, key)
}

// newPool makes the connections for calls to other peers.
func (r *running) newPool() *rpc.Pool {
	return rpc.NewPool(func(ctx context.Context, peer string) (net.Conn, error) {
		address, err := r.book.address(peer)
		if err != nil {
			return nil, err
		}
		return r.port.Dial(ctx, address, transport.ProtoRPC, peer)
	})
}

// openRaft starts Raft on the log and the snapshots of this peer.
func (n *Node) openRaft(r *running) (parts, error) {
	t, _ := profile(n.cfg.Raft.Profile)
	dir := filepath.Dir(r.home.peerPath(r.id.Peer, fileLog))
	snaps, err := raft.NewFileSnapshotStoreWithLogger(dir, snapshotRetain, newHclog(r.log, "snapshots"))
	if err != nil {
		return parts{}, fmt.Errorf("open the snapshots: %w", err)
	}
	last := uint64(0)
	if list, err := snaps.List(); err == nil && len(list) > 0 {
		last = list[0].Index
	}
	if err := r.logs.Verify(last); err != nil {
		return parts{}, err
	}
	cache, err := raft.NewLogCache(logCacheEntries, r.watch)
	if err != nil {
		return parts{}, fmt.Errorf("make the log cache: %w", err)
	}
	if err := reset(n.store); err != nil {
		return parts{}, err
	}
	notify := make(chan bool, 8)
	m := newMachine(n.store)
	trans := transport.NewRaft(r.port.Raft(), r.book, newHclog(r.log, "raft"))
	node, err := startRaft(func() (*raft.Raft, error) {
		return raft.NewRaft(raftConfig(r.id.Peer, t, r.log, notify), m, cache, r.logs, snaps, trans)
	})
	if err != nil {
		return parts{}, errors.Join(err, trans.Close())
	}
	m.installs.arm()
	return parts{
		raft: node, machine: m, logs: cache, notify: notify, calls: r.pool, papers: r.issuePapers,
		drop: func(peer string) { r.pool.Drop(peer); r.port.Drop(peer) },
		local: func() local {
			sick, full := r.disk.state()
			return local{peer: n.cfg.row(r.id.Peer), sick: sick, full: full, closed: r.closing.Load()}
		},
	}, nil
}

// startRaft calls start. Raft panics, or fails with a text only, when snapshots
// and log do not make a whole; that the log itself is readable and the disk
// takes writes was seen before.
func startRaft(start func() (*raft.Raft, error)) (node *raft.Raft, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	node, err = start()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return node, nil
}

// reset empties a store that held the state of an earlier run: log and snapshot
// are applied to an empty one.
func reset(store *fsm.Store) error {
	if store.Index() == 0 {
		return nil
	}
	var empty bytes.Buffer
	if _, err := fsm.NewStore().Snapshot().WriteTo(&empty); err != nil {
		return fmt.Errorf("empty the state: %w", err)
	}
	if err := store.Restore(&empty); err != nil {
		return fmt.Errorf("empty the state: %w", err)
	}
	return nil
}
