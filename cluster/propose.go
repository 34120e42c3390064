package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/hashicorp/raft"

	"github.com/droverhq/drover/cluster/rpc"
	"github.com/droverhq/drover/fsm"
)

// enqueueTimeout is how long Raft may take to accept a command.
const enqueueTimeout = 2 * time.Second

// proposeTimeout bounds a proposal whose caller gave no deadline.
const proposeTimeout = 10 * time.Second

// attempt is what became of one try to commit a command.
type attempt int

const (
	committed attempt = iota
	notTaken          // certainly not in the log: try again
	inDoubt           // perhaps in the log, or will be
	diskFull          // refused by a leader that has no space
	notMember         // refused because this peer is no member
)

// outcome classifies an error of Raft or of a call to the leader.
func outcome(err error) attempt {
	switch {
	case err == nil:
		return committed
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout),
		errors.Is(err, raft.ErrLeadershipTransferInProgress), errors.Is(err, rpc.ErrNotSent):
		return notTaken
	case rpc.Code(err) == codeRemoved:
		return notMember
	case errors.Is(err, errLeaderFull):
		return diskFull
	}
	return inDoubt
}

func fatal(err error) bool { return errors.Is(err, fsm.ErrUnknownCommand) }

// propose commits a command through the leader and answers what this peer's own
// state made of it. Under one id the state applies a command once, so a try
// whose fate is unknown is repeated with the next leader: if the first one did
// get into the log, the second has no effect.
func (c *core) propose(ctx context.Context, cmd fsm.Command) (fsm.Result, error) {
	if cmd.ID == "" {
		cmd.ID = rand.Text()
	}
	if cmd.Time == 0 {
		cmd.Time = time.Now().UnixMilli()
	}
	if c.local().full && !essential(cmd) {
		return fsm.Result{}, ErrDiskFull
	}
	if err := c.store.Knows(cmd.Body.Kind()); err != nil {
		return fsm.Result{}, err // an older peer would have to stop at such an entry
	}
	entry, err := fsm.Encode(cmd)
	if err != nil {
		return fsm.Result{}, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, proposeTimeout)
		defer cancel()
	}
	results, forget := c.store.Expect(cmd.ID)
	defer forget()
	p := proposal{core: c, entry: entry, results: results, once: cmd.Term != 0}
	return p.commit(ctx)
}

// proposal is one command on its way.
type proposal struct {
	*core
	entry   []byte
	results <-chan fsm.Result
	once    bool // belongs to one term: never tried again in another
	doubt   bool // an earlier try may be in the log
}

func (p *proposal) commit(ctx context.Context) (fsm.Result, error) {
	for {
		v, err := p.leader(ctx)
		if err != nil {
			return p.giveUp(err)
		}
		res, what, err := p.try(ctx, v)
		switch what {
		case committed:
			return p.told(res)
		case notTaken:
		case inDoubt:
			p.doubt = true
		case diskFull:
			return p.giveUp(ErrDiskFull)
		case notMember:
			return p.giveUp(ErrLeft)
		}
		if ctx.Err() != nil {
			return p.giveUp(ctx.Err())
		}
		if p.once {
			return p.giveUp(errors.Join(ErrNoQuorum, err))
		}
		if err := pause(ctx, retryPause); err != nil {
			return p.giveUp(err)
		}
	}
}

// giveUp ends a proposal without an answer: what may have been committed is
// told from what certainly was not.
func (p *proposal) giveUp(err error) (fsm.Result, error) {
	select {
	case res := <-p.results: // it arrived after all
		return p.told(res)
	default:
	}
	if p.doubt {
		return fsm.Result{}, ErrOutcomeUnknown
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = ErrNoQuorum
	}
	return fsm.Result{}, err
}

// told passes on what this peer's own state made of the command. After a try
// whose fate was unknown that may be the result of a repetition, which says
// nothing: the first one came inside a snapshot, and may have been refused.
func (p *proposal) told(res fsm.Result) (fsm.Result, error) {
	out := res.Outcome
	if p.doubt && res.Err == nil && out.Unchanged && len(out.Edits) == 0 && out.ID == "" {
		return fsm.Result{}, ErrOutcomeUnknown
	}
	return res, res.Err
}

// try proposes the command once, to the leader of the view. It returns early
// when another leader appears: what the old one makes of it stays in doubt.
func (p *proposal) try(ctx context.Context, v View) (fsm.Result, attempt, error) {
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if v.Self {
		go func() { ended <- p.raft.Apply(p.entry, enqueueTimeout).Error() }()
	} else {
		p.forward.submit(ctx, v.Leader, p.entry, ended)
	}
	for {
		now, changed := p.view.get()
		if now.Leader != v.Leader || now.Term != v.Term {
			select {
			case err := <-ended: // it may say more than that the leader has changed
				if what := outcome(err); what != committed {
					return fsm.Result{}, what, err
				}
				return p.await(ctx)
			default:
				return fsm.Result{}, inDoubt, nil
			}
		}
		select {
		case res := <-p.results:
			return res, committed, nil
		case err := <-ended:
			if what := outcome(err); what != committed {
				return fsm.Result{}, what, err
			}
			return p.await(ctx)
		case <-changed:
		case <-ctx.Done():
			return fsm.Result{}, inDoubt, ctx.Err()
		}
	}
}

// resultPause is how long the result of a committed command may take before it
// is proposed again: this peer may have received it inside a snapshot, where
// results are not. The repetition has no effect but to bring an answer, of which
// only a refusal says more than that the command is done.
const resultPause = 3 * time.Second

// await waits until this peer's own state has applied the committed command.
func (p *proposal) await(ctx context.Context) (fsm.Result, attempt, error) {
	timer := time.NewTimer(resultPause)
	defer timer.Stop()
	select {
	case res := <-p.results:
		return res, committed, nil
	case <-timer.C:
		return fsm.Result{}, inDoubt, nil
	case <-ctx.Done():
		return fsm.Result{}, inDoubt, ctx.Err()
	}
}

// essential commands are accepted with a nearly full disk: they free space, or
// the cluster needs them to get well.
func essential(cmd fsm.Command) bool {
	switch cmd.Body.(type) {
	case fsm.Prune, fsm.PutSettings, fsm.RemovePeer, fsm.SetLiveness, fsm.RaiseFeature, fsm.PutPeer:
		return true
	}
	return false
}
