package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/droverhq/drover/bench/fleet"
	"github.com/droverhq/drover/bench/floor"
	"github.com/droverhq/drover/bench/load"
	"github.com/droverhq/drover/bench/proc"
)

// side is one of the two that are compared: servers, and clients in processes
// of their own.
type side struct {
	kind   string
	o      options
	nodes  int // connected
	fleets []*proc.Child
	empty  proc.Memory // of the servers, before the first client

	floor   *proc.Child // the floor's server,
	address string
	certs   string

	drover  *cluster // or Drover's
	changes uint64
	labels  []map[string]string // of the nodes, in turn; nil: all have the same
}

// name of the document that changes, and the label of the nodes that want it.
const (
	documentPath = "/api/v1/documents/bench"
	selector     = "bench=node"
)

func startFloor(o options, secure bool) (*side, error) {
	s := &side{kind: fleet.KindFloor, o: o}
	var err error
	if s.floor, err = proc.Start("floor", os.Stderr, floor.Setup{Bytes: o.bytes, TLS: secure}, "floor"); err != nil {
		return nil, err
	}
	e, err := s.floor.Await("serving", startLimit)
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	s.address, s.certs = e.Address, e.CA
	s.empty, err = memoryOf(s.pids())
	return s, err
}

func startDrover(ctx context.Context, o options, name string, more ...string) (*side, error) {
	s := &side{kind: fleet.KindDrover, o: o}
	flags := append(more, "--agents", "0", "--no-restart")
	// The first start makes the cluster and logs in, for which passwords are
	// hashed with tens of megabytes: memory is read after the second.
	first, err := startCluster(ctx, o, name, flags...)
	if err == nil {
		err = first.stop()
	}
	if err != nil {
		return nil, err
	}
	if s.drover, err = startCluster(ctx, o, name, flags...); err != nil {
		return nil, err
	}
	if s.certs, err = s.drover.ca(); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	if s.empty, err = memoryOf(s.pids()); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	s.changes = uint64(time.Now().Unix()) // above those of an earlier run
	body, err := json.Marshal(map[string]any{
		"content": json.RawMessage(load.Document(o.bytes, load.Value(s.changes))), "selector": selector,
	})
	if err == nil {
		err = s.drover.api.write(ctx, http.MethodPut, s.peer(0)+documentPath, body, nil)
	}
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *side) pids() []int {
	if s.floor != nil {
		return []int{s.floor.PID()}
	}
	return s.drover.pids()
}

func (s *side) peer(i int) string {
	urls := s.drover.urls()
	return urls[i%len(urls)]
}

// stop ends the clients, then the servers.
func (s *side) stop() error {
	var errs []error
	for _, f := range s.fleets {
		errs = append(errs, f.Stop())
	}
	if s.floor != nil {
		errs = append(errs, s.floor.Stop())
	}
	if s.drover != nil {
		errs = append(errs, s.drover.stop())
	}
	return errors.Join(errs...)
}

// atOnce is the number of connections that one process opens at a time.
const atOnce = 64

// grow adds clients until there are so many, all of them connected and, with
// Drover, in sync.
func (s *side) grow(ctx context.Context, to int) error {
	for s.nodes < to {
		next := min(to, s.nodes+s.o.perProc)
		setup := fleet.Setup{Kind: s.kind, From: s.nodes, To: next, Bytes: s.o.bytes, CA: s.certs, Prefix: "node", Addresses: []string{s.address}}
		if s.drover != nil {
			setup.Addresses, setup.Dir = s.drover.urls(), s.drover.dir
		}
		f, err := proc.Start(fmt.Sprintf("%s clients %d-%d", s.kind, s.nodes, next), os.Stderr, setup, "fleet")
		if err != nil {
			return err
		}
		s.fleets = append(s.fleets, f)
		if s.drover != nil {
			if err := s.enroll(ctx, f, next-s.nodes); err != nil {
				return err
			}
		}
		if err := f.Tell(proc.Command{Do: "connect", Count: atOnce}); err != nil {
			return err
		}
		if _, err := f.Await("connect", 3*time.Minute); err != nil {
			return err
		}
		s.nodes = next
	}
	if s.drover == nil {
		return s.counted(ctx)
	}
	return s.inSync(ctx, s.peer(0))
}

func (s *side) enroll(ctx context.Context, f *proc.Child, count int) error {
	kinds := s.labels
	if kinds == nil {
		kinds = []map[string]string{{"bench": "node"}}
	}
	c := proc.Command{Do: "enroll"}
	for _, labels := range kinds {
		token, err := s.drover.api.enrollToken(ctx, s.peer(0), count, labels)
		if err != nil {
			return err
		}
		c.Tokens = append(c.Tokens, token)
	}
	if err := f.Tell(c); err != nil {
		return err
	}
	_, err := f.Await("enroll", 5*time.Minute)
	return err
}

// counted waits until the floor has taken in every client: the last one knows
// that it is connected before the floor has counted it.
func (s *side) counted(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return until(ctx, 10*time.Millisecond, func() (bool, error) {
		if err := s.floor.Tell(proc.Command{Do: "count"}); err != nil {
			return false, err
		}
		e, err := s.floor.Await("count", time.Minute)
		return e.Count == s.nodes, errors.Join(err, fmt.Errorf("the floor has %d clients, not %d", e.Count, s.nodes))
	})
}

