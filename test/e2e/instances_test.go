package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/droverhq/drover/internal/pyservice"
)

const hookToken = "hook-secret-0815"

// withHooks is a cluster made by hand, of one controller that may call this
// machine, and real services for it.
func withHooks(t *testing.T, count int) (*hand, []*pyservice.Service) {
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	h := &hand{fleet: &fleet{t: t, bin: bin}, dir: t.TempDir(), port: freePorts(t, 3)}
	h.env = append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(h.dir, "home"), "DROVER_ADDR=", "DROVER_TOKEN=")
	services := pyservice.Start(t, count, pyservice.Options{Token: hookToken, Modules: []string{"log", "kafka"}})
	r := h.must(0, append([]string{"cluster", "init"}, h.flags(1)...)...)
	password := regexp.MustCompile(`password (\S+)`).FindStringSubmatch(r.stdout)
	text, err := os.ReadFile(h.config(1))
	if err != nil || password == nil {
		t.Fatal(err, r.stdout)
	}
	text = fmt.Appendf(text, "\ninstances: {allow: [127.0.0.0/8], timeout: 2s, interval: 1s, files: %s}\n", h.dir)
	if err := os.WriteFile(h.config(1), text, 0o600); err != nil {
		t.Fatal(err)
	}
	h.serve(1)
	h.must(0, "login", "admin", "--addr", h.url(1), "--ca", filepath.Join(h.peer(1), "ca.crt"), "--password-file", save(t, "pw", password[1]))
	return h, services
}

// ends runs a command until it ends with a code: what it asks about is on its way.
func (h *hand) ends(code int, args ...string) (r result) {
	h.t.Helper()
	h.eventually(20*time.Second, "drover "+strings.Join(args, " "), func() error {
		if r = h.drover(args...); r.code != code {
			return fmt.Errorf("%d, want %d: %s%s", r.code, code, r.stdout, r.stderr)
		}
		return nil
	})
	return r
}

func (h *hand) says(want string, args ...string) {
	h.t.Helper()
	h.eventually(20*time.Second, "drover "+strings.Join(args, " ")+" says "+want, func() error {
		if r := h.drover(args...); !strings.Contains(r.stdout+r.stderr, want) {
			return errors.New(r.stdout + r.stderr)
		}
		return nil
	})
}

// TestInstancesOnTheCommandLine goes the way of a person with two webhook
// services: add, push, verify, drift, refusal, loss, sync, discovery, removal.
func TestInstancesOnTheCommandLine(t *testing.T) {
	t.Parallel()
	h, services := withHooks(t, 2)
	first, second := services[0], services[1]
	token := save(t, "token", hookToken)
	r := h.must(0, "instance", "add", first.URL, "--id", "hook-1", "--instance-token-file", token, "-l", "role=webhook", "-o", "json")
	if strings.Contains(r.stdout+r.stderr, hookToken) || !strings.Contains(r.stdout, `"has_token": true`) {
		t.Errorf("added: %s%s", r.stdout, r.stderr)
	}
	h.must(0, "instance", "add", second.URL, "--id", "hook-2", "--instance-token-file", token)
	h.must(6, "instance", "add", second.URL, "--id", "hook-2")
	h.must(3, "instance", "add", "ftp://a")

	good := save(t, "good.json", `{"h":{"module":"log"}}`)
	h.must(0, "doc", "put", "webhooks", "-f", good, "--watch")
	contains(t, h.must(0, "instance", "verify"), "hook-1", "hook-2", "webhooks", "yes")
	contains(t, h.must(0, "instance", "verify", "hook-1", "--document", "webhooks", "-o", "json"), `"in_sync": true`)
	contains(t, h.must(0, "instance", "sync", "--document", "webhooks"), "hook-1", "acked")
	contains(t, h.must(0, "instance", "show", "hook-2"), second.URL, "computed")
	for _, unknown := range [][]string{{"verify", "nobody"}, {"verify", "--document", "none"}, {"sync", "nobody"}, {"show", "nobody"}, {"remove", "nobody", "--yes"}, {"set", "nobody", "--no-token"}} {
		h.must(5, append([]string{"instance"}, unknown...)...)
	}

	refusals(t, h)
	drifts(t, h, first)
	losses(t, h, second, token)
	discovers(t, h, first, token)
	if text := h.must(0, "audit", "export").stdout; strings.Contains(text, hookToken) || !strings.Contains(text, "instance.add") {
		t.Error("the audit holds the token, or not what was done")
	}
}

