package badinstance

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// call is one request that is being answered.
type call struct {
	server    *Server
	w         http.ResponseWriter
	r         *http.Request
	req       Request
	id        string // instance_id of the answer
	malformed error
	closing   <-chan struct{} // closed when the answer no longer matters
}

// good answers as an instance should.
func (c *call) good() {
	switch c.req.Method + " " + c.req.Path {
	case "POST " + Update:
		if c.allowed(false) {
			c.update()
		}
	case "GET " + Info:
		if c.allowed(true) {
			c.info()
		}
	case "GET " + Version:
		if c.allowed(true) {
			c.version()
		}
	case "POST " + Reload:
		if c.allowed(false) {
			c.reload()
		}
	default:
		c.json(http.StatusNotFound, map[string]string{"detail": "Not Found"})
	}
}

func (c *call) allowed(open bool) bool {
	token := strings.TrimPrefix(c.req.Authorization, "Bearer ")
	if open && c.server.OpenInfo || subtle.ConstantTimeCompare([]byte(token), []byte(c.server.Token)) == 1 || c.server.Token == "" {
		return true
	}
	c.json(http.StatusUnauthorized, map[string]string{"detail": "Invalid authentication token"})
	return false
}

// update writes, checks, and then runs, in this order.
func (c *call) update() {
	p := c.req.Update
	if c.malformed != nil || p.Type == "" || len(p.Config) == 0 {
		c.outcome(http.StatusBadRequest, "the body is no update")
		return
	}
	c.write()
	if reason := check(p.Type, p.Config); reason != "" {
		c.outcome(http.StatusBadRequest, "Validation failed: "+reason)
		return
	}
	c.run()
	c.outcome(http.StatusOK, "")
}

func (c *call) write() {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.written[c.req.Update.Type] = c.req.Update.Config
	s.wake()
}

func (c *call) run() {
	s := c.server
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.running[c.req.Update.Type], s.state.reloaded = c.req.Update.Config, time.Now()
	s.wake()
}

// reload runs what was written.
func (c *call) reload() {
	s := c.server
	s.mu.Lock()
	reason := ""
	for target, config := range s.state.written {
		if reason = check(target, config); reason != "" {
			break
		}
		s.state.running[target], s.state.reloaded = config, time.Now()
	}
	s.wake()
	s.mu.Unlock()
	if reason != "" {
		c.outcome(http.StatusBadRequest, "Validation failed: "+reason)
		return
	}
	c.outcome(http.StatusOK, "")
}

// check says why a configuration cannot be run, "" if it can. Targets that no
// such service has may be any object that is not empty.
func check(target string, config []byte) string {
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(config, &entries); err != nil || len(entries) == 0 {
		return target + " must be an object with at least one entry"
	}
	need := map[string][]string{"webhooks": {"module", "chain"}, "connections": {"type"}}[target]
	for name, text := range entries {
		var entry map[string]any
		if err := json.Unmarshal(text, &entry); len(need) > 0 && err != nil {
			return fmt.Sprintf("%s: '%s' must be an object", target, name)
		}
		if len(need) > 0 && !slices.ContainsFunc(need, func(field string) bool { return entry[field] != nil }) {
			return fmt.Sprintf("%s: '%s' has no %s", target, name, strings.Join(need, " or "))
		}
	}
	return ""
}

func (c *call) info() {
	versions, st, err := c.server.held()
	if err != nil {
		c.json(http.StatusInternalServerError, map[string]string{"detail": err.Error()})
		return
	}
	count := func(target string) int {
		var entries map[string]any
		_ = json.Unmarshal(st.running[target], &entries) // nothing held is nothing counted
		return len(entries)
	}
	c.json(http.StatusOK, map[string]any{
		"instance_id": c.id, "hostname": "localhost", "version": "1.4.0", "uptime_seconds": time.Since(c.server.started).Seconds(),
		"webhooks_count": count("webhooks"), "connections_count": count("connections"),
		"config_version": versions["webhooks"], "last_reload": moment(st.reloaded),
	})
}

func (c *call) version() {
	versions, st, err := c.server.held()
	if err != nil {
		c.json(http.StatusInternalServerError, map[string]string{"detail": err.Error()})
		return
	}
	out := map[string]any{"last_reload": moment(st.reloaded)}
	for target, v := range versions {
		out[target+"_version"] = v
	}
	c.json(http.StatusOK, out)
}

func moment(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// outcome answers an update or a reload.
func (c *call) outcome(status int, reason string) {
	out := map[string]any{
		"status": "success", "error": nil, "details": nil, "timestamp": time.Now().UTC().Format(time.RFC3339Nano),
		"instance_id": c.id, "version": c.req.Update.Version,
	}
	if reason != "" {
		out["status"], out["error"] = "error", reason
	}
	c.json(status, out)
}

func (c *call) json(status int, body any) {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_ = json.NewEncoder(c.w).Encode(body) // a client that has gone needs no answer
}
