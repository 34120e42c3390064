package output

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Format is how a result is written.
type Format string

// The formats. The table is the default.
const (
	Table Format = "table"
	Wide  Format = "wide"
	JSON  Format = "json"
	JSONL Format = "jsonl"
	YAML  Format = "yaml"
	Name  Format = "name"
)

// Formats lists all of them, for help and completion.
func Formats() []string { return []string{"table", "wide", "json", "jsonl", "yaml", "name"} }

// ParseFormat reads the value of -o.
func ParseFormat(s string) (Format, error) {
	if slices.Contains(Formats(), s) {
		return Format(s), nil
	}
	return "", fmt.Errorf("-o %q is none of %s", s, strings.Join(Formats(), ", "))
}

// Column is one column of a table. Wide ones are shown with -o wide only. Color
// may be nil; it is given the text of the cell.
type Column[T any] struct {
	Title string
	Wide  bool
	Text  func(T) string
	Color func(text string) Color
}

// View says how a kind of object is shown.
type View[T any] struct {
	Columns []Column[T]
	Name    func(T) string
	Empty   string // what to say on the notes' writer when there is none
}

// Printer writes results.
type Printer struct {
	Out    io.Writer
	Notes  io.Writer // for what is no data
	Format Format
	Color  bool
}

// List writes many objects. raw[i] is what rows[i] was read from.
func List[T any](p Printer, v View[T], rows []T, raw []json.RawMessage) error {
	switch p.Format {
	case JSON:
		return writeArray(p.Out, raw)
	case JSONL:
		return writeLines(p.Out, raw)
	case YAML:
		var all bytes.Buffer
		if err := writeArray(&all, raw); err != nil {
			return err
		}
		return writeYAML(p.Out, all.Bytes())
	case Name:
		return writeNames(p.Out, rows, v.Name)
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(p.Notes, v.Empty)
		return err
	}
	return writeTable(p, v, rows)
}

// One writes a single object; as a table it is one row under its titles.
func One[T any](p Printer, v View[T], row T, raw json.RawMessage) error {
	switch p.Format {
	case JSON:
		return writeJSON(p.Out, raw)
	case JSONL:
		return writeLines(p.Out, []json.RawMessage{raw})
	case YAML:
		return writeYAML(p.Out, raw)
	case Name:
		return writeNames(p.Out, []T{row}, v.Name)
	}
	return writeTable(p, v, []T{row})
}

// Structured tells whether the format is one for programs.
func (f Format) Structured() bool { return f == JSON || f == JSONL || f == YAML }

// Raw writes one object in a structured format.
func Raw(p Printer, raw json.RawMessage) error {
	switch p.Format {
	case JSONL:
		return writeLines(p.Out, []json.RawMessage{raw})
	case YAML:
		return writeYAML(p.Out, raw)
	}
	return writeJSON(p.Out, raw)
}

func writeJSON(w io.Writer, raw json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

func writeArray(w io.Writer, raw []json.RawMessage) error {
	if len(raw) == 0 {
		_, err := io.WriteString(w, "[]\n")
		return err
	}
	return writeJSON(w, slices.Concat([]byte("["), bytes.Join(unwrap(raw), []byte(",")), []byte("]")))
}

func unwrap(raw []json.RawMessage) [][]byte {
	out := make([][]byte, len(raw))
	for i, r := range raw {
		out[i] = r
	}
	return out
}

func writeLines(w io.Writer, raw []json.RawMessage) error {
	var b bytes.Buffer
	for _, r := range raw {
		if err := json.Compact(&b, r); err != nil {
			return err
		}
		b.WriteByte('\n')
	}
	_, err := w.Write(b.Bytes())
	return err
}

func writeNames[T any](w io.Writer, rows []T, name func(T) string) error {
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(name(r) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
