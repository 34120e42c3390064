package cluster

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// readTimeout bounds one round of a strong read.
const readTimeout = 2 * time.Second

// readIndex answers an index with which a read is linearizable once this peer's
// own state has reached it. It waits for a leader as a write does.
func (c *core) readIndex(ctx context.Context) (uint64, error) {
	for {
		v, err := c.leader(ctx)
		if err != nil {
			return 0, err
		}
		round := c.remote
		if v.Self {
			round = c.reads
		}
		index, err := round.do(ctx)
		if err == nil {
			return index, nil
		}
		if err := pause(ctx, retryPause); err != nil {
			return 0, fmt.Errorf("%w: %w", ErrNoQuorum, err)
		}
	}
}

var errNotConfirmed = errors.New("the leadership could not be confirmed")

// confirmRead is one round on the leader. Raft's VerifyLeader will not do: an
// answer to a heartbeat that was sent before counts, and terms are not compared
// (trap 1). Instead the commit index is noted first, and then a majority of
// voters is asked whether the term is still the leader's. A later leader needs
// the vote of one of them, given after it answered; so at the time of the note
// nobody else could have committed anything.
func (c *core) confirmRead(ctx context.Context) (uint64, error) {
	term := c.raft.CurrentTerm()
	if c.raft.State() != raft.Leader || c.ready.Load() != term {
		return 0, errNotConfirmed // before its barrier a leader's commit index may be behind
	}
	index := c.raft.CommitIndex()
	if err := c.confirmTerm(ctx, term); err != nil {
		return 0, err
	}
	return c.lastCommand(index)
}

// confirmTerm asks a majority of the voters, this peer included, whether the
// term is still theirs, and then looks at its own once more.
func (c *core) confirmTerm(ctx context.Context, term uint64) error {
	voters, others := 0, []string{}
	yes := 0
	for _, s := range c.members() {
		if s.Suffrage != raft.Voter {
			continue
		}
		voters++
		if string(s.ID) == c.id {
			yes++
		} else {
			others = append(others, string(s.ID))
		}
	}
	need := voters/2 + 1
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan bool, len(others))
	for _, id := range others {
		go func() {
			var got uint64
			err := c.calls.Call(ctx, id, methodTerm, empty{}, &got)
			answers <- err == nil && got == term
		}()
	}
	for left := len(others); yes < need; left-- {
		if left == 0 {
			return errNotConfirmed
		}
		select {
		case ok := <-answers:
			if ok {
				yes++
			}
		case <-ctx.Done():
			return errNotConfirmed
		}
	}
	if c.raft.State() != raft.Leader || c.raft.CurrentTerm() != term {
		return errNotConfirmed
	}
	return nil
}

// lastCommand is the last command at or below a committed index: other entries
// never reach the state, so to wait for one of them could take for ever (trap
// 2). Where the log is cut off, the state of this peer, which includes all
// before the cut, says it.
func (c *core) lastCommand(index uint64) (uint64, error) {
	var l raft.Log
	for ; index > 0; index-- {
		err := c.logs.GetLog(index, &l)
		if errors.Is(err, raft.ErrLogNotFound) {
			break
		}
		if err != nil {
			return 0, fmt.Errorf("read the raft log: %w", err)
		}
		if l.Type == raft.LogCommand {
			return index, nil
		}
	}
	return c.store.Index(), nil
}

func (c *core) handleTerm(context.Context, string, empty) (uint64, error) {
	return c.raft.CurrentTerm(), nil
}

// askRead is one round on a follower.
func (c *core) askRead(ctx context.Context) (uint64, error) {
	v, _ := c.view.get()
	if v.Leader == "" || v.Self {
		return 0, errNotConfirmed
	}
	var index uint64
	err := c.calls.Call(ctx, v.Leader, methodRead, empty{}, &index)
	return index, err
}

func (c *core) handleRead(ctx context.Context, _ string, _ empty) (uint64, error) {
	index, err := c.reads.do(ctx)
	if err != nil {
		return 0, c.notLeader()
	}
	return index, nil
}

// coalescer lets many callers share a round: one runs at a time, and whoever
// comes meanwhile gets the next, which begins after it came.
type coalescer struct {
	round func(context.Context) (uint64, error)
	wake  chan struct{}

	mu   sync.Mutex
	next *shared
}

type shared struct {
	done  chan struct{}
	value uint64
	err   error
}

func newCoalescer(round func(context.Context) (uint64, error)) *coalescer {
	return &coalescer{round: round, wake: make(chan struct{}, 1)}
}

// do returns the result of a round that begins after the call.
func (k *coalescer) do(ctx context.Context) (uint64, error) {
	k.mu.Lock()
	if k.next == nil {
		k.next = &shared{done: make(chan struct{})}
		select {
		case k.wake <- struct{}{}:
		default:
		}
	}
	s := k.next
	k.mu.Unlock()
	select {
	case <-s.done:
		return s.value, s.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// run does the rounds until ctx ends.
func (k *coalescer) run(ctx context.Context) error {
	for {
		select {
		case <-k.wake:
		case <-ctx.Done():
			return nil
		}
		k.mu.Lock()
		s := k.next
		k.next = nil
		k.mu.Unlock()
		if s == nil {
			continue
		}
		rctx, cancel := context.WithTimeout(ctx, readTimeout)
		s.value, s.err = k.round(rctx)
		cancel()
		close(s.done)
	}
}
