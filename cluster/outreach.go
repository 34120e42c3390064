package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/droverhq/drover/cluster/rpc"
)

// ask calls a method of the leader for a peer that may not know it: it goes
// through the peers it knows of, and follows who they say leads.
func ask[Q, A any](ctx context.Context, calls caller, known []contact, method string, req Q) (A, error) {
	var answer A
	queue := make([]string, 0, len(known))
	for _, c := range known {
		queue = append(queue, c.ID)
	}
	asked := map[string]bool{}
	err := errNobody
	for len(queue) > 0 {
		peer := queue[0]
		queue = queue[1:]
		if asked[peer] {
			continue
		}
		asked[peer] = true
		cctx, cancel := context.WithTimeout(ctx, askTimeout)
		cerr := calls.Call(cctx, peer, method, req, &answer)
		cancel()
		if cerr == nil {
			return answer, nil
		}
		var e *rpc.Error
		if errors.As(cerr, &e) && e.Code == codeNotLeader {
			if e.Message != "" {
				queue = append([]string{e.Message}, queue...)
			}
		} else if errors.As(cerr, &e) {
			return answer, fromCode(cerr)
		}
		err = fmt.Errorf("%w: %w", errNobody, cerr)
		if ctx.Err() != nil {
			break
		}
	}
	return answer, err
}

// Timing of a peer that looks after its own membership.
const (
	askTimeout       = 3 * time.Second
	announceInterval = time.Second
	memberInterval   = 2 * time.Second
)

// announce tells the leader how this peer wants to be known, until Raft has it
// as a member; after that it asks, whenever there is no leader, whether it still
// is one.
func (r *running) announce(ctx context.Context, cfg Config) error {
	c := r.core
	announced := false
	for {
		wait := announceInterval
		v, changed := c.view.get()
		switch {
		case !announced || !c.isMember(c.id):
			announced = r.tell(ctx, cfg) == nil
		case v.Leader == "":
			wait = memberInterval
			r.checkMembership(ctx)
		default:
			wait = time.Hour // nothing to do before the leader is lost
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-changed:
			if wait < time.Hour {
				_ = pause(ctx, announceInterval)
			}
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		timer.Stop()
	}
}

// tell announces this peer to the leader.
func (r *running) tell(ctx context.Context, cfg Config) error {
	req := announcement{Peer: cfg.row(r.id.Peer)}
	var err error
	if r.core.leads() {
		_, err = r.core.handleAnnounce(ctx, r.id.Peer, req)
	} else {
		_, err = ask[announcement, empty](ctx, r.core.calls, r.book.contacts(), methodAnnounce, req)
	}
	if errors.Is(err, ErrLeft) {
		r.removed()
	}
	if err != nil {
		r.log.Debug("not announced yet", "err", err)
	}
	return err
}

// checkMembership ends this peer if a confirmed leader says that it was removed.
// Silence, or another answer, changes nothing.
func (r *running) checkMembership(ctx context.Context) {
	member, err := ask[empty, bool](ctx, r.core.calls, r.book.contacts(), methodMember, empty{})
	if err == nil && !member {
		r.removed()
	}
}

func (r *running) removed() {
	const reason = "it was removed from the cluster"
	if err := r.home.mark(reason); err != nil {
		r.log.Error("the directory could not be marked", "err", err)
	}
	r.end(fmt.Errorf("%w: %s", ErrLeft, reason))
}
