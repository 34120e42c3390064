package ui

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

const testIndex = `<html><meta property="csp-nonce" nonce="__DROVER_NONCE__"><script nonce="__DROVER_NONCE__"></script></html>`

func built() *handler {
	return newHandler(fstest.MapFS{
		".gitkeep":                 {},
		"index.html":               {Data: []byte(testIndex)},
		"favicon.svg":              {Data: []byte("<svg/>")},
		"licenses/inter.txt":       {Data: []byte("OFL")},
		"assets/index-abc.js":      {Data: []byte("plain script")},
		"assets/index-abc.js.br":   {Data: []byte("brotli script")},
		"assets/index-abc.js.gz":   {Data: []byte("gzip script")},
		"assets/inter-abc.woff2":   {Data: []byte("font")},
		"assets/small-abc.css":     {Data: []byte("p{}")},
		"assets/unknown-abc.blorp": {Data: []byte("?")},
	})
}

func ask(h http.Handler, method, path string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(b.String(), "\r\n\r\n")
	return text
}

func TestEveryPageGetsTheIndex(t *testing.T) {
	h := built()
	for _, path := range []string{
		"/", "/login", "/documents", "/documents/routing%2Fcore", "/documents/vpn.v2%2Ftunnels.eu",
		"/documents/a%2Fb/compare?from=1&to=2", "/pushes/1.7?status=dead_letter", "/nodes/edge-1.fra", "/favicon.ico",
	} {
		r := ask(h, http.MethodGet, path)
		if r.StatusCode != http.StatusOK || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: status %d, type %s", path, r.StatusCode, r.Header.Get("Content-Type"))
		}
		if r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: a page with a nonce must not be cached, got %q", path, r.Header.Get("Cache-Control"))
		}
	}
}

func TestNonceIsFreshAndTheSameInPolicyAndPage(t *testing.T) {
	h := built()
	seen := map[string]bool{}
	for range 20 {
		r := ask(h, http.MethodGet, "/")
		csp := r.Header.Get("Content-Security-Policy")
		_, rest, _ := strings.Cut(csp, "'nonce-")
		nonce, _, _ := strings.Cut(rest, "'")
		if len(nonce) < 22 {
			t.Fatalf("a nonce of at least 128 bits expected in %q", csp)
		}
		page := body(t, r)
		if strings.Contains(page, noncePlaceholder) {
			t.Fatal("the placeholder was left in the page")
		}
		if strings.Count(page, `nonce="`+nonce+`"`) != 2 {
			t.Fatalf("the page does not carry the policy's nonce: %s", page)
		}
		if seen[nonce] {
			t.Fatal("a nonce came twice")
		}
		seen[nonce] = true
	}
}

func TestPolicyAllowsNothingFromElsewhere(t *testing.T) {
	csp := ask(built(), http.MethodGet, "/").Header.Get("Content-Security-Policy")
	for _, want := range []string{
		"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "connect-src 'self'",
		"img-src 'self'", "font-src 'self'", "script-src 'self' 'nonce-", "style-src 'self' 'nonce-",
	} {
		if !strings.Contains(csp, want) {
			t.Errorf("%q is missing in %q", want, csp)
		}
	}
	for _, bad := range []string{"unsafe-inline", "unsafe-eval", "*", "data:", "http:", "https:"} {
		if strings.Contains(csp, bad) {
			t.Errorf("%q must not be in %q", bad, csp)
		}
	}
}

func TestAssetsAreCachedForEverAndCompressed(t *testing.T) {
	h := built()
	for _, c := range []struct{ accept, encoding, want string }{
		{"gzip, deflate, br", "br", "brotli script"},
		{"gzip", "gzip", "gzip script"},
		{"gzip, br;q=0", "gzip", "gzip script"},
		{"GZIP;q=0.5", "gzip", "gzip script"},
		{"br;q=0, gzip;q=0.0", "", "plain script"},
		{"brotli", "", "plain script"},
		{"", "", "plain script"},
	} {
		r := ask(h, http.MethodGet, "/assets/index-abc.js", "Accept-Encoding", c.accept)
		if r.Header.Get("Content-Encoding") != c.encoding || body(t, r) != c.want {
			t.Errorf("Accept-Encoding %q: got encoding %q", c.accept, r.Header.Get("Content-Encoding"))
		}
		if r.Header.Get("Cache-Control") != cacheForever || r.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: caching headers %v", c.accept, r.Header)
		}
		if r.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
			t.Errorf("type %q", r.Header.Get("Content-Type"))
		}
	}
}

func TestFilesBesideTheIndexAreRevalidated(t *testing.T) {
	h := built()
	r := ask(h, http.MethodGet, "/favicon.svg")
	if r.Header.Get("Cache-Control") != "no-cache" || r.Header.Get("Content-Type") != "image/svg+xml" {
		t.Fatalf("headers %v", r.Header)
	}
	again := ask(h, http.MethodGet, "/favicon.svg", "If-None-Match", r.Header.Get("ETag"))
	if again.StatusCode != http.StatusNotModified {
		t.Fatalf("status %d for the known ETag", again.StatusCode)
	}
}

func TestPathsThatAreNoPages(t *testing.T) {
	h := built()
	for _, path := range []string{"/assets/gone-123.js", "/api/v1/forgotten", "/agent/v1/nothing", "/assets/"} {
		if r := ask(h, http.MethodGet, path); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", path, r.StatusCode)
		}
	}
	for _, path := range []string{"/.gitkeep", "/index.html", "/assets/index-abc.js.br"} {
		r := ask(h, http.MethodGet, path)
		if text := body(t, r); r.StatusCode == http.StatusOK && strings.Contains(text, noncePlaceholder) {
			t.Errorf("%s served the raw page", path)
		}
	}
}

func TestOnlyReadsAreServed(t *testing.T) {
	r := ask(built(), http.MethodPost, "/documents")
	if r.StatusCode != http.StatusMethodNotAllowed || r.Header.Get("Allow") != "GET, HEAD" {
		t.Fatalf("status %d, allow %q", r.StatusCode, r.Header.Get("Allow"))
	}
	head := ask(built(), http.MethodHead, "/assets/index-abc.js")
	if head.Header.Get("Content-Length") != "12" || head.StatusCode != http.StatusOK {
		t.Fatalf("HEAD: %d %v", head.StatusCode, head.Header)
	}
}

func TestUnbuiltInterfaceSaysHowToBuildIt(t *testing.T) {
	h := newHandler(fstest.MapFS{".gitkeep": {}})
	r := ask(h, http.MethodGet, "/documents")
	text := body(t, r)
	if r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(text, "make build") {
		t.Fatalf("status %d: %s", r.StatusCode, text)
	}
	if !strings.Contains(r.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatal("the page that is not built has no policy")
	}
}

func TestEmbeddedInterfaceIsServed(t *testing.T) {
	r := ask(Handler(), http.MethodGet, "/")
	if r.StatusCode != http.StatusOK && r.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("status %d", r.StatusCode)
	}
	if text := body(t, r); strings.Contains(text, noncePlaceholder) {
		t.Fatal("the placeholder was left in the embedded page")
	}
}