// refusals: a document that a service refuses is a dead letter, which is retried,
// discarded, and gone with the next version.
func refusals(t *testing.T, h *hand) {
	bad := save(t, "bad.json", `{"h":{"module":"nonsense"}}`)
	h.must(7, "doc", "put", "webhooks", "-f", bad, "--watch")
	contains(t, h.must(0, "deadletter", "list", "-o", "wide"), "hook-1", "hook-2", "instance", "is not installed")
	contains(t, h.must(0, "deadletter", "list", "--by-cause"), "2")
	contains(t, h.must(0, "deadletter", "show", "hook-1", "-o", "wide"), "webhooks", "refused")
	contains(t, h.must(7, "node", "why", "hook-1"), "is not installed", "stays at version 1")
	h.must(7, "instance", "sync", "hook-1")
	h.says("is not installed", "deadletter", "show", "hook-1", "-o", "wide")
	h.must(0, "deadletter", "retry", "hook-1")
	h.says("is not installed", "deadletter", "show", "hook-1", "-o", "wide")
	contains(t, h.must(0, "deadletter", "discard", "hook-2"), "1 node off the list")
	h.must(5, "deadletter", "show", "hook-2")
	contains(t, h.must(7, "node", "why", "hook-2"), "discarded")
	cause := strings.TrimSpace(h.must(0, "deadletter", "list", "--by-cause", "-o", "name").stdout)
	contains(t, h.must(0, "deadletter", "discard", "--cause", cause), "1 node off the list")
	contains(t, h.must(0, "deadletter", "retry", "--all"), "sent again to 0 nodes")
	h.must(0, "doc", "rollback", "webhooks", "1")
	h.ends(0, "instance", "verify")
}

// drifts: what somebody else gives a service is put back, or told.
func drifts(t *testing.T, h *hand, first *pyservice.Service) {
	policy := save(t, "policy.yaml", "document: webhooks\npolicy: {drift: report}\ncontent: {h: {module: log}}\n")
	h.must(0, "apply", "-f", policy)
	h.ends(0, "instance", "verify")
	byHand(t, first, `{"type":"webhooks","config":{"other":{"module":"kafka"}},"version":"x","source":"somebody"}`)
	contains(t, h.ends(7, "instance", "verify", "hook-1"), "no")
	h.says("drift_reported", "node", "why", "hook-1")
	contains(t, h.must(0, "instance", "sync", "hook-1"), "hook-1", "acked")
	h.must(0, "instance", "verify")

	// The same while the service is away: it reads its file when it starts.
	if err := os.WriteFile(filepath.Join(first.Dir, "webhooks.json"), []byte(`{"another":{"module":"kafka"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	first.Restart(t)
	h.says("drift_reported", "node", "why", "hook-1")
	h.must(0, "instance", "sync", "hook-1")
}

// byHand gives a service a configuration past Drover.
func byHand(t *testing.T, s *pyservice.Service, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/admin/config-update", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+hookToken)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d", body, answer.StatusCode)
	}
}

// losses: one that does not answer is told with its reason, at once.
func losses(t *testing.T, h *hand, second *pyservice.Service, token string) {
	second.Stop()
	contains(t, h.must(7, "instance", "verify"), "unreachable")
	contains(t, h.must(7, "instance", "sync"), "hook-1", "acked", "unreachable", "1 instance not in sync")
	contains(t, h.must(7, "node", "why", "hook-2"), "unreachable", "it keeps what it runs")
	second.Restart(t)
	h.ends(0, "instance", "sync", "hook-2")
	h.must(0, "instance", "set", "hook-2", "--no-token")
	h.says("unauthorized", "node", "why", "hook-2")
	h.must(0, "instance", "set", "hook-2", "--instance-token-file", token, "-l", "site=x")
	contains(t, h.must(0, "instance", "list", "site=x", "-o", "name"), "hook-2")
	h.ends(0, "instance", "verify", "hook-2")
}

// discovers: a file names instances; one that it names no more is marked.
func discovers(t *testing.T, h *hand, first *pyservice.Service, token string) {
	h.must(0, "instance", "remove", "hook-1", "--yes")
	list := filepath.Join(h.dir, "lab.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("- {id: lab-1, url: " + first.URL + "}\n- {id: lab-2, url: 'http://127.0.0.1:9'}\n")
	h.must(3, "discovery", "add", "lab", "--file", "/etc/passwd")
	h.must(0, "discovery", "add", "lab", "--file", "lab.yaml", "--interval", "5s", "--instance-token-file", token)
	h.says("lab-2", "instance", "list", "source=lab", "-o", "name")
	h.ends(0, "instance", "verify", "lab-1")
	write("- {id: lab-1, url: " + first.URL + "}\n")
	h.says("lab-2", "instance", "list", "gone=true", "-o", "name")
	contains(t, h.must(7, "node", "why", "lab-2"), "does not find it since")
	contains(t, h.must(0, "discovery", "list"), "lab.yaml", "file")
	h.must(0, "discovery", "remove", "lab")
	contains(t, h.must(0, "instance", "list", "gone=true", "-o", "name"), "lab-1", "lab-2")
	h.must(0, "instance", "remove", "lab-2", "--yes")
}