// inSync waits until every node is connected and holds what it should.
func (s *side) inSync(ctx context.Context, peer string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	return until(ctx, 100*time.Millisecond, func() (bool, error) {
		for _, query := range []string{"connected=false", "in_sync=false"} {
			if ok, err := s.drover.api.none(ctx, peer, query); !ok {
				return false, errors.Join(err, fmt.Errorf("there are nodes with %s", query))
			}
		}
		return true, nil
	})
}

// round is one change, as it was measured. Times are from the moment that the
// change was asked for.
type round struct {
	Side   string  `json:"side"`
	Nodes  int     `json:"n"`
	All    float64 `json:"t_all_ms"`
	CPU    float64 `json:"server_cpu_ms"`
	Commit float64 `json:"commit_ms,omitempty"` // the API has answered
	First  float64 `json:"first_ms,omitempty"`  // a client has confirmed
	Last   float64 `json:"last_ms,omitempty"`   // the last client has confirmed
	Frame  int     `json:"frame_bytes"`
	Answer int     `json:"answer_bytes"`
}

// calm is the time behind a change that still counts as its processor time:
// Drover ends the push then. It is the same for the floor.
const calm = 500 * time.Millisecond

// change makes one change and waits for the last confirmation.
func (s *side) change(ctx context.Context) (round, error) {
	before, err := cpuOf(s.pids())
	if err != nil {
		return round{}, err
	}
	var r round
	if s.floor != nil {
		r, err = s.broadcast()
	} else {
		r, err = s.push(ctx)
	}
	if err != nil {
		return r, err
	}
	select {
	case <-time.After(calm):
	case <-ctx.Done():
		return r, ctx.Err()
	}
	after, err := cpuOf(s.pids())
	r.Side, r.Nodes, r.CPU = s.kind, s.nodes, ms(after-before)
	return r, err
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (s *side) broadcast() (round, error) {
	if err := s.floor.Tell(proc.Command{Do: "broadcast"}); err != nil {
		return round{}, err
	}
	e, err := s.floor.Await("broadcast", 2*time.Minute)
	if err != nil {
		return round{}, err
	}
	r := round{All: ms(e.Took), Commit: ms(time.Duration(e.Last - e.First))}
	return r, s.collect(&r, e.Revision, e.First)
}

// push changes one key by the API, and reads there when all nodes have
// confirmed it. The clients only tell when it is worth to begin asking, so
// that asking costs the servers nothing before.
func (s *side) push(ctx context.Context) (round, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	s.changes++
	peer := s.peer(int(s.changes))
	var (
		w written
		r round
		p pushed
	)
	began := time.Now()
	if err := s.drover.api.write(ctx, http.MethodPatch, peer+documentPath, load.Patch(load.Value(s.changes)), &w); err != nil {
		return r, err
	}
	r.Commit = ms(time.Since(began))
	if err := s.collect(&r, w.Revision, began.UnixNano()); err != nil {
		return r, err
	}
	err := until(ctx, s.askEvery(), func() (bool, error) {
		err := s.drover.api.get(ctx, peer+"/api/v1/pushes/"+w.Push, &p)
		r.All = ms(time.Since(began))
		if p.Counts["acked"] == s.nodes {
			return true, nil
		}
		return false, errors.Join(err, fmt.Errorf("push %s: %v", w.Push, p.Counts))
	})
	return r, err
}

// askEvery is the time between two questions how far the push has come: to
// answer one is to look at every node.
func (s *side) askEvery() time.Duration {
	return max(time.Millisecond, time.Duration(s.nodes)*400*time.Nanosecond)
}

// collect waits until the clients of every process have confirmed a change.
func (s *side) collect(r *round, revision uint64, began int64) error {
	for _, f := range s.fleets {
		for {
			e, err := f.Await("all", time.Minute)
			if err != nil {
				return fmt.Errorf("change %s: %w", strconv.FormatUint(revision, 10), err)
			}
			if e.Revision < revision {
				continue // an earlier one
			}
			first, last := ms(time.Duration(e.First-began)), ms(time.Duration(e.Last-began))
			if r.First == 0 || first < r.First {
				r.First = first
			}
			r.Last = max(r.Last, last)
			r.Frame, r.Answer = e.Frame, e.Answer
			break
		}
	}
	return nil
}

// stats asks the clients for what went wrong.
func (s *side) stats() (wrong, again int, why map[string]int, err error) {
	why = map[string]int{}
	for _, f := range s.fleets {
		if err := f.Tell(proc.Command{Do: "stats"}); err != nil {
			return wrong, again, why, err
		}
		e, err := f.Await("stats", time.Minute)
		if err != nil {
			return wrong, again, why, err
		}
		wrong, again = wrong+e.Wrong, again+e.Again
		for reason, count := range e.Reasons {
			why[reason] += count
		}
	}
	return wrong, again, why, nil
}

// sound fails when a client has found something that should not be, and tells
// which connections were lost.
func (s *side) sound(out *report, suffix string) error {
	wrong, again, why, err := s.stats()
	if err != nil {
		return err
	}
	if wrong > 0 {
		return fmt.Errorf("%s: %d documents or signatures were not what they should be", s.kind, wrong)
	}
	if again > 0 {
		out.say("%s%s: %d connections were made again: %v", s.kind, suffix, again, why)
	}
	return nil
}
