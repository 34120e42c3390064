package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/droverhq/drover/cluster/rpc"
	"github.com/droverhq/drover/fsm"
)

// configTimeout bounds how long Raft may take to accept a change of its
// configuration; it accepts one at a time.
const configTimeout = 5 * time.Second

// again tells errors after which the leader is looked for once more.
func again(err error) bool {
	code := rpc.Code(err)
	return errors.Is(err, rpc.ErrNotSent) || code == codeNotLeader
}

// fromCode turns what came from another peer back into the errors of this
// package, and keeps the text.
func fromCode(err error) error {
	known := map[string]error{
		codeUnsafe: ErrUnsafe, codeNoPeer: ErrNoSuchPeer, codeNoTarget: ErrNoTarget, codeRemoved: ErrLeft,
		codeNoQuorum: ErrNoQuorum, codeUnknown: ErrOutcomeUnknown,
	}
	if e := known[rpc.Code(err)]; e != nil {
		return fmt.Errorf("%w: %w", e, err)
	}
	return err
}

// coded gives an error that another peer asks about its code.
func coded(err error) error {
	for code, e := range map[string]error{codeNoQuorum: ErrNoQuorum, codeUnknown: ErrOutcomeUnknown} {
		if errors.Is(err, e) {
			return &rpc.Error{Code: code, Message: err.Error()}
		}
	}
	return err
}

// exclusively makes one change of the membership at a time, from looking at it
// to its end in Raft and in the state. Raft makes one at a time too, but between
// the look and the change autopilot could bring back a peer that was removed.
func (c *core) exclusively(ctx context.Context, change func() error) error {
	select {
	case c.config <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.config }()
	return change()
}

