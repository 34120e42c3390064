package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/droverhq/drover/fsm"
)

var update = flag.Bool("update", false, "write openapi.json from the role table and the types")

type dict = map[string]any

func TestOpenAPIDescribesEveryRouteAndNoOther(t *testing.T) {
	described := operations()
	d := describer{schemas: dict{}}
	paths := dict{}
	for _, r := range routes() {
		if isMounted(r) {
			continue
		}
		key := r.method + " " + r.path
		op, found := described[key]
		if !found {
			t.Errorf("%s has no description in operations()", key)
			continue
		}
		delete(described, key)
		path := regexp.MustCompile(`:(\w+)`).ReplaceAllString(r.path, "{$1}")
		if paths[path] == nil {
			paths[path] = dict{}
		}
		paths[path].(dict)[strings.ToLower(r.method)] = d.operation(r, op)
	}
	for key := range described {
		t.Errorf("%s is described, but there is no such route", key)
	}
	got := d.document(paths)
	if *update {
		if err := os.WriteFile("openapi.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("openapi.json is not what routes and types say: run go test ./api -run OpenAPI -update, and look at the difference")
	}
}

// isMounted tells the handlers that are not this package's.
func isMounted(r route) bool {
	return r.path == "/" || r.path == "/*" || r.path == "/agent/v1/connect"
}

// describer makes an OpenAPI 3.1 document.
type describer struct{ schemas dict }

func (d *describer) document(paths dict) []byte {
	problem := d.schema(reflect.TypeFor[problemBody]())
	out, err := json.MarshalIndent(dict{
		"openapi": "3.1.0",
		"info": dict{
			"title": "Drover", "version": "1",
			"description": "Names with \"/\" are sent as %2F. Every answer carries Drover-Index (epoch.index); a request that carries it waits until the controller has reached it. " +
				"Errors are RFC 9457 problems: pointer leads into the body of the request, the pointers of problems into the content of the document. " +
				"Writes take an Idempotency-Key: repeated with the same body it answers as before and does nothing again.",
			"license": dict{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"paths": paths,
		"components": dict{
			"schemas": d.schemas,
			"responses": dict{"problem": dict{
				"description": "An RFC 9457 problem.",
				"content":     dict{"application/problem+json": dict{"schema": problem}},
			}},
			"securitySchemes": dict{
				"token":   dict{"type": "http", "scheme": "bearer"},
				"session": dict{"type": "apiKey", "in": "cookie", "name": "__Host-drover"},
			},
		},
	}, "", "  ")
	if err != nil {
		panic(err)
	}
	return append(out, '\n')
}

func (d *describer) operation(r route, op operation) dict {
	status := op.status
	if status == 0 {
		status = 200
	}
	answer := dict{"description": "Done."}
	switch {
	case op.also != nil:
		answer["content"] = dict{"application/json": dict{"schema": dict{"anyOf": []any{d.schema(reflect.TypeOf(op.answer)), d.schema(reflect.TypeOf(op.also))}}}}
	case op.answer != nil:
		answer["content"] = dict{"application/json": dict{"schema": d.schema(reflect.TypeOf(op.answer))}}
	case op.media != "":
		answer["content"] = dict{op.media: dict{"schema": dict{"type": "string"}}}
	}
	out := dict{
		"summary":      op.summary,
		"operationId":  operationID(r),
		"parameters":   parameters(r, op),
		"responses":    dict{strconv.Itoa(status): answer, "default": dict{"$ref": "#/components/responses/problem"}},
		"x-permission": string(r.need),
	}
	if op.request != nil {
		media := dict{"schema": d.schema(reflect.TypeOf(op.request))}
		content := dict{"application/json": media}
		for _, kind := range op.kinds {
			content[kind] = media
		}
		out["requestBody"] = dict{"content": content}
	}
	if r.need != permPublic {
		out["security"] = []any{dict{"token": []any{}}, dict{"session": []any{}}}
	}
	return out
}

func operationID(r route) string {
	path := strings.NewReplacer("/api/v1/", "", "/", "_", ":", "", ".", "_", "-", "_").Replace(r.path)
	return strings.ToLower(r.method) + "_" + strings.Trim(path, "_")
}

func parameters(r route, op operation) []any {
	out := []any{}
	add := func(in, name, what string, required bool) {
		p := dict{"in": in, "name": name, "schema": dict{"type": "string"}}
		if what != "" {
			p["description"] = what
		}
		if required {
			p["required"] = true
		}
		out = append(out, p)
	}
	for _, m := range regexp.MustCompile(`:(\w+)`).FindAllStringSubmatch(r.path, -1) {
		add("path", m[1], "", true)
	}
	for _, q := range op.query {
		name, what, _ := strings.Cut(q, ": ")
		add("query", name, what, false)
	}
	for _, h := range op.headers {
		add("header", h, "", false)
	}
	if strings.HasPrefix(r.path, "/api/v1/") && r.need != permPublic {
		add("header", "Drover-Index", "wait until this index is reached", false)
		if unsafe(r.method) {
			add("header", "Idempotency-Key", "kept for 24 hours", false)
		} else {
			add("query", "consistency", "strong makes the read linearizable", false)
		}
	}
	return out
}

// schema describes a type as encoding does it: named structs are components,
// embedded ones part of what they are embedded in.
func (d *describer) schema(t reflect.Type) dict {
	switch t {
	case reflect.TypeFor[jsontext.Value](), reflect.TypeFor[any]():
		return dict{}
	case reflect.TypeFor[fsm.Status]():
		return dict{"type": "string", "enum": []any{"acked", "in_flight", "pending", "retrying", "reverted", "dead_letter", "offline"}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.schema(t.Elem())
	case reflect.Struct:
		return d.structure(t)
	case reflect.Slice:
		return dict{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Array:
		return dict{"type": "array", "items": d.schema(t.Elem()), "minItems": t.Len(), "maxItems": t.Len()}
	case reflect.Map:
		return dict{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Bool:
		return dict{"type": "boolean"}
	case reflect.Int, reflect.Uint64:
		return dict{"type": "integer"}
	}
	return dict{"type": "string"}
}

func (d *describer) structure(t reflect.Type) dict {
	name := t.Name()
	if name != "" {
		name = strings.ToUpper(name[:1]) + name[1:]
	}
	plain := name != "" && !strings.Contains(name, "[")
	if plain && d.schemas[name] != nil {
		return dict{"$ref": "#/components/schemas/" + name}
	}
	properties, required := dict{}, []string{}
	d.fields(t, properties, &required)
	out := dict{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	if !plain {
		return out
	}
	d.schemas[name] = out
	return dict{"$ref": "#/components/schemas/" + name}
}

func (d *describer) fields(t reflect.Type, properties dict, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			d.fields(f.Type, properties, required)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		properties[name] = d.schema(f.Type)
		if !strings.Contains(options, "omitzero") {
			*required = append(*required, name)
		}
	}
}
