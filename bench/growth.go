package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// growthOptions are the flags of the growth.
type growthOptions struct {
	base   int // nodes, where something else grows
	sweeps []sweep
	plots  string // folder for the plots, "" for none
}

// sweep is one number that grows while all others stay as they are.
type sweep struct {
	name   string
	values []int
}

const defaultSweeps = "nodes=1000,2000,5000,10000,15000 bytes=1024,10240,102400,1048576 documents=1,10,50,200,500 versions=1,10,100,1000,10000 groups=1,10,100,1000"

// parseSweeps reads "nodes=1000,2000 bytes=1024".
func parseSweeps(text string) ([]sweep, error) {
	var out []sweep
	for _, part := range strings.Fields(text) {
		name, list, _ := strings.Cut(part, "=")
		if growers()[name] == nil {
			return nil, fmt.Errorf("-sweeps: %q does not grow: use %s", name, defaultSweeps)
		}
		values, err := numbers("sweeps "+name, list)
		if err != nil {
			return nil, err
		}
		out = append(out, sweep{name, values})
	}
	return out, nil
}

// most is the largest number of nodes.
func (g growthOptions) most() int {
	most := 0
	for _, s := range g.sweeps {
		if s.name == "nodes" {
			most = max(most, s.values[len(s.values)-1])
		} else {
			most = max(most, g.base)
		}
	}
	return most
}

// grown is the two sides of a sweep at one of its values. There is no floor
// where what grows does not exist for it.
type grown struct {
	below, above *side
	size         scope
	values       []int // all of the sweep, so that nodes can be labelled for them
}

// scope is what the cluster holds.
type scope struct {
	Nodes     int    `json:"nodes"`
	Bytes     int    `json:"bytes"`
	Documents int    `json:"documents"` // on each node
	Versions  uint64 `json:"versions"`  // of the document that changes, before the first change
	Groups    int    `json:"groups"`    // of nodes with the same documents
}

// measured is one side at one value. Times are in milliseconds, and so is the
// processor time of all servers, by change, without what they use when nothing
// happens.
type measured struct {
	All    spread  `json:"t_all_ms"`
	Commit spread  `json:"commit_ms"`
	Last   spread  `json:"last_ms"`
	CPU    float64 `json:"server_cpu_ms"`
	Idle   float64 `json:"idle_cpu_ms_per_s"`
}

// growthPoint is one value of a sweep.
type growthPoint struct {
	Sweep  string    `json:"sweep"`
	Value  int       `json:"value"`
	Scope  scope     `json:"scope"`
	Rounds int       `json:"rounds"`
	Load   string    `json:"load"` // of the machine, before the rounds
	Drover measured  `json:"drover"`
	Floor  *measured `json:"floor,omitempty"`
}

// measureGrowth lets one number after the other grow, each in a new cluster.
// One that cannot be measured does not keep the others from it.
func measureGrowth(ctx context.Context, o options, out *report) error {
	var all []growthPoint
	var failed error
	for _, s := range o.growth.sweeps {
		points, err := grow(ctx, o, out, s)
		all = append(all, points...)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("growth of %s: %w", s.name, err))
			out.say("%s could not be measured further: %v", s.name, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	out.growthTable(all)
	if o.growth.plots != "" {
		failed = errors.Join(failed, drawGrowth(o.growth.plots, all))
	}
	return failed
}

func grow(ctx context.Context, o options, out *report, s sweep) (points []growthPoint, err error) {
	name := "growth-" + s.name
	if err := os.RemoveAll(filepath.Join(o.dir, name)); err != nil {
		return nil, err
	}
	g := &grown{values: s.values, size: scope{Nodes: o.growth.base, Bytes: o.bytes, Documents: 1, Versions: 1, Groups: 1}}
	if g.above, err = startDrover(ctx, o, name); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, g.stop()) }()
	for _, v := range s.values {
		began := time.Now()
		if err := growers()[s.name](ctx, o, g, v); err != nil {
			return points, err
		}
		out.say("%s=%d is there after %.1f s", s.name, v, time.Since(began).Seconds())
		p, err := g.measure(ctx, o, out)
		if err != nil {
			return points, err
		}
		p.Sweep, p.Value = s.name, v
		points = append(points, p)
		if err := out.growth(p); err != nil {
			return points, err
		}
	}
	return points, nil
}

func (g *grown) sides() []*side {
	if g.below == nil {
		return []*side{g.above}
	}
	return []*side{g.below, g.above}
}

func (g *grown) stop() error {
	var errs []error
	for _, s := range g.sides() {
		errs = append(errs, s.stop())
	}
	return errors.Join(errs...)
}

// measure makes the rounds of one value, the sides in turn.
func (g *grown) measure(ctx context.Context, o options, out *report) (growthPoint, error) {
	p := growthPoint{Scope: g.size, Rounds: o.pairs}
	sides := g.sides()
	for _, s := range sides {
		if _, err := s.change(ctx); err != nil { // not counted: heaps settle
			return p, err
		}
	}
	idle := make([]float64, len(sides))
	rows := make([][]round, len(sides))
	for i, s := range sides {
		var err error
		if idle[i], err = idleOf(ctx, s); err != nil {
			return p, err
		}
	}
	p.Load = loadOf()
	for range o.pairs {
		for i, s := range sides {
			r, err := s.change(ctx)
			if err != nil {
				return p, err
			}
			if err := out.line("round growth", r); err != nil {
				return p, err
			}
			rows[i] = append(rows[i], r)
		}
	}
	for i, s := range sides {
		if err := s.sound(out, ""); err != nil {
			return p, err
		}
		if s.drover != nil {
			p.Drover = measuredOf(rows[i], idle[i])
		} else {
			floor := measuredOf(rows[i], idle[i])
			p.Floor = &floor
		}
	}
	return p, nil
}

func measuredOf(rows []round, idle float64) measured {
	column := func(of func(round) float64) []float64 {
		var out []float64
		for _, r := range rows {
			out = append(out, of(r))
		}
		return out
	}
	used := 0.0
	for _, r := range rows {
		used += r.CPU - idle*(r.All+ms(calm))/1000
	}
	return measured{
		All:    spreadOf(column(func(r round) float64 { return r.All })),
		Commit: spreadOf(column(func(r round) float64 { return r.Commit })),
		Last:   spreadOf(column(func(r round) float64 { return r.Last })),
		CPU:    max(0, used/float64(len(rows))), Idle: idle,
	}
}

// grower brings a cluster to a value of its sweep.
type grower func(ctx context.Context, o options, g *grown, value int) error

func growers() map[string]grower {
	return map[string]grower{
		"nodes": growNodes, "bytes": growBytes, "documents": growDocuments, "versions": growVersions, "groups": growGroups,
	}
}

// sweepNames in the order of the plots.
func sweepNames() []string {
	return []string{"nodes", "bytes", "documents", "versions", "groups"}
}

func loadOf() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