// settled starts something in Raft and waits for it. The start may wait too, and
// Raft leaves some futures unanswered when it shuts down.
func settled(ctx context.Context, start func() raft.Future) error {
	done := make(chan error, 1)
	go func() { done <- start().Error() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// announcement is how a peer wants to be known. It is sent at every start: the
// address, the version or the URL may have changed.
type announcement struct {
	Peer fsm.Peer `cbor:"1,keyasint"`
}

// handleAnnounce registers what a peer says of itself, and makes it a non-voter
// where Raft does not know it yet. Whether it belongs here was decided when it
// joined: then its row was written, and a removal takes the row away.
func (c *core) handleAnnounce(ctx context.Context, from string, req announcement) (empty, error) {
	return empty{}, c.exclusively(ctx, func() error { return c.register(ctx, from, req) })
}

func (c *core) register(ctx context.Context, from string, req announcement) error {
	if !c.leads() {
		return c.notLeader()
	}
	if req.Peer.ID != from {
		return fmt.Errorf("peer %s announces %s", from, req.Peer.ID)
	}
	known := c.row(from)
	if known == nil {
		// A removed peer marks its directory for good, so a leader that was paused
		// and has an old state must not say it: only one that is confirmed.
		if err := c.confirmed(ctx); err != nil {
			return err
		}
		if known = c.row(from); known == nil {
			return &rpc.Error{Code: codeRemoved, Message: "this peer is not a member of the cluster"}
		}
	}
	want := req.Peer
	want.Alive = known.Alive
	if want != *known {
		if _, err := c.propose(ctx, fsm.Command{Actor: peerActor(from), Body: fsm.PutPeer{Peer: want}}); err != nil {
			return coded(err)
		}
	}
	if c.isMember(from) {
		return nil
	}
	// Never as a voter: one that cannot be reached would cost the quorum (trap 3).
	err := settled(ctx, func() raft.Future {
		return c.raft.AddNonvoter(raft.ServerID(from), raft.ServerAddress(want.Address), 0, configTimeout)
	})
	if err != nil {
		return c.notLeader()
	}
	return nil
}

// leads tells whether this peer leads and its state holds all that earlier
// leaders committed.
func (c *core) leads() bool {
	return c.raft.State() == raft.Leader && c.ready.Load() == c.raft.CurrentTerm()
}

// confirmed returns nil when a majority has just agreed that this peer leads,
// and its state holds all that is committed.
func (c *core) confirmed(ctx context.Context) error {
	index, err := c.reads.do(ctx)
	if err == nil {
		err = c.store.Wait(ctx, index)
	}
	if err != nil {
		return &rpc.Error{Code: codeNotLeader}
	}
	return nil
}

func peerActor(id string) fsm.Actor { return fsm.Actor{Name: id, Kind: "peer"} }

// handleMember answers whether the caller is a member. Only a leader that has
// just confirmed that it is one may answer: a peer that was removed is not told
// by Raft, and must not believe a follower that is behind (trap 10).
func (c *core) handleMember(ctx context.Context, from string, _ empty) (bool, error) {
	if !c.leads() {
		return false, c.notLeader()
	}
	if err := c.confirmed(ctx); err != nil {
		return false, err
	}
	return c.isMember(from) || c.row(from) != nil, nil
}

type removal struct {
	ID string `cbor:"1,keyasint"`
}

// handleRemove takes a peer out of Raft's configuration and then out of the
// state. A leader that shall go hands over first: see Node.Leave.
func (c *core) handleRemove(ctx context.Context, from string, req removal) (empty, error) {
	if !c.leads() {
		return empty{}, c.notLeader()
	}
	if c.row(from) == nil {
		return empty{}, &rpc.Error{Code: codeRemoved, Message: "this peer is not a member of the cluster"}
	}
	if c.row(req.ID) == nil && !c.isMember(req.ID) {
		return empty{}, &rpc.Error{Code: codeNoPeer, Message: fmt.Sprintf("no peer has the id %q", req.ID)}
	}
	if req.ID == c.id {
		return empty{}, &rpc.Error{Code: codeUnsafe, Message: "the leader removes itself only by `drover cluster leave` on it"}
	}
	err := c.exclusively(ctx, func() error { return c.takeOut(ctx, peerActor(from), req.ID) })
	if err != nil {
		return empty{}, err
	}
	if req.ID != from { // who leaves still waits for this answer on its connection
		c.drop(req.ID)
	}
	return empty{}, nil
}

// takeOut removes a peer from Raft and from the state, if that is safe.
func (c *core) takeOut(ctx context.Context, actor fsm.Actor, id string) error {
	if err := c.safeWithout(ctx, id); err != nil {
		return err
	}
	if err := settled(ctx, func() raft.Future { return c.raft.RemoveServer(raft.ServerID(id), 0, configTimeout) }); err != nil {
		return c.notLeader()
	}
	_, err := c.propose(ctx, fsm.Command{Actor: actor, Body: fsm.RemovePeer{ID: id}})
	if err != nil && fsm.Code(err) != fsm.CodeNotFound {
		return coded(err)
	}
	return nil
}

// safeWithout refuses a removal after which the remaining voters would have no
// healthy majority.
func (c *core) safeWithout(ctx context.Context, id string) error {
	answers := c.askAll(ctx)
	voters, healthy, votes := 0, 0, false
	for _, s := range c.members() {
		if s.Suffrage != raft.Voter {
			continue
		}
		if string(s.ID) == id {
			votes = true
			continue
		}
		voters++
		if a, ok := answers[string(s.ID)]; ok && a.Sick == "" {
			healthy++
		}
	}
	if votes && healthy < voters/2+1 {
		return &rpc.Error{Code: codeUnsafe, Message: fmt.Sprintf("%d of the %d remaining voters are healthy, which is no majority; bring the others back first", healthy, voters)}
	}
	return nil
}

// remove asks the leader to take a peer out.
func (c *core) remove(ctx context.Context, id string) error {
	_, err := callLeader(ctx, c, methodRemove, removal{id}, c.handleRemove)
	return err
}

// find resolves a name or an id.
func (c *core) find(nameOrID string) (string, error) {
	for _, p := range c.rows() {
		if p.ID == nameOrID || p.Name == nameOrID {
			return p.ID, nil
		}
	}
	if c.isMember(nameOrID) {
		return nameOrID, nil
	}
	return "", fmt.Errorf("%w: %q", ErrNoSuchPeer, nameOrID)
}
