package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds of one call.
const (
	dialTimeout    = 3 * time.Second
	answerTimeout  = 10 * time.Second // until the answer begins
	failoverAfter  = 4 * time.Second  // the same, where another address is left to try
	maxBody        = 256 << 20
	patience       = 10 * time.Second // with peers that answer and have no leader
	patienceAbsent = 2 * time.Second  // with peers that do not answer
)

// Config says where the cluster is and who calls. Token or Session may be
// empty.
type Config struct {
	Addrs     []string // base URLs, tried in turn
	Token     string   // an API token
	Session   string   // a login session, as Login returned it
	CA        []byte   // PEM; nil = the system's
	UserAgent string
}

// Client calls one cluster. It may be used by several goroutines.
type Client struct {
	cfg  Config
	http *http.Client
	slow *http.Client // for calls with a Wait: bounded by their own time

	mu      sync.Mutex
	current int
	seen    Index
}

// Index is the position of a state, as the header Drover-Index carries it.
type Index struct{ Epoch, Index uint64 }

func (i Index) String() string { return fmt.Sprintf("%d.%d", i.Epoch, i.Index) }

// Less tells whether i comes before j.
func (i Index) Less(j Index) bool {
	return i.Epoch < j.Epoch || i.Epoch == j.Epoch && i.Index < j.Index
}

// Seen is the highest index of an answer so far.
func (c *Client) Seen() Index {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen
}

// ParseIndex reads the text of a position: "epoch.index".
func ParseIndex(s string) (Index, bool) {
	epoch, index, ok := strings.Cut(s, ".")
	if !ok {
		return Index{}, false
	}
	var out Index
	var err, err2 error
	out.Epoch, err = strconv.ParseUint(epoch, 10, 64)
	out.Index, err2 = strconv.ParseUint(index, 10, 64)
	return out, err == nil && err2 == nil
}

// New makes a client; nothing is called yet.
func New(cfg Config) (*Client, error) {
	if len(cfg.Addrs) == 0 {
		return nil, errors.New("no address of a controller is known")
	}
	cfg.Addrs = append([]string(nil), cfg.Addrs...)
	for i, a := range cfg.Addrs {
		u, err := url.Parse(strings.TrimRight(a, "/"))
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" {
			return nil, fmt.Errorf("the address %q is not of the form https://host:port", a)
		}
		cfg.Addrs[i] = u.String()
	}
	tlsConf := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CA != nil {
		tlsConf.RootCAs = x509.NewCertPool()
		if !tlsConf.RootCAs.AppendCertsFromPEM(cfg.CA) {
			return nil, errors.New("the CA file has no certificate in PEM form")
		}
	}
	wait := answerTimeout
	if len(cfg.Addrs) > 1 {
		wait = failoverAfter
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:       tlsConf,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: wait,
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       30 * time.Second,
	}
	patient := transport.Clone()
	patient.ResponseHeaderTimeout = 0
	return &Client{cfg: cfg, http: plainClient(transport), slow: plainClient(patient)}, nil
}

// plainClient follows no redirects: a token must not go elsewhere.
func plainClient(t *http.Transport) *http.Client {
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close ends the idle connections.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.slow.CloseIdleConnections()
}

// Addr is the address that the next call goes to.
func (c *Client) Addr() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg.Addrs[c.current]
}

// Request is one call. Path is below the address; Segments of names in it are
// escaped by Path.
type Request struct {
	Method string
	Path   string
	Query  url.Values
	Body   any // json.RawMessage goes as it is; nil = none
	Header http.Header
	// Wait is how long the answer may take beyond what any may, for calls that
	// wait for nodes.
	Wait time.Duration
}

// Path joins a path of the API and escapes each part: "/" becomes %2F.
func Path(parts ...string) string {
	var b strings.Builder
	b.WriteString("/api/v1")
	for _, p := range parts {
		b.WriteString("/" + url.PathEscape(p))
	}
	return b.String()
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   json.RawMessage // nil where there was none
	Stale  string          // seconds without a leader, "" with one
}

// Decode reads the body.
func (a *Answer) Decode(out any) error {
	if err := json.Unmarshal(a.Body, out); err != nil {
		return fmt.Errorf("the answer is none of a Drover controller: %w", err)
	}
	return nil
}

