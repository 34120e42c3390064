package cluster

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Trap 8: Raft blocks on its notify channel, and two gains in a row mean lost and regained.
func TestTrap8LeadershipIsAScopeAndTheChannelIsAlwaysDrained(t *testing.T) {
	for _, c := range []struct {
		name   string
		signal string // + gained, - lost, . a second passes
		want   string
	}{
		{"gained and lost", "+.-.", "begin end"},
		{"gained twice", "+.+.-.", "begin end begin end"},
		{"lost before it was gained", "-.+.", "begin"},
		{"lost and regained at once", "+.-+.", "begin end begin"},
		{"flapping while a duty takes its time to end", "+.-+-+-+.", "begin end begin"},
		{"flapping that ends as a follower", "+.-+-+-.", "begin end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				notify := make(chan bool) // unbuffered: a signal that is not taken blocks the sender
				ctx, cancel := context.WithCancel(t.Context())
				var mu sync.Mutex
				var log []string
				note := func(s string) { mu.Lock(); log = append(log, s); mu.Unlock() }
				done := make(chan struct{})
				go func() {
					defer close(done)
					followLeadership(ctx, notify, func(ctx context.Context) {
						note("begin")
						<-ctx.Done()
						time.Sleep(500 * time.Millisecond)
						note("end")
					})
				}()
				for _, s := range c.signal {
					began := time.Now()
					switch s {
					case '+':
						notify <- true
					case '-':
						notify <- false
					default:
						time.Sleep(time.Second)
						continue
					}
					if waited := time.Since(began); waited > 0 {
						t.Errorf("Raft waited for %v", waited)
					}
				}
				mu.Lock()
				got := strings.Join(log, " ")
				mu.Unlock()
				if got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
				cancel()
				<-done
				mu.Lock()
				defer mu.Unlock()
				if n := fmt.Sprint(log); strings.Count(n, "begin") != strings.Count(n, "end") {
					t.Errorf("it returned with a scope open: %s", n)
				}
			})
		})
	}
}

func TestAFailedDutyIsTriedAgainAndAFinishedOneIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &core{log: logger(t, "x")}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		tries := 0
		c.repeat(ctx, duty{"d", func(context.Context, uint64) error {
			if tries++; tries < 3 {
				return fmt.Errorf("try %d", tries)
			}
			return nil
		}}, 7)
		if tries != 3 {
			t.Errorf("%d tries", tries)
		}
	})
}

func TestRoundsAreSharedAndBeginAfterTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var began []time.Time // of each round
		k := newCoalescer(func(context.Context) (uint64, error) {
			mu.Lock()
			began = append(began, time.Now())
			n := len(began)
			mu.Unlock()
			time.Sleep(10 * time.Millisecond)
			return uint64(n), nil
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- k.run(ctx) }()
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				called := time.Now()
				n, err := k.do(ctx)
				mu.Lock()
				defer mu.Unlock()
				if err != nil || began[n-1].Before(called) {
					t.Errorf("call %d got round %d, which began before it: %v", i, n, err)
				}
			})
		}
		wg.Wait()
		if len(began) > 12 {
			t.Errorf("%d rounds for 100 calls", len(began))
		}
		cancel()
		<-done
	})
}
