package document_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverhq/drover/document"
)

func read(t testing.TB, path ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// sameJSON compares by value, as the conformance cases want.
func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	ca, err := document.Canonical(a)
	if err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	cb, err := document.Canonical(b)
	if err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return bytes.Equal(ca, cb)
}

func TestApplyPassesTheConformanceCasesOfJSONPatch(t *testing.T) {
	for _, file := range []string{"tests.json", "spec_tests.json"} {
		var cases []struct {
			Comment, Error       string
			Doc, Patch, Expected json.RawMessage
		}
		if err := json.Unmarshal(read(t, "json-patch-tests", file), &cases); err != nil {
			t.Fatal(err)
		}
		ran := 0
		for i, c := range cases {
			if c.Doc == nil || c.Patch == nil {
				continue
			}
			ran++
			got, err := document.Apply(c.Doc, c.Patch, document.Limits{})
			switch {
			case c.Error != "" && err == nil:
				t.Errorf("%s %d %s: applied to %s, want error: %s", file, i, c.Comment, got, c.Error)
			case c.Error == "" && err != nil:
				t.Errorf("%s %d %s: %v", file, i, c.Comment, err)
			case c.Error == "" && c.Expected != nil && !sameJSON(t, got, c.Expected):
				t.Errorf("%s %d %s: got %s, want %s", file, i, c.Comment, got, c.Expected)
			}
		}
		t.Logf("%s: %d cases", file, ran)
		if ran < 15 {
			t.Errorf("%s: only %d cases", file, ran)
		}
	}
}

func TestCanonicalPassesTheVectorsOfRFC8785(t *testing.T) {
	inputs, err := filepath.Glob("testdata/json-canonicalization/testdata/input/*.json")
	if err != nil || len(inputs) < 6 {
		t.Fatalf("vectors missing: %v, %v", inputs, err)
	}
	for _, input := range inputs {
		name := filepath.Base(input)
		got, err := document.Canonical(read(t, "json-canonicalization", "testdata", "input", name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text := string(read(t, "json-canonicalization", "testdata", "outhex", strings.TrimSuffix(name, ".json")+".txt"))
		want, err := hex.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestInstanceVersionIsWhatPythonComputes(t *testing.T) {
	for path, least := range map[string]int{"webhook-service/version_hash_vectors.json": 30, "python/vectors.json": 120} {
		var vectors []struct{ Input, Canonical, Version16 string }
		if err := json.Unmarshal(read(t, path), &vectors); err != nil {
			t.Fatal(err)
		}
		if len(vectors) < least {
			t.Errorf("%s: only %d vectors", path, len(vectors))
		}
		for _, v := range vectors {
			got, err := document.InstanceVersion([]byte(v.Input))
			if err != nil || got != v.Version16 {
				t.Errorf("%s: %s: got %s, %v, want %s for %s", path, v.Input, got, err, v.Version16, v.Canonical)
			}
		}
	}
}

func TestInstanceVersionReadsWhatPythonReads(t *testing.T) {
	same := [][2]string{
		{`{"a":1,"b":2,"a":{"c":3}}`, `{"a":{"c":3},"b":2}`},
		{`{"a":-0,"b":[1E2,Infinity]}`, `{"b":[100.0,1e999],"a":0}`},
		{`{"\ud83d\ude02":1}`, `{"😂":1}`},
		{" {\n\t\"a\" : 1 } ", `{"a":1}`},
	}
	for _, c := range same {
		a, errA := document.InstanceVersion([]byte(c[0]))
		b, errB := document.InstanceVersion([]byte(c[1]))
		if a != b || errA != nil || errB != nil {
			t.Errorf("%s and %s: %s, %v and %s, %v", c[0], c[1], a, errA, b, errB)
		}
	}
	many := "{" + strings.Repeat(`"a":1,"b":2,`, 40) + `"a":3,"b":4}`
	a, errA := document.InstanceVersion([]byte(many))
	b, errB := document.InstanceVersion([]byte(`{"a":3,"b":4}`))
	if a != b || errA != nil || errB != nil {
		t.Errorf("of many members with one name, the last does not count: %v, %v", errA, errB)
	}
	if a, _ := document.InstanceVersion([]byte(`{"\ud83d\u0041":1}`)); a == "" {
		t.Error("half a surrogate pair is refused")
	}
	refused := []struct{ text, code, pointer string }{
		{`{"a":nan}`, document.CodeNotJSON, ""},
		{`{"a":[1,"\x"]}`, document.CodeNotJSON, "/a/1"},
		{`{"a":"\u12g4"}`, document.CodeNotJSON, "/a"},
		{`{"a":"\u12"}`, document.CodeNotJSON, "/a"},
		{"{\"a\":\"\x01\"}", document.CodeNotJSON, ""},
		{"{\"a\":\"\xff\"}", document.CodeNotJSON, "/a"},
		{`{"a":[` + strings.Repeat("9", 4301) + `]}`, document.CodeInexactNumber, "/a/0"},
		{``, document.CodeNotJSON, ""},
	}
	for _, c := range refused {
		_, err := document.InstanceVersion([]byte(c.text))
		var e *document.Error
		if !errors.As(err, &e) || e.Code != c.code || e.Pointer != c.pointer {
			t.Errorf("%.80s: got %v", c.text, err)
		}
	}
}
