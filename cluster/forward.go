package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
	"golang.org/x/sync/errgroup"

	"github.com/droverhq/drover/cluster/rpc"
	"github.com/droverhq/drover/fsm"
)

// Limits of forwarding: how many batches are on their way at once, how much is
// in one, and how long the leader may take with it.
const (
	forwardBatches = 8
	forwardEntries = 512
	forwardBytes   = 2 << 20 // an entry has at most fsm.MaxEntry, so a frame stays below rpc.MaxFrame
	forwardTimeout = 10 * time.Second
	forwardWaiting = 4096 // commands for one leader; beyond it they are tried again
)

// forwarder sends commands of this peer to the leader. While as many batches as
// allowed are on their way, further commands gather into the next one: the
// busier, the larger. Each leader has a lane of its own: one that was paused or
// cut off, and answers nothing any more, holds up nobody who waits for the next.
type forwarder struct {
	calls caller
	queue chan forwarded
}

type forwarded struct {
	ctx    context.Context // of the try: once it is over, nobody waits for the answer
	leader string
	entry  []byte
	ended  chan<- error // has room for one
}

func newForwarder(calls caller) *forwarder {
	return &forwarder{calls: calls, queue: make(chan forwarded, 1024)}
}

// submit queues a command; ended gets what became of it.
func (f *forwarder) submit(ctx context.Context, leader string, entry []byte, ended chan<- error) {
	select {
	case f.queue <- forwarded{ctx, leader, entry, ended}:
	case <-ctx.Done():
		ended <- fmt.Errorf("%w: %w", rpc.ErrNotSent, ctx.Err())
	}
}

var errLaneFull = fmt.Errorf("%w: too many commands wait for it", rpc.ErrNotSent)

func (f *forwarder) run(ctx context.Context) error {
	var g errgroup.Group
	defer func() { _ = g.Wait() }()
	lanes := map[string]chan forwarded{} // by leader; there are as many as peers
	for {
		select {
		case e := <-f.queue:
			lane := lanes[e.leader]
			if lane == nil {
				lane = make(chan forwarded, forwardWaiting)
				lanes[e.leader] = lane
				g.Go(func() error { f.serve(ctx, lane); return nil })
			}
			select {
			case lane <- e:
			default:
				e.ended <- errLaneFull
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// serve sends what waits for one leader.
func (f *forwarder) serve(ctx context.Context, lane <-chan forwarded) {
	var g errgroup.Group
	defer func() { _ = g.Wait() }()
	g.SetLimit(forwardBatches)
	for {
		select {
		case first := <-lane:
			if batch := gather(first, lane); len(batch) > 0 {
				g.Go(func() error { f.send(ctx, batch); return nil })
			}
		case <-ctx.Done():
			return
		}
	}
}

// gather takes what is queued, but for what nobody waits for any more.
func gather(first forwarded, lane <-chan forwarded) (batch []forwarded) {
	size := 0
	for e := first; ; {
		if e.ctx.Err() == nil {
			batch = append(batch, e)
			size += len(e.entry)
		}
		if len(batch) == forwardEntries || size >= forwardBytes {
			return batch
		}
		select {
		case e = <-lane:
		default:
			return batch
		}
	}
}

func (f *forwarder) send(ctx context.Context, batch []forwarded) {
	req := proposeRequest{Entries: make([][]byte, len(batch))}
	for i, e := range batch {
		req.Entries[i] = e.entry
	}
	ctx, cancel := context.WithTimeout(ctx, forwardTimeout)
	defer cancel()
	var answer proposeAnswer
	err := f.calls.Call(ctx, batch[0].leader, methodPropose, req, &answer)
	if err == nil && len(answer.Ended) != len(batch) {
		err = errors.New("the leader answered for another number of commands")
	}
	for i, e := range batch {
		if err == nil {
			e.ended <- answer.Ended[i].err()
		} else {
			e.ended <- err
		}
	}
}

type proposeRequest struct {
	Entries [][]byte `cbor:"1,keyasint"`
}

type proposeAnswer struct {
	Ended []ended `cbor:"1,keyasint"`
}

// ended is an attempt as it travels.
type ended uint8

var (
	errInDoubt    = errors.New("the leader does not know what became of the command")
	errLeaderFull = errors.New("the leader has no space on its disk")
)

func (e ended) err() error {
	switch attempt(e) {
	case committed:
		return nil
	case notTaken:
		return raft.ErrNotLeader
	case diskFull:
		return errLeaderFull
	}
	return errInDoubt
}

// handlePropose commits a batch of another peer's commands. Each is given to
// Raft on a goroutine of its own: Raft gathers what waits into one write, and
// one after the other they would be written one by one.
func (c *core) handlePropose(ctx context.Context, from string, req proposeRequest) (proposeAnswer, error) {
	answer := proposeAnswer{Ended: make([]ended, len(req.Entries))}
	if v, _ := c.view.get(); v.Self && c.ready.Load() == v.Term && c.row(from) == nil {
		return answer, &rpc.Error{Code: codeRemoved, Message: "this peer is not a member of the cluster"}
	}
	full := c.local().full
	type one struct {
		i   int
		end ended
	}
	results := make(chan one, len(req.Entries))
	for i, entry := range req.Entries {
		if full && !essentialEntry(entry) {
			results <- one{i, ended(diskFull)}
			continue
		}
		answer.Ended[i] = ended(inDoubt)
		go func() { results <- one{i, ended(outcome(c.raft.Apply(entry, enqueueTimeout).Error()))} }()
	}
	for range req.Entries {
		select {
		case r := <-results:
			answer.Ended[r.i] = r.end
		case <-ctx.Done(): // Raft answers no future that it held when it shut down
			return answer, nil
		}
	}
	return answer, nil
}

func essentialEntry(entry []byte) bool {
	cmd, err := fsm.Decode(entry)
	return err == nil && essential(cmd)
}
