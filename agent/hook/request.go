package hook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// ErrBusy is returned when an application said that it was busy for as long as
// it was asked: nothing is wrong with its configuration.
var ErrBusy = errors.New("is busy")

const (
	maxAnswer  = 64 << 10 // bytes of a response's body that are read
	firstPause = 250 * time.Millisecond
	lastPause  = 4 * time.Second
)

// Request is an HTTP request to an application, such as the POST
// /admin/reload-config of a service that has the instances' endpoints. Any 2xx
// is a success, unless the body is JSON whose status is "error". Redirects are
// not followed and no proxy is used. While the application says that it is
// busy (429, 503, "already in progress") it is asked again until time is up.
type Request struct {
	Method    string // GET, POST or PUT
	URL       string
	Token     Secret         // sent as a bearer token; empty: none
	TokenFile string         // read for each request, in place of Token
	CAFile    string         // PEM file with CAs to trust in place of the machine's, as configured
	Roots     *x509.CertPool // what was read from it; nil: the machine's
}

func (r *Request) name() string {
	u, err := url.Parse(r.URL)
	if err != nil {
		return r.Method
	}
	return r.Method + " " + u.Scheme + "://" + u.Host + u.Path
}

func (r *Request) run(ctx context.Context, timeout time.Duration) (tail string, err error) {
	token := string(r.Token)
	if r.TokenFile != "" {
		text, err := os.ReadFile(r.TokenFile)
		if err != nil {
			return "", fmt.Errorf("%s %w: %w", r.name(), ErrFailed, err)
		}
		token = strings.TrimSpace(string(text))
	}
	limited, cancel := context.WithTimeoutCause(ctx, timeout, ErrTimeout)
	defer cancel()
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: r.Roots}, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		answer, err := r.once(limited, client, token)
		switch {
		case ctx.Err() != nil:
			return answer.tail, ctx.Err()
		case limited.Err() != nil && err != nil:
			return answer.tail, fmt.Errorf("%s %w after %s", r.name(), ErrTimeout, timeout)
		case !errors.Is(err, ErrBusy):
			return answer.tail, err
		}
		wait := time.NewTimer(max(pause, answer.after))
		select {
		case <-wait.C:
		case <-limited.Done():
			wait.Stop()
			if ctx.Err() != nil {
				return answer.tail, ctx.Err()
			}
			return answer.tail, err
		}
	}
}

// answer is what is kept of a response.
type answer struct {
	tail  string
	after time.Duration // Retry-After
}

func (r *Request) once(ctx context.Context, client *http.Client, token string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, nil)
	if err != nil {
		return answer{}, fmt.Errorf("%s %w: %w", r.name(), ErrFailed, err)
	}
	req.Header.Set("User-Agent", "drover-agent")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		// The client's error repeats the URL, query and all.
		if inner := (*url.Error)(nil); errors.As(err, &inner) {
			err = inner.Err
		}
		return answer{}, fmt.Errorf("%s %w: %w", r.name(), ErrFailed, err)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if closing := resp.Body.Close(); err == nil {
		err = closing
	}
	if token != "" { // an application may repeat what it was sent
		body = bytes.ReplaceAll(body, []byte(token), []byte(redacted))
	}
	out := &ring{}
	_, _ = out.Write(body)
	a := answer{tail: out.String()}
	if seconds, bad := strconv.Atoi(resp.Header.Get("Retry-After")); bad == nil && seconds > 0 {
		a.after = time.Duration(min(seconds, 3600)) * time.Second
	}
	if err != nil {
		return a, fmt.Errorf("%s %w: %w", r.name(), ErrFailed, err)
	}
	return a, r.verdict(resp.StatusCode, body)
}

func (r *Request) verdict(status int, body []byte) error {
	var said struct {
		Status string `json:"status"`
	}
	_ = json.Unmarshal(body, &said) // a body that is no JSON says nothing
	switch {
	case status >= 200 && status < 300 && said.Status != "error":
		return nil
	case status == http.StatusServiceUnavailable, status == http.StatusTooManyRequests,
		bytes.Contains(bytes.ToLower(body), []byte("already in progress")):
		return fmt.Errorf("%s: the application %w, it answered %d", r.name(), ErrBusy, status)
	case status >= 300 && status < 400:
		return fmt.Errorf("%s %w: it answered %d, and redirects are not followed", r.name(), ErrFailed, status)
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return fmt.Errorf("%s %w: it answered %d: the token is missing or not the right one", r.name(), ErrFailed, status)
	}
	return fmt.Errorf("%s %w: it answered %d", r.name(), ErrFailed, status)
}
