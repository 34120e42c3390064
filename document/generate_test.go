package document_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// Texts that differ in spelling only are as likely as others.
var (
	literals = []string{"0", "-0", "1", "1.0", "1e0", "10", "1e1", "0.5", "-2.50", "1e22", "123456789012345", "null", "true", "false"}
	strs     = []string{`""`, `"a"`, `"b"`, `"é"`, `"\u00e9"`, `"\ud83d\ude02"`, `"😂"`, `"\ufb33"`, `"a b"`, `"\n\"\\"`, `"\/"`, `"/"`, `"~"`, `"0"`, `"-"`, `"\u007f"`}
)

func scalar() *rapid.Generator[string] {
	return rapid.OneOf(rapid.SampledFrom(literals), rapid.SampledFrom(strs),
		rapid.Map(rapid.IntRange(-1000, 1000), func(n int) string { return fmt.Sprint(n) }),
		rapid.Map(rapid.Float64(), func(f float64) string { return fmt.Sprint(f) }))
}

// space is white space between tokens, mostly none.
var space = rapid.SampledFrom([]string{"", "", "", " ", "\n\t"})

// anyJSON makes the text of any JSON value, not always compact.
func anyJSON(depth int) *rapid.Generator[string] {
	if depth == 0 {
		return scalar()
	}
	return rapid.Custom(func(t *rapid.T) string {
		switch rapid.SampledFrom([]string{"scalar", "array", "object", "object"}).Draw(t, "kind") {
		case "array":
			elements := rapid.SliceOfN(anyJSON(depth-1), 0, 6).Draw(t, "elements")
			return "[" + space.Draw(t, "space") + strings.Join(elements, ","+space.Draw(t, "space")) + "]"
		case "object":
			return anyObject(depth).Draw(t, "object")
		}
		return scalar().Draw(t, "scalar")
	})
}

func anyObject(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		names := rapid.SliceOfNDistinct(rapid.SampledFrom(strs), 0, 8, name).Draw(t, "names")
		members := make([]string, len(names))
		for i, n := range names {
			members[i] = n + space.Draw(t, "space") + ":" + anyJSON(depth-1).Draw(t, "value")
		}
		return "{" + strings.Join(members, ",") + space.Draw(t, "space") + "}"
	})
}

// name is what a JSON string says.
func name(quoted string) string {
	s, err := jsontext.AppendUnquote(nil, quoted)
	if err != nil {
		panic(err)
	}
	return string(s)
}

// ordered writes a compact text with the members of objects in order and their
// names in one spelling; everything else stays as it was written.
func ordered(text []byte) string {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(false))
	var read func() string
	read = func() string {
		kind := dec.PeekKind()
		if kind != '{' && kind != '[' {
			v, err := dec.ReadValue()
			if err != nil {
				panic(err)
			}
			return string(v)
		}
		if _, err := dec.ReadToken(); err != nil {
			panic(err)
		}
		var parts []string
		for dec.PeekKind() != kind+2 {
			part := read()
			if kind == '{' {
				part = fmt.Sprintf("%q:%s", name(part), read())
			}
			parts = append(parts, part)
		}
		if _, err := dec.ReadToken(); err != nil {
			panic(err)
		}
		if kind == '{' {
			slices.Sort(parts)
		}
		return string(rune(kind)) + strings.Join(parts, ",") + string(rune(kind+2))
	}
	return read()
}

// reporter is what testing.TB and *rapid.T have in common.
type reporter interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}
