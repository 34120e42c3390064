package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sync/errgroup"
)

// Duty is work of the leader. Its scope is one term: ctx ends when the
// leadership does, and the next term's duties start only after it has returned.
// Commands that it proposes carry the term, and are refused in another.
type Duty func(ctx context.Context, term uint64) error

type duty struct {
	name string
	do   Duty
}

// followLeadership runs lead while this peer leads. It never lets Raft wait:
// Raft blocks on its notify channel. Two gains in a row mean that the
// leadership was lost between them. At most one lead runs at a time, and all
// have ended when it returns.
func followLeadership(ctx context.Context, notify <-chan bool, lead func(context.Context)) {
	var running *scope
	defer func() { running.end() }()
	leading := false
	for {
		if leading && running == nil {
			leading = false // one gain, one scope
			running = newScope(ctx, lead)
		}
		select {
		case gained := <-notify:
			if running != nil {
				running.cancel()
			}
			leading = gained
		case <-running.over():
			running.end()
			running = nil
		case <-ctx.Done():
			return
		}
	}
}

// scope is one run of lead. A nil scope is over for ever and never says so.
type scope struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func newScope(ctx context.Context, lead func(context.Context)) *scope {
	ctx, cancel := context.WithCancel(ctx)
	s := &scope{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		lead(ctx)
	}()
	return s
}

func (s *scope) over() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.done
}

// end cancels the scope and waits for it.
func (s *scope) end() {
	if s != nil {
		s.cancel()
		<-s.done
	}
}

// lead is one term of leadership: the barrier, after which this peer's state
// holds everything that earlier leaders committed, then the duties.
func (c *core) lead(ctx context.Context) {
	term := c.raft.CurrentTerm()
	log := c.log.With("term", term)
	if err := c.barrier(ctx); err != nil {
		log.Info("the leadership ended before it began", "err", err)
		return
	}
	if c.raft.State() != raft.Leader || c.raft.CurrentTerm() != term {
		return // a gain for the new term follows
	}
	c.ready.Store(term)
	log.Info("leading")
	g, ctx := errgroup.WithContext(ctx)
	for _, d := range c.duties {
		g.Go(func() error { c.repeat(ctx, d, term); return nil })
	}
	_ = g.Wait()
	log.Info("no longer leading")
}

// barrier waits until everything committed before is applied here.
func (c *core) barrier(ctx context.Context) error {
	for {
		err := settled(ctx, func() raft.Future { return c.raft.Barrier(time.Second) })
		if !errors.Is(err, raft.ErrEnqueueTimeout) && !errors.Is(err, raft.ErrLeadershipTransferInProgress) {
			return err
		}
		if err := pause(ctx, retryPause); err != nil {
			return err
		}
	}
}

// dutyPause is the time after which a failed duty is tried again.
const dutyPause = time.Second

// repeat keeps a duty going for the term.
func (c *core) repeat(ctx context.Context, d duty, term uint64) {
	for ctx.Err() == nil {
		err := d.do(ctx, term)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			return // it had nothing more to do in this term
		}
		c.log.Warn("a duty of the leader failed and is tried again", "duty", d.name, "term", term, "err", err)
		_ = pause(ctx, dutyPause)
	}
}
