package builtin_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/document/schema"
	"github.com/droverhq/drover/document/schema/builtin"
)

func compiled(t testing.TB, target string) *schema.Schema {
	t.Helper()
	s, err := schema.Compile([]byte(builtin.Schema(target)))
	if err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	return s
}

// shared is a real document of a webhook service.
func shared(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "shared", "data", "webhook-service", name))
	if err != nil {
		t.Fatalf("the real documents are not beside the repository, in ../shared/data: %v", err)
	}
	text, err := document.Compact(raw, document.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestOnlyTwoTargetsHaveASchema(t *testing.T) {
	for _, target := range []string{"", "webhook", "prod/webhooks", "routing/core"} {
		if got := builtin.Schema(target); got != "" {
			t.Errorf("%q has the schema %s", target, got)
		}
	}
}

func TestRealDocumentsAreValid(t *testing.T) {
	for target, members := range map[string]int{builtin.Webhooks: 27, builtin.Connections: 21} {
		text := shared(t, target+".json")
		if got := compiled(t, target).Validate(text); got != nil {
			t.Errorf("%s: %v", target, got)
		}
		var content map[string]any
		if err := json.Unmarshal(text, &content); err != nil || len(content) != members {
			t.Errorf("%s has %d members, %v; were they read?", target, len(content), err)
		}
	}
}

func TestSchemas(t *testing.T) {
	const needsEither = `one of the keys "module", "chain" is needed`
	cases := []struct {
		target, text string
		want         []string // each "pointer: message"
	}{
		{builtin.Webhooks, `{}`, nil},
		{builtin.Webhooks, `{"h":{"module":"log"}}`, nil},
		{builtin.Webhooks, `{"h":{"module":"{$MODULE:log}","connection":"{$C}","anything":[1]}}`, nil},
		{builtin.Webhooks, `{"h":{"chain":["log",{"module":"s3","connection":"c","module-config":{},"retry":{}}]}}`, nil},
		{builtin.Webhooks, `{"h":{"module":"log","chain":["log"],"connection":null}}`, nil},
		{builtin.Webhooks, `{"a/b":{"data_type":"json"}}`, []string{"/a~1b: " + needsEither}},
		{builtin.Webhooks, `{"a":{},"b":{"module":"log"},"c":{}}`, []string{"/a: " + needsEither, "/c: " + needsEither}},
		{builtin.Webhooks, `{"h":"log"}`, []string{`/h: must be an object, is a string`}},
		{builtin.Webhooks, `{"h":{"module":""}}`, []string{`/h/module: has 0 characters, at least 1 are needed`}},
		{builtin.Webhooks, `{"h":{"module":["log"]}}`, []string{`/h/module: must be a string, is an array`}},
		{builtin.Webhooks, `{"h":{"chain":[]}}`, []string{`/h/chain: has 0 elements, at least 1 are needed`}},
		{builtin.Webhooks, `{"h":{"chain":"log"}}`, []string{`/h/chain: must be an array, is a string`}},
		{builtin.Webhooks, `{"h":{"chain":["log",{"connection":"c"},7]}}`, []string{`/h/chain/1: the key "module" is missing`, `/h/chain/2: must be a string or an object, is a number`}},
		{builtin.Webhooks, `{"h":{"module":"log","connection":7}}`, []string{`/h/connection: must be null or a string, is a number`}},
		{builtin.Webhooks, `{"":{"module":"log"}}`, []string{`/: has 0 characters, at least 1 are needed (this is about the key)`}},
		{builtin.Connections, `{}`, nil},
		{builtin.Connections, `{"c":{"type":"rabbitmq","port":"{$RABBITMQ_PORT:5672}","host":"{$RABBITMQ_HOST}"}}`, nil},
		{builtin.Connections, `{"c":{"type":"something new"}}`, nil},
		{builtin.Connections, `{"c":{"host":"h"}}`, []string{`/c: the key "type" is missing`}},
		{builtin.Connections, `{"c":{"type":""}}`, []string{`/c/type: has 0 characters, at least 1 are needed`}},
		{builtin.Connections, `{"c":[]}`, []string{`/c: must be an object, is an array`}},
	}
	for _, c := range cases {
		var got []string
		for _, p := range compiled(t, c.target).Validate([]byte(c.text)) {
			got = append(got, p.Pointer+": "+p.Message)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s %s: got %q, want %q", c.target, c.text, got, c.want)
		}
	}
}

func TestReferences(t *testing.T) {
	cases := []struct {
		name, text string
		want       []builtin.Reference
	}{
		{"none", `{"h":{"module":"log"}}`, nil},
		{"of a hook", `{"z":{"connection":"b"},"a/~":{"connection":"a"}}`, []builtin.Reference{{"/a~1~0/connection", "a"}, {"/z/connection", "b"}}},
		{"of a module's settings", `{"h":{"module-config":{"connection":"m"},"connection":"c"}}`,
			[]builtin.Reference{{"/h/connection", "c"}, {"/h/module-config/connection", "m"}}},
		{"of a chain", `{"h":{"chain":["log",{"module":"s3","connection":"x"},{"module":"a","module-config":{"connection":"y"}}]}}`,
			[]builtin.Reference{{"/h/chain/1/connection", "x"}, {"/h/chain/2/module-config/connection", "y"}}},
		{"with a placeholder", `{"a":{"connection":"{$C:redis}"},"b":{"connection":"c_{$ENV}"},"c":{"connection":"{$}"}}`, []builtin.Reference{{"/c/connection", "{$}"}}},
		{"that are none", `{"a":{"connection":""},"b":{"connection":null},"c":{"connection":7},"d":"x","e":{"chain":"x"},"f":{"chain":[[],null]},"g":{"connection":{"connection":"x"}}}`, nil},
		{"written with escapes", `{"h":{"connection":"\u0063"}}`, []builtin.Reference{{"/h/connection", "c"}}},
		{"elsewhere", `{"h":{"redis":{"connection":"x"}},"connection":"y"}`, nil},
		{"no object", `[{"connection":"x"}]`, nil},
		{"no JSON", `{"h":{"connection":"x"}`, nil},
		{"nothing", ``, nil},
	}
	for _, c := range cases {
		if got := builtin.References([]byte(c.text)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestEveryReferenceOfTheRealDocumentsIsDefined(t *testing.T) {
	references, names := builtin.References(shared(t, "webhooks.json")), builtin.Names(shared(t, "connections.json"))
	want := []builtin.Reference{
		{"/analytics_webhook/connection", "redis_local"},
		{"/fully_secured_webhook/connection", "rabbitmq_local"},
		{"/kafka_events/connection", "kafka_local"},
		{"/payment_processor/connection", "rabbitmq_local"},
		{"/s3_archival/connection", "s3_storage"},
	}
	if !slices.Equal(references, want) {
		t.Errorf("got %v", references)
	}
	for _, r := range references {
		if !names[r.Connection] {
			t.Errorf("%s names %q, which is not there", r.Pointer, r.Connection)
		}
	}
	if len(names) != 21 {
		t.Errorf("%d connections", len(names))
	}
}

func FuzzReferences(f *testing.F) {
	for _, text := range []string{
		`{"h":{"connection":"c","chain":[{"connection":"d"}],"module-config":{"connection":"e"}}}`, `{"":{"connection":"{$C}"}}`, `{"a":`, `[]`, `null`, ``,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, r := range builtin.References(text) {
			at := text
			for token := range jsontext.Pointer(r.Pointer).Tokens() {
				var object map[string]jsontext.Value
				var array []jsontext.Value
				if json.Unmarshal(at, &object) == nil {
					at = object[token]
				} else if i, err := strconv.Atoi(token); err == nil && json.Unmarshal(at, &array) == nil && i < len(array) {
					at = array[i]
				} else {
					t.Fatalf("%q: the pointer %s leads nowhere", text, r.Pointer)
				}
			}
			var name string
			if err := json.Unmarshal(at, &name); err != nil || name != r.Connection {
				t.Fatalf("%q: at %s is %q, not %q", text, r.Pointer, at, r.Connection)
			}
		}
		builtin.Names(text)
	})
}
