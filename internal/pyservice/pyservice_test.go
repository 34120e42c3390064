package pyservice

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const token = "s3cret"

// ask sends one request and returns the status and the members of the answer.
func ask(t *testing.T, s *Service, method, path, authorization string, body any) (int, map[string]any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(method, s.URL+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(answer, &out); err != nil {
		t.Fatalf("%s %s answers %d %s: %v", method, path, resp.StatusCode, answer, err)
	}
	return resp.StatusCode, out
}

func update(t *testing.T, s *Service, target, config string) (int, map[string]any) {
	t.Helper()
	return ask(t, s, http.MethodPost, "/admin/config-update", "Bearer "+token, map[string]any{
		"type": target, "config": json.RawMessage(config), "version": "7", "source": "drover",
	})
}

func versions(t *testing.T, s *Service) map[string]any {
	t.Helper()
	status, out := ask(t, s, http.MethodGet, "/admin/config-version", token, nil)
	if status != http.StatusOK {
		t.Fatalf("config-version answers %d %v", status, out)
	}
	return out
}

func TestAServiceTakesAnUpdateAndKeepsItAcrossARestart(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "connections.json"), []byte(`{"redis":{"type":"redis-rq","port":6379}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := Start(t, 1, Options{Dir: dir, Token: token, Env: []string{"HOST=db.example.com"}})[0]
	_, info := ask(t, s, http.MethodGet, "/admin/instance-info", token, nil)
	for key, want := range map[string]any{"instance_id": "hook-1", "version": "1.4.0", "webhooks_count": 0., "connections_count": 1.} {
		if info[key] != want {
			t.Errorf("instance-info: %s is %v, want %v", key, info[key], want)
		}
	}
	for _, key := range []string{"hostname", "uptime_seconds", "config_version", "last_reload"} {
		if info[key] == nil {
			t.Errorf("instance-info has no %s: %v", key, info)
		}
	}

	status, out := update(t, s, "webhooks", `{"b":{"module":"log"},"a":{"chain":["{$HOST}:{$PORT:5432}","ä",1e16]}}`)
	if status != http.StatusOK || out["status"] != "success" || out["error"] != nil || out["instance_id"] != "hook-1" || out["version"] != "7" || out["timestamp"] == nil {
		t.Fatalf("config-update answers %d %v", status, out)
	}
	// python3 -c 'import json,hashlib; print(hashlib.sha256(json.dumps({"b":{"module":"log"},"a":{"chain":["db.example.com:5432","ä",1e16]}}, sort_keys=True).encode()).hexdigest()[:16])'
	const want = "5b18dd038023dfaf"
	if v := versions(t, s); v["webhooks_version"] != want || v["last_reload"] == nil || v["connections_version"] == nil {
		t.Errorf("config-version answers %v, want webhooks_version %s", v, want)
	}
	if text := s.File(t, "webhooks"); !strings.Contains(text, "{$HOST}:{$PORT:5432}") {
		t.Errorf("the file lost its placeholders: %s", text)
	}
	url := s.URL
	s.Restart(t)
	if s.URL != url || versions(t, s)["webhooks_version"] != want {
		t.Errorf("after a restart: %s (was %s), %v", s.URL, url, versions(t, s))
	}
}

func TestARefusalIsWrittenFirstAndTheServiceBusyAfterIt(t *testing.T) {
	s := Start(t, 1, Options{Token: token, Busy: 1500 * time.Millisecond})[0]
	const good = `{"a":{"module":"log"}}`
	if status, out := update(t, s, "webhooks", good); status != http.StatusOK {
		t.Fatal(status, out)
	}
	before := versions(t, s)["webhooks_version"]
	status, out := update(t, s, "webhooks", `{"a":{"modul":"log"}}`)
	if text, _ := out["error"].(string); status != http.StatusBadRequest || out["status"] != "error" || !strings.Contains(text, "Validation failed: webhooks: 'a'") {
		t.Errorf("a webhook without a module: %d %v", status, out)
	}
	if !strings.Contains(s.File(t, "webhooks"), "modul\"") || versions(t, s)["webhooks_version"] != before {
		t.Errorf("the refused file is not there, or runs: %s", s.File(t, "webhooks"))
	}
	if status, out = update(t, s, "webhooks", good); status != http.StatusBadRequest || out["error"] != "Reload already in progress" {
		t.Errorf("right after a refusal: %d %v", status, out)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); ; <-tick.C {
		if status, out = update(t, s, "webhooks", good); status == http.StatusOK {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("busy for ever: %d %v", status, out)
		}
	}
}

func TestWhatIsNoConfigurationIsRefused(t *testing.T) {
	s := Start(t, 1, Options{Token: token, Modules: []string{"log", "kafka"}})[0]
	for name, c := range map[string]struct{ target, config, reason string }{
		"an empty object":           {"webhooks", `{}`, "at least one"},
		"a connection without type": {"connections", `{"c":{"host":"h"}}`, "'c' is missing required field 'type'"},
		"an entry that is a text":   {"connections", `{"c":"h"}`, "'c' must be an object"},
		"an unknown module":         {"webhooks", `{"a":{"module":"log"},"b":{"module":"karfka"}}`, "'b': module 'karfka' is not installed"},
		"an array":                  {"webhooks", `[1]`, "must be an object"},
		"an unknown type":           {"routes", `{"a":{}}`, "type must be one of"},
	} {
		status, out := update(t, s, c.target, c.config)
		if text, _ := out["error"].(string); status != http.StatusBadRequest || !strings.Contains(text, c.reason) {
			t.Errorf("%s: %d %v", name, status, out)
		}
	}
	// What was written last is none: a reload from disk says so.
	status, out := ask(t, s, http.MethodPost, "/admin/reload-config", token, map[string]any{"reload_connections": false})
	if status != http.StatusBadRequest || out["status"] != "error" {
		t.Errorf("reload-config of a bad file: %d %v", status, out)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, "webhooks.json"), []byte(`{"a":{"module":"log"},"b":{"module":"log"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out = ask(t, s, http.MethodPost, "/admin/reload-config", token, map[string]any{"reload_connections": false})
	if details, _ := out["details"].(map[string]any); status != http.StatusOK || details["total_webhooks"] != 2. {
		t.Errorf("reload-config: %d %v", status, out)
	}
}

func TestTheTokenIsTakenBareOrBehindBearer(t *testing.T) {
	both := append(Start(t, 1, Options{Token: token}), Start(t, 1, Options{ID: "open", Token: token, OpenInfo: true})...)
	for _, s := range both {
		for _, path := range []string{"/admin/instance-info", "/admin/config-version", "/admin/config-update", "/admin/reload-config"} {
			method, open := http.MethodPost, false
			if strings.HasSuffix(path, "info") || strings.HasSuffix(path, "version") {
				method, open = http.MethodGet, s.OpenInfo
			}
			for _, authorization := range []string{"", "wrong", "Bearer wrong", "Basic " + token} {
				if status, _ := ask(t, s, method, path, authorization, nil); (status == http.StatusUnauthorized) == open {
					t.Errorf("%s %s with %q answers %d", s.ID, path, authorization, status)
				}
			}
			for _, authorization := range []string{token, "Bearer " + token} {
				if status, _ := ask(t, s, method, path, authorization, nil); status == http.StatusUnauthorized {
					t.Errorf("%s %s with %q answers 401", s.ID, path, authorization)
				}
			}
		}
	}
}

func TestServicesAreProcessesOfTheirOwn(t *testing.T) {
	both := Start(t, 2, Options{ID: "svc"})
	if both[0].ID != "svc-1" || both[1].ID != "svc-2" || both[0].Dir == both[1].Dir || both[0].PID() == both[1].PID() {
		t.Fatalf("not apart: %+v", both)
	}
	both[0].Pause(t)
	if err := both[1].probe(); err != nil {
		t.Errorf("a paused service stops another one: %v", err)
	}
	both[0].Resume(t)
	if err := both[0].probe(); err != nil {
		t.Errorf("after Resume: %v", err)
	}
	both[0].Stop()
	if err := syscall.Kill(both[0].PID(), 0); err == nil {
		t.Errorf("process %d is still there", both[0].PID())
	}
	if err := both[0].probe(); err == nil {
		t.Error("a stopped service answers")
	}
}
