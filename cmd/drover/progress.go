package main

import (
	"fmt"
	"io"

	"github.com/droverhq/drover/internal/output"
)

// progressLine is one line on standard error that is written over; it exists
// on a terminal only.
type progressLine struct {
	w    io.Writer // nil: nobody looks
	last string
}

func (a *app) progress() *progressLine {
	if !terminal(a.stderr) || a.env("TERM") == "dumb" {
		return &progressLine{}
	}
	return &progressLine{w: a.stderr}
}

func (p *progressLine) show(format string, args ...any) {
	text := output.Clean(fmt.Sprintf(format, args...))
	if p.w == nil || text == p.last {
		return
	}
	p.last = text
	fmt.Fprintf(p.w, "\r\x1b[K%s", text)
}

// done takes the line away; it may be called again.
func (p *progressLine) done() {
	if p.w != nil && p.last != "" {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.last = ""
	}
}
