package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/droverhq/drover/api"
	"github.com/droverhq/drover/cluster"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push"
	"github.com/droverhq/drover/wire"
)

// The parts of a server do not know each other; what one needs of another is
// put together here.

// signer signs with the cluster's key. The key is in the replicated state; it
// is read once, because delivery signs while it holds that state's lock, which
// must not be asked for twice.
type signer struct {
	key atomic.Pointer[ed25519.PrivateKey]
}

// Sign signs a text. It is called for sessions only, and gate admits none
// before the key is there.
func (s *signer) Sign(text string) string { return wire.Sign(*s.key.Load(), text) }

// Run reads the key as soon as this peer has the state that it is in.
func (s *signer) Run(ctx context.Context, node *cluster.Node) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		key, err := node.SigningKey()
		if err == nil {
			s.key.Store(&key)
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// gate keeps agents out until the key is there.
func (s *signer) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.key.Load() == nil {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "this controller has not received the cluster's state yet", http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// proposer gives package api the cluster, in its own words for what failed.
type proposer struct{ node *cluster.Node }

func (p proposer) Propose(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	res, err := p.node.Propose(ctx, c)
	return res, apiError(err)
}

func (p proposer) ReadIndex(ctx context.Context) (uint64, error) {
	index, err := p.node.ReadIndex(ctx)
	return index, apiError(err)
}

func apiError(err error) error {
	if err == nil {
		return nil
	}
	for _, known := range []struct{ from, to error }{
		{cluster.ErrNoQuorum, api.ErrNoQuorum},
		{cluster.ErrOutcomeUnknown, api.ErrOutcomeUnknown},
		{cluster.ErrDiskFull, api.ErrDiskFull},
		{cluster.ErrNotReady, api.ErrNotReady},
		{cluster.ErrLeft, api.ErrNotReady},
		{cluster.ErrNoSuchPeer, api.ErrNoPeer},
		{cluster.ErrUnsafe, api.ErrUnsafe},
		{cluster.ErrNoTarget, api.ErrUnsafe},
	} {
		if errors.Is(err, known.from) {
			return fmt.Errorf("%w: %w", known.to, err)
		}
	}
	return err
}

// sealedInstance is the name under which tokens and keys of instances are sealed.
const sealedInstance = "instance"

func (p proposer) seal(secret []byte) ([]byte, error) {
	sealed, err := p.node.Seal(sealedInstance, secret)
	return sealed, apiError(err)
}

func (p proposer) digest(data []byte) ([]byte, error) {
	sum, err := p.node.Digest(sealedInstance, data)
	return sum, apiError(err)
}

func (p proposer) open(sealed []byte) ([]byte, error) { return p.node.Open(sealedInstance, sealed) }

// verifier gives package api the delivery to instances, in its own words.
type verifier struct{ delivery *push.Server }

func (v verifier) Verify(ctx context.Context, document string, ids []string) ([]api.Verified, error) {
	found, err := v.delivery.Verify(ctx, document, ids)
	out := make([]api.Verified, len(found))
	for i, f := range found {
		out[i] = api.Verified(f)
	}
	return out, err
}

// control gives package api the membership of the cluster.
type control struct {
	node    *cluster.Node
	store   *fsm.Store
	name    string // of this peer
	address string // of its peer port
}

func (c *control) Standing() api.Standing {
	v, _ := c.node.View()
	return api.Standing{Self: c.node.ID(), Leader: v.Leader, Term: v.Term, Since: v.Since}
}

func (c *control) Status(ctx context.Context) map[string]api.PeerStatus {
	s, err := c.node.Status(ctx)
	if err != nil {
		return nil
	}
	sessions := map[string]int{}
	c.store.View(func(state *fsm.State) {
		for n := range state.Nodes {
			if row := state.Row(n.Ordinal); row != nil && row.Connected {
				sessions[row.Session.Peer]++
			}
		}
	})
	out := map[string]api.PeerStatus{}
	for _, p := range s.Peers {
		if p.Role == "joining" && !p.Alive {
			continue
		}
		out[p.ID] = api.PeerStatus{
			Voter: p.Role == "leader" || p.Role == "voter", Alive: p.Alive,
			Applied: p.Applied, Hash: p.Hash, Sessions: sessions[p.ID],
		}
	}
	return out
}

// inviteFor is how long a join token is good.
const inviteFor = time.Hour

func (c *control) Invite(ctx context.Context, by fsm.Actor) (api.Invitation, error) {
	token, err := c.node.CreateJoinToken(ctx, inviteFor, by)
	if err != nil {
		return api.Invitation{}, apiError(err)
	}
	return api.Invitation{
		Token: token, Expires: time.Now().Add(inviteFor),
		Command: fmt.Sprintf("drover cluster join %s --token-file TOKENFILE", c.address),
	}, nil
}

// Change carries out what was asked of this peer about any peer: another one
// that shall leave is removed, because only it could mark its own directory.
func (c *control) Change(ctx context.Context, action, name string, _ fsm.Actor) error {
	switch action {
	case "transfer-leader":
		if name != "" {
			return apiError(c.node.LeadershipTransferTo(ctx, name))
		}
		return apiError(c.node.LeadershipTransfer(ctx))
	case "leave", "remove":
		if name == "" || name == c.name {
			return apiError(c.node.Leave(ctx))
		}
		return apiError(c.node.RemovePeer(ctx, name))
	}
	return fmt.Errorf("%q is no action on the membership", action)
}
