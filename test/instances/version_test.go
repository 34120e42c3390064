package instances

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/internal/pyservice"
)

// shared reads a file of the test data beside the repository.
func shared(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "webhook-service", name))
	if err != nil {
		t.Fatalf("the test data is missing, expected in ../shared/data beside the repository: %v", err)
	}
	return text
}

// call sends one request to a service and decodes the answer.
func call(t *testing.T, s *pyservice.Service, method, path string, body []byte) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequest(method, s.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatalf("%s %s: %d %s: %v", method, path, resp.StatusCode, text, err)
	}
	return resp.StatusCode, out
}

// reported pushes a text as it is, and returns the version that the service
// reports after it.
func reported(t *testing.T, s *pyservice.Service, target string, config []byte) any {
	t.Helper()
	body := fmt.Appendf(nil, `{"type":%q,"config":%s,"version":"1","source":"drover"}`, target, config)
	if status, out := call(t, s, http.MethodPost, "/admin/config-update", body); status != http.StatusOK || out["status"] != "success" {
		t.Fatalf("config-update of %.200s: %d %v", config, status, out)
	}
	_, out := call(t, s, http.MethodGet, "/admin/config-version", nil)
	return out[target+"_version"]
}

func TestAServiceReportsTheVersionThatDroverComputes(t *testing.T) {
	var vectors []struct{ Input string }
	if err := json.Unmarshal(shared(t, "version_hash_vectors.json"), &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) < 30 {
		t.Fatalf("only %d vectors", len(vectors))
	}
	s := pyservice.Start(t, 1, pyservice.Options{})[0]
	for _, v := range vectors {
		config := fmt.Appendf(nil, `{"hook":{"module":"log","value":%s}}`, v.Input)
		want, err := document.InstanceVersion(config)
		if err != nil {
			t.Errorf("%s: %v", config, err)
			continue
		}
		if got := reported(t, s, "webhooks", config); got != want {
			t.Errorf("%s: the service reports %v, Drover computes %s", config, got, want)
		}
	}
}

// The hash is taken after variables are put in: the two agree where there are
// none, and only there.
func TestPlaceholdersAreWhyVersionsDiffer(t *testing.T) {
	s := pyservice.Start(t, 1, pyservice.Options{Env: []string{"HOST=db.example.com"}})[0]
	for _, c := range []struct {
		target string
		config []byte
		same   bool
	}{
		{"webhooks", shared(t, "webhooks.json"), false},
		{"connections", shared(t, "connections.json"), false},
		{"connections", []byte(`{"db":{"type":"postgresql","host":"{$HOST}"}}`), false},
		{"connections", []byte(`{"db":{"type":"postgresql","host":"{$HOST:db}:{$PORT:5432}"}}`), false},
		{"connections", []byte(`{"db":{"type":"postgresql","host":"db.example.com"}}`), true},
		{"connections", []byte(`{"db":{"type":"postgresql","host":"{HOST} {$} {$A-B} { $A} {$A"}}`), true},
	} {
		compact, err := document.Compact(c.config, document.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		want, err := document.InstanceVersion(c.config)
		if err != nil {
			t.Fatal(err)
		}
		if got := reported(t, s, c.target, c.config); (got == want) != c.same {
			t.Errorf("%.80s: the service reports %v, Drover computes %s", c.config, got, want)
		}
		if document.HasPlaceholders(compact) == c.same {
			t.Errorf("%.80s: HasPlaceholders is %v", c.config, !c.same)
		}
	}
	filled, err := document.InstanceVersion([]byte(`{"db":{"type":"postgresql","host":"db.example.com:5432"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := reported(t, s, "connections", []byte(`{"db":{"type":"postgresql","host":"{$HOST:db}:{$PORT:5432}"}}`)); got != filled {
		t.Errorf("filled in: the service reports %v, want %s", got, filled)
	}
}
