package document_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/droverhq/drover/document"
	"pgregory.net/rapid"
)

func TestApplyKeepsWhatIsUntouched(t *testing.T) {
	const text = `{"z":1.0,"a":1e2,"\u006d":{"q":1.50,"b":"\u00e9<>\/","l":[1.0,{"k":-0},3E1]},"s":"é"}`
	cases := []struct{ patch, want string }{
		{`[]`, text},
		{`[{"op":"replace","path":"/a","value":2.0}]`, strings.Replace(text, "1e2", "2.0", 1)},
		{`[{"op":"add","path":"/a","value":[ 1 ]}]`, strings.Replace(text, "1e2", "[1]", 1)},
		{`[{"op":"replace","path":"/m/b","value":"\u00e9"}]`, strings.Replace(text, `\u00e9<>\/`, `\u00e9`, 1)},
		{`[{"op":"remove","path":"/z"}]`, strings.Replace(text, `"z":1.0,`, "", 1)},
		{`[{"op":"add","path":"/new","value":1E5}]`, strings.TrimSuffix(text, "}") + `,"new":1E5}`},
		{`[{"op":"add","path":"/m/l/1","value":0}]`, strings.Replace(text, `{"k":-0}`, `0,{"k":-0}`, 1)},
		{`[{"op":"add","path":"/m/l/-","value":0}]`, strings.Replace(text, `3E1]`, `3E1,0]`, 1)},
		{`[{"op":"remove","path":"/m/l/1"}]`, strings.Replace(text, `{"k":-0},`, "", 1)},
		{`[{"op":"replace","path":"/m/l/1/k","value":0.0}]`, strings.Replace(text, "-0", "0.0", 1)},
		{`[{"op":"move","from":"/m/l/1","path":"/k"},{"op":"remove","path":"/m"}]`, `{"z":1.0,"a":1e2,"s":"é","k":{"k":-0}}`},
		{`[{"op":"copy","from":"/m","path":"/m/l/0"}]`, strings.Replace(text, `[1.0`, `[{"q":1.50,"b":"\u00e9<>\/","l":[1.0,{"k":-0},3E1]},1.0`, 1)},
		{`[{"op":"move","from":"/a","path":"/a"},{"op":"test","path":"/z","value":1}]`, text},
		{`[{"op":"add","path":"/\"\u0001","value":1},{"op":"remove","path":"/m"},{"op":"add","path":"/m","value":2}]`, `{"z":1.0,"a":1e2,"s":"é","\"\u0001":1,"m":2}`},
		{`[{"op":"test","path":"","value":{"a":100,"m":{"b":"é<>/","l":[1,{"k":0},30.0],"q":1.5},"s":"\u00e9","z":1}}]`, text},
		{` [ { "x" : {} , "value" : { "a" : 1 } , "path" : "" , "op" : "replace" } ] `, `{"a":1}`},
	}
	for _, c := range cases {
		got, err := document.Apply([]byte(text), []byte(c.patch), document.Limits{})
		if err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.patch, got, err, c.want)
		}
	}
	got, err := document.Apply([]byte("{ \"a\" : 1.0 }"), []byte(`[]`), document.Limits{})
	if err != nil || string(got) != `{"a":1.0}` {
		t.Errorf("white space: got %s, %v", got, err)
	}
}

