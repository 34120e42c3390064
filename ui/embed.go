package ui

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed all:dist
var dist embed.FS

// noncePlaceholder stands in index.html wherever the nonce of an answer belongs.
const noncePlaceholder = "__DROVER_NONCE__"

const (
	cacheForever = "public, max-age=31536000, immutable"
	cacheNever   = "no-store"
	cacheAsk     = "no-cache"
)

// unbuilt is shown when the program was built without the interface.
const unbuilt = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Drover</title></head><body>
<h1>The web interface is not in this build</h1>
<p>This program was built before its interface. Build both with</p>
<pre>make build</pre>
<p>or, by hand, in the folder <code>ui</code>: <code>npm ci &amp;&amp; npm run build</code>, then build the program again.
The API under <code>/api/v1</code> and the command line work without it.</p>
</body></html>
`

// file is one embedded file with the forms it can be sent in. Its content stays in the program: a copy of every file
// would be megabytes of memory for nothing.
type file struct {
	name         string
	gzip, brotli bool
	contentType  string
	etag         string
}

// handler serves one built interface. It is immutable.
type handler struct {
	root  fs.FS
	index []byte
	files map[string]file // by path, "/assets/…"
	built bool
}

// Handler serves the embedded interface: the files under /assets/, those beside index.html, and index.html for every
// other path, whatever dots it contains (document names have them). Only GET and HEAD are answered. Paths under /api/
// and /agent/ get 404, so that a route the caller forgot never looks like a page.
func Handler() http.Handler {
	root, err := fs.Sub(dist, "dist")
	if err != nil {
		// fs.Sub fails on an invalid path only, and this one is a constant.
		panic(err)
	}
	return newHandler(root)
}

func newHandler(root fs.FS) *handler {
	h := &handler{root: root, files: map[string]file{}}
	index, err := fs.ReadFile(root, "index.html")
	if err != nil {
		h.index = []byte(unbuilt)
		return h
	}
	h.built = true
	h.index = index
	names := allNames(root)
	for name := range names {
		if strings.HasSuffix(name, ".br") || strings.HasSuffix(name, ".gz") {
			continue
		}
		if sum, err := sumOf(root, name); err == nil {
			h.files["/"+name] = file{
				name: name, brotli: names[name+".br"], gzip: names[name+".gz"], contentType: contentType(name), etag: sum,
			}
		}
	}
	delete(h.files, "/index.html")
	return h
}

// allNames finds every file but those whose name begins with a dot.
func allNames(root fs.FS) map[string]bool {
	found := map[string]bool{}
	_ = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			found[name] = true
		}
		return nil
	})
	return found
}

// sumOf names a content. An embedded file system cannot fail to be read; a file that does is left out and answered
// with 404.
func sumOf(root fs.FS, name string) (string, error) {
	content, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer content.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, content); err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:12]), nil
}

// contentType does not ask the machine's MIME tables, which differ; browsers are told not to sniff.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".json", ".map":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".ico":
		return "image/x-icon"
	case ".woff2":
		return "font/woff2"
	case ".txt", ".md":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD are served here", http.StatusMethodNotAllowed)
		return
	}
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	if f, ok := h.files[r.URL.Path]; ok {
		h.serveFile(w, r, f)
		return
	}
	for _, prefix := range []string{"/assets/", "/api/", "/agent/"} {
		if strings.HasPrefix(r.URL.Path, prefix) {
			http.Error(w, "there is nothing at this path", http.StatusNotFound)
			return
		}
	}
	h.servePage(w, r)
}

func (h *handler) serveFile(w http.ResponseWriter, r *http.Request, f file) {
	header := w.Header()
	header.Set("Content-Type", f.contentType)
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("Cache-Control", cacheAsk)
	if strings.HasPrefix(r.URL.Path, "/assets/") {
		// Vite puts a hash of the content into these names.
		header.Set("Cache-Control", cacheForever)
	}
	name, encoding := f.name, ""
	if f.brotli || f.gzip {
		header.Set("Vary", "Accept-Encoding")
		name, encoding = f.choose(r.Header.Get("Accept-Encoding"))
	}
	etag := `"` + f.etag + encoding + `"`
	header.Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.sendFile(w, r, name, encoding)
}

func (h *handler) sendFile(w http.ResponseWriter, r *http.Request, name, encoding string) {
	content, err := h.root.Open(name)
	if err != nil { // it was there when the handler was made
		http.Error(w, "the file cannot be read", http.StatusInternalServerError)
		return
	}
	defer content.Close()
	info, err := content.Stat()
	if err != nil {
		http.Error(w, "the file cannot be read", http.StatusInternalServerError)
		return
	}
	if encoding != "" {
		w.Header().Set("Content-Encoding", encoding)
	}
	w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
	if r.Method != http.MethodHead {
		_, _ = io.Copy(w, content) // a client that went away is no error of this side
	}
}

// choose picks the smallest form that the client takes.
func (f file) choose(accepted string) (name, encoding string) {
	if f.brotli && accepts(accepted, "br") {
		return f.name + ".br", "br"
	}
	if f.gzip && accepts(accepted, "gzip") {
		return f.name + ".gz", "gzip"
	}
	return f.name, ""
}

// accepts reads an Accept-Encoding header (RFC 9110, 12.5.3) as far as naming a coding, or refusing it by q=0, goes.
func accepts(header, coding string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, parameters, _ := strings.Cut(part, ";")
		if !strings.EqualFold(strings.TrimSpace(name), coding) {
			continue
		}
		quality, found := strings.CutPrefix(strings.TrimSpace(parameters), "q=")
		if !found {
			return true
		}
		q, err := strconv.ParseFloat(quality, 64)
		return err == nil && q > 0
	}
	return false
}

func (h *handler) servePage(w http.ResponseWriter, r *http.Request) {
	nonce := rand.Text()
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Cache-Control", cacheNever)
	header.Set("Content-Security-Policy", policy(nonce))
	if !h.built {
		w.WriteHeader(http.StatusServiceUnavailable)
		if r.Method == http.MethodGet {
			_, _ = w.Write(h.index)
		}
		return
	}
	send(w, r, bytes.ReplaceAll(h.index, []byte(noncePlaceholder), []byte(nonce)))
}

func policy(nonce string) string {
	return strings.Join([]string{
		"default-src 'none'",
		"script-src 'self' 'nonce-" + nonce + "'",
		"style-src 'self' 'nonce-" + nonce + "'",
		"img-src 'self'",
		"font-src 'self'",
		"connect-src 'self'",
		"frame-ancestors 'none'",
		"base-uri 'none'",
		"form-action 'self'",
	}, "; ")
}

func send(w http.ResponseWriter, r *http.Request, body []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodHead {
		return
	}
	// A client that went away is no error of this side.
	_, _ = w.Write(body)
}
