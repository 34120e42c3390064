package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/droverhq/drover/cluster/rpc"
	"github.com/droverhq/drover/fsm"
)

// callerFunc is a leader that does what the test says.
type callerFunc func() (proposeAnswer, error)

func (f callerFunc) Call(_ context.Context, _, _ string, _, resp any) error {
	answer, err := f()
	if err != nil {
		return err
	}
	text, err := cbor.Marshal(answer)
	if err != nil {
		return err
	}
	return cbor.Unmarshal(text, resp)
}

// follower is as much of a peer as a forwarded proposal needs. It runs in a
// bubble of synctest, and follows a leader of term 1.
func follower(t *testing.T, call callerFunc) *core {
	c := &core{store: fsm.NewStore(), view: newView(), forward: newForwarder(call), parts: parts{local: func() local { return local{} }}}
	c.view.set("leader", false, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = c.forward.run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return c
}

// A command that the leader has committed, and that this peer has not applied
// when the quorum is lost, comes into effect once it is back: "nothing was
// changed" would be false.
func TestACommittedCommandIsNeverCalledNotCommittedWhenTheLeaderIsLostAtThatMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for i := range 300 { // both news arrive at once: which is seen first is chance
			var c *core
			c = follower(t, func() (proposeAnswer, error) {
				c.view.set("", false, 1)
				return proposeAnswer{Ended: []ended{ended(committed)}}, nil
			})
			_, err := c.propose(t.Context(), putUser(fmt.Sprint("user-", i)))
			if !errors.Is(err, ErrOutcomeUnknown) {
				t.Fatalf("try %d: %v, want %v", i, err, ErrOutcomeUnknown)
			}
		}
	})
}

// The result of a repetition is not that of the command, which may have been
// refused: it came inside a snapshot, and the repetition has no effect.
func TestTheResultOfARepetitionIsNotTakenForThatOfTheCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c *core
		cmd := fsm.Command{ID: "request-1", Body: fsm.CreateCluster{ID: "cluster"}}
		calls := 0
		c = follower(t, func() (proposeAnswer, error) {
			if calls++; calls == 1 {
				return proposeAnswer{}, errors.New("the connection broke")
			}
			entry, err := fsm.Encode(cmd)
			if err != nil {
				return proposeAnswer{}, err
			}
			c.store.Apply(2, 1, entry)
			return proposeAnswer{Ended: []ended{ended(committed)}}, nil
		})
		first, err := fsm.Encode(cmd)
		if err != nil {
			t.Fatal(err)
		}
		source := fsm.NewStore()
		source.Apply(1, 1, first)
		var snapshot bytes.Buffer
		if _, err := source.Snapshot().WriteTo(&snapshot); err != nil {
			t.Fatal(err)
		}
		if err := c.store.Restore(&snapshot); err != nil {
			t.Fatal(err)
		}
		if res, err := c.propose(t.Context(), cmd); !errors.Is(err, ErrOutcomeUnknown) {
			t.Fatalf("%+v, %v, want %v", res, err, ErrOutcomeUnknown)
		}
	})
}

// silent is a leader that was paused: calls of it end with their time.
type silent struct{ to string }

func (s silent) Call(ctx context.Context, to, _ string, req, resp any) error {
	if to == s.to {
		<-ctx.Done()
		return rpc.ErrBroken
	}
	answer := resp.(*proposeAnswer)
	answer.Ended = make([]ended, len(req.(proposeRequest).Entries))
	return nil
}

// A leader that was paused or cut off answers nothing: what is on its way to it
// must not hold up what goes to the next one.
func TestAPausedLeaderHoldsUpNoCommandForTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newForwarder(silent{"old"})
		ctx, cancel := context.WithCancel(t.Context())
		over := make(chan struct{})
		go func() { defer close(over); _ = f.run(ctx) }()
		old := make(chan error, 3*forwardBatches)
		for range 3 * forwardBatches {
			f.submit(ctx, "old", []byte("x"), old)
			synctest.Wait() // so that each is a batch of its own
		}
		began, next := time.Now(), make(chan error, 1)
		f.submit(ctx, "new", []byte("x"), next)
		if err := <-next; err != nil || time.Since(began) > 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		cancel()
		<-over
	})
}
