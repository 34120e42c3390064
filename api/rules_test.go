package api

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverhq/drover/fsm"
)

const (
	webhooksPath    = "/api/v1/documents/webhooks"
	connectionsPath = "/api/v1/documents/connections"
)

// instance registers a webhook service.
func (w *world) instance(id string, labels map[string]string, accepts ...string) {
	w.t.Helper()
	url := "http://127.0.0.1:1"
	body := fsm.PutInstance{ID: id, Create: true, URL: &url, Labels: labels}
	if len(accepts) > 0 {
		body.Accepts = &accepts
	}
	w.must(fsm.RaiseFeature{Level: fsm.FeatureLevel}) // that knows instances
	w.must(body)
}

// realDocument is a content as webhook services have it.
func realDocument(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "shared", "data", "webhook-service", name))
	if err != nil {
		t.Fatalf("the real documents are not beside the repository, in ../shared/data: %v", err)
	}
	return string(text)
}

// told are problems or warnings of an answer, each "document pointer: message".
func told(list any) []string {
	var out []string
	rows, _ := list.([]any)
	for _, row := range rows {
		m := row.(map[string]any)
		line := fmt.Sprintf("%v: %v", m["pointer"], m["message"])
		if m["document"] != nil {
			line = fmt.Sprintf("%v %s", m["document"], line)
		}
		out = append(out, line)
	}
	return out
}

