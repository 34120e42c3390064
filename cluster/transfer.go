package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/raft"

	"github.com/droverhq/drover/cluster/rpc"
)

// transferTries is how many voters are tried as the next leader.
const transferTries = 3

// transfer asks the leader, wherever it is, to hand over.
func (c *core) transfer(ctx context.Context) error { return c.transferTo(ctx, "") }

// transferTo names who shall lead; "" leaves it to the leader.
func (c *core) transferTo(ctx context.Context, id string) error {
	_, err := callLeader(ctx, c, methodTransfer, transferRequest{id}, c.handleTransferTo)
	return err
}

type transferRequest struct {
	To string `cbor:"1,keyasint,omitempty"` // id of a peer
}

func (c *core) handleTransferTo(ctx context.Context, from string, req transferRequest) (empty, error) {
	if c.leads() && c.row(from) == nil { // its certificate is good until it expires
		return empty{}, &rpc.Error{Code: codeRemoved, Message: "this peer is not a member of the cluster"}
	}
	return empty{}, c.give(ctx, req.To)
}

// handleTransfer hands the leadership over. Left to itself Raft may pick a dead
// peer (trap 9), so voters that answer just now and are healthy are tried, the
// one with the longest log first.
func (c *core) handleTransfer(ctx context.Context, _ string, _ empty) (empty, error) {
	return empty{}, c.give(ctx, "")
}

// give hands the leadership to one peer, or to the best one.
func (c *core) give(ctx context.Context, id string) error {
	if c.raft.State() != raft.Leader {
		return c.notLeader()
	}
	if id == c.id {
		return nil
	}
	targets := c.candidates(ctx)
	if id != "" {
		targets = slices.DeleteFunc(targets, func(s raft.Server) bool { return string(s.ID) != id })
	}
	if len(targets) == 0 {
		return &rpc.Error{Code: codeNoTarget, Message: ErrNoTarget.Error()}
	}
	var errs []error
	for _, t := range targets[:min(len(targets), transferTries)] {
		err := settled(ctx, func() raft.Future { return c.raft.LeadershipTransferToServer(t.ID, t.Address) })
		if err == nil || errors.Is(err, raft.ErrNotLeader) {
			return nil
		}
		errs = append(errs, fmt.Errorf("to %s: %w", t.ID, err))
		if ctx.Err() != nil {
			break
		}
	}
	return &rpc.Error{Code: codeNoTarget, Message: errors.Join(errs...).Error()}
}

// candidates are the other voters that are fit to lead, best first.
func (c *core) candidates(ctx context.Context) []raft.Server {
	answers := c.askAll(ctx)
	var fit []raft.Server
	for _, s := range c.members() {
		a, ok := answers[string(s.ID)]
		if s.Suffrage == raft.Voter && string(s.ID) != c.id && ok && a.Sick == "" {
			fit = append(fit, s)
		}
	}
	slices.SortFunc(fit, func(x, y raft.Server) int {
		return cmp.Or(cmp.Compare(answers[string(y.ID)].LastIndex, answers[string(x.ID)].LastIndex), cmp.Compare(x.ID, y.ID))
	})
	return fit
}
