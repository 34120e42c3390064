package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/droverhq/drover/bench/proc"
)

// report prints what was measured, for people, and keeps every line as JSON.
type report struct {
	w     io.Writer
	file  *os.File
	lines *json.Encoder
	rows  []string
	found map[string]string // by figure
	first map[string]total  // memory at the smallest number of clients, by what was read
}

// total is the memory of all servers of a side.
type total struct {
	nodes int
	rss   float64
}

func newReport(w io.Writer, file string) (*report, error) {
	r := &report{w: w, found: map[string]string{}, first: map[string]total{}}
	if file == "" {
		return r, nil
	}
	var err error
	if r.file, err = os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
		return nil, err
	}
	r.lines = json.NewEncoder(r.file)
	return r, nil
}

func (r *report) close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

func (r *report) say(format string, args ...any) { fmt.Fprintf(r.w, format+"\n", args...) }

// line keeps one measurement.
func (r *report) line(measure string, data any) error {
	if r.lines == nil {
		return nil
	}
	return r.lines.Encode(map[string]any{"time": time.Now().UTC().Format(time.RFC3339), "measure": measure, "data": data})
}

// machine says where it was measured: without that no number means anything.
func (r *report) machine(o options) error {
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return err
	}
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return err
	}
	data := map[string]any{
		"processors": runtime.NumCPU(), "model": model(), "kernel": strings.TrimSpace(string(kernel)),
		"load": strings.TrimSpace(string(load)), "go": runtime.Version(), "document_bytes": o.bytes,
	}
	r.say("%d × %s, Linux %s, load %s", data["processors"], data["model"], data["kernel"], data["load"])
	return r.line("machine", data)
}

func model() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// spread is the median and the extremes of ratios.
type spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

func spreadOf(values []float64) spread {
	return spread{quantile(values, 0.5), quantile(values, 0), quantile(values, 1)}
}

func (s spread) String() string { return fmt.Sprintf("%.2f (%.2f–%.2f)", s.Median, s.Min, s.Max) }

// pair compares the rounds of two sides, pair by pair.
func (r *report) pair(nodes int, below, above []round, suffix string) error {
	var all, cpu, floorAll, droverAll, floorCPU, droverCPU []float64
	for i := range below {
		all = append(all, above[i].All/below[i].All)
		floorAll, droverAll = append(floorAll, below[i].All), append(droverAll, above[i].All)
		floorCPU, droverCPU = append(floorCPU, below[i].CPU), append(droverCPU, above[i].CPU)
		if below[i].CPU > 0 {
			cpu = append(cpu, above[i].CPU/below[i].CPU)
		}
	}
	sum := sumOf(droverCPU) / max(sumOf(floorCPU), 1) // the clock of the system is coarse: all rounds together are the better number
	row := fmt.Sprintf("%d%s\t%.0f\t%.0f\t%s\t%.1f\t%.1f\t%.2f\t%s\t%d + %d\t%d + %d", nodes, suffix, spreadOf(floorAll).Median, spreadOf(droverAll).Median,
		spreadOf(all), sumOf(floorCPU)/float64(len(floorCPU))/float64(nodes)*1000, sumOf(droverCPU)/float64(len(droverCPU))/float64(nodes)*1000,
		sum, spreadOf(cpu), below[0].Frame, below[0].Answer, above[0].Frame, above[0].Answer)
	r.rows = append(r.rows, row)
	r.say("n=%d%s: t_all floor %.0f ms, drover %.0f ms, ratio %s; server CPU ratio %.2f, by pair %s; commit %.1f, first %.1f, last %.1f ms",
		nodes, suffix, spreadOf(floorAll).Median, spreadOf(droverAll).Median, spreadOf(all), sum, spreadOf(cpu), medianOf(above, func(x round) float64 { return x.Commit }),
		medianOf(above, func(x round) float64 { return x.First }), medianOf(above, func(x round) float64 { return x.Last }))
	if suffix == "" {
		r.found["t_all"] = fmt.Sprintf("%s at %d", spreadOf(all), nodes)
		r.found["cpu"] = fmt.Sprintf("%.2f at %d", sum, nodes)
		r.found["frame"] = fmt.Sprintf("%d B", above[len(above)-1].Frame)
	}
	return r.line("pair"+suffix, map[string]any{
		"n": nodes, "ratio": spreadOf(all), "floor_ms": spreadOf(floorAll), "drover_ms": spreadOf(droverAll), "cpu_ratio": sum, "cpu_ratios": spreadOf(cpu),
	})
}

