package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/droverhq/drover/bench/load"
)

// storm is what happened when a controller was killed.
type storm struct {
	Nodes    int     `json:"n"`
	Lost     int     `json:"lost"` // nodes that were connected to it
	Back     float64 `json:"back_s"`
	Before   float64 `json:"before_mb"` // memory of the two others together
	Peak     float64 `json:"peak_mb"`
	Election bool    `json:"election"`
}

// measureStorm kills a follower, changes the document at once, and waits until
// every node is connected to one of the others and holds the change.
func measureStorm(ctx context.Context, out *report, s *side) error {
	lead, before, err := s.drover.leader(ctx)
	if err != nil {
		return err
	}
	victim := (lead + 1) % len(s.drover.file.Peers)
	name, others := s.drover.file.Peers[victim].Name, []int{}
	for i, p := range s.drover.file.Peers {
		if i != victim {
			others = append(others, p.PID)
		}
	}
	r := storm{Nodes: s.nodes, Lost: s.nodes / len(s.drover.file.Peers)}
	m, err := memoryOf(others)
	if err != nil {
		return err
	}
	r.Before = float64(m.RSS) / (1 << 20)
	peak := sampleMemory(others)
	defer peak.stop()
	if err := syscall.Kill(s.drover.file.Peers[victim].PID, syscall.SIGKILL); err != nil {
		return err
	}
	began := time.Now()
	leader := s.peer(lead)
	s.changes++
	if err := s.drover.api.call(ctx, http.MethodPatch, leader+documentPath, load.Patch(load.Value(s.changes)), nil); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	err = until(limited, 100*time.Millisecond, func() (bool, error) {
		for _, query := range []string{"peer=" + name, "connected=false", "in_sync=false"} {
			if ok, err := s.drover.api.none(limited, leader, query); !ok {
				return false, errors.Join(err, fmt.Errorf("there are nodes with %s", query))
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	r.Back = time.Since(began).Seconds()
	_, after, err := s.drover.leader(ctx)
	if err != nil {
		return err
	}
	r.Peak, r.Election = peak.stop(), after.Term != before.Term
	return out.storm(r)
}

// sampler looks for the highest memory of processes together.
type sampler struct {
	end  chan struct{}
	once sync.Once
	over sync.WaitGroup
	most float64 // MB; read after over
}

const sampleEvery = 50 * time.Millisecond

func sampleMemory(pids []int) *sampler {
	s := &sampler{end: make(chan struct{})}
	s.over.Go(func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for {
			if m, err := memoryOf(pids); err == nil {
				s.most = max(s.most, float64(m.RSS)/(1<<20))
			}
			select {
			case <-tick.C:
			case <-s.end:
				return
			}
		}
	})
	return s
}

func (s *sampler) stop() float64 {
	s.once.Do(func() { close(s.end) })
	s.over.Wait()
	return s.most
}
