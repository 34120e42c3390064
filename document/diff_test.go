package document_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/droverhq/drover/document"
	"pgregory.net/rapid"
)

func diff(t reporter, from, to string) string {
	t.Helper()
	patch, err := document.Diff([]byte(from), []byte(to))
	if err != nil {
		t.Fatalf("%.200s to %.200s: %v", from, to, err)
	}
	return string(patch)
}

// roundTrip checks that the patch between two compact texts does what Diff says.
func roundTrip(t reporter, from, to string) string {
	t.Helper()
	patch := diff(t, from, to)
	lim := document.Limits{Bytes: len(from) + len(to) + 100, Depth: 9000}
	got, err := document.Apply([]byte(from), []byte(patch), lim)
	if err != nil {
		t.Fatalf("from %.300s to %.300s: %.300s: %v", from, to, patch, err)
	}
	if ordered(got) != ordered([]byte(to)) {
		t.Fatalf("from %.300s to %.300s: %.300s gives %.300s", from, to, patch, got)
	}
	if len(patch) > len(to)+60 {
		t.Fatalf("from %.300s to %.300s: the patch has %d bytes, the text %d: %.300s", from, to, len(patch), len(to), patch)
	}
	return patch
}

func TestDiffIsShortAndExact(t *testing.T) {
	pad := `"pad":"` + strings.Repeat("x", 300) + `"`
	cases := []struct{ name, from, to, want string }{
		{"nothing", `{"a":1}`, `{"a":1}`, `[]`},
		{"order only", `{"a":1,"b":2}`, `{"b":2,"a":1}`, `[]`},
		{"one key", `{"a":1,` + pad + `}`, `{"a":2,` + pad + `}`, `[{"op":"replace","path":"/a","value":2}]`},
		{"spelling of a number", `{"a":1,` + pad + `}`, `{"a":1.0,` + pad + `}`, `[{"op":"replace","path":"/a","value":1.0}]`},
		{"spelling of a string", `{"a":"é",` + pad + `}`, `{"a":"\u00e9",` + pad + `}`, `[{"op":"replace","path":"/a","value":"\u00e9"}]`},
		{"spelling of a name", `{"a":1,` + pad + `}`, `{"\u0061":1,` + pad + `}`, `[]`},
		{"added and removed", `{"a":1,` + pad + `}`, `{` + pad + `,"b":{"c":[]}}`, `[{"op":"remove","path":"/a"},{"op":"add","path":"/b","value":{"c":[]}}]`},
		{"escapes in the pointer", `{"a/b~":{"\"":1,` + pad + `}}`, `{"a/b~":{"\"":2,` + pad + `}}`, `[{"op":"replace","path":"/a~1b~0/\"","value":2}]`},
		{"inserted in front", `{"l":["a","b","c"],` + pad + `}`, `{"l":["x","a","b","c"],` + pad + `}`, `[{"op":"add","path":"/l/0","value":"x"}]`},
		{"inserted behind", `{"l":[],` + pad + `}`, `{"l":["xxxxxxxxxxxxxxxxxxxx"],` + pad + `}`, `[{"op":"add","path":"/l/0","value":"xxxxxxxxxxxxxxxxxxxx"}]`},
		{"removed within", `["a","b","c","d","e","f","g","h","i","j","k"]`, `["a","b","c","e","f","g","h","i","j","k"]`, `[{"op":"remove","path":"/3"}]`},
		{"removed and inserted apart", `["a","b","c","d","e",` + strings.Repeat(`"",`, 50) + `"z"]`, `["b","c","x","d","e",` + strings.Repeat(`"",`, 50) + `"z"]`, `[{"op":"remove","path":"/0"},{"op":"add","path":"/2","value":"x"}]`},
		{"changed element", `{"l":[{"n":1,"p":"` + strings.Repeat("x", 99) + `"},{"n":2}]}`, `{"l":[{"n":9,"p":"` + strings.Repeat("x", 99) + `"},{"n":2}]}`, `[{"op":"replace","path":"/l/0/n","value":9}]`},
		{
			"changed element behind an inserted one",
			`{"l":[{"n":1,"p":"` + strings.Repeat("x", 99) + `"},{"n":2}]}`,
			`{"l":[{"new":"` + strings.Repeat("y", 20) + `"},{"n":9,"p":"` + strings.Repeat("x", 99) + `"},{"n":2}]}`,
			`[{"op":"add","path":"/l/0","value":{"new":"` + strings.Repeat("y", 20) + `"}},{"op":"replace","path":"/l/1/n","value":9}]`,
		},
		{"all different", `{"a":1,"b":2,"c":3}`, `{"d":4}`, `[{"op":"replace","path":"","value":{"d":4}}]`},
		{"another kind", `{"a":{"b":1},` + pad + `}`, `{"a":[1],` + pad + `}`, `[{"op":"replace","path":"/a","value":[1]}]`},
		{"white space", "{ \"a\" : 1 }", `{"a":1}`, `[]`},
	}
	for _, c := range cases {
		if got := diff(t, c.from, c.to); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		roundTrip(t, c.from, c.to)
	}
}

