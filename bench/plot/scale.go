package plot

import (
	"math"
	"slices"
)

// scale maps values to pixels.
type scale struct {
	from, to   float64 // values
	start, end float64 // pixels
	log        bool
	ticks      []float64
}

func (s scale) at(v float64) float64 {
	if s.log {
		return s.start + (math.Log(v)-math.Log(s.from))/(math.Log(s.to)-math.Log(s.from))*(s.end-s.start)
	}
	return s.start + (v-s.from)/(s.to-s.from)*(s.end-s.start)
}

// xScale has a tick wherever something was measured.
func (p Panel) xScale() scale {
	s := scale{start: left + 14, end: panelWidth - right - 14, log: p.Log}
	for _, line := range p.Series {
		for _, point := range line.Points {
			s.ticks = append(s.ticks, point.X)
		}
	}
	slices.Sort(s.ticks)
	s.ticks = slices.Compact(s.ticks)
	if len(s.ticks) == 0 {
		s.ticks = []float64{1}
	}
	s.from, s.to = s.ticks[0], s.ticks[len(s.ticks)-1]
	if s.from == s.to { // one value alone stands in the middle
		s.from, s.to = s.from/2, s.to*3/2
		if s.log {
			s.to = 4 * s.from
		}
	}
	return s
}

// yScale begins at zero, so that a curve that looks flat is flat, and ends at
// a round number. One value far above all others does not press the curves
// down: its spread is cut at the upper edge.
func (p Panel) yScale() scale {
	most, spread := 0.0, 0.0
	for _, line := range p.Series {
		for _, point := range line.Points {
			most, spread = max(most, point.Y), max(spread, point.Most)
		}
	}
	most = max(most, min(spread, 1.5*most))
	if most == 0 {
		most = 1
	}
	step := round(most / 5)
	s := scale{start: panelHeight - bottom, end: top, ticks: []float64{0}}
	for v := step; v < most+step; v += step {
		s.ticks = append(s.ticks, v)
	}
	s.to = s.ticks[len(s.ticks)-1]
	return s
}

// round is the next of 1, 2 and 5 times a power of ten.
func round(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5, 10} {
		if v <= m*power {
			return m * power
		}
	}
	return 10 * power
}
