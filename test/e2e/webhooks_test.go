package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/droverhq/drover/internal/client"
)

// webhookDocuments puts what webhook services read: Drover knows what they
// refuse, and warns of hooks that name a connection which is not there.
func webhookDocuments(t *testing.T, f *fleet) {
	bad := save(t, "bad.json", `{"h": {"data_type": "json"}}`)
	contains(t, f.must(3, "doc", "put", "webhooks", "-f", bad), "/h: one of the keys", "builtin_schema")
	contains(t, f.must(3, "doc", "validate", "webhooks", "-f", bad), "/h: one of the keys")
	contains(t, f.must(3, "doc", "validate", "web/hooks", "--target", "webhooks", "-f", bad), "/h: one of the keys")

	hooks := save(t, "hooks.json", `{"h": {"module": "kafka", "connection": "k"}}`)
	const missing = `warning: /h/connection: there is no connection "k"`
	for _, args := range [][]string{
		{"doc", "validate", "webhooks", "-f", hooks},
		{"doc", "put", "webhooks", "-f", hooks, "--if-version", "0"},
		{"doc", "put", "webhooks", "-f", hooks, "-o", "json"},
	} {
		r := f.must(0, args...)
		if !strings.Contains(r.stderr, missing) || strings.Contains(r.stdout, "warning:") {
			t.Errorf("drover %s: the warning is missing, or beside the data:\n%s%s", strings.Join(args, " "), r.stdout, r.stderr)
		}
		if args[len(args)-1] != "json" {
			continue
		}
		var written client.Written
		if err := json.Unmarshal([]byte(r.stdout), &written); err != nil || len(written.Warnings) != 1 || written.Warnings[0].Pointer != "/h/connection" {
			t.Errorf("%s: %v", r.stdout, err)
		}
	}

	manifest := "document: webhooks\ncontent: {h: {module: kafka, connection: k}, i: {module: log}}\n"
	r := f.must(0, "plan", "-f", save(t, "m.yaml", manifest))
	contains(t, r, `warning: webhooks /h/connection: there is no connection "k"`)
	both := save(t, "both.yaml", manifest+"---\ndocument: connections\ncontent: {k: {type: kafka, port: \"{$PORT:9092}\"}}\n")
	if r := f.must(0, "apply", "-f", both); strings.Contains(r.stderr, "warning:") {
		t.Errorf("the connection is there: %s", r.stderr)
	}
	contains(t, f.must(0, "doc", "delete", "connections", "--yes"), `warning: webhooks /h/connection: there is no connection "k": no document is connections on node`)

	own := save(t, "own.yaml", "document: webhooks\npolicy: {builtin_schema: false}\ncontent: {url: \"https://a.example\"}\n")
	f.must(0, "apply", "-f", own)
	f.must(0, "doc", "delete", "webhooks", "--yes")
}
