package api

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/labstack/echo/v4"
)

// secure sets the headers of proof.md's security defaults. The UI's handler
// replaces the content security policy by its own, which has a nonce.
func secure(h http.Header, tls bool) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if tls {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// requestID takes a well-formed X-Request-Id (1 to 64 letters, digits, "-",
// "_" and "."), or makes one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > 64 {
		return newRequestID()
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return newRequestID()
		}
	}
	return id
}

func newRequestID() string {
	var raw [12]byte
	_, _ = rand.Read(raw[:])
	return hex.EncodeToString(raw[:])
}

// problemBody is an RFC 9457 problem.
type problemBody struct {
	Type      string    `json:"type"`
	Title     string    `json:"title"`
	Status    int       `json:"status"`
	Code      string    `json:"code"`
	Detail    string    `json:"detail"`
	Pointer   string    `json:"pointer,omitzero"`
	RequestID string    `json:"request_id"`
	Problems  []Problem `json:"problems,omitzero"`
}

// refuse answers with a problem.
func (s *Server) refuse(c *call, err error) {
	e, ours := asError(err)
	if !ours {
		s.log.Error("request failed", "request_id", c.id, "method", c.Request().Method, "path", c.Request().URL.Path, "err", err)
	}
	if c.Response().Committed {
		return
	}
	status := statusOf(e.Code)
	h := c.Response().Header()
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	body, err := json.Marshal(problemBody{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Code: e.Code,
		Detail: e.Detail, Pointer: e.Pointer, RequestID: c.id, Problems: e.Problems,
	}, json.Deterministic(true))
	if err != nil { // strings that are not UTF-8
		body = []byte(`{"type":"about:blank","status":500,"code":"internal","detail":"the error cannot be shown"}`)
	}
	_ = c.Blob(status, "application/problem+json", append(body, '\n'))
}

// finish counts and logs a request that has been answered.
func (s *Server) finish(c *call, began time.Time) {
	status, took := c.Response().Status, s.now().Sub(began)
	s.metrics.request(c.route, status, took)
	level := slog.LevelDebug
	if status >= http.StatusInternalServerError || c.route != nil && unsafe(c.route.method) {
		level = slog.LevelInfo
	}
	s.log.Log(c.ctx(), level, "request", "request_id", c.id, "method", c.Request().Method, "path", clip(c.Request().URL.Path, 300),
		"status", status, "took", took, "actor", c.who.name, "address", c.RealIP())
}

// guard turns a panic of a handler into an answer, once; the program goes on.
func (s *Server) guard(c *call, f func() error) (err error) {
	defer func() {
		cause := recover()
		if cause == nil {
			return
		}
		if abort, ok := cause.(error); ok && errors.Is(abort, http.ErrAbortHandler) {
			panic(cause)
		}
		s.log.Error("a handler panicked", "request_id", c.id, "path", c.Request().URL.Path, "cause", cause, "stack", string(debug.Stack()))
		err = failure(codeInternal, "something went wrong on this controller; its log has the request id")
	}()
	return f()
}

// mounted serves a handler that is not this package's.
func mounted(pick func(*Server) http.Handler) func(*Server, *call) error {
	return func(s *Server, c *call) error {
		h := pick(s)
		if h == nil {
			return echo.ErrNotFound
		}
		h.ServeHTTP(c.Response(), c.Request())
		return nil
	}
}

func ipNet(p netip.Prefix) *net.IPNet {
	p = p.Masked()
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
