package document_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/droverhq/drover/document"
)

var texts = []string{
	`{}`, `{"a":1}`, " { \"a\" : [ 1.0 , 2e3, -0 ] }\n", `{"a":{"b":[{"c":null},true,"x"]}}`, `{"é":"\u00e9\ud83d\ude02","\"":"\\"}`,
	`[1,2,3,4,5,6,7,8]`, `[8,1,2,3,5,6,7]`, `{"a":1,"a":2}`, `{"a":9007199254740993}`, `{"~/":{"":{" ":0}}}`, `"\ud800"`, `{"a":`, `NaN`, `{"a":[[[[]]]]}`,
	`{"b":1,"a":2,"B":3,"é":4,"😂":5,"ﬀ":6}`, `[1e400,-1.7976931348623157e308,5e-324]`, "\"\x7f\u2028\"", "[\"\xff\"]",
}

func FuzzCompact(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		out, err := document.CompactValue(text, document.Limits{})
		if err != nil {
			return
		}
		if !json.Valid(out) {
			t.Fatalf("%q became %q, which is no JSON", text, out)
		}
		if again, err := document.CompactValue(out, document.Limits{}); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%q became %q, %v", out, again, err)
		}
		var compacted bytes.Buffer
		if err := json.Compact(&compacted, text); err != nil || !bytes.Equal(compacted.Bytes(), out) {
			t.Fatalf("%q became %q, encoding/json makes %q, %v", text, out, compacted.Bytes(), err)
		}
		if _, err := document.Sum(out); err != nil {
			t.Fatalf("%q has no checksum: %v", out, err)
		}
		if _, err := document.InstanceVersion(out); err != nil {
			t.Fatalf("%q has no version: %v", out, err)
		}
		if _, err := document.Compact(out, document.Limits{}); (err == nil) != document.IsObject(out) {
			t.Fatalf("%q as a document: %v", out, err)
		}
	})
}

func FuzzCanonical(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := document.Canonical(text)
		want, wantErr := reference(text)
		if err != nil && wantErr == nil && code(err) == document.CodeInexactNumber {
			return // the library takes 1e400
		}
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(got, want) {
			t.Fatalf("%q: got %q, %v, want %q, %v", text, got, err, want, wantErr)
		}
	})
}

func FuzzApply(f *testing.F) {
	patches := []string{
		`[]`, `[{"op":"add","path":"/a","value":{"x":1}}]`, `[{"op":"remove","path":"/0"},{"op":"add","path":"/-","value":7}]`,
		`[{"op":"move","from":"/a","path":"/b"},{"op":"copy","from":"/b","path":"/b/c"}]`, `[{"op":"test","path":"","value":{}}]`,
		`[{"op":"replace","path":"/a/b/0/c","value":1.0}]`, `[{"op":"add","path":"/~1~0","value":[]}]`, `[{"op":"copy","from":"","path":"/x"}]`,
	}
	for i, text := range texts {
		f.Add([]byte(text), []byte(patches[i%len(patches)]))
	}
	f.Fuzz(func(t *testing.T, text, patch []byte) {
		lim := document.Limits{Bytes: 1 << 16, Depth: 20}
		before, patchBefore := string(text), string(patch)
		got, err := document.Apply(text, patch, lim)
		if string(text) != before || string(patch) != patchBefore {
			t.Fatal("the input was changed")
		}
		compacted, textErr := document.CompactValue(text, lim)
		if err != nil {
			return
		}
		if textErr != nil {
			return // documented: only what Compact returned is safe to apply to
		}
		if out, err := document.CompactValue(got, lim); err != nil || !bytes.Equal(out, got) {
			t.Fatalf("%q with %q gives %q, which is not compact JSON within the limits: %v", text, patch, got, err)
		}
		if again, err := document.Apply(compacted, patch, lim); err != nil || !bytes.Equal(again, got) {
			t.Fatalf("compact, %q with %q gives %q, %v, not %q", compacted, patch, again, err, got)
		}
	})
}

func FuzzDiff(f *testing.F) {
	for i, text := range texts {
		f.Add([]byte(text), []byte(texts[(i+1)%len(texts)]))
	}
	f.Add([]byte(`{"l":[{"n":1,"p":"xxxxxxxxxxxxxxxxxxxxxxxxxxx"},{"n":2}]}`), []byte(`{"l":[0,{"n":9,"p":"xxxxxxxxxxxxxxxxxxxxxxxxxxx"},{"n":2}]}`))
	f.Fuzz(func(t *testing.T, from, to []byte) {
		lim := document.Limits{Bytes: 1 << 16, Depth: 20}
		a, errA := document.CompactValue(from, lim)
		b, errB := document.CompactValue(to, lim)
		if errA != nil || errB != nil {
			// It may succeed or not; it must end, in peace.
			_, _ = document.Diff(from, to)
			_, _ = document.Changes(from, to)
			return
		}
		patch := roundTrip(t, string(a), string(b))
		list := changes(t, string(a), string(b))
		if (patch == "[]") != (len(list) == 0) {
			t.Fatalf("patch %s, changes %s", patch, strings.Join(list, "; "))
		}
	})
}

func FuzzPlaceholders(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	for _, c := range placeholderCases {
		f.Add([]byte(c.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		compact, err := document.CompactValue(text, document.Limits{})
		if err != nil {
			_ = document.Placeholders(text) // it has to end, in peace
			return
		}
		got := document.Placeholders(compact)
		if has := document.HasPlaceholders(compact); has != (len(got) > 0) {
			t.Fatalf("%q: has %t, found %v", compact, has, got)
		}
		if want := placeholdersByPattern(t, compact); !slices.Equal(got, want) {
			t.Fatalf("%q: got %+v, want %+v", compact, got, want)
		}
	})
}

func FuzzInstanceVersion(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		version, err := document.InstanceVersion(text)
		if err == nil && len(version) != 16 {
			t.Fatalf("%q has the version %q", text, version)
		}
		if err != nil && json.Valid(text) && code(err) == document.CodeNotJSON && bytes.IndexFunc(text, func(r rune) bool { return r == '\uFFFD' }) < 0 {
			t.Fatalf("%q: %v", text, err)
		}
	})
}
