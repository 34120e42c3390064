package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/droverhq/drover/bench/plot"
)

// chart is what the plot of a sweep says.
type chart struct {
	title, x string
	log      bool
	tick     func(float64) string
}

func charts() map[string]chart {
	return map[string]chart{
		"nodes":     {"One change, by the number of nodes", "nodes", false, plot.Number},
		"bytes":     {"One change, by the size of the document", "size of the document (logarithmic)", true, plot.Bytes},
		"documents": {"One change, by the number of documents on each node", "documents on each node (logarithmic)", true, plot.Number},
		"versions":  {"One change, by the number of versions of the document", "versions of the document (logarithmic)", true, plot.Number},
		"groups":    {"One change, by the number of groups", "groups of nodes with the same documents (logarithmic)", true, plot.Number},
	}
}

// plotFile draws what an earlier run has measured: plot FILE FOLDER.
func plotFile(args []string) error {
	if len(args) != 2 {
		return errors.New("plot: give the file of a run (-o) and a folder for the plots")
	}
	f, err := os.Open(args[0])
	if err != nil {
		return err
	}
	defer f.Close()
	points, err := readGrowth(f)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return drawGrowth(args[1], points)
}

// readGrowth finds the growth in the JSON lines of a run. Of a value that was
// measured more than once, the last counts.
func readGrowth(r io.Reader) ([]growthPoint, error) {
	var order []string
	last := map[string]growthPoint{}
	for d := json.NewDecoder(r); ; {
		var line struct {
			Measure string          `json:"measure"`
			Data    json.RawMessage `json:"data"`
		}
		err := d.Decode(&line)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if line.Measure != "growth" {
			continue
		}
		var p growthPoint
		if err := json.Unmarshal(line.Data, &p); err != nil {
			return nil, err
		}
		key := fmt.Sprint(p.Sweep, p.Value)
		if _, known := last[key]; !known {
			order = append(order, key)
		}
		last[key] = p
	}
	var out []growthPoint
	for _, key := range order {
		out = append(out, last[key])
	}
	return out, nil
}

// drawGrowth writes one file for each sweep.
func drawGrowth(folder string, points []growthPoint) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, name := range sweepNames() {
		var of []growthPoint
		for _, p := range points {
			if p.Sweep == name {
				of = append(of, p)
			}
		}
		if len(of) == 0 {
			continue
		}
		f, err := os.Create(filepath.Join(folder, "growth-"+name+".svg"))
		if err != nil {
			return err
		}
		c := charts()[name]
		if err := errors.Join(plot.SVG(f, c.title, timePanel(c, of), cpuPanel(c, of)), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func timePanel(c chart, points []growthPoint) plot.Panel {
	all := plot.Series{Name: "Drover, t_all"}
	commit := plot.Series{Name: "Drover, commit", Colour: 1}
	floor := plot.Series{Name: "floor, t_all", Colour: 2}
	for _, p := range points {
		all.Points = append(all.Points, pointOf(p.Value, p.Drover.All))
		commit.Points = append(commit.Points, pointOf(p.Value, p.Drover.Commit))
		if p.Floor != nil {
			floor.Points = append(floor.Points, pointOf(p.Value, p.Floor.All))
		}
	}
	return panel(c, "time (ms)", all, commit, floor)
}

func cpuPanel(c chart, points []growthPoint) plot.Panel {
	drover, floor := plot.Series{Name: "Drover, 3 servers"}, plot.Series{Name: "floor, 1 server", Colour: 2}
	for _, p := range points {
		drover.Points = append(drover.Points, plot.Point{X: float64(p.Value), Y: p.Drover.CPU})
		if p.Floor != nil {
			floor.Points = append(floor.Points, plot.Point{X: float64(p.Value), Y: p.Floor.CPU})
		}
	}
	return panel(c, "server CPU for one change (ms)", drover, floor)
}

// panel leaves out lines of which nothing was measured.
func panel(c chart, y string, series ...plot.Series) plot.Panel {
	p := plot.Panel{X: c.x, Y: y, Log: c.log, Tick: c.tick}
	for _, s := range series {
		if len(s.Points) > 0 {
			p.Series = append(p.Series, s)
		}
	}
	return p
}

func pointOf(value int, s spread) plot.Point {
	return plot.Point{X: float64(value), Y: s.Median, Least: s.Min, Most: s.Max}
}
