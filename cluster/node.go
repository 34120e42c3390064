package cluster

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/droverhq/drover/cluster/transport"
	"github.com/droverhq/drover/fsm"
)

// Deps are what a Node needs.
type Deps struct {
	Store  *fsm.Store     // empty; the node fills it from snapshot and log
	Logger *slog.Logger   // never nil
	Dial   transport.Dial // how other peers are reached; nil = TCP
}

// Node is one peer of a cluster. Its methods may be called from anywhere at any
// time; before Run has started the peer, and after it has ended, they answer
// ErrNotReady.
type Node struct {
	cfg    Config
	deps   Deps
	log    *slog.Logger
	store  *fsm.Store
	certs  *certificates
	run    atomic.Pointer[running]
	began  chan struct{} // closed when Run was called
	ended  chan struct{} // closed when Run has returned
	stop   context.CancelFunc
	stopIn context.Context
	once   sync.Once
	tweaks tweaks

	dutiesMu sync.Mutex
	duties   []duty
}

// New makes a node. Nothing is read or opened before Run.
func New(cfg Config, deps Deps) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Store == nil || deps.Logger == nil {
		return nil, errors.New("a node needs a store and a logger")
	}
	n := &Node{
		cfg: cfg, deps: deps, log: deps.Logger, store: deps.Store,
		certs: newCertificates(cfg), began: make(chan struct{}), ended: make(chan struct{}), tweaks: usual(),
	}
	n.stopIn, n.stop = context.WithCancel(context.Background())
	return n, nil
}

// Duty adds a duty of the leader. All must be added before Run.
func (n *Node) Duty(name string, do Duty) {
	n.dutiesMu.Lock()
	defer n.dutiesMu.Unlock()
	n.duties = append(n.duties, duty{name, do})
}

// Run runs the peer until ctx ends or Stop is called (then it returns nil), or
// until it cannot go on: ErrNotInitialized, ErrLeft, ErrDiskHung (the process
// must end then), fsm.ErrUnknownCommand, ErrDamaged. A damaged peer first tries
// to join anew with an empty log. It may be called once.
func (n *Node) Run(ctx context.Context) error {
	first := false
	n.once.Do(func() { first = true; close(n.began) })
	if !first {
		return errors.New("a node runs once")
	}
	defer close(n.ended)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(n.stopIn, cancel)()
	for {
		err := n.runOnce(ctx)
		if err == nil || ctx.Err() != nil && !errors.Is(err, ErrLeft) {
			return nil
		}
		if !errors.Is(err, ErrDamaged) {
			return err
		}
		n.log.Error("this peer is damaged, and joins anew with an empty log", "err", err)
		if again := n.rejoin(ctx); again != nil {
			return fmt.Errorf("%w; it could not join anew either: %w", err, again)
		}
	}
}

// Stop ends the peer in order: another voter takes over the leadership, a
// snapshot is taken so that the next start is quick, Run returns. The server
// calls it last, when its agents have moved. A second call waits like the first.
func (n *Node) Stop(ctx context.Context) error {
	select {
	case <-n.began:
	default:
		n.stop() // a later Run returns at once
		return nil
	}
	if r, err := n.running(); err == nil {
		r.closing.Store(true)
		r.handOver(ctx)
	}
	n.stop()
	select {
	case <-n.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop the peer: %w", ctx.Err())
	}
}

func (n *Node) running() (*running, error) {
	if r := n.run.Load(); r != nil {
		return r, nil
	}
	return nil, ErrNotReady
}

// Propose commits a command and returns what this peer's own state made of it.
// An empty ID and Time are filled in. The result's error, an *fsm.Error, is
// returned too. Otherwise: ErrNoQuorum, ErrDiskFull, ErrNotReady, fsm.ErrTooLarge
// = not committed; ErrOutcomeUnknown = perhaps. While there was a leader less than
// NoQuorumAfter ago it waits; without a deadline in ctx it takes ten seconds at
// most. Many may call it at once.
func (n *Node) Propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error) {
	r, err := n.running()
	if err != nil {
		return fsm.Result{}, err
	}
	return r.core.propose(ctx, cmd)
}

// ReadIndex returns an index for a linearizable read: once Store.Wait has
// returned for it, this peer's state holds everything that was committed before
// the call. Errors: ErrNoQuorum, ErrNotReady, that of ctx.
func (n *Node) ReadIndex(ctx context.Context) (uint64, error) {
	r, err := n.running()
	if err != nil {
		return 0, err
	}
	return r.core.readIndex(ctx)
}

// View tells who leads, and returns a channel that is closed when that changes.
func (n *Node) View() (View, <-chan struct{}) {
	if r := n.run.Load(); r != nil {
		return r.core.view.get()
	}
	return View{}, n.began
}

