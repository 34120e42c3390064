package output

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

type row struct{ name, status string }

func view() View[row] {
	return View[row]{
		Name: func(r row) string { return r.name }, Empty: "there is none",
		Columns: []Column[row]{
			{Title: "NAME", Text: func(r row) string { return r.name }},
			{Title: "SECRETLY", Wide: true, Text: func(row) string { return "wide" }},
			{Title: "STATUS", Text: func(r row) string { return r.status }, Color: Status},
		},
	}
}

func TestEachFormatShowsTheSameRows(t *testing.T) {
	rows := []row{{"edge-1", "acked"}, {"edge-20", ""}}
	raw := []json.RawMessage{json.RawMessage(`{"z":1.0,"a":"<x>","n":9007199254740993}`), json.RawMessage(`{"z":2,"list":[],"t":"true"}`)}
	for _, c := range []struct {
		format Format
		want   string
	}{
		{Table, "NAME     STATUS\nedge-1   acked\nedge-20  -\n"},
		{Wide, "NAME     SECRETLY  STATUS\nedge-1   wide      acked\nedge-20  wide      -\n"},
		{Name, "edge-1\nedge-20\n"},
		{JSONL, `{"z":1.0,"a":"<x>","n":9007199254740993}` + "\n" + `{"z":2,"list":[],"t":"true"}` + "\n"},
		{JSON, "[\n  {\n    \"z\": 1.0,\n    \"a\": \"<x>\",\n    \"n\": 9007199254740993\n  },\n  {\n    \"z\": 2,\n    \"list\": [],\n    \"t\": \"true\"\n  }\n]\n"},
		{YAML, "- z: 1.0\n  a: <x>\n  n: 9007199254740993\n- z: 2\n  list: []\n  t: \"true\"\n"},
	} {
		var out, notes bytes.Buffer
		if err := List(Printer{Out: &out, Notes: &notes, Format: c.format}, view(), rows, raw); err != nil {
			t.Fatal(err)
		}
		if out.String() != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.format, out.String(), c.want)
		}
		if notes.Len() > 0 {
			t.Errorf("%s: notes %q", c.format, notes.String())
		}
	}
}

func TestAnEmptyListIsANoteForPeopleAndEmptyForPrograms(t *testing.T) {
	for format, want := range map[Format]string{Table: "", JSON: "[]\n", JSONL: "", YAML: "[]\n", Name: ""} {
		var out, notes bytes.Buffer
		if err := List(Printer{Out: &out, Notes: &notes, Format: format}, view(), nil, nil); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%s: %q, want %q", format, out.String(), want)
		}
		if told := notes.String() == "there is none\n"; told != (format == Table) {
			t.Errorf("%s: notes %q", format, notes.String())
		}
	}
}

func TestATableIsSafeForATerminal(t *testing.T) {
	var out bytes.Buffer
	evil := row{"edge\x1b[2J-1\r\nforged  acked", strings.Repeat("x", 500) + "\u202e"}
	if err := One(Printer{Out: &out, Format: Table}, view(), evil, nil); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(out.String(), "\x1b\r\u202e") || strings.Count(out.String(), "\n") != 2 {
		t.Errorf("%q", out.String())
	}
	if len(out.String()) > 300 {
		t.Error("a long cell was not cut")
	}
}

func TestColoursStandAroundTheTextAndNotThePadding(t *testing.T) {
	var out bytes.Buffer
	if err := List(Printer{Out: &out, Format: Table, Color: true}, view(), []row{{"a", "acked"}, {"long-name", "offline"}}, nil); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "a          \x1b[32macked\x1b[0m\n") {
		t.Errorf("%q", out.String())
	}
}

func TestAnUnknownFormatIsRefused(t *testing.T) {
	if _, err := ParseFormat("xml"); err == nil || !strings.Contains(err.Error(), "jsonl") {
		t.Errorf("%v", err)
	}
}
