package plot

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func drawn(t *testing.T, panels ...Panel) string {
	t.Helper()
	var b strings.Builder
	if err := SVG(&b, "time & nodes", panels...); err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			t.Fatalf("no XML: %v\n%s", err, b.String())
		}
	}
}

func TestAPlotShowsAxesUnitsAndEverySeries(t *testing.T) {
	p := Panel{X: "nodes <connected>", Y: "ms", Tick: Number, Series: []Series{
		{"Drover", 0, []Point{{1000, 50, 40, 90}, {15000, 400, 390, 500}}},
		{"floor", 2, []Point{{1000, 14, 0, 0}, {15000, 240, 0, 0}}},
	}}
	got := drawn(t, p, p)
	for _, want := range []string{
		"time &amp; nodes", "nodes &lt;connected&gt;", ">ms<", ">Drover<", ">floor<", ">15,000<", ">500<", "prefers-color-scheme: dark", "translate(430,0)",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if n := strings.Count(got, "<circle"); n != 8 {
		t.Errorf("%d points, want 8", n)
	}
	if n := strings.Count(got, `class="spread`); n != 4 {
		t.Errorf("%d spreads, want 4", n)
	}
}

func TestScales(t *testing.T) {
	line := []Series{{"a", 0, []Point{{1, 3, 0, 0}, {100, 46, 41, 47}, {10_000, 12, 0, 0}}}}
	x := Panel{Log: true, Series: line}.xScale()
	if a, b, c := x.at(1), x.at(100), x.at(10_000); b-a != c-b || a <= left || c >= panelWidth-right {
		t.Errorf("a logarithmic axis puts 1, 100 and 10,000 at %v, %v and %v", a, b, c)
	}
	y := Panel{Series: line}.yScale()
	if y.to != 50 || len(y.ticks) != 6 || y.at(0) != panelHeight-bottom || y.at(50) != top {
		t.Errorf("the y axis: %+v", y)
	}
	if y := (Panel{Series: []Series{{"a", 0, []Point{{1, 10, 9, 5000}}}}}).yScale(); y.to != 15 {
		t.Errorf("one value far above presses the curve down: %+v", y)
	}
	for _, p := range []Panel{{}, {Log: true, Series: []Series{{"one", 0, []Point{{5, 0, 0, 0}}}}}} {
		p.Tick = Number
		if got := drawn(t, p); strings.Contains(got, "NaN") || strings.Contains(got, "Inf") {
			t.Errorf("little to draw gives no number: %s", got)
		}
	}
}

func TestLabels(t *testing.T) {
	for want, got := range map[string]string{
		"15,000": Number(15000), "0.5": Number(0.5), "1,234,567": Number(1234567),
		"512 B": Bytes(512), "10 KiB": Bytes(10 << 10), "1 MiB": Bytes(1 << 20), "1.5 KiB": Bytes(1536),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