func TestApplyRefusesAndNamesTheOperation(t *testing.T) {
	const text = `{"a":{"b":[1,2]},"s":"x"}`
	cases := []struct{ patch, code, pointer, message string }{
		{`{}`, document.CodeBadPatch, "", "not an array"},
		{`[`, document.CodeNotJSON, "", "the patch: "},
		{`[{"op":"add","path":"/x","value":{"a":1,"a":2}}]`, document.CodeDuplicateKey, "/0/value/a", "the patch: "},
		{`[{"op":"add","path":"/x","value":1e400}]`, document.CodeInexactNumber, "/0/value", "the patch: "},
		{`[1]`, document.CodeBadPatch, "", "operation 1 (?): it is not an object"},
		{`[{"path":"/a"}]`, document.CodeBadPatch, "", "operation 1 (?): it has no op"},
		{`[{"op":"remove"}]`, document.CodeBadPatch, "", "operation 1 (remove): it has no path"},
		{`[{"op":1,"path":"/a"}]`, document.CodeBadPatch, "", "its op is not a string"},
		{`[{"op":"remove","path":null}]`, document.CodeBadPatch, "", "its path is not a string"},
		{`[{"op":"delete","path":"/a"}]`, document.CodeBadPatch, "", "operation 1 (delete): its op is none of"},
		{`[{"op":"add","path":"/x"}]`, document.CodeBadPatch, "", "it has no value"},
		{`[{"op":"move","path":"/x"}]`, document.CodeBadPatch, "", "it has no from"},
		{`[{"op":"remove","path":"a"}]`, document.CodeBadPointer, "", "does not begin with a slash"},
		{`[{"op":"remove","path":"/a~2"}]`, document.CodeBadPointer, "", "not ~0 or ~1"},
		{`[{"op":"remove","path":"/a~"}]`, document.CodeBadPointer, "", "not ~0 or ~1"},
		{`[{"op":"test","path":"/s","value":"x"},{"op":"remove","path":"/x"}]`, document.CodeNoSuchPath, "/x", `operation 2 (remove): the whole text has no member "x"`},
		{`[{"op":"replace","path":"/a/c/d","value":1}]`, document.CodeNoSuchPath, "/a/c/d", `"/a" has no member "c"`},
		{`[{"op":"add","path":"/a/c/d","value":1}]`, document.CodeNoSuchPath, "/a/c/d", `"/a" has no member "c"`},
		{`[{"op":"add","path":"/s/x","value":1}]`, document.CodeNoSuchPath, "/s/x", `"/s" is neither an object nor an array`},
		{`[{"op":"add","path":"/s/x/y","value":1}]`, document.CodeNoSuchPath, "/s/x/y", `"/s" is neither an object nor an array`},
		{`[{"op":"add","path":"/a/b/3","value":1}]`, document.CodeNoSuchPath, "/a/b/3", `"/a/b" has 2 elements and none at 3`},
		{`[{"op":"remove","path":"/a/b/2"}]`, document.CodeNoSuchPath, "/a/b/2", "none at 2"},
		{`[{"op":"remove","path":"/a/b/-"}]`, document.CodeNoSuchPath, "/a/b/-", "no index"},
		{`[{"op":"test","path":"/a/b/01","value":2}]`, document.CodeNoSuchPath, "/a/b/01", "no index"},
		{`[{"op":"test","path":"/a/b/1e0","value":2}]`, document.CodeNoSuchPath, "/a/b/1e0", "no index"},
		{`[{"op":"test","path":"/a/b/99999999999999999999","value":2}]`, document.CodeNoSuchPath, "/a/b/99999999999999999999", "no index"},
		{`[{"op":"remove","path":""}]`, document.CodeBadPatch, "", "cannot be removed"},
		{`[{"op":"move","from":"/a","path":"/a/b/0"}]`, document.CodeBadPatch, "/a", "into itself"},
		{`[{"op":"move","from":"","path":"/a"}]`, document.CodeBadPatch, "", "into itself"},
		{`[{"op":"copy","from":"/x","path":"/y"}]`, document.CodeNoSuchPath, "/x", "operation 1 (copy)"},
		{`[{"op":"test","path":"/s","value":"y"}]`, document.CodeTestFailed, "/s", `the value there is "x"`},
		{`[{"op":"test","path":"/a/b/0","value":"1"}]`, document.CodeTestFailed, "/a/b/0", "the value there is 1"},
		{`[{"op":"test","path":"/a","value":{"b":[2,1]}}]`, document.CodeTestFailed, "/a", `{"b":[1,2]}`},
		{`[{"op":"add","path":"/x","value":[[[[]]]]}]`, document.CodeTooDeep, "", "limit of 4"},
		{`[{"op":"copy","from":"/a","path":"/a/x"},{"op":"copy","from":"/a/x","path":"/a/x/y"}]`, document.CodeTooDeep, "", "limit of 4"},
		{`[{"op":"add","path":"/x","value":"` + strings.Repeat("x", 50) + `"}]`, document.CodeTooLarge, "", "limit is 60"},
	}
	for _, c := range cases {
		input, patch := []byte(text), []byte(c.patch)
		got, err := document.Apply(input, patch, document.Limits{Bytes: 60, Depth: 4})
		var e *document.Error
		if !errors.As(err, &e) || got != nil {
			t.Errorf("%s: got %s, %v", c.patch, got, err)
			continue
		}
		if e.Code != c.code || e.Pointer != c.pointer || !strings.Contains(e.Message, c.message) {
			t.Errorf("%s: got %s at %q: %s", c.patch, e.Code, e.Pointer, e.Message)
		}
		if string(input) != text || string(patch) != c.patch {
			t.Errorf("%s: the input was changed", c.patch)
		}
	}
}

