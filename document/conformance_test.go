package document_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
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
	var vectors []struct{ Input, Canonical, Version16 string }
	if err := json.Unmarshal(read(t, "webhook-service", "version_hash_vectors.json"), &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 30 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	for _, v := range vectors {
		got, err := document.InstanceVersion([]byte(v.Input))
		if err != nil || got != v.Version16 {
			t.Errorf("%s: got %s, %v, want %s for %s", v.Input, got, err, v.Version16, v.Canonical)
		}
	}
}
