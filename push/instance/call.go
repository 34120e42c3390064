package instance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	updatePath  = "/admin/config-update"
	infoPath    = "/admin/instance-info"
	versionPath = "/admin/config-version"
)

// Target is an instance to call.
type Target struct {
	ID    string
	URL   string // as ParseURL gives it
	Token Token  // sent as Bearer; none: no Authorization header
	TLS   TLS
}

// Update is a document for an instance. Config is its exact text, one JSON value
// as package document compacts it; it is sent as it is, is not checked again and
// must not be changed before the call returns.
type Update struct {
	Type    string
	Config  []byte
	Version string
}

// Update sends a document, and returns when the instance has taken it. The call
// is idempotent: where a kept connection turns out to be closed it is sent
// again. An error is an *Error, or that of ctx when it was cancelled.
func (c *Client) Update(ctx context.Context, t Target, u Update) (Answer, error) {
	body, err := newBody(u)
	if err != nil {
		return Answer{}, badSettings(err)
	}
	o, err := c.call(ctx, t, http.MethodPost, updatePath, body)
	if err != nil {
		return Answer{}, err
	}
	text := func(name string) string { return Clean(o.text(name), maxField, t.Token) }
	return Answer{text("instance_id"), text("version"), text("timestamp"), Clean(o.text("details"), maxMessage, t.Token)}, nil
}

// Versions asks for the version hash of every type. Errors are those of Update.
func (c *Client) Versions(ctx context.Context, t Target) (Versions, error) {
	o, err := c.call(ctx, t, http.MethodGet, versionPath, nil)
	if err != nil {
		return Versions{}, err
	}
	return versionsOf(o, t.Token), nil
}

// Info asks an instance about itself. Errors are those of Update.
func (c *Client) Info(ctx context.Context, t Target) (Info, error) {
	o, err := c.call(ctx, t, http.MethodGet, infoPath, nil)
	if err != nil {
		return Info{}, err
	}
	return infoOf(o, t.Token), nil
}

// Open gives the endpoints that answer to anybody: those of info and version
// that do so without the token and without the client certificate. An error
// means that it could not be found out; ask when Info has just succeeded.
func (c *Client) Open(ctx context.Context, t Target) ([]string, error) {
	withCertificate := t.TLS.Certificate != ""
	t.Token, t.TLS.Certificate, t.TLS.Key = Token{}, "", Token{}
	var open []string
	for _, path := range []string{infoPath, versionPath} {
		_, err := c.call(ctx, t, http.MethodGet, path, nil)
		var e *Error
		switch {
		case err == nil:
			open = append(open, path)
		case errors.As(err, &e) && (e.Status != 0 || withCertificate && e.Code == CodeUnreachable):
			// Answered with a refusal, or ended the handshake, of which this side may
			// only see a closed connection.
		default:
			return nil, err
		}
	}
	return open, nil
}

// call makes one request and judges its answer.
func (c *Client) call(ctx context.Context, t Target, method, path string, body *body) (object, error) {
	request, transport, err := c.prepare(ctx, t, method, path, body)
	if err != nil {
		return nil, badSettings(err)
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	within := c.timeout
	if end, ok := ctx.Deadline(); ok {
		within = min(within, time.Until(end).Round(time.Millisecond))
	}
	response, sent, err := send(limited, transport, request)
	if err != nil {
		return nil, failure(ctx, err, within, sent, t.Token)
	}
	defer response.Body.Close()
	r := reply{status: response.StatusCode, header: response.Header}
	r.body, err = io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil {
		return nil, failure(ctx, fmt.Errorf("the connection ended within the answer: %w", err), within, true, t.Token)
	}
	if len(r.body) > maxBody {
		r.body, r.cut = r.body[:maxBody], true
	}
	return judge(r, method == http.MethodPost, t.Token)
}

// send goes to the transport itself, without http.Client: no redirects, no
// cookies. A kept connection may turn out to be closed (many services do so
// after 5 s, or were started again), which says nothing about the instance: it is
// tried again until a fresh connection was used. net/http does that as well, but
// not once it has written a part of a body. sent tells whether the request was
// written as a whole at least once: a service may have died of it.
func send(ctx context.Context, transport *http.Transport, request *http.Request) (response *http.Response, sent bool, err error) {
	var reused bool
	var written atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused },
		WroteRequest: func(i httptrace.WroteRequestInfo) {
			if i.Err == nil {
				written.Store(true)
			}
		},
	})
	for attempt := 1; ; attempt++ {
		reused = false
		// The Body is closed when it fails.
		response, err = transport.RoundTrip(request.WithContext(ctx))
		if err == nil || !reused || ctx.Err() != nil || attempt > connsPerHost {
			return response, written.Load(), err
		}
		if request.GetBody != nil {
			if request.Body, err = request.GetBody(); err != nil {
				return nil, written.Load(), err
			}
		}
	}
}

func (c *Client) prepare(ctx context.Context, t Target, method, path string, body *body) (*http.Request, *http.Transport, error) {
	base, err := ParseURL(t.URL)
	if err != nil {
		return nil, nil, err
	}
	transport, err := c.transport(t.TLS)
	if err != nil {
		return nil, nil, err
	}
	request, err := http.NewRequestWithContext(ctx, method, base+path, nil)
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "drover")
	if !t.Token.IsZero() {
		if err := ValidToken(t.Token.Reveal()); err != nil {
			return nil, nil, err
		}
		request.Header.Set("Authorization", "Bearer "+t.Token.Reveal())
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
		// Not sent; it tells net/http that the request may be repeated.
		request.Header["Idempotency-Key"] = nil
		request.ContentLength, request.GetBody = body.size(), body.open
		if request.Body, err = body.open(); err != nil {
			return nil, nil, err
		}
	}
	return request, transport, nil
}

func badSettings(err error) error {
	return &Error{Code: CodeBadSettings, Message: Clean(err.Error(), maxMessage)}
}

// body is a request whose document is shared, not copied: 500 calls at once hold
// it once.
type body struct{ head, config, tail []byte }

func newBody(u Update) (*body, error) {
	if len(u.Config) == 0 {
		return nil, errors.New("there is no content to send")
	}
	target, err := jsontext.AppendQuote(nil, u.Type)
	if err != nil {
		return nil, fmt.Errorf("the type of the update: %w", err)
	}
	version, err := jsontext.AppendQuote(nil, u.Version)
	if err != nil {
		return nil, fmt.Errorf("the version of the update: %w", err)
	}
	return &body{
		head:   bytes.Join([][]byte{[]byte(`{"type":`), target, []byte(`,"config":`)}, nil),
		config: u.Config,
		tail:   bytes.Join([][]byte{[]byte(`,"version":`), version, []byte(`,"source":"drover"}`)}, nil),
	}, nil
}

func (b *body) size() int64 { return int64(len(b.head) + len(b.config) + len(b.tail)) }

func (b *body) open() (io.ReadCloser, error) {
	parts := net.Buffers{b.head, b.config, b.tail}
	return io.NopCloser(&parts), nil
}
