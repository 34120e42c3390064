package main

import (
	"context"
	"errors"
	"time"
)

// measurePairs compares Drover with the floor at rising numbers of nodes, and
// then kills one of the controllers.
func measurePairs(ctx context.Context, o options, out *report) (err error) {
	below, err := startFloor(o, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, below.stop()) }()
	above, err := startDrover(ctx, o, "fleet")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, above.stop()) }()
	for _, n := range o.nodes {
		if err := compare(ctx, o, out, below, above, n, o.pairs, ""); err != nil {
			return err
		}
	}
	if o.rest > 0 {
		if err := rest(ctx, o, out, below, above, ""); err != nil {
			return err
		}
	}
	if o.wants("storm") {
		return measureStorm(ctx, out, above)
	}
	return nil
}

// measureTLS does the same once over TLS.
func measureTLS(ctx context.Context, o options, out *report) (err error) {
	below, err := startFloor(o, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, below.stop()) }()
	above, err := startDrover(ctx, o, "tls", "--tls")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, above.stop()) }()
	if err := compare(ctx, o, out, below, above, o.tlsAt, min(o.pairs, 5), " TLS"); err != nil || o.rest == 0 {
		return err
	}
	return rest(ctx, o, out, below, above, " TLS")
}

// compare runs interleaved pairs of rounds: the floor, then Drover.
func compare(ctx context.Context, o options, out *report, below, above *side, nodes, pairs int, suffix string) error {
	for _, s := range []*side{below, above} {
		began := time.Now()
		if err := s.grow(ctx, nodes); err != nil {
			return err
		}
		out.say("%s%s: %d clients connected after %.1f s", s.kind, suffix, nodes, time.Since(began).Seconds())
		if err := out.memory(s, "after connecting"+suffix); err != nil {
			return err
		}
		for range 2 { // not counted: buffers grow, heaps settle
			if _, err := s.change(ctx); err != nil {
				return err
			}
		}
	}
	if err := idle(ctx, out, above, suffix); err != nil {
		return err
	}
	var rows [2][]round
	for range pairs {
		for i, s := range []*side{below, above} {
			r, err := s.change(ctx)
			if err != nil {
				return err
			}
			if err := out.line("round"+suffix, r); err != nil {
				return err
			}
			rows[i] = append(rows[i], r)
		}
	}
	for _, s := range []*side{below, above} {
		if err := s.sound(out, suffix); err != nil {
			return err
		}
	}
	return out.pair(nodes, rows[0], rows[1], suffix)
}

// idle measures what the controllers use when nothing happens.
func idle(ctx context.Context, out *report, s *side, suffix string) error {
	used, err := idleOf(ctx, s)
	if err != nil {
		return err
	}
	return out.idle(s.nodes, used, suffix)
}

// idleOf is the processor time that the servers use when nothing happens, in
// milliseconds a second.
func idleOf(ctx context.Context, s *side) (float64, error) {
	const window = 3 * time.Second
	before, err := cpuOf(s.pids())
	if err != nil {
		return 0, err
	}
	select {
	case <-time.After(window):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	after, err := cpuOf(s.pids())
	return ms(after-before) / window.Seconds(), err
}

// rest reads memory again when nothing has happened for a while.
func rest(ctx context.Context, o options, out *report, below, above *side, suffix string) error {
	out.say("resting %s before memory is read again", o.rest)
	select {
	case <-time.After(o.rest):
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, s := range []*side{below, above} {
		if err := out.memory(s, "after a rest"+suffix); err != nil {
			return err
		}
	}
	return nil
}

// perNode is the growth of the servers' memory by a client, in bytes.
func (s *side) perNode() (rss, pss float64, err error) {
	now, err := memoryOf(s.pids())
	if err != nil {
		return 0, 0, err
	}
	return float64(now.RSS-s.empty.RSS) / float64(s.nodes), float64(now.PSS-s.empty.PSS) / float64(s.nodes), nil
}