// edited is a value and an edited copy of it.
func edited(t *rapid.T) (from, to string) {
	from = compacted(anyJSON(4).Draw(t, "from"))
	to = from
	for range rapid.IntRange(0, 4).Draw(t, "edits") {
		var tree any
		if err := json.Unmarshal([]byte(to), &tree); err != nil {
			t.Fatal(err)
		}
		pointers := []string{""}
		walk("", tree, &pointers)
		at := rapid.SampledFrom(pointers).Draw(t, "place")
		op := rapid.SampledFrom([]string{"add", "replace", "remove"}).Draw(t, "op")
		value := anyJSON(2).Draw(t, "value")
		patch, err := json.Marshal([]map[string]any{{"op": op, "path": at, "value": json.RawMessage(value)}})
		if err != nil {
			t.Fatal(err)
		}
		if after, err := document.Apply([]byte(to), patch, document.Limits{}); err == nil {
			to = string(after)
		}
	}
	if rapid.Bool().Draw(t, "unrelated") {
		to = compacted(anyJSON(4).Draw(t, "to"))
	}
	return from, to
}

func compacted(text string) string {
	out, err := document.CompactValue([]byte(text), document.Limits{})
	if err != nil {
		panic(err)
	}
	return string(out)
}

// walk lists the pointers to everything, and to one place that is not there yet.
func walk(at string, tree any, out *[]string) {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	switch v := tree.(type) {
	case map[string]any:
		*out = append(*out, at+"/new")
		for name, child := range v {
			*out = append(*out, at+"/"+escape.Replace(name))
			walk(at+"/"+escape.Replace(name), child, out)
		}
	case []any:
		*out = append(*out, at+"/-")
		for i, child := range v {
			*out = append(*out, fmt.Sprintf("%s/%d", at, i))
			walk(fmt.Sprintf("%s/%d", at, i), child, out)
		}
	}
	slices.Sort(*out)
}

func TestApplyOfDiffIsTheOtherText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := edited(t)
		patch := diff(t, from, to)
		got, err := document.Apply([]byte(from), []byte(patch), document.Limits{})
		if err != nil {
			t.Fatalf("%s: %v", patch, err)
		}
		if ordered(got) != ordered([]byte(to)) {
			t.Fatalf("from %s to %s: %s gives %s", from, to, patch, got)
		}
		if sum(t, string(got)) != sum(t, to) {
			t.Fatalf("from %s to %s: another checksum", from, to)
		}
		if len(patch) > len(to)+60 {
			t.Fatalf("from %s to %s: the patch is long: %s", from, to, patch)
		}
		if diff(t, from, to) != patch {
			t.Fatal("a second time, the patch is another")
		}
		if diff(t, string(got), to) != "[]" {
			t.Fatalf("after %s, there is still a difference", patch)
		}
	})
}

