package output

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Color is an ANSI colour of a cell.
type Color string

// The colours in use: those of statuses and of diffs.
const (
	Plain  Color = ""
	Green  Color = "32"
	Yellow Color = "33"
	Red    Color = "31"
	Blue   Color = "34"
	Purple Color = "35"
	Faint  Color = "2"
	Bold   Color = "1"
)

// Paint colours a text.
func (c Color) Paint(text string) string {
	if c == Plain {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// Status is the colour of a node's status, a push's state or a peer's role.
func Status(word string) Color {
	switch word {
	case "acked", "done", "yes", "leader", "true":
		return Green
	case "in_flight", "running":
		return Blue
	case "retrying":
		return Yellow
	case "reverted", "done_with_failures", "no", "false":
		return Red
	case "dead_letter":
		return Purple
	case "offline", "pending", "superseded":
		return Faint
	}
	return Plain
}

// Clean makes a text safe for one line of a terminal: control characters, line
// breaks and what turns the direction of writing become spaces.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
}

// maxCell bounds a cell in characters, unless -o wide asks for all of it.
const maxCell = 72

func writeTable[T any](p Printer, v View[T], rows []T) error {
	var columns []Column[T]
	for _, c := range v.Columns {
		if !c.Wide || p.Format == Wide {
			columns = append(columns, c)
		}
	}
	cells := make([][]string, len(rows)+1)
	widths := make([]int, len(columns))
	for i := range cells {
		cells[i] = make([]string, len(columns))
		for j, c := range columns {
			text := c.Title
			if i > 0 {
				text = strings.TrimSpace(Clean(c.Text(rows[i-1])))
				if p.Format != Wide {
					text = clip(text, maxCell)
				}
			}
			if text == "" {
				text = "-"
			}
			cells[i][j] = text
			widths[j] = max(widths[j], utf8.RuneCountInString(text))
		}
	}
	var b strings.Builder
	for i, row := range cells {
		for j, text := range row {
			gap := widths[j] - utf8.RuneCountInString(text) + 2
			if p.Color {
				text = paintCell(columns[j], text, i == 0)
			}
			b.WriteString(text)
			if j < len(row)-1 {
				b.WriteString(strings.Repeat(" ", gap))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(p.Out, b.String())
	return err
}

func paintCell[T any](c Column[T], text string, title bool) string {
	switch {
	case title:
		return Faint.Paint(text)
	case c.Color != nil:
		return c.Color(text).Paint(text)
	}
	return text
}

func clip(s string, limit int) string {
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit-1]) + "…"
}
