package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/droverhq/drover/fsm"
)

// register is a register per key: a user's password stands for its value.
type registerOp struct {
	key   string
	write bool
	value string
}

func registerModel() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			by := map[string][]porcupine.Operation{}
			for _, op := range history {
				k := op.Input.(registerOp).key
				by[k] = append(by[k], op)
			}
			var parts [][]porcupine.Operation
			for _, p := range by {
				parts = append(parts, p)
			}
			return parts
		},
		Init: func() any { return "" },
		Step: func(state, input, output any) (bool, any) {
			op := input.(registerOp)
			if op.write {
				return true, op.value
			}
			return output.(string) == state.(string), state
		},
		DescribeOperation: func(input, output any) string {
			op := input.(registerOp)
			if op.write {
				return fmt.Sprintf("%s = %s", op.key, op.value)
			}
			return fmt.Sprintf("%s is %v", op.key, output)
		},
	}
}

// history records operations. Its clock counts steps, so that no two events share a time.
type history struct {
	clock atomic.Int64
	mu    sync.Mutex
	ops   []porcupine.Operation
}

// client does writes and strong reads through one peer until stop is closed.
// between is called after each, with whether it failed.
func (h *history) client(id int, stop <-chan struct{}, c func() *core, between func(failed bool)) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		op := registerOp{key: fmt.Sprint("k", rand.IntN(3)), write: rand.IntN(2) == 0, value: fmt.Sprintf("%d-%d", id, n)}
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		began := h.clock.Add(1)
		out, err := op.do(ctx, c())
		ended := h.clock.Add(1)
		cancel()
		if err == nil || op.write && !errors.Is(err, ErrNoQuorum) {
			if err != nil {
				ended = math.MaxInt64 // unknown: it may take effect at any later time
			}
			h.mu.Lock()
			h.ops = append(h.ops, porcupine.Operation{ClientId: id, Input: op, Output: out, Call: began, Return: ended})
			h.mu.Unlock()
		}
		between(err != nil)
	}
}

func (op registerOp) do(ctx context.Context, c *core) (string, error) {
	if op.write {
		_, err := c.propose(ctx, fsm.Command{Body: fsm.PutUser{User: fsm.User{Name: op.key, Role: "viewer", Password: op.value}}})
		return "", err
	}
	index, err := c.readIndex(ctx)
	if err == nil {
		err = c.store.Wait(ctx, index)
	}
	out := ""
	c.store.View(func(s *fsm.State) {
		if u := s.User(op.key); u != nil {
			out = u.Password
		}
	})
	return out, err
}

func (h *history) check(t *testing.T) {
	t.Helper()
	unknown := 0
	for i := range h.ops {
		if h.ops[i].Return == math.MaxInt64 {
			unknown++
		}
	}
	t.Logf("%d operations, %d of unknown outcome", len(h.ops), unknown)
	switch result, _ := porcupine.CheckOperationsVerbose(registerModel(), h.ops, 20*time.Second); result {
	case porcupine.Illegal:
		t.Error("the history is not linearizable")
	case porcupine.Unknown:
		t.Error("the history could not be checked in time")
	}
}

func TestReadsAndWritesAreLinearizableAcrossChangesOfTheLeader(t *testing.T) {
	t.Parallel()
	peers := three(t)
	h := &history{}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i, p := range peers {
		for j := range 2 {
			wg.Go(func() {
				h.client(i*10+j, stop, p.core, func(failed bool) {
					if failed {
						<-tick.C
					}
				})
			})
		}
	}
	for round := range 4 {
		old := leader(t, peers...)
		if round%2 == 0 {
			if err := old.LeadershipTransfer(within(t)); err != nil {
				t.Logf("on a busy machine a transfer may fail: %v", err)
			}
			continue
		}
		old.net.isolate(old.cfg.Name)
		leader(t, others(peers, old)...)
		old.net.heal()
	}
	leader(t, peers...)
	close(stop)
	wg.Wait()
	h.check(t)
	same(t, peers...)
}

func TestReadsAndWritesAreLinearizableOverManySimulatedFailovers(t *testing.T) {
	t.Parallel()
	h := &history{}
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 3, func(string) []duty { return nil })
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for i, p := range s.peers {
			wg.Go(func() {
				h.client(i, stop, func() *core { return p.core }, func(bool) {
					time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) // or no time would pass in the bubble
				})
			})
		}
		var old *simPeer
		for range 20 {
			old = s.leader(old)
			time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
			s.isolate(old)
			s.leader(old)
			time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond)
			s.heal()
		}
		close(stop)
		wg.Wait()
		s.close()
	})
	h.check(t)
}
