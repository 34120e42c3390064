package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/droverhq/drover/document/schema"
)

const (
	hookOfC = `{"h":{"module":"kafka","connection":"c"}}`
	onlyC   = `{"c":{"type":"kafka"}}`
	onlyD   = `{"d":{"type":"kafka"}}`
)

func TestAReferenceIsCheckedAgainstTheConnectionsOfTheSameNodes(t *testing.T) {
	w := newWorld(t)
	w.instance("prod-1", map[string]string{"env": "prod"})
	w.enroll("test-1", map[string]string{"env": "test"})
	w.put("prod%2Fconnections", `{"target":"connections","selector":"env=prod","content":`+onlyC+`}`)
	w.put("test%2Fconnections", `{"target":"connections","selector":"env=test","content":`+onlyD+`}`)
	const where = `/h/connection: there is no connection "c" in document "test/connections", which is connections on node "test-1"`
	got := w.put("webhooks", `{"content":`+hookOfC+`}`)
	w.tells("on all", got["warnings"], where)
	got = w.put("webhooks", `{"selector":"env=prod"}`)
	w.tells("only where it is", got["warnings"])

	// What a change of the connections does to hooks is told, with their document.
	dry := w.want(200, request{method: "POST", path: "/api/v1/changes", body: `{"dry_run":true,"edits":[{"document":"prod/connections","op":"put","content":` + onlyD + `}]}`})
	w.tells("other connections", dry["warnings"], `webhooks /h/connection: there is no connection "c" in document "prod/connections", which is connections on node "prod-1"`)
	dry = w.want(200, request{method: "POST", path: "/api/v1/changes", body: `{"dry_run":true,"edits":[{"document":"prod/connections","op":"delete"}]}`})
	w.tells("none", dry["warnings"], `webhooks /h/connection: there is no connection "c": no document is connections on node "prod-1"`)
	dry = w.want(200, request{method: "POST", path: "/api/v1/changes", body: `{"dry_run":true,"edits":[{"document":"prod/connections","op":"put","target":"other"}]}`})
	w.tells("under another target", dry["warnings"], `prod/connections : the nodes that match the selector are instances that do not accept "other", so this reaches nobody now`, `webhooks /h/connection: there is no connection "c": no document is connections on node "prod-1"`)
	got = w.put("test%2Fconnections", `{"content":{"e":{"type":"s3"}}}`)
	w.tells("elsewhere", got["warnings"])
	got = w.want(200, request{method: "DELETE", path: "/api/v1/documents/prod%2Fconnections"})
	w.tells("deleted", got["warnings"], `webhooks /h/connection: there is no connection "c": no document is connections on node "prod-1"`)
}

func TestReferencesOfHooksThatReachNobody(t *testing.T) {
	w := newWorld(t)
	got := w.put("webhooks", `{"content":`+hookOfC+`}`)
	w.tells("before everything else", got["warnings"], `/h/connection: there is no connection "c": no document is connections yet`)
	got = w.put("connections", `{"content":`+onlyD+`}`)
	w.tells("the connections", got["warnings"])
	got = w.put("webhooks", `{"content":`+hookOfC+`}`)
	w.tells("the hooks again", got["warnings"], `/h/connection: there is no connection "c" in any document that is connections`)
	w.put("more", `{"target":"connections","content":`+onlyC+`}`)
	got = w.put("webhooks", `{"content":`+hookOfC+`}`)
	w.tells("some document has it", got["warnings"])
}

func TestOneChangeOfHooksAndConnectionsIsSeenTogether(t *testing.T) {
	w := newWorld(t)
	w.instance("hook-1", nil)
	body := `"edits":[{"document":"w","op":"put","target":"webhooks","content":` + hookOfC + `},{"document":"k","op":"put","target":"connections","content":%s}]}`
	for _, c := range []struct {
		connections string
		want        []string
	}{
		{onlyC, nil},
		{onlyD, []string{`w /h/connection: there is no connection "c" in document "k", which is connections on node "hook-1"`}},
	} {
		dry := w.want(200, request{method: "POST", path: "/api/v1/changes", body: `{"dry_run":true,` + fmt.Sprintf(body, c.connections)})
		w.tells("dry run", dry["warnings"], c.want...)
		done := w.want(200, request{method: "POST", path: "/api/v1/changes", body: `{"commit":true,` + fmt.Sprintf(body, c.connections)})
		w.tells("commit", done["warnings"], c.want...)
		if done["revision"] == nil {
			t.Errorf("a warning kept the change back: %v", done)
		}
	}
}

func TestADryRunWarnsOfWhatReachesNobody(t *testing.T) {
	w := newWorld(t)
	w.enroll("edge-1", map[string]string{"site": "one"})
	w.put("a", `{"content":{},"selector":"site=one"}`)
	dry := w.want(200, request{method: "POST", path: "/api/v1/changes", body: `{"dry_run":true,"edits":[
		{"document":"a","op":"put","selector":"site=two"},{"document":"b","op":"put","content":{}},{"document":"c","op":"put","content":{},"selector":"!site"}]}`})
	const nobody = ": no node matches the selector, so this reaches nobody now"
	w.tells("dry run", dry["warnings"], "a "+nobody, "c "+nobody)
	checked := w.want(200, request{method: "POST", path: "/api/v1/documents/a/validate", body: `{"content":{"x":1},"selector":"site=two"}`})
	w.tells("validation", checked["warnings"], nobody)
}

func TestWarningsAreBounded(t *testing.T) {
	w := newWorld(t)
	hooks := map[string]any{}
	for i := range 120 {
		hooks[fmt.Sprintf("h%03d", i)] = map[string]string{"module": "log", "connection": "none"}
	}
	text, err := json.Marshal(hooks)
	if err != nil {
		t.Fatal(err)
	}
	got := told(w.put("webhooks", `{"content":`+string(text)+`}`)["warnings"])
	if len(got) != schema.MaxProblems+1 || got[0][:16] != "/h000/connection" || got[len(got)-1] != ": and 70 more warnings" {
		t.Errorf("%d warnings, the last %q", len(got), got[len(got)-1])
	}
}

func TestWarningsShowNothingBeyondTheCallersPrefixes(t *testing.T) {
	w := newWorld(t)
	w.instance("hook-1", nil)
	w.tokens["hooks"] = w.token("editor", "editor", "webhooks")
	w.tokens["links"] = w.token("editor", "editor", "connections")
	w.put("connections", `{"content":`+onlyD+`}`)
	got := w.want(201, request{method: "PUT", path: webhooksPath, as: "hooks", body: `{"content":` + hookOfC + `}`})
	w.tells("whoever may not see the connections", got["warnings"])
	got = w.want(200, request{method: "PUT", path: connectionsPath, as: "links", body: `{"content":{"e":{"type":"s3"}}}`})
	w.tells("whoever may not see the hooks", got["warnings"])
	got = w.put("connections", `{"content":{"f":{"type":"s3"}}}`)
	if list := told(got["warnings"]); len(list) != 1 || !strings.HasPrefix(list[0], "webhooks /h/connection") {
		t.Errorf("whoever may see both: %v", list)
	}
}
