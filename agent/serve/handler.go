package serve

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"runtime/debug"
	"time"
)

// largeText is the size in bytes from which the memory matters that a content
// takes while it is looked at: it is given back at once, as the next one may be
// a month away, and the machine small.
const largeText = 64 << 10

// reply is what the two calls that change something answer.
type reply struct {
	Status     string   `json:"status"` // success or error
	Error      *string  `json:"error"`
	Details    *details `json:"details"`
	Timestamp  string   `json:"timestamp"`
	InstanceID string   `json:"instance_id"`
	Version    string   `json:"version"` // hash of what is held of the type after the call
}

// details say more of what was done, or of what is wrong.
type details struct {
	Type     string    `json:"type,omitempty"`
	Changed  *bool     `json:"changed,omitempty"`
	Stage    string    `json:"stage,omitempty"`
	Code     string    `json:"code,omitempty"`
	Pointer  string    `json:"pointer,omitempty"` // into the request
	Problems []problem `json:"problems,omitempty"`
	LogTail  string    `json:"log_tail,omitempty"`
	Restored bool      `json:"restored,omitempty"` // the previous content is back
}

// errBusy is answered while an update or a reload runs.
var errBusy = &refusal{status: http.StatusServiceUnavailable, code: codeBusy, message: "Reload already in progress"}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /admin/config-update", s.configUpdate)
	mux.HandleFunc("POST /admin/reload-config", s.reloadConfig)
	mux.HandleFunc("GET /admin/instance-info", s.instanceInfo)
	mux.HandleFunc("GET /admin/config-version", s.configVersion)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, http.StatusNotFound, "there is no "+r.Method+" "+r.URL.Path+" here")
	})
	return s.admit(mux)
}

func (s *Server) configUpdate(w http.ResponseWriter, r *http.Request) {
	select {
	case s.bodies <- struct{}{}:
		defer func() { <-s.bodies }()
	default:
		s.refuse(w, "", &refusal{status: http.StatusServiceUnavailable, code: codeBusy, message: "too many requests at one time"})
		return
	}
	text, err := s.body(w, r, int64(2*s.config.MaxBytes+64<<10))
	var p push
	if err == nil {
		p, err = s.parse(text)
	}
	if err != nil {
		s.refuse(w, "", err)
		return
	}
	if !s.working.TryLock() {
		s.refuse(w, p.target, errBusy)
		return
	}
	defer s.working.Unlock()
	if len(p.content) > largeText {
		defer debug.FreeOSMemory()
	}
	start := time.Now()
	changed, err := s.update(p)
	from, _, _ := net.SplitHostPort(r.RemoteAddr)
	log := s.log.With("target", p.target, "version", p.version, "source", p.source, "from", from,
		"bytes", len(p.content), "ms", time.Since(start).Milliseconds())
	if err != nil {
		log.Warn("an update was refused", "error", err)
		s.refuse(w, p.target, err)
		return
	}
	log.Info("an update was accepted", "changed", changed)
	s.note(p.version, changed)
	s.answer(w, http.StatusOK, reply{Status: "success", Details: &details{Type: p.target, Changed: &changed}, Version: s.disk.version(p.target)})
}

func (s *Server) reloadConfig(w http.ResponseWriter, r *http.Request) {
	if _, err := s.body(w, r, 64<<10); err != nil { // some send {}
		s.refuse(w, "", err)
		return
	}
	if !s.working.TryLock() {
		s.refuse(w, "", errBusy)
		return
	}
	defer s.working.Unlock()
	if err := s.reloadAll(); err != nil {
		s.log.Warn("a reload failed", "error", err)
		s.refuse(w, "", err)
		return
	}
	s.note(readState(s.disk.root).Version, true)
	s.answer(w, http.StatusOK, reply{Status: "success", Version: readState(s.disk.root).Version})
}

// note keeps what instance-info tells. It is for people: an update does not
// fail because of it.
func (s *Server) note(version string, reloaded bool) {
	st := readState(s.disk.root)
	if !reloaded && st.Version == version {
		return
	}
	st.Version = version
	if reloaded {
		st.LastReload = s.now().UTC()
	}
	if err := s.disk.writeState(st); err != nil {
		s.log.Warn("the time of the last reload could not be noted", "error", err)
	}
}

func (s *Server) instanceInfo(w http.ResponseWriter, _ *http.Request) {
	files, err := s.disk.held()
	if err != nil {
		s.refuse(w, "", failWrite(err))
		return
	}
	count := map[string]int{}
	for _, f := range files {
		count[f.Target] = f.Entries
	}
	st := readState(s.disk.root)
	s.answer(w, http.StatusOK, map[string]any{
		"instance_id": s.config.ID, "hostname": s.host, "version": s.version,
		"uptime_seconds": int64(s.now().Sub(s.started).Seconds()),
		"webhooks_count": count["webhooks"], "connections_count": count["connections"],
		"config_version": st.Version, "last_reload": reloaded(st),
	})
}

// configVersion hashes what is on the disk now, so that a change by hand shows.
func (s *Server) configVersion(w http.ResponseWriter, _ *http.Request) {
	files, err := s.disk.held()
	if err != nil {
		s.refuse(w, "", failWrite(err))
		return
	}
	out := map[string]any{"last_reload": reloaded(readState(s.disk.root))}
	broken := map[string]string{}
	for _, f := range files {
		out[f.Target+"_version"] = f.Version
		if f.Error != "" {
			broken[f.Target] = f.Error
		}
	}
	if len(broken) > 0 {
		out["errors"] = broken
	}
	s.answer(w, http.StatusOK, out)
}

func reloaded(st state) any {
	if st.LastReload.IsZero() {
		return nil
	}
	return st.LastReload.Format(time.RFC3339)
}

// refuse answers an error; what is held of the target is told with it.
func (s *Server) refuse(w http.ResponseWriter, target string, err error) {
	f := (*refusal)(nil)
	if !errors.As(err, &f) {
		f = &refusal{status: http.StatusInternalServerError, code: codeWrite, message: err.Error()}
	}
	if f.status == http.StatusServiceUnavailable {
		retryAfter(w, time.Second)
	}
	message := f.Error()
	out := reply{Status: "error", Error: &message, Details: &details{
		Type: target, Stage: f.stage, Code: f.code, Pointer: f.pointer, Problems: f.problems, LogTail: f.tail, Restored: f.restored,
	}}
	if target != "" {
		out.Version = s.disk.version(target)
	}
	s.answer(w, f.status, out)
}

// fail answers an error of a request that was not looked at further.
func (s *Server) fail(w http.ResponseWriter, status int, message string) {
	s.answer(w, status, reply{Status: "error", Error: &message})
}

func (s *Server) answer(w http.ResponseWriter, status int, body any) {
	if r, ok := body.(reply); ok {
		r.Timestamp, r.InstanceID = s.now().UTC().Format(time.RFC3339), s.config.ID
		body = r
	}
	text, err := json.Marshal(body)
	if err != nil {
		status, text = http.StatusInternalServerError, []byte(`{"status":"error","error":"the answer could not be written"}`)
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerTimeout))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the caller may have gone
}
