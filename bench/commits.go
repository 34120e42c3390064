package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// commits is what writers reached.
type commits struct {
	Writers int     `json:"writers"`
	To      string  `json:"to"` // which controllers they spoke to
	Rate    float64 `json:"per_second"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	CPU     float64 `json:"server_cpu_us"` // of all three, per commit
}

// measureCommits has writers commit documents of 1 KB, and kills the leader.
// One real agent runs beside, with nothing to do: its memory is read.
func measureCommits(ctx context.Context, o options, out *report) (err error) {
	c, err := startCluster(ctx, o, "commits", "--agents", "1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := syncTime(o, out); err != nil {
		return err
	}
	lead, _, err := c.leader(ctx)
	if err != nil {
		return err
	}
	for _, n := range o.commits.writers {
		for _, to := range []struct {
			name  string
			peers []string
		}{{"all", c.urls()}, {"leader", c.urls()[lead : lead+1]}} {
			r, err := write(ctx, c, to.peers, n, o.commits.time)
			if err != nil {
				return err
			}
			r.To = to.name
			if err := out.commits(r); err != nil {
				return err
			}
		}
	}
	m, err := memoryOf([]int{c.file.Agents[0].PID})
	if err != nil {
		return err
	}
	if err := out.agent(m); err != nil {
		return err
	}
	if o.wants("kill") {
		return killLeaders(ctx, o, c, out)
	}
	return nil
}

// syncTime measures the disk alone: one small write with a sync after the
// other, as a floor for a single writer.
func syncTime(o options, out *report) error {
	f, err := os.CreateTemp(o.dir, "sync-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 1024)
	var took []float64
	for began := time.Now(); time.Since(began) < time.Second; {
		at := time.Now()
		if _, err := f.Write(block); err != nil {
			return err
		}
		if err := f.Sync(); err != nil {
			return err
		}
		took = append(took, ms(time.Since(at)))
	}
	return out.sync(quantile(took, 0.5), quantile(took, 0.99))
}

// kilobyte is a document of about 1 KB that is a new one each time.
func kilobyte(writer int, n uint64) []byte {
	content := fmt.Sprintf(`{"writer":%d,"n":"%d","text":%q}`, writer, n, strings.Repeat("x", 960))
	body, err := json.Marshal(map[string]any{"content": json.RawMessage(content), "selector": "bench=none"})
	if err != nil { // a string and a number always encode
		panic(err)
	}
	return body
}

// write has so many writers put a document of their own, again and again, each
// as soon as the one before is committed.
func write(ctx context.Context, c *cluster, peers []string, writers int, d time.Duration) (commits, error) {
	warm, err := writeFor(ctx, c, peers, writers, d/8)
	if err != nil || len(warm) == 0 {
		return commits{}, errors.Join(errors.New("nothing was committed"), err)
	}
	before, err := cpuOf(c.pids())
	if err != nil {
		return commits{}, err
	}
	began := time.Now()
	took, err := writeFor(ctx, c, peers, writers, d)
	if err != nil {
		return commits{}, err
	}
	all := time.Since(began)
	after, err := cpuOf(c.pids())
	if err != nil {
		return commits{}, err
	}
	return commits{
		Writers: writers, Rate: float64(len(took)) / all.Seconds(), P50: quantile(took, 0.5), P99: quantile(took, 0.99),
		CPU: float64((after - before).Microseconds()) / float64(len(took)),
	}, nil
}

func writeFor(ctx context.Context, c *cluster, peers []string, writers int, d time.Duration) ([]float64, error) {
	var (
		group  sync.WaitGroup
		mu     sync.Mutex
		all    []float64
		failed error
	)
	end := time.Now().Add(d)
	for w := range writers {
		group.Go(func() {
			var took []float64
			var err error
			path := peers[w%len(peers)] + fmt.Sprintf("/api/v1/documents/writer-%d", w)
			for n := uint64(time.Now().UnixNano()); err == nil && time.Now().Before(end); n++ {
				var answer written
				body := kilobyte(w, n)
				at := time.Now()
				err = c.api.call(ctx, http.MethodPut, path, body, &answer)
				took = append(took, ms(time.Since(at)))
				if err == nil && answer.Unchanged {
					err = errors.New("a write committed nothing")
				}
			}
			mu.Lock()
			defer mu.Unlock()
			all, failed = append(all, took...), errors.Join(failed, err)
		})
	}
	group.Wait()
	return all, failed
}

// quantile of measured values; 0.5 is the median.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// killLeaders kills the leader again and again, and measures each time how
// long it takes until a client that goes on trying has its next commit.
func killLeaders(ctx context.Context, o options, c *cluster, out *report) error {
	var took []float64
	for i := range o.commits.kills {
		lead, _, err := c.leader(ctx)
		if err != nil {
			return err
		}
		victim := c.file.Peers[lead]
		var others []string
		for _, p := range c.file.Peers {
			if p.Name != victim.Name {
				others = append(others, p.URL)
			}
		}
		if err := syscall.Kill(victim.PID, syscall.SIGKILL); err != nil {
			return err
		}
		d, err := nextCommit(ctx, c, others, i)
		if err != nil {
			return err
		}
		took = append(took, ms(d))
		if err := out.kill(i+1, ms(d)); err != nil {
			return err
		}
		if err := c.whole(ctx, victim.PID); err != nil {
			return err
		}
	}
	return out.kills(took)
}

// nextCommit asks the other controllers in turn until a write is committed.
func nextCommit(ctx context.Context, c *cluster, others []string, kill int) (time.Duration, error) {
	began := time.Now()
	var last error
	for try := 0; time.Since(began) < 30*time.Second && ctx.Err() == nil; try++ {
		limited, cancel := context.WithTimeout(ctx, 5*time.Second)
		path := others[(kill+try)%len(others)] + "/api/v1/documents/after-a-kill"
		err := c.api.call(limited, http.MethodPut, path, kilobyte(kill, uint64(time.Now().UnixNano())), nil)
		cancel()
		if err == nil {
			return time.Since(began), nil
		}
		last = err
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	return 0, fmt.Errorf("no commit within 30 s of a kill: %w", errors.Join(ctx.Err(), last))
}

// whole waits until the controller that was killed is started again and all
// three are ready.
func (c *cluster) whole(ctx context.Context, killed int) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return until(ctx, 100*time.Millisecond, func() (bool, error) {
		if err := c.reread(); err != nil {
			return false, err
		}
		for _, p := range c.file.Peers {
			if p.PID == killed {
				return false, fmt.Errorf("%s is not started again: see %s", p.Name, filepath.Join(c.dir, p.Name+".log"))
			}
			if err := c.api.call(ctx, http.MethodGet, p.URL+"/readyz", nil, nil); err != nil {
				return false, fmt.Errorf("%s: %s", p.Name, short(err))
			}
		}
		return true, nil
	})
}