func sumOf(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum
}

func medianOf(rounds []round, of func(round) float64) float64 {
	var values []float64
	for _, r := range rounds {
		values = append(values, of(r))
	}
	return quantile(values, 0.5)
}

func (r *report) memory(s *side, when string) error {
	rss, pss, err := s.perNode()
	if err != nil {
		return err
	}
	r.say("%s, %s: %.1f KB of resident memory per client (PSS %.1f KB), all servers together", s.kind, when, rss/1000, pss/1000)
	if first, known := r.first[s.kind+when]; !known {
		r.first[s.kind+when] = total{s.nodes, rss * float64(s.nodes)}
	} else {
		r.say("%s, from %d to %d clients: %.1f KB for each", s.kind, first.nodes, s.nodes, (rss*float64(s.nodes)-first.rss)/float64(s.nodes-first.nodes)/1000)
	}
	if s.drover != nil {
		key := "memory"
		if strings.HasSuffix(when, "TLS") {
			key = "memory TLS"
		}
		text := fmt.Sprintf("%.1f KB %s", rss/1000, strings.TrimSuffix(when, " TLS"))
		if strings.HasPrefix(when, "after a rest") && r.found[key] != "" {
			text = r.found[key] + ", " + text
		}
		r.found[key] = text
	}
	return r.line("memory", map[string]any{"side": s.kind, "n": s.nodes, "when": when, "rss_per_node": rss, "pss_per_node": pss})
}

func (r *report) idle(nodes int, millis float64, suffix string) error {
	r.say("drover%s: %.1f ms of processor time a second with %d nodes and nothing to do", suffix, millis, nodes)
	return r.line("idle"+suffix, map[string]any{"n": nodes, "cpu_ms_per_s": millis})
}

func (r *report) sync(p50, p99 float64) error {
	r.say("disk: write and sync of 1 KB p50 %.2f ms, p99 %.2f ms", p50, p99)
	return r.line("sync", map[string]any{"p50_ms": p50, "p99_ms": p99})
}

func (r *report) commits(c commits) error {
	r.say("%d writers to %s: %.0f commits/s, p50 %.1f ms, p99 %.1f ms, %.0f µs of server CPU each", c.Writers, c.To, c.Rate, c.P50, c.P99, c.CPU)
	text := fmt.Sprintf("%.0f/s with %d (%s)", c.Rate, c.Writers, c.To)
	if r.found["commits"] != "" {
		text = r.found["commits"] + ", " + text
	}
	r.found["commits"] = text
	return r.line("commits", c)
}

func (r *report) agent(m proc.Memory) error {
	r.found["agent"] = fmt.Sprintf("%.1f MB (PSS %.1f MB)", float64(m.RSS)/1e6, float64(m.PSS)/1e6)
	r.say("idle agent process: %s", r.found["agent"])
	return r.line("agent", map[string]any{"rss": m.RSS, "pss": m.PSS})
}

func (r *report) kill(number int, millis float64) error {
	return r.line("kill", map[string]any{"kill": number, "next_commit_ms": millis})
}

func (r *report) kills(took []float64) error {
	s := spreadOf(took)
	r.found["kill"] = fmt.Sprintf("p50 %.2f s, max %.2f s (%d kills)", s.Median/1000, s.Max/1000, len(took))
	r.say("kill -9 of the leader to the next commit: %s", r.found["kill"])
	return r.line("kills", s)
}

