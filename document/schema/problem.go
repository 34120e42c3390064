package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// leaf is a problem before it is put into words: where, and what.
type leaf struct {
	at     []string
	kind   jsonschema.ErrorKind
	suffix string
}

// list flattens the library's tree into sorted problems without repeats.
func list(failed *jsonschema.ValidationError) []Problem {
	printer := message.NewPrinter(language.English)
	problems := []Problem{}
	for _, l := range leaves(failed) {
		problems = append(problems, l.problems(printer)...)
	}
	slices.SortFunc(problems, func(a, b Problem) int {
		if c := comparePointers(a.Pointer, b.Pointer); c != 0 {
			return c
		}
		return strings.Compare(a.Message, b.Message)
	})
	problems = slices.Compact(problems)
	return problems[:min(len(problems), MaxProblems)]
}

// comparePointers sorts elements of an array by number.
func comparePointers(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "/"), strings.Split(b, "/"), func(a, b string) int {
		m, errA := strconv.Atoi(a)
		n, errB := strconv.Atoi(b)
		if errA == nil && errB == nil && m != n {
			return m - n
		}
		return strings.Compare(a, b)
	})
}

// leaves returns what is wrong without what only leads there. Of several forms
// that a value may have, it follows the one that the value comes nearest to.
func leaves(e *jsonschema.ValidationError) []leaf {
	switch k := e.ErrorKind.(type) {
	case *kind.AnyOf:
		return nearest(e)
	case *kind.OneOf:
		if len(k.Subschemas) == 0 {
			return nearest(e)
		}
	case *kind.Contains, *kind.MinContains:
		return []leaf{{at: e.InstanceLocation, kind: e.ErrorKind}} // not one line for each element
	case *kind.PropertyNames:
		var why []leaf
		for _, cause := range e.Causes {
			why = append(why, leaves(cause)...)
		}
		for i := range why {
			why[i].at = append(slices.Clone(e.InstanceLocation), k.Property)
			why[i].suffix = " (this is about the key)"
		}
		if len(why) > 0 {
			return why
		}
	}
	if len(e.Causes) == 0 {
		return []leaf{{at: e.InstanceLocation, kind: e.ErrorKind}}
	}
	var out []leaf
	for _, cause := range e.Causes {
		out = append(out, leaves(cause)...)
	}
	return out
}

// nearest chooses among the forms of anyOf and oneOf, all of which failed.
func nearest(e *jsonschema.ValidationError) []leaf {
	if len(e.Causes) == 0 {
		return []leaf{{at: e.InstanceLocation, kind: e.ErrorKind}}
	}
	forms := make([][]leaf, len(e.Causes))
	for i, cause := range e.Causes {
		forms[i] = leaves(cause)
	}
	if merged, ok := mergeForms(forms); ok {
		return merged
	}
	best := slices.MinFunc(forms, func(a, b []leaf) int { return distance(a) - distance(b) })
	if len(forms) > 1 {
		for i := range best {
			if best[i].suffix == "" {
				best[i].suffix = fmt.Sprintf(" (of %d allowed forms, the nearest)", len(forms))
			}
		}
	}
	return best
}

// distance tells how far a value is from a form: another type or another
// constant says that it is not meant at all, the rest are mistakes within it.
func distance(form []leaf) int {
	sum := 0
	for _, l := range form {
		switch l.kind.(type) {
		case *kind.Type, *kind.Const, *kind.Enum, *kind.FalseSchema:
			sum += 10
		default:
			sum++
		}
	}
	return sum
}

// oneOfKeys is what forms say together of which each lacks one key.
type oneOfKeys []string

func (oneOfKeys) KeywordPath() []string { return []string{"anyOf"} }

func (k oneOfKeys) LocalizedString(*message.Printer) string {
	return fmt.Sprintf("one of the keys %s is needed", quoted(k))
}

// mergeForms makes one problem of forms that all fail by the type, or all by the
// constant, or all by one missing key, at one place.
func mergeForms(forms [][]leaf) ([]leaf, bool) {
	first := forms[0]
	var types []string
	var constants []any
	var keys oneOfKeys
	got := ""
	for _, form := range forms {
		if len(form) != 1 || !slices.Equal(form[0].at, first[0].at) {
			return nil, false
		}
		switch k := form[0].kind.(type) {
		case *kind.Type:
			types, got = append(types, k.Want...), k.Got
		case *kind.Const:
			constants = append(constants, k.Want)
		case *kind.Enum:
			constants = append(constants, k.Want...)
		case *kind.Required:
			if len(k.Missing) > 1 {
				return nil, false
			}
			keys = append(keys, k.Missing...)
		default:
			return nil, false
		}
	}
	switch {
	case len(keys) == len(forms):
		return []leaf{{at: first[0].at, kind: keys}}, true
	case len(keys) > 0:
	case len(constants) == 0:
		slices.Sort(types)
		return []leaf{{at: first[0].at, kind: &kind.Type{Got: got, Want: slices.Compact(types)}}}, true
	case len(types) == 0:
		return []leaf{{at: first[0].at, kind: &kind.Enum{Want: constants}}}, true
	}
	return nil, false
}

