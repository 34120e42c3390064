package cluster

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sync/errgroup"

	"github.com/droverhq/drover/cluster/rpc"
	"github.com/droverhq/drover/fsm"
)

// caller calls a method of another peer; *rpc.Pool is the usual one.
type caller interface {
	Call(ctx context.Context, peer, method string, req, resp any) error
}

// parts are what a peer runs on: disk and network in a process, memory in
// tests of time.
type parts struct {
	raft    *raft.Raft
	machine *machine
	logs    raft.LogStore
	notify  <-chan bool // Raft's NotifyCh
	calls   caller
	drop    func(peer string) // closes the connections with a peer
	local   func() local      // what this peer says of itself, beyond Raft
	papers  func(peer string, csr []byte) (joinAnswer, error)
}

// local is what a peer knows of itself alone.
type local struct {
	peer   fsm.Peer // how it wants to be known
	sick   string   // why it should not lead; "" = healthy
	full   bool     // accepts nothing but what frees space
	closed bool     // it is stopping
}

// core is one run of a peer: everything between Raft and Node.
type core struct {
	parts
	id     string
	store  *fsm.Store
	log    *slog.Logger
	view   *view
	duties []duty

	ready   atomic.Uint64 // the term whose barrier has passed: reads and duties may start
	forward *forwarder
	reads   *coalescer
	remote  *coalescer // strong reads asked of the leader
	alive   *liveness
	config  chan struct{} // holds one token: who changes the membership, see exclusively
}

func newCore(id string, store *fsm.Store, log *slog.Logger, p parts, duties []duty) *core {
	c := &core{parts: p, id: id, store: store, log: log, view: newView(), config: make(chan struct{}, 1)}
	c.duties = append(c.ownDuties(), duties...)
	c.forward = newForwarder(p.calls)
	c.reads = newCoalescer(c.confirmRead)
	c.remote = newCoalescer(c.askRead)
	c.alive = newLiveness()
	return c
}

// run does the work until ctx ends, and waits for all of it.
func (c *core) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { c.view.follow(ctx, c.raft, c.id); return nil })
	g.Go(func() error { followLeadership(ctx, c.notify, c.lead); return nil })
	g.Go(func() error { return c.forward.run(ctx) })
	g.Go(func() error { return c.reads.run(ctx) })
	g.Go(func() error { return c.remote.run(ctx) })
	return g.Wait()
}

// handlers are the methods that other peers may call.
func (c *core) handlers() map[string]rpc.Handler {
	return map[string]rpc.Handler{
		methodPropose:  rpc.Handle(c.handlePropose),
		methodRead:     rpc.Handle(c.handleRead),
		methodTerm:     rpc.Handle(c.handleTerm),
		methodStatus:   rpc.Handle(c.handleStatus),
		methodAnnounce: rpc.Handle(c.handleAnnounce),
		methodMember:   rpc.Handle(c.handleMember),
		methodRemove:   rpc.Handle(c.handleRemove),
		methodTransfer: rpc.Handle(c.handleTransferTo),
		methodReplace:  rpc.Handle(c.handleReplace),
	}
}

// Methods of a peer.
const (
	methodPropose  = "propose"
	methodRead     = "read"
	methodTerm     = "term"
	methodStatus   = "status"
	methodAnnounce = "announce"
	methodMember   = "member"
	methodRemove   = "remove"
	methodTransfer = "transfer"
	methodReplace  = "replace"
)

// Codes of the errors of these methods.
const (
	codeNotLeader = "not_leader" // the message is the id of the leader, if it is known
	codeRemoved   = "removed"
	codeUnsafe    = "unsafe"
	codeNoPeer    = "no_such_peer"
	codeNoTarget  = "no_target"
	codeNoQuorum  = "no_quorum"
	codeUnknown   = "outcome_unknown"
)

// empty is the answer, or the question, that says nothing.
type empty struct{}

// members is Raft's configuration.
func (c *core) members() []raft.Server {
	f := c.raft.GetConfiguration()
	if f.Error() != nil {
		return nil
	}
	return f.Configuration().Servers
}

func (c *core) isMember(id string) bool {
	for _, s := range c.members() {
		if string(s.ID) == id {
			return true
		}
	}
	return false
}

// row is what the replicated state knows of a peer, or nil.
func (c *core) row(id string) *fsm.Peer {
	var p *fsm.Peer
	c.store.View(func(s *fsm.State) { p = s.Peer(id) })
	return p
}

func (c *core) rows() []*fsm.Peer {
	var list []*fsm.Peer
	c.store.View(func(s *fsm.State) { list = s.Peers() })
	return list
}

// leader answers who leads, waiting while there was a leader a moment ago. The
// error is ErrNoQuorum, or that of ctx.
func (c *core) leader(ctx context.Context) (View, error) {
	for {
		v, changed := c.view.get()
		if v.Leader != "" {
			return v, nil
		}
		left := NoQuorumAfter - time.Since(v.Since)
		if left <= 0 {
			return v, ErrNoQuorum
		}
		timer := time.NewTimer(left)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return v, ctx.Err()
		}
		timer.Stop()
	}
}

// notLeader is the answer of a peer that was taken for the leader.
func (c *core) notLeader() error {
	v, _ := c.view.get()
	return &rpc.Error{Code: codeNotLeader, Message: v.Leader}
}

// callLeader calls a method of the leader from any peer, and tries again while
// the leader changes. local is the method itself, for when this peer leads.
func callLeader[Q, A any](ctx context.Context, c *core, method string, req Q, local func(context.Context, string, Q) (A, error)) (A, error) {
	var answer A
	for {
		v, err := c.leader(ctx)
		if err != nil {
			return answer, err
		}
		if v.Self {
			answer, err = local(ctx, c.id, req)
		} else {
			err = c.calls.Call(ctx, v.Leader, method, req, &answer)
		}
		if !again(err) {
			return answer, fromCode(err)
		}
		if err := pause(ctx, retryPause); err != nil {
			return answer, fmt.Errorf("%s: %w", method, err)
		}
	}
}

// retryPause is the time between two tries while the leadership settles.
const retryPause = 20 * time.Millisecond

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
