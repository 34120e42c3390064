package document_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/droverhq/drover/document"
	"github.com/go-json-experiment/json/jsontext"
)

var placeholderCases = []struct {
	name, text string
	want       []document.Placeholder
}{
	{"none", `{"a":"b","n":[1,true,null]}`, nil},
	{"a variable", `{"host":"{$HOST}"}`, []document.Placeholder{{"/host", "HOST", "", false}}},
	{"a default", `{"port":"{$PORT:5672}"}`, []document.Placeholder{{"/port", "PORT", "5672", true}}},
	{"an empty default", `{"p":"{$P:}"}`, []document.Placeholder{{"/p", "P", "", true}}},
	{"a default with colons", `{"u":"{$URL:https://a.example/b?c=d}"}`, []document.Placeholder{{"/u", "URL", "https://a.example/b?c=d", true}}},
	{"several in one string", `{"u":"http://{$HOST:localhost}:{$PORT}/x"}`, []document.Placeholder{{"/u", "HOST", "localhost", true}, {"/u", "PORT", "", false}}},
	{"in an array, deep", `{"a":[0,{"b/c":["","{$X}"]}]}`, []document.Placeholder{{"/a/1/b~1c/1", "X", "", false}}},
	{"in a name", `{"{$K}":{"a":"{$V}"},"z":"{$Z}"}`, []document.Placeholder{{"/{$K}", "K", "", false}, {"/{$K}/a", "V", "", false}, {"/z", "Z", "", false}}},
	{"written with escapes", `{"a":"\u007b\u0024VAR\u007d"}`, []document.Placeholder{{"/a", "VAR", "", false}}},
	{"escapes inside", `{"a":"{$VAR:\"x\\\u00e9}"}`, []document.Placeholder{{"/a", "VAR", "\"x\\é", true}}},
	{"letters of other scripts", `{"a":"{$größe_2}"}`, []document.Placeholder{{"/a", "größe_2", "", false}}},
	{"a default up to the first brace", `{"a":"{$A:{$B}}"}`, []document.Placeholder{{"/a", "A", "{$B", true}}},
	{"a broken one before a good one", `{"a":"{$-}{$ {${$A}"}`, []document.Placeholder{{"/a", "A", "", false}}},
	{"another backend's form", `{"a":"{$vault:secret/x#y}"}`, []document.Placeholder{{"/a", "vault", "secret/x#y", true}}},
	{"no name", `{"a":"{$}","b":"{$:x}"}`, nil},
	{"a name with a dash", `{"a":"{$A-B}"}`, nil},
	{"no end", `{"a":"{$A","b":"{$A:x","c":"}"}`, nil},
	{"no dollar", `{"a":"{A}","b":"${A}","c":"{ $A}"}`, nil},
	{"across two strings", `{"a":["{$A",":x}"]}`, nil},
	{"a string alone", `"{$A}"`, []document.Placeholder{{"", "A", "", false}}},
	{"no JSON", `{"a":"{$A}"`, nil},
}

func TestPlaceholders(t *testing.T) {
	for _, c := range placeholderCases {
		if got := document.Placeholders([]byte(c.text)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %s: got %+v, want %+v", c.name, c.text, got, c.want)
		}
		if got := document.HasPlaceholders([]byte(c.text)); got != (len(c.want) > 0) {
			t.Errorf("%s: %s: has placeholders: %t", c.name, c.text, got)
		}
	}
}

func TestPlaceholdersOfRealDocuments(t *testing.T) {
	for file, want := range map[string]int{"webhooks.json": 42, "connections.json": 55} {
		raw, err := os.ReadFile(filepath.Join("..", "..", "shared", "data", "webhook-service", file))
		if err != nil {
			t.Fatalf("the real documents are not beside the repository, in ../shared/data: %v", err)
		}
		text, err := document.Compact(raw, document.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got := document.Placeholders(text)
		if len(got) != want || !slices.Equal(got, placeholdersByPattern(t, text)) {
			t.Errorf("%s: got %d placeholders, want %d: %+v", file, len(got), want, got)
		}
	}
}

func TestPlaceholdersOfHostileTextsTakeNoLongerThanTheirSize(t *testing.T) {
	for name, inner := range map[string]string{
		"defaults without an end":  strings.Repeat("{$A:", 250_000),
		"beginnings before an end": strings.Repeat("{$-", 330_000) + "}",
		"one long name":            "{$" + strings.Repeat("A", 1_000_000),
		"very many":                strings.Repeat("{$A}", 250_000),
		"names of very many":       strings.Repeat(`{$A}","`, 140_000),
	} {
		within(t, name, func() { document.Placeholders([]byte(`["` + inner + `"]`)) })
	}
}

var placeholderPattern = regexp.MustCompile(`\{\$([\pL\pN_]+)(:([^}]*))?\}`)

// placeholdersByPattern is the slow definition: a pattern, on each string that
// a decoder of another make finds.
func placeholdersByPattern(t testing.TB, text []byte) (found []document.Placeholder) {
	t.Helper()
	d := jsontext.NewDecoder(bytes.NewReader(text))
	for {
		token, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if token.Kind() != '"' {
			continue
		}
		at := string(d.StackPointer())
		for _, m := range placeholderPattern.FindAllStringSubmatch(token.String(), -1) {
			found = append(found, document.Placeholder{Pointer: at, Name: m[1], Default: m[3], HasDefault: m[2] != ""})
		}
	}
}
