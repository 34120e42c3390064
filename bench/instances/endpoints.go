package instances

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/droverhq/drover/bench/load"
	"github.com/droverhq/drover/document"
)

// content is the body of an update, parsed.
type content struct {
	raw     []byte
	size    int    // of the configuration
	kind    string // its type
	hash    string // the version that an instance reports
	sent    string // the version that came with it
	value   string // the member that changes
	entries int
}

// library knows the body that came last, of which most instances get a copy.
type library struct{ latest atomic.Pointer[content] }

func (l *library) parse(body []byte) (*content, error) {
	if c := l.latest.Load(); c != nil && bytes.Equal(c.raw, body) {
		return c, nil
	}
	var in struct {
		Type    string          `json:"type"`
		Config  json.RawMessage `json:"config"`
		Version string          `json:"version"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	hash, err := document.InstanceVersion(in.Config)
	if err != nil {
		return nil, err
	}
	var entries map[string]struct {
		Module string `json:"module"`
		Value  string `json:"value"`
	}
	if err := json.Unmarshal(in.Config, &entries); err != nil {
		return nil, err
	}
	for name, e := range entries {
		if e.Module == "" {
			return nil, fmt.Errorf("%s: '%s' has no module", in.Type, name)
		}
	}
	c := &content{bytes.Clone(body), len(in.Config), in.Type, hash, in.Version, entries[load.HookKey].Value, len(entries)}
	l.latest.Store(c)
	return c, nil
}

// maxBody bounds a request, in bytes.
const maxBody = 4 << 20

// ServeHTTP is the four endpoints.
func (x *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return // the connection is lost
	}
	if x.hangs.Load() {
		x.service.never(r)
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if subtle.ConstantTimeCompare([]byte(token), []byte(x.service.setup.Token)) != 1 {
		answer(w, http.StatusUnauthorized, map[string]any{"detail": "Invalid authentication token"})
		return
	}
	switch r.Method + " " + r.URL.Path {
	case "POST /admin/config-update":
		x.update(w, body)
	case "POST /admin/reload-config":
		answer(w, http.StatusOK, x.outcome("", ""))
	case "GET /admin/instance-info":
		answer(w, http.StatusOK, x.info())
	case "GET /admin/config-version":
		answer(w, http.StatusOK, x.versions())
	default:
		answer(w, http.StatusNotFound, map[string]any{"detail": "Not Found"})
	}
}

func (x *instance) update(w http.ResponseWriter, body []byte) {
	c, err := x.service.known.parse(body)
	if err != nil {
		answer(w, http.StatusBadRequest, x.outcome(err.Error(), ""))
		return
	}
	x.mu.Lock()
	x.held[c.kind], x.last = c, time.Now()
	x.mu.Unlock()
	answer(w, http.StatusOK, x.outcome("", c.sent))
	x.service.took(x, c)
}

func (x *instance) outcome(reason, version string) map[string]any {
	out := map[string]any{
		"status": "success", "error": nil, "details": nil, "timestamp": time.Now().UTC().Format(time.RFC3339Nano),
		"instance_id": x.name, "version": version,
	}
	if reason != "" {
		out["status"], out["error"] = "error", reason
	}
	return out
}

func (x *instance) holds() (map[string]*content, string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return maps.Clone(x.held), x.last.UTC().Format(time.RFC3339Nano)
}

func (x *instance) info() map[string]any {
	held, last := x.holds()
	out := map[string]any{
		"instance_id": x.name, "hostname": "localhost", "version": "1.4.0", "uptime_seconds": 1, "last_reload": last,
		"webhooks_count": 0, "connections_count": 0, "config_version": "",
	}
	for kind, c := range held {
		out[kind+"_count"], out["config_version"] = c.entries, c.hash
	}
	return out
}

func (x *instance) versions() map[string]any {
	held, last := x.holds()
	out := map[string]any{"last_reload": last}
	for kind, c := range held {
		out[kind+"_version"] = c.hash
	}
	return out
}

func answer(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that has gone needs no answer
}