func (r *report) storm(s storm) error {
	election := "no election"
	if s.Election {
		election = "with an election"
	}
	r.found["storm"] = fmt.Sprintf("%d back in %.1f s, %s, memory of the two others %.0f → %.0f MB", s.Lost, s.Back, election, s.Before, s.Peak)
	r.say("reconnect storm: %s", r.found["storm"])
	return r.line("storm", s)
}

// growth tells one value of a sweep.
func (r *report) growth(p growthPoint) error {
	floor := ""
	if p.Floor != nil {
		floor = fmt.Sprintf(", floor %s ms and %.1f ms", p.Floor.All, p.Floor.CPU)
	}
	r.say("%s=%d: t_all %s ms, commit %s ms, server CPU %.1f ms%s; load %s", p.Sweep, p.Value, p.Drover.All, p.Drover.Commit, p.Drover.CPU, floor, p.Load)
	return r.line("growth", p)
}

// growthTable prints all sweeps.
func (r *report) growthTable(points []growthPoint) {
	w := tabwriter.NewWriter(r.w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\nwhat grows\tto\tt_all ms\tcommit ms\tlast confirmed ms\tserver CPU ms\tfloor t_all ms\tfloor CPU ms")
	for _, p := range points {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%.0f", p.Sweep, p.Value, p.Drover.All, p.Drover.Commit, p.Drover.Last, p.Drover.CPU)
		if p.Floor != nil {
			fmt.Fprintf(w, "\t%s\t%.0f", p.Floor.All, p.Floor.CPU)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		r.say("the table: %v", err)
	}
}

// figures prints the table, and every figure beside its target.
func (r *report) figures() error {
	w := tabwriter.NewWriter(r.w, 0, 4, 2, ' ', 0)
	if len(r.rows) > 0 {
		fmt.Fprintln(w, "\nN\tfloor ms\tdrover ms\tratio of t_all\tfloor CPU µs\tdrover CPU µs\tratio\tby pair\tfloor bytes\tdrover bytes")
		for _, row := range r.rows {
			fmt.Fprintln(w, row)
		}
	}
	if len(r.found) == 0 {
		return w.Flush()
	}
	fmt.Fprintln(w, "\nfigure\tmust\taim\tmeasured")
	for _, f := range targets() {
		found := r.found[f.key]
		if found == "" {
			found = "not measured"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.name, f.must, f.aim, found)
	}
	return w.Flush()
}

// target is a figure to reach.
type target struct{ key, name, must, aim string }

func targets() []target {
	return []target{
		{"t_all", "t_all at 10,000, durable and replicated, to floor", "≤ 2.5", "≤ 1.5"},
		{"cpu", "server CPU per change at 10,000, to floor", "≤ 4", "≤ 2"},
		{"memory", "server memory per connected agent, plain", "≤ 15 KB", "≤ 8 KB"},
		{"memory TLS", "server memory per connected agent, TLS", "measured", "≤ 30 KB"},
		{"frame", "WebSocket payload of the update frame", "≤ 600 B", "≤ 500 B"},
		{"commits", "durable commits of 1 KB, 64 writers", "≥ 3,000/s", "≥ 8,000/s"},
		{"kill", "kill -9 of the leader to the next commit", "max ≤ 2 s", "p50 ≤ 0.7 s"},
		{"storm", "reconnect storm, a third of the agents in sync", "≤ 15 s", "≤ 5 s"},
		{"agent", "idle agent process", "≤ 20 MB", "≤ 12 MB"},
		{"instances", "sync of instances over HTTP, to a plain Python coordinator", "≤ 0.5", "≤ 0.3"},
		{"hang", "with 1 of 50 instances hanging, the other 49", "as fast as without", "as fast as without"},
		{"dead", "with 5 of 50 instances dead, the other 45", "at once, 5 with their reason", "at once, 5 with their reason"},
	}
}