func (w *world) tells(what string, list any, want ...string) {
	w.t.Helper()
	if got := told(list); strings.Join(got, "\n") != strings.Join(want, "\n") {
		w.t.Errorf("%s:\ngot\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestTheBuiltInSchemaHoldsForItsTarget(t *testing.T) {
	w := newWorld(t)
	const bad, needs = `{"h/1":{"data_type":"json"}}`, `one of the keys "module", "chain" is needed`
	got := w.refused(422, "schema_invalid", request{method: "PUT", path: webhooksPath, body: `{"content":` + bad + `}`})
	w.tells("a put", got["problems"], "webhooks /h~11: "+needs)
	if detail := got["detail"].(string); got["pointer"] != "/content/h~11" || !strings.Contains(detail, "built-in") || !strings.Contains(detail, `{"builtin_schema": false}`) {
		t.Errorf("got %v", got)
	}
	w.refused(422, "schema_invalid", request{method: "PUT", path: docA, body: `{"target":"webhooks","content":` + bad + `}`})
	w.refused(422, "schema_invalid", request{method: "PUT", path: connectionsPath, body: `{"content":{"c":{"port":"{$PORT:5672}"}}}`})
	w.refused(422, "schema_invalid", request{method: "POST", path: "/api/v1/changes", body: `{"commit":true,"edits":[{"document":"webhooks","op":"put","content":` + bad + `}]}`})
	dry := w.want(200, request{method: "POST", path: "/api/v1/changes", body: `{"dry_run":true,"edits":[{"document":"webhooks","op":"put","content":` + bad + `}]}`})
	w.tells("a dry run", dry["problems"], "webhooks /h~11: "+needs)
	checked := w.want(200, request{method: "POST", path: webhooksPath + "/validate", body: `{"content":` + bad + `}`})
	w.tells("a validation", checked["problems"], "/h~11: "+needs)
	checked = w.want(200, request{method: "POST", path: docA + "/validate", body: `{"target":"webhooks","content":` + bad + `}`})
	w.tells("a validation under another name", checked["problems"], "/h~11: "+needs)

	w.put("webhooks", `{"content":{"h":{"module":"log"}}}`)
	w.refused(422, "schema_invalid", request{method: "PATCH", path: webhooksPath, body: `[{"op":"remove","path":"/h/module"}]`})
	w.put("a", `{"content":`+bad+`}`)
	w.refused(422, "schema_invalid", request{method: "PUT", path: docA, body: `{"target":"webhooks"}`})
	w.refused(422, "schema_invalid", request{method: "PUT", path: docA, body: `{"target":"connections"}`})
	w.want(200, request{method: "PUT", path: docA, body: `{"selector":"x=y","target":"other"}`})
}

func TestARollbackSatisfiesTheBuiltInSchema(t *testing.T) {
	w := newWorld(t)
	w.put("a", `{"content":{"h":{}}}`)
	w.put("a", `{"content":{"h":{"module":"log"}}}`)
	w.put("a", `{"target":"webhooks"}`)
	w.refused(422, "schema_invalid", request{method: "POST", path: docA + "/rollback", body: `{"to":1}`})
}

func TestADocumentsOwnSchemaIsHeldAsWell(t *testing.T) {
	w := newWorld(t)
	w.put("webhooks", `{"content":{"h":{"module":"log"}},"schema":{"additionalProperties":{"properties":{"module":{"const":"log"}}}}}`)
	got := w.refused(422, "schema_invalid", request{method: "PUT", path: webhooksPath, body: `{"content":{"a":{},"b":{"module":"kafka"}}}`})
	w.tells("both", got["problems"], `webhooks /a: one of the keys "module", "chain" is needed`, `webhooks /b/module: must be "log"`)
}

func TestThePolicyTurnsTheBuiltInSchemaOff(t *testing.T) {
	w := newWorld(t)
	w.enroll("edge-1", nil)
	got := w.put("webhooks", `{"content":{"url":"https://a.example","h":{"connection":"c"}},"policy":{"builtin_schema":false}}`)
	w.tells("no hooks", got["warnings"])
	w.want(200, request{method: "PUT", path: webhooksPath, body: `{"content":{"url":7}}`})
	w.refused(422, "schema_invalid", request{method: "PUT", path: webhooksPath, body: `{"policy":{"builtin_schema":true}}`})
	w.refused(422, "schema_invalid", request{method: "PUT", path: webhooksPath, body: `{"policy":{}}`})
	w.want(200, request{method: "PUT", path: webhooksPath, body: `{"content":{"h":{"module":"log"}},"policy":{}}`})
	got = w.refused(422, "invalid", request{method: "PUT", path: webhooksPath, body: `{"policy":{"builtin_schema":"no"}}`})
	if got["pointer"] != "/policy/builtin_schema" || got["detail"] != "must be true or false" {
		t.Errorf("got %v", got)
	}
}

func TestAnEmptyConfigurationForAnInstanceIsRefused(t *testing.T) {
	w := newWorld(t)
	w.enroll("edge-1", map[string]string{"role": "edge"})
	w.put("connections", `{"content":{}}`) // agents write any file
	w.want(200, request{method: "DELETE", path: connectionsPath})

	w.instance("hook-1", map[string]string{"role": "webhook"}, "webhooks", "routing")
	got := w.refused(422, "invalid", request{method: "PUT", path: webhooksPath, body: `{"content":{}}`})
	if detail := got["detail"].(string); got["pointer"] != "/content" || !strings.Contains(detail, `"hook-1"`) || !strings.Contains(detail, "refuse") {
		t.Errorf("got %v", got)
	}
	w.refused(422, "invalid", request{method: "PUT", path: "/api/v1/documents/routing", body: `{"content":{},"policy":{"builtin_schema":false}}`})
	checked := w.want(200, request{method: "POST", path: webhooksPath + "/validate", body: `{"content":{}}`})
	if list := told(checked["problems"]); checked["valid"] != false || len(list) != 1 || !strings.HasPrefix(list[0], ": instance") {
		t.Errorf("validation: %v", checked)
	}
	w.put("connections", `{"content":{}}`) // this one does not accept them
	w.put("webhooks", `{"content":{},"selector":"role=edge"}`)
	w.refused(422, "invalid", request{method: "PUT", path: webhooksPath, body: `{"selector":""}`})
	w.want(200, request{method: "PUT", path: webhooksPath, body: `{"selector":"","content":{"h":{"module":"log"}}}`})
	w.refused(422, "invalid", request{method: "PATCH", path: webhooksPath, body: `[{"op":"remove","path":"/h"}]`})
	w.refused(422, "invalid", request{method: "POST", path: webhooksPath + "/rollback", body: `{"to":1}`})
	w.put("other", `{"content":{}}`)
	w.refused(422, "invalid", request{method: "PUT", path: "/api/v1/documents/other", body: `{"target":"routing"}`})
}

func TestRealDocumentsAreTakenWithoutProblemOrWarning(t *testing.T) {
	w := newWorld(t)
	w.instance("hook-1", nil)
	w.instance("hook-2", nil)
	hooks, connections := realDocument(t, "webhooks.json"), realDocument(t, "connections.json")

	alone := w.want(200, request{method: "POST", path: webhooksPath + "/validate", body: `{"content":` + hooks + `}`})
	const none = `": no document is connections on node "hook-1" and 1 more`
	w.tells("without connections", alone["warnings"],
		`/analytics_webhook/connection: there is no connection "redis_local`+none, `/fully_secured_webhook/connection: there is no connection "rabbitmq_local`+none,
		`/kafka_events/connection: there is no connection "kafka_local`+none, `/payment_processor/connection: there is no connection "rabbitmq_local`+none,
		`/s3_archival/connection: there is no connection "s3_storage`+none)

	both := `"edits":[{"document":"webhooks","op":"put","content":` + hooks + `},{"document":"connections","op":"put","content":` + connections + `}]}`
	dry := w.want(200, request{method: "POST", path: "/api/v1/changes", body: `{"dry_run":true,` + both})
	if dry["valid"] != true || dry["warnings"] != nil {
		t.Errorf("dry run: %v %v", dry["problems"], dry["warnings"])
	}
	if got := w.want(200, request{method: "POST", path: "/api/v1/changes", body: `{"commit":true,` + both}); got["warnings"] != nil {
		t.Errorf("commit: %v", got["warnings"])
	}
	got := w.want(200, request{method: "PATCH", path: connectionsPath, body: `[{"op":"remove","path":"/kafka_local"}]`})
	w.tells("one connection less", got["warnings"],
		`webhooks /kafka_events/connection: there is no connection "kafka_local" in document "connections", which is connections on node "hook-1" and 1 more`)
}