// model applies add, remove and replace of scalars the simple way.
func model(tree any, op, pointer string, value any) (any, bool) {
	if pointer == "" {
		return value, op != "remove"
	}
	token, rest, more := strings.Cut(pointer[1:], "/")
	name := strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
	if more {
		rest = "/" + rest
	}
	switch v := tree.(type) {
	case map[string]any:
		child, there := v[name]
		if !there && (more || op != "add") {
			return nil, false
		}
		if !more && op == "remove" {
			delete(v, name)
			return v, true
		}
		after, ok := model(child, op, rest, value)
		v[name] = after
		return v, ok
	case []any:
		var i int
		if n, err := fmt.Sscanf(name, "%d", &i); name == "-" && op == "add" && !more {
			i = len(v)
		} else if n != 1 || err != nil || i > len(v) || i == len(v) && (more || op != "add") {
			return nil, false
		}
		if !more && op == "add" {
			return append(v[:i:i], append([]any{value}, v[i:]...)...), true
		}
		if !more && op == "remove" {
			return append(v[:i:i], v[i+1:]...), true
		}
		after, ok := model(v[i], op, rest, value)
		v[i] = after
		return v, ok
	}
	return nil, false
}

func TestApplyAgreesWithItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := compacted(anyJSON(4).Draw(t, "text"))
		var tree any
		if err := json.Unmarshal([]byte(text), &tree); err != nil {
			t.Fatal(err)
		}
		var pointers []string
		walk("", tree, &pointers)
		if len(pointers) == 0 {
			pointers = []string{""}
		}
		var patch []map[string]any
		valid := true
		for i := range rapid.IntRange(1, 6).Draw(t, "operations") {
			op := rapid.SampledFrom([]string{"add", "remove", "replace"}).Draw(t, "op")
			at := rapid.SampledFrom(pointers).Draw(t, "at")
			patch = append(patch, map[string]any{"op": op, "path": at, "value": i})
			if valid {
				tree, valid = model(tree, op, at, float64(i))
			}
		}
		raw, err := json.Marshal(patch)
		if err != nil {
			t.Fatal(err)
		}
		got, err := document.Apply([]byte(text), raw, document.Limits{})
		if (err == nil) != valid {
			t.Fatalf("%s with %s: %v, want valid %v", text, raw, err, valid)
		}
		if err != nil {
			return
		}
		want, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		if sum(t, string(got)) != sum(t, string(want)) {
			t.Fatalf("%s with %s: got %s, want %s", text, raw, got, want)
		}
	})
}

func TestApplyOnLongArrays(t *testing.T) {
	var want []string
	patch := "["
	for i := range 2500 {
		value := fmt.Sprint(i)
		at := i * 7919 % (len(want) + 1)
		want = append(want[:at:at], append([]string{value}, want[at:]...)...)
		patch += fmt.Sprintf(`{"op":"add","path":"/%d","value":%s},`, at, value)
		if i%3 == 0 {
			at = i * 104729 % len(want)
			want = append(want[:at:at], want[at+1:]...)
			patch += fmt.Sprintf(`{"op":"remove","path":"/%d"},`, at)
		}
	}
	got, err := document.Apply([]byte("[]"), []byte(strings.TrimSuffix(patch, ",")+"]"), document.Limits{})
	if err != nil || string(got) != "["+strings.Join(want, ",")+"]" {
		t.Errorf("got %.100s, %v", got, err)
	}
}

func TestApplyOnWideObjects(t *testing.T) {
	var text, patch, want strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&text, `,"k%d":%d`, i, i)
		switch i % 3 {
		case 0:
			fmt.Fprintf(&patch, `,{"op":"remove","path":"/k%d"},{"op":"add","path":"/n%d","value":0}`, i, i)
		case 1:
			fmt.Fprintf(&patch, `,{"op":"replace","path":"/k%d","value":0}`, i)
			fmt.Fprintf(&want, `,"k%d":0`, i)
		default:
			fmt.Fprintf(&want, `,"k%d":%d`, i, i)
		}
	}
	for i := 0; i < 3000; i += 3 {
		fmt.Fprintf(&want, `,"n%d":0`, i)
	}
	got, err := document.Apply([]byte("{"+text.String()[1:]+"}"), []byte("["+patch.String()[1:]+"]"), document.Limits{})
	if err != nil || string(got) != "{"+want.String()[1:]+"}" {
		t.Errorf("got %.200s, %v", got, err)
	}
}
