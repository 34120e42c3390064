package api

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// route is one line of the role table: all that the API serves, and who may.
type route struct {
	method string
	path   string
	need   permission
	// audited routes leave a note in the audit when they are refused.
	audited bool
	// document is true where the path names a document: it must lie within the
	// prefixes of the caller.
	document bool
	handle   func(*Server, *call) error
}

// router makes echo serve a role table.
func (s *Server) router(table []route) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Logger.SetOutput(discard{})
	e.IPExtractor = s.addressOf()
	e.HTTPErrorHandler = func(err error, ec echo.Context) {
		c := s.callOf(ec)
		s.refuse(c, notRouted(e, c, err))
	}
	e.Pre(s.begin)
	for i := range table {
		r := &table[i]
		e.Add(r.method, r.path, func(ec echo.Context) error {
			c := s.callOf(ec)
			c.route = r
			return s.guard(c, func() error { return s.serve(c) })
		})
	}
	return e
}

// notRouted tells a path that there is not from one that takes other methods:
// the UI's route makes every path one that takes GET.
func notRouted(e *echo.Echo, c *call, err error) error {
	path := c.Request().URL.RawPath
	ours := path == "/api" || path == "/agent" || strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/agent/")
	if c.route != nil && c.route.path != anyPath || !ours || !errors.Is(err, echo.ErrNotFound) && !errors.Is(err, echo.ErrMethodNotAllowed) {
		return err
	}
	var takes []string
	for _, method := range []string{get, post, put, patch, remove} {
		found := e.NewContext(nil, nil)
		e.Router().Find(method, path, found)
		if p := found.Path(); p != anyPath && slices.ContainsFunc(e.Routes(), func(r *echo.Route) bool { return r.Method == method && r.Path == p }) {
			takes = append(takes, method)
		}
	}
	if len(takes) > 0 {
		c.Response().Header().Set("Allow", strings.Join(takes, ", "))
		return failure("method_not_allowed", "this path takes %s", strings.Join(takes, ", "))
	}
	c.Response().Header().Del("Allow")
	return failure(codeNotFound, `there is nothing at this path; /api/v1/openapi.json lists what there is. A "/" in a name is sent as %%2F`)
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// callKey is where echo's context keeps ours.
const callKey = "drover.call"

func (s *Server) callOf(ec echo.Context) *call { return ec.Get(callKey).(*call) }

// begin runs before routing: it makes the call, and has every answer carry
// the request id and the index that it was made at.
func (s *Server) begin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ec echo.Context) error {
		c := &call{Context: ec, id: requestID(ec.Request())}
		ec.Set(callKey, c)
		began := s.now()
		h := ec.Response().Header()
		h.Set("X-Request-Id", c.id)
		secure(h, s.overTLS(ec.Request()))
		ec.Response().Before(func() { s.stamp(c) })
		err := plainPath(ec.Request())
		if err == nil {
			err = next(ec)
		}
		if err != nil {
			ec.Error(err)
		}
		s.finish(c, began)
		return nil
	}
}

// maxPath is the longest path in bytes, as it is sent.
const maxPath = 2000

// plainPath refuses paths whose parts could not be names of anything, and must
// not come into a command or the audit.
func plainPath(r *http.Request) error {
	switch {
	case len(r.URL.RawPath) > maxPath:
		return failure(codeBadRequest, "the path has %d bytes, %d are allowed", len(r.URL.RawPath), maxPath)
	case !utf8.ValidString(r.URL.Path):
		return failure(codeBadRequest, "the path is not UTF-8")
	}
	return nil
}

// stamp writes what the answer tells of the state.
func (s *Server) stamp(c *call) {
	if c.at.Epoch == 0 {
		c.at = s.position()
	}
	h := c.Response().Header()
	h.Set("Drover-Index", formatPosition(c.at))
	if c.route != nil && unsafe(c.route.method) {
		return
	}
	if st := s.deps.Control.Standing(); st.Leader == "" {
		h.Set("Drover-Stale", strconv.Itoa(int(s.now().Sub(st.Since)/time.Second)))
	}
}

// serve takes a request through the gates in their order, and handles it.
func (s *Server) serve(c *call) error {
	if err := s.admit(c); err != nil {
		return err
	}
	if c.route.need != permPublic {
		if err := s.consistent(c); err != nil {
			return err
		}
	}
	return c.route.handle(s, c)
}

// admit decides who asks, and whether it may.
func (s *Server) admit(c *call) error {
	r := c.Request()
	p, found, err := s.proofOf(r)
	byCookie := found && p.kind == "user"
	if unsafe(r.Method) && (byCookie || c.route.path == loginPath) {
		if s.origin.Check(r) != nil {
			return failure("cross_origin", "a page of another origin asked for this; nothing was done")
		}
	}
	if c.route.need == permPublic {
		return nil
	}
	switch {
	case err != nil:
		return err
	case !found:
		return errUnauthorized
	}
	if c.who, err = s.identify(c, p); err != nil {
		return err
	}
	if err := s.limits.request(c.who.key(), s.now()); err != nil {
		return err
	}
	s.idle.touch(c.who, s.now())
	return s.authorize(c)
}

func (s *Server) authorize(c *call) error {
	need := c.route.need
	if need != permSession && !c.who.role.has(need) {
		s.noteDenied(c)
		return failure(codeForbidden, "%s %q is %s; this needs the permission %s, which %s has",
			c.who.kind, c.who.name, article(c.who.role), need, article(grants[need]))
	}
	if c.route.document {
		return s.mayTouch(c, c.segment("name"))
	}
	return nil
}

// mayTouch refuses documents outside of the caller's prefixes.
func (s *Server) mayTouch(c *call, names ...string) error {
	for _, name := range names {
		if !covers(c.who.prefixes, name) {
			s.noteDenied(c)
			return failure(codeForbidden, "document %q is outside of the prefixes of %s %q: %s",
				clip(name, 200), c.who.kind, c.who.name, strings.Join(c.who.prefixes, ", "))
		}
	}
	return nil
}

func article(r role) string {
	switch r {
	case roleNone:
		return "nothing"
	case roleViewer:
		return "a viewer"
	}
	return "an " + r.String()
}

func unsafe(method string) bool {
	return method != http.MethodGet && method != http.MethodHead && method != http.MethodOptions
}

// outermost has the router see every path as it was sent, and HEAD as GET.
func (s *Server) outermost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := *r
		u := *r.URL
		u.RawPath = r.URL.EscapedPath()
		q.URL = &u
		if r.Method == http.MethodHead && r.URL.Path != eventsPath { // which has no end
			q.Method = http.MethodGet
		}
		next.ServeHTTP(w, &q)
	})
}

// addressOf tells the client's address: the connection's, unless a trusted
// proxy says whom it speaks for.
func (s *Server) addressOf() echo.IPExtractor {
	if len(s.config.TrustedProxies) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, p := range s.config.TrustedProxies {
		trust = append(trust, echo.TrustIPRange(ipNet(p)))
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}

// overTLS tells whether the client's connection is encrypted: to us, or to a
// trusted proxy that says so.
func (s *Server) overTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || r.Header.Get("X-Forwarded-Proto") != "https" {
		return false
	}
	for _, p := range s.config.TrustedProxies {
		if p.Contains(peer.Addr().Unmap()) {
			return true
		}
	}
	return false
}
