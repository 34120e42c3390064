package schema_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/document/schema"
)

const tunnels = `{
 "$schema": "https://json-schema.org/draft/2020-12/schema",
 "type": "object",
 "required": ["tunnels"],
 "additionalProperties": false,
 "properties": {
  "mtu": {"type": "integer", "minimum": 576, "maximum": 9216},
  "tunnels": {"type": "array", "maxItems": 3, "uniqueItems": true, "items": {"$ref": "#/$defs/tunnel"}}
 },
 "$defs": {
  "tunnel": {
   "type": "object",
   "required": ["peer", "cipher"],
   "additionalProperties": false,
   "properties": {
    "peer": {"anyOf": [{"type": "string", "format": "ipv4"}, {"type": "string", "format": "ipv6"}]},
    "cipher": {"enum": ["aes128gcm", "aes256gcm"]},
    "name": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2},
    "auth": {"oneOf": [
      {"type": "object", "required": ["kind", "key"], "properties": {"kind": {"const": "psk"}, "key": {"type": "string"}}},
      {"type": "object", "required": ["kind", "certificate"], "properties": {"kind": {"const": "cert"}, "certificate": {"type": "string"}}}]}
   }
  }
 }
}`

func compile(t testing.TB, text string) *schema.Schema {
	t.Helper()
	s, err := schema.Compile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func lines(problems []schema.Problem) []string {
	var out []string
	for _, p := range problems {
		out = append(out, p.Pointer+": "+p.Message)
	}
	return out
}

func TestValidateNamesTheLeavesInPlainWords(t *testing.T) {
	s := compile(t, tunnels)
	cases := []struct {
		name, text string
		want       []string
	}{
		{"valid", `{"mtu":1400,"tunnels":[{"peer":"192.0.2.1","cipher":"aes128gcm"},{"peer":"2001:db8::1","cipher":"aes256gcm"}]}`, nil},
		{"missing", `{}`, []string{`: the key "tunnels" is missing`}},
		{"unknown key", `{"tunnels":[],"a/b":1}`, []string{"/a~1b: this key is not allowed"}},
		{"type", `{"tunnels":{}}`, []string{"/tunnels: must be an array, is an object"}},
		{"integer", `{"tunnels":[],"mtu":1400.5}`, []string{"/mtu: must be an integer, is a number"}},
		{"bound", `{"tunnels":[],"mtu":100}`, []string{"/mtu: minimum: got 100, want 576"}},
		{"enum", `{"tunnels":[{"peer":"192.0.2.1","cipher":"des"}]}`, []string{`/tunnels/0/cipher: must be one of "aes128gcm", "aes256gcm"`}},
		{"several, in order", `{"tunnels":[{"cipher":"aes128gcm"},{"peer":"192.0.2.1"}],"mtu":"x"}`, []string{
			"/mtu: must be an integer, is a string",
			`/tunnels/0: the key "peer" is missing`,
			`/tunnels/1: the key "cipher" is missing`,
		}},
		{"too many and equal", `{"tunnels":[{"peer":"192.0.2.1","cipher":"aes128gcm"},{"peer":"192.0.2.2","cipher":"aes128gcm"},{"peer":"192.0.2.1","cipher":"aes128gcm"},{"peer":"192.0.2.4","cipher":"aes128gcm"}]}`, []string{
			"/tunnels: has 4 elements, at most 3 are allowed",
			"/tunnels: the elements 0 and 2 are equal",
		}},
		{"pattern and length", `{"tunnels":[{"peer":"192.0.2.1","cipher":"aes128gcm","name":"X"}]}`, []string{
			`/tunnels/0/name: "X" does not match the pattern ^[a-z]+$`,
			"/tunnels/0/name: has 1 characters, at least 2 are needed",
		}},
		{"no form fits by type", `{"tunnels":[{"peer":7,"cipher":"aes128gcm"}]}`, []string{"/tunnels/0/peer: must be a string, is a number"}},
		{"the form that is meant", `{"tunnels":[{"peer":"192.0.2.1","cipher":"aes128gcm","auth":{"kind":"cert"}}]}`, []string{
			`/tunnels/0/auth: the key "certificate" is missing (of 2 allowed forms, the nearest)`,
		}},
		{"no form is meant", `{"tunnels":[{"peer":"192.0.2.1","cipher":"aes128gcm","auth":{"kind":"x","key":"k","certificate":"c"}}]}`, []string{
			`/tunnels/0/auth/kind: must be one of "psk", "cert"`,
		}},
		{"format", `{"tunnels":[{"peer":"192.0.2.300","cipher":"aes128gcm"}]}`, []string{"/tunnels/0/peer: "}},
	}
	for _, c := range cases {
		got := lines(s.Validate([]byte(c.text)))
		if c.name == "format" {
			if len(got) != 1 || !strings.HasPrefix(got[0], c.want[0]) || !strings.Contains(got[0], "ipv4") {
				t.Errorf("format: got %q", got)
			}
			continue
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestValidateWordsFurtherKeywords(t *testing.T) {
	cases := []struct{ schema, text, want string }{
		{`false`, `{}`, `: is not allowed here`},
		{`{"properties":{"a":{"const":{"b":1}}}}`, `{"a":2}`, `/a: must be {"b":1}`},
		{`{"propertyNames":{"pattern":"^[a-z]+$"}}`, `{"a":1,"B":2}`, `/B: "B" does not match the pattern ^[a-z]+$ (this is about the key)`},
		{`{"properties":{"a":{"contains":{"type":"string"}}}}`, `{"a":[1,2,3]}`, `/a: none of the elements has the form that one must have`},
		{`{"not":{"required":["a"]}}`, `{"a":1}`, `: has a form that the schema forbids`},
		{`{"dependentRequired":{"a":["b","c"]}}`, `{"a":1}`, `: where "a" is set, "b", "c" must be set, too`},
		{`{"oneOf":[{"type":"object"},{"required":["a"]}]}`, `{"a":1}`, `: fits 2 forms at once, must fit one`},
		{`{"minProperties":2}`, `{"a":1}`, `: has 1 keys, at least 2 are needed`},
		{`{"unevaluatedProperties":false,"properties":{"a":true}}`, `{"a":1,"b":1}`, `/b: is not allowed here`},
		{
			`{"anyOf":[{"properties":{"kind":{"const":"cert"}}},{"properties":{"kind":{"const":"psk"}},"minProperties":3,"required":["key"]}],"maxProperties":9}`,
			`{"kind":"x","key":1}`, `/kind: must be "cert" (of 2 allowed forms, the nearest)`,
		},
		{`{"anyOf":[{"required":["a"]},{"required":["b"]}]}`, `{"c":1}`, `: one of the keys "a", "b" is needed`},
		{`{"properties":{"x":{"anyOf":[{"required":["a"]},{"const":1},{"const":2}]}}}`, `{"x":{}}`, `/x: the key "a" is missing (of 3 allowed forms, the nearest)`},
		{`{"anyOf":[{"required":["a"]},{"required":["b","c"]}]}`, `{}`, `: the key "a" is missing (of 2 allowed forms, the nearest)`},
		{`{"if":{"required":["a"]},"then":{"required":["b"]}}`, `{"a":1}`, `: the key "b" is missing`},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"items":[{"type":"string"}]}}}`, `{"a":[1]}`, `/a/0: must be a string, is a number`},
	}
	for _, c := range cases {
		got := lines(compile(t, c.schema).Validate([]byte(c.text)))
		if len(got) != 1 || got[0] != c.want {
			t.Errorf("%s with %s: got %q, want %q", c.schema, c.text, got, c.want)
		}
	}
}

func TestValidateFollowsTheFormThatIsMeant(t *testing.T) {
	s := compile(t, `{"anyOf":[
		{"properties":{"kind":{"const":"cert"}}},
		{"properties":{"kind":{"const":"psk"}},"required":["key","id"]}]}`)
	want := []string{
		`: the key "id" is missing (of 2 allowed forms, the nearest)`,
		`: the key "key" is missing (of 2 allowed forms, the nearest)`,
	}
	if got := lines(s.Validate([]byte(`{"kind":"psk"}`))); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestCompileReadsNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.json")
	if err := os.WriteFile(path, []byte(`{"type":"object"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := schema.Compile([]byte(`{"$ref":"file://` + filepath.ToSlash(path) + `"}`)); err == nil {
		t.Error("a schema was read from a file")
	}
}

func TestValidateIsBoundedAndSorted(t *testing.T) {
	s := compile(t, `{"properties":{"a":{"items":{"type":"string"}}}}`)
	text := `{"a":[` + strings.TrimSuffix(strings.Repeat("1,", 200), ",") + `]}`
	got := s.Validate([]byte(text))
	if len(got) != schema.MaxProblems {
		t.Fatalf("got %d problems", len(got))
	}
	for i, p := range got {
		if want := fmt.Sprintf("/a/%d", i); p.Pointer != want {
			t.Fatalf("problem %d is at %s, want %s", i, p.Pointer, want)
		}
	}
}

func TestCompileRefusesBadSchemasAndNamesThePlace(t *testing.T) {
	cases := []struct{ schema, code, pointer, message string }{
		{`{"type":"strange"}`, schema.CodeBadSchema, "/type", "must be"},
		{`{"properties":{"a":{"minimum":"1"}}}`, schema.CodeBadSchema, "/properties/a/minimum", "must be a number, is a string"},
		{`{"properties":{"a b":{"pattern":"("}}}`, schema.CodeBadSchema, "/properties/a b/pattern", "not valid regex"},
		{`{"pattern":"(?=a)"}`, schema.CodeBadSchema, "/pattern", "not valid regex"},
		{`{"$ref":"#/$defs/none"}`, schema.CodeBadSchema, "", `"#/$defs/none", which is not in it`},
		{`{"$ref":"#none"}`, schema.CodeBadSchema, "", "#none"},
		{`{"$ref":"https://example.com/schema.json"}`, schema.CodeBadSchema, "", "cannot refer to another one"},
		{`{"$ref":"other.json"}`, schema.CodeBadSchema, "", `refers to "other.json"`},
		{`{"$ref":"file:///etc/passwd"}`, schema.CodeBadSchema, "", "cannot refer to another one"},
		{`{"$schema":"https://example.com/meta"}`, schema.CodeBadSchema, "", "cannot refer to another one"},
		{`7`, schema.CodeBadSchema, "", "must be"},
		{`{"a":1,"a":2}`, document.CodeDuplicateKey, "/a", "twice"},
		{`{`, document.CodeNotJSON, "", "EOF"},
	}
	for _, c := range cases {
		_, err := schema.Compile([]byte(c.schema))
		var e *document.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: got %v", c.schema, err)
			continue
		}
		if e.Code != c.code || e.Pointer != c.pointer || !strings.Contains(e.Message, c.message) {
			t.Errorf("%s: got %s at %q: %s", c.schema, e.Code, e.Pointer, e.Message)
		}
		if strings.Contains(e.Message, "drover:") {
			t.Errorf("%s: the message shows the inner name: %s", c.schema, e.Message)
		}
	}
}

func TestSchemasThatReferToThemselvesEnd(t *testing.T) {
	list := compile(t, `{"$defs":{"n":{"type":"object","properties":{"next":{"$ref":"#/$defs/n"}},"additionalProperties":false}},"$ref":"#/$defs/n"}`)
	if got := lines(list.Validate([]byte(`{"next":{"next":{"x":1}}}`))); !slices.Equal(got, []string{"/next/next/x: this key is not allowed"}) {
		t.Errorf("got %q", got)
	}
	loop := compile(t, `{"$ref":"#"}`)
	if got := loop.Validate([]byte(`{}`)); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

// The library finds equal elements by hashing; comparing each with each would
// need minutes of the processor here.
func TestValidateTakesLongArraysInItsStride(t *testing.T) {
	s := compile(t, `{"properties":{"a":{"uniqueItems":true,"items":{"type":"integer"}}}}`)
	var b strings.Builder
	b.WriteString(`{"a":[0`)
	for i := 1; i < 50_000; i++ {
		fmt.Fprintf(&b, ",%d", i*2)
	}
	b.WriteString(`]}`)
	before := processorTime(t)
	if got := s.Validate([]byte(b.String())); got != nil {
		t.Fatal(lines(got))
	}
	if took := processorTime(t) - before; took > 20*time.Second {
		t.Errorf("took %v", took)
	}
}

func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