func TestApplyOfDiffOnArrays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		element := rapid.SampledFrom([]string{"1", "2", "3", `"a"`, `{"a":1,"b":"xxxxxxxxxxxxxxxxxxxxxxxxxx"}`, `{"a":2,"b":"xxxxxxxxxxxxxxxxxxxxxxxxxx"}`, "[1,2]"})
		from := "[" + strings.Join(rapid.SliceOfN(element, 0, 40).Draw(t, "from"), ",") + "]"
		to := "[" + strings.Join(rapid.SliceOfN(element, 0, 40).Draw(t, "to"), ",") + "]"
		patch := diff(t, from, to)
		got, err := document.Apply([]byte(from), []byte(patch), document.Limits{})
		if err != nil || string(got) != to {
			t.Fatalf("from %s to %s: %s gives %s, %v", from, to, patch, got, err)
		}
	})
}

func TestDiffFindsFewEditsInLongArrays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1000, 3000).Draw(t, "length")
		repeats := rapid.SampledFrom([]int{2, 50, 1 << 30}).Draw(t, "kinds of elements")
		elements := make([]string, n)
		for i := range elements {
			elements[i] = fmt.Sprintf(`"element-%d"`, i*7919%repeats)
		}
		from := "[" + strings.Join(elements, ",") + "]"
		edits := rapid.IntRange(1, 20).Draw(t, "edits")
		for range edits {
			at := rapid.IntRange(0, len(elements)-1).Draw(t, "at")
			if rapid.Bool().Draw(t, "insert") {
				elements = slices.Insert(elements, at, `"inserted"`)
			} else {
				elements = slices.Delete(elements, at, at+1)
			}
		}
		to := "[" + strings.Join(elements, ",") + "]"
		patch := diff(t, from, to)
		got, err := document.Apply([]byte(from), []byte(patch), document.Limits{})
		if err != nil || string(got) != to {
			t.Fatalf("wrong after %.500s, %v", patch, err)
		}
		if ops := strings.Count(patch, `"op"`); ops > edits {
			t.Fatalf("%d operations for %d edits: %.500s", ops, edits, patch)
		}
	})
}

func changes(t reporter, from, to string) []string {
	t.Helper()
	list, err := document.Changes([]byte(from), []byte(to))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range list {
		out = append(out, fmt.Sprintf("%s %s %s>%s", c.Op, c.Path, c.Old, c.Value))
	}
	return out
}

func TestChangesAreForPeople(t *testing.T) {
	cases := []struct {
		from, to string
		want     []string
	}{
		{`{"a":1}`, `{"a":1}`, nil},
		{`{"a":1,"b":{"c":[1,2,3]}}`, `{"a":1.0,"b":{"c":[2,3,{}]},"d":null}`, []string{
			"replace /a 1>1.0", "remove /b/c/0 1>", "add /b/c/2 >{}", "add /d >null",
		}},
		{`{"a":1,"b":2}`, `{"c":3}`, []string{"remove /a 1>", "remove /b 2>", "add /c >3"}},
		{`{"l":[{"n":1,"p":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}]}`, `{"l":[0,{"n":2,"p":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}]}`, []string{
			"add /l/0 >0", "replace /l/1/n 1>2",
		}},
		{`[]`, `{}`, []string{"replace  []>{}"}},
	}
	for _, c := range cases {
		if got := changes(t, c.from, c.to); !slices.Equal(got, c.want) {
			t.Errorf("%s to %s: got %q, want %q", c.from, c.to, got, c.want)
		}
	}
}

func TestChangesAndDiffAgreeOnWhetherTextsDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := edited(t)
		list, patch := changes(t, from, to), diff(t, from, to)
		if (len(list) == 0) != (patch == "[]") || (len(list) == 0) != (ordered([]byte(from)) == ordered([]byte(to))) {
			t.Fatalf("from %s to %s: changes %q, patch %s", from, to, list, patch)
		}
	})
}