// Get reads a path into out, and returns the answer.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) (*Answer, error) {
	return c.into(ctx, Request{Method: http.MethodGet, Path: path, Query: query}, out)
}

// Send writes, and reads the answer into out, which may be nil.
func (c *Client) Send(ctx context.Context, method, path string, body, out any) (*Answer, error) {
	return c.into(ctx, Request{Method: method, Path: path, Body: body}, out)
}

func (c *Client) into(ctx context.Context, r Request, out any) (*Answer, error) {
	a, err := c.Do(ctx, r)
	if err != nil {
		return nil, err
	}
	if out != nil && len(a.Body) > 0 {
		return a, a.Decode(out)
	}
	return a, nil
}

// Do calls until an address answers. The error is an *Error where a peer said
// no, and wraps ErrUnreachable where none answered.
func (c *Client) Do(ctx context.Context, r Request) (*Answer, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = encode(r.Body); err != nil {
			return nil, err
		}
	}
	header := r.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Accept", "application/json")
	if body != nil && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/json")
	}
	if r.Method != http.MethodGet && header.Get("Idempotency-Key") == "" {
		header.Set("Idempotency-Key", newKey())
	}
	return c.retry(ctx, func(ctx context.Context, addr string) (*Answer, error) {
		return c.once(ctx, addr, r, header, body)
	})
}

func (c *Client) once(ctx context.Context, addr string, r Request, header http.Header, body []byte) (*Answer, error) {
	if r.Wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.Wait+answerTimeout)
		defer cancel()
	}
	resp, err := c.open(ctx, addr, r, header, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, err
	}
	c.note(resp.Header.Get("Drover-Index"))
	if resp.StatusCode >= 300 {
		return nil, withRetryAfter(problem(resp.StatusCode, resp.Header, text), resp.Header)
	}
	return &Answer{Status: resp.StatusCode, Header: resp.Header, Body: text, Stale: resp.Header.Get("Drover-Stale")}, nil
}

func (c *Client) open(ctx context.Context, addr string, r Request, header http.Header, body []byte) (*http.Response, error) {
	target := addr + r.Path
	if len(r.Query) > 0 {
		target += "?" + r.Query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = header.Clone()
	if c.cfg.UserAgent != "" {
		req.Header.Set("User-Agent", c.cfg.UserAgent)
	}
	switch {
	case c.cfg.Token != "":
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	case c.cfg.Session != "":
		req.AddCookie(&http.Cookie{Name: cookieName(addr), Value: c.cfg.Session})
	}
	c.mu.Lock()
	if r.Method == http.MethodGet && c.seen != (Index{}) {
		req.Header.Set("Drover-Index", c.seen.String())
	}
	c.mu.Unlock()
	if r.Wait > 0 {
		return c.slow.Do(req)
	}
	return c.http.Do(req)
}

func (c *Client) note(header string) {
	at, ok := ParseIndex(header)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen.Less(at) {
		c.seen = at
	}
}

func encode(body any) ([]byte, error) {
	if raw, ok := body.(json.RawMessage); ok {
		return raw, nil
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// cookieName is that of a login session: browsers take the __Host- prefix over
// TLS alone.
func cookieName(addr string) string {
	if strings.HasPrefix(addr, "https:") {
		return "__Host-drover"
	}
	return "drover"
}

func newKey() string {
	var raw [16]byte
	_, _ = rand.Read(raw[:]) // it never fails, see crypto/rand
	return hex.EncodeToString(raw[:])
}

// probeTimeout bounds a probe.
const probeTimeout = 2 * time.Second

// Probe asks one address, without a credential, for the status of a path such
// as /readyz.
func (c *Client) Probe(ctx context.Context, addr, path string) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, addr+path, nil)
	if err != nil {
		return 0, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection is used again
	return resp.StatusCode, resp.Body.Close()
}

// Login opens a login session and returns its secret, for Config.Session.
func (c *Client) Login(ctx context.Context, user, password string) (session string, err error) {
	a, err := c.Send(ctx, http.MethodPost, Path("login"), map[string]string{"user": user, "password": password}, nil)
	if err != nil {
		return "", err
	}
	for _, cookie := range (&http.Response{Header: a.Header}).Cookies() {
		if cookie.Name == cookieName(c.Addr()) {
			return cookie.Value, nil
		}
	}
	return "", errors.New("the answer is none of a Drover controller: it has no session")
}
