package plot

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
)

// Panel is one plot: what is measured over one number.
type Panel struct {
	X, Y   string // what the axes show, with the unit
	Log    bool   // the x axis is logarithmic
	Tick   func(x float64) string
	Series []Series
}

// Series is one line, in one of four colours.
type Series struct {
	Name   string
	Colour int // 0 to 3
	Points []Point
}

// Point is a value between the least and the most that were measured. Where
// both are zero there is no spread to show.
type Point struct{ X, Y, Least, Most float64 }

// Sizes in pixels.
const (
	panelWidth  = 430
	panelHeight = 300
	left        = 62
	right       = 16
	top         = 64
	bottom      = 52
	perLetter   = 6.2 // of the small text, about
)

// style gives each series a colour of its own in either scheme. The colours are
// those of Okabe and Ito, which people with any colour vision can tell apart.
const style = `<style>
text{font:12px system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:#1f2328}
.title{font-size:14px;font-weight:600}.small{font-size:11px}
.paper{fill:#ffffff}.grid{stroke:#d8dee4}.axis{stroke:#59636e}
.line{fill:none;stroke-width:2}.spread{stroke-width:1.2;opacity:.65}
.s0{stroke:#0072b2}.f0{fill:#0072b2}.s1{stroke:#d55e00}.f1{fill:#d55e00}.s2{stroke:#009e73}.f2{fill:#009e73}.s3{stroke:#8f5a8a}.f3{fill:#8f5a8a}
@media (prefers-color-scheme: dark){
text{fill:#e6edf3}.paper{fill:#0d1117}.grid{stroke:#2d333b}.axis{stroke:#9198a1}
.s0{stroke:#56b4e9}.f0{fill:#56b4e9}.s1{stroke:#f0883e}.f1{fill:#f0883e}.s2{stroke:#2fc99a}.f2{fill:#2fc99a}.s3{stroke:#d3a3cf}.f3{fill:#d3a3cf}
}
</style>
`

// SVG writes the panels side by side under a title.
func SVG(w io.Writer, title string, panels ...Panel) error {
	var b strings.Builder
	width := panelWidth * len(panels)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">`+"\n", width, panelHeight, width, panelHeight)
	fmt.Fprintf(&b, "<title>%s</title>\n%s", html.EscapeString(title), style)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d" rx="6"/>`+"\n", width, panelHeight)
	text(&b, "title", left, 24, "start", title)
	for i, p := range panels {
		fmt.Fprintf(&b, `<g transform="translate(%d,0)">`+"\n", i*panelWidth)
		p.draw(&b)
		b.WriteString("</g>\n")
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func text(b *strings.Builder, class string, x, y float64, anchor, words string) {
	fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, html.EscapeString(words))
}

func (p Panel) draw(b *strings.Builder) {
	x, y := p.xScale(), p.yScale()
	for _, v := range y.ticks {
		at := y.at(v)
		fmt.Fprintf(b, `<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/>`+"\n", left, at, panelWidth-right, at)
		text(b, "small", left-6, at+4, "end", number(v))
	}
	fmt.Fprintf(b, `<path class="axis" fill="none" d="M%d %dV%dH%d"/>`+"\n", left, top, panelHeight-bottom, panelWidth-right)
	free := 0.0 // no label may begin before
	for _, v := range x.ticks {
		at, words := x.at(v), p.Tick(v)
		half := float64(len(words)) * perLetter / 2
		fmt.Fprintf(b, `<line class="axis" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", at, panelHeight-bottom, at, panelHeight-bottom+4)
		if at-half >= free {
			text(b, "small", at, panelHeight-bottom+17, "middle", words)
			free = at + half + 4
		}
	}
	text(b, "small", (left+panelWidth-right)/2, panelHeight-14, "middle", p.X)
	fmt.Fprintf(b, `<text class="small" transform="translate(14,%d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", (top+panelHeight-bottom)/2, html.EscapeString(p.Y))
	next := float64(left)
	for _, s := range p.Series {
		s.draw(b, x, y)
		fmt.Fprintf(b, `<line class="line s%d" x1="%.1f" y1="46" x2="%.1f" y2="46"/>`+"\n", s.Colour, next, next+16)
		text(b, "small", next+21, 50, "start", s.Name)
		next += 21 + float64(len(s.Name))*perLetter + 14
	}
}

func (s Series) draw(b *strings.Builder, x, y scale) {
	var path strings.Builder
	for i, p := range s.Points {
		move := byte('L')
		if i == 0 {
			move = 'M'
		}
		fmt.Fprintf(&path, "%c%.1f %.1f", move, x.at(p.X), y.at(p.Y))
		if p.Most > p.Least {
			fmt.Fprintf(b, `<line class="spread s%d" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", s.Colour, x.at(p.X), y.at(p.Least), x.at(p.X), y.at(min(p.Most, y.to)))
		}
	}
	fmt.Fprintf(b, `<path class="line s%d" d="%s"/>`+"\n", s.Colour, path.String())
	for _, p := range s.Points {
		fmt.Fprintf(b, `<circle class="f%d" cx="%.1f" cy="%.1f" r="3.2"/>`+"\n", s.Colour, x.at(p.X), y.at(p.Y))
	}
}

// number is the shortest text of a value, with commas between thousands.
func number(v float64) string {
	if v != math.Trunc(v) {
		return fmt.Sprintf("%g", v)
	}
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Number labels a tick with its number.
func Number(x float64) string { return number(x) }

// Bytes labels a tick with a size.
func Bytes(x float64) string {
	switch {
	case x >= 1<<20:
		return number(math.Round(x/(1<<20)*10)/10) + " MiB"
	case x >= 1<<10:
		return number(math.Round(x/(1<<10)*10)/10) + " KiB"
	}
	return number(x) + " B"
}