// problems puts a leaf into words. A key that is not allowed is a problem of
// its own for each key, at its own place.
func (l leaf) problems(printer *message.Printer) []Problem {
	here := pointer(l.at)
	one := func(format string, args ...any) []Problem {
		return []Problem{{here, fmt.Sprintf(format, args...) + l.suffix}}
	}
	switch k := l.kind.(type) {
	case *kind.AdditionalProperties:
		return l.unknownKeys(k.Properties)
	case *kind.Required:
		problems := make([]Problem, 0, len(k.Missing))
		for _, name := range k.Missing {
			problems = append(problems, Problem{here, fmt.Sprintf("the key %q is missing", clip(name)) + l.suffix})
		}
		return problems
	case *kind.DependentRequired:
		return one("where %q is set, %s must be set, too", clip(k.Prop), quoted(k.Missing))
	case *kind.Type:
		return one("must be %s, is %s", strings.Join(article(k.Want...), " or "), article(k.Got)[0])
	case *kind.Const:
		return one("must be %s", display(k.Want))
	case *kind.Enum:
		return one("must be one of %s", displayAll(k.Want))
	case *kind.FalseSchema:
		return one("is not allowed here")
	case *kind.Not:
		return one("has a form that the schema forbids")
	case *kind.Pattern:
		return one("%q does not match the pattern %s", clip(k.Got), clip(k.Want))
	case *kind.UniqueItems:
		return one("the elements %d and %d are equal", k.Duplicates[0], k.Duplicates[1])
	case *kind.OneOf:
		return one("fits %d forms at once, must fit one", max(2, len(k.Subschemas)))
	}
	if bound := limit(l.kind); bound != "" {
		return one("%s", bound)
	}
	return one("%s", clip(l.kind.LocalizedString(printer)))
}

func (l leaf) unknownKeys(keys []string) []Problem {
	problems := make([]Problem, 0, len(keys))
	for _, key := range keys {
		problems = append(problems, Problem{pointer(append(slices.Clone(l.at), key)), "this key is not allowed" + l.suffix})
	}
	return problems
}

// limit words a value beyond a bound.
func limit(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.MinLength:
		return fmt.Sprintf("has %d characters, at least %d are needed", k.Got, k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("has %d characters, at most %d are allowed", k.Got, k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("has %d elements, at least %d are needed", k.Got, k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("has %d elements, at most %d are allowed", k.Got, k.Want)
	case *kind.MinProperties:
		return fmt.Sprintf("has %d keys, at least %d are needed", k.Got, k.Want)
	case *kind.MaxProperties:
		return fmt.Sprintf("has %d keys, at most %d are allowed", k.Got, k.Want)
	case *kind.Contains:
		return "none of the elements has the form that one must have"
	}
	return ""
}

// pointer writes reference tokens as an RFC 6901 pointer.
func pointer(tokens []string) string {
	var b strings.Builder
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for _, token := range tokens {
		b.WriteByte('/')
		b.WriteString(escape.Replace(token))
	}
	return b.String()
}

func article(types ...string) []string {
	out := make([]string, len(types))
	for i, t := range types {
		switch t {
		case "null":
			out[i] = t
		case "object", "array", "integer":
			out[i] = "an " + t
		default:
			out[i] = "a " + t
		}
	}
	return out
}

func display(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return clip(string(text))
}

func displayAll(values []any) string {
	const most = 12
	words := make([]string, 0, most+1)
	for i, v := range values {
		if i == most {
			words = append(words, fmt.Sprintf("… (%d in all)", len(values)))
			break
		}
		words = append(words, display(v))
	}
	return strings.Join(words, ", ")
}

func quoted(names []string) string {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = strconv.Quote(clip(name))
	}
	return strings.Join(words, ", ")
}

func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	end := most
	for end > 0 && s[end]&0xC0 == 0x80 {
		end--
	}
	return s[:end] + "…"
}