// Leader returns the id of the leader. Without one, ok is false and stale is for
// how long there has been none.
func (n *Node) Leader() (id string, stale time.Duration, ok bool) {
	v, _ := n.View()
	if v.Leader != "" {
		return v.Leader, 0, true
	}
	return "", time.Since(v.Since), false
}

// Quorum tells whether there is a leader that has a majority, and if not, for
// how long there has been none.
func (n *Node) Quorum() (ok bool, lostFor time.Duration) {
	_, lostFor, ok = n.Leader()
	return ok, lostFor
}

// ID is the id of this peer, "" before Run has started it.
func (n *Node) ID() string {
	if r := n.run.Load(); r != nil {
		return r.core.id
	}
	return ""
}

// Ready returns nil when this peer can serve: it is a member, knows a leader,
// has once caught up with the log, and is not stopping. The error says what is
// missing.
func (n *Node) Ready() error {
	r, err := n.running()
	switch {
	case err != nil:
		return err
	case r.closing.Load():
		return errors.New("this peer is stopping")
	case !r.caughtUp.Load():
		return errNoState
	}
	if ok, lost := n.Quorum(); !ok && lost >= NoQuorumAfter { // before that, requests wait
		return ErrNoQuorum
	}
	return nil
}

// Status asks all peers how they are. It takes a second at most.
func (n *Node) Status(ctx context.Context) (Status, error) {
	r, err := n.running()
	if err != nil {
		return Status{}, err
	}
	return r.core.status(ctx), nil
}

// LeadershipTransfer makes another healthy voter the leader. It may be called on
// any peer. Errors: ErrNoTarget, ErrNoQuorum.
func (n *Node) LeadershipTransfer(ctx context.Context) error {
	r, err := n.running()
	if err != nil {
		return err
	}
	return r.core.transfer(ctx)
}

// LeadershipTransferTo makes a peer, given by id or name, the leader. Errors:
// ErrNoSuchPeer, ErrNoTarget (it is not fit to lead), ErrNoQuorum.
func (n *Node) LeadershipTransferTo(ctx context.Context, nameOrID string) error {
	r, err := n.running()
	if err != nil {
		return err
	}
	id, err := r.core.find(nameOrID)
	if err != nil {
		return err
	}
	return r.core.transferTo(ctx, id)
}

// RemovePeer takes another peer, given by id or name, out of the cluster.
// Errors: ErrNoSuchPeer, ErrUnsafe, ErrNoQuorum.
func (n *Node) RemovePeer(ctx context.Context, nameOrID string) error {
	r, err := n.running()
	if err != nil {
		return err
	}
	id, err := r.core.find(nameOrID)
	if err != nil {
		return err
	}
	if id == r.core.id {
		return n.Leave(ctx)
	}
	if v, _ := r.core.view.get(); v.Leader == id {
		if err := r.core.transfer(ctx); err != nil {
			return err
		}
	}
	return r.core.remove(ctx, id)
}

// Leave takes this peer out of the cluster, marks its directory, and ends Run
// with ErrLeft. It is refused (ErrUnsafe) where the others would have no healthy
// majority.
func (n *Node) Leave(ctx context.Context) error {
	r, err := n.running()
	if err != nil {
		return err
	}
	return r.leave(ctx)
}

// SigningKey is the key of the cluster that signs updates.
func (n *Node) SigningKey() (ed25519.PrivateKey, error) {
	r, err := n.running()
	if err != nil {
		return nil, err
	}
	return r.trust.signingKey()
}

// Seal encrypts a secret for the replicated state, bound to this cluster and a
// name of what it is. Any peer of the cluster opens it. An empty secret is not
// sealed: it is nothing to hide.
func (n *Node) Seal(name string, secret []byte) ([]byte, error) {
	r, err := n.running()
	if err != nil {
		return nil, err
	}
	return r.trust.seal(name, secret)
}

// Open decrypts what Seal made under the same name; nil is the empty secret.
func (n *Node) Open(name string, sealed []byte) ([]byte, error) {
	r, err := n.running()
	if err != nil {
		return nil, err
	}
	return r.trust.unseal(name, sealed)
}

// Digest is a hash that only peers of this cluster can make: what it is made of
// cannot be guessed from the replicated state.
func (n *Node) Digest(name string, data []byte) ([]byte, error) {
	r, err := n.running()
	if err != nil {
		return nil, err
	}
	return r.trust.digest(name, data)
}

// APICertificate is tls.Config.GetCertificate for the API port: the configured
// certificate, or one of the cluster's authority, which is renewed without a
// restart.
func (n *Node) APICertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return n.certs.get()
}

// mark writes that this peer must not start again, and why.
func (h home) mark(reason string) error {
	if err := h.write(fileLeft, []byte(reason)); err != nil {
		return err
	}
	return syncDir(string(h))
}
