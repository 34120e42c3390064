package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// api is the public HTTP API of a cluster, as a script would use it.
type api struct {
	token string
	web   *http.Client
}

func newAPI(token, caFile string) (*api, error) {
	t := &http.Transport{MaxIdleConnsPerHost: 256}
	if caFile != "" {
		text, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s is no certificate", caFile)
		}
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &api{token: token, web: &http.Client{Transport: t}}, nil
}

// refused is an answer that is no success.
type refused struct {
	status int
	text   string
}

func (r *refused) Error() string { return fmt.Sprintf("%d: %s", r.status, r.text) }

// call sends one request and reads the whole answer.
func (a *api) call(ctx context.Context, method, address string, body []byte, into any) error {
	return a.send(ctx, method, address, "", body, into)
}

// writeTries bounds how often a write is repeated.
const writeTries = 5

// write is a call that is repeated, as one and the same, when the leader was
// lost before it answered: on a busy machine that happens.
func (a *api) write(ctx context.Context, method, address string, body []byte, into any) error {
	key := rand.Text()
	for try := 1; ; try++ {
		err := a.send(ctx, method, address, key, body, into)
		var no *refused
		if try == writeTries || !errors.As(err, &no) || no.status < http.StatusInternalServerError {
			return err
		}
	}
}

func (a *api) send(ctx context.Context, method, address, key string, body []byte, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	if method == http.MethodPatch && bytes.HasPrefix(body, []byte("[")) {
		req.Header.Set("Content-Type", "application/json-patch+json")
	} else if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.web.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return &refused{resp.StatusCode, strings.TrimSpace(string(text))}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

func (a *api) get(ctx context.Context, address string, into any) error {
	return a.call(ctx, http.MethodGet, address, nil, into)
}

// written is the answer to a write.
type written struct {
	Version   uint64 `json:"version"`
	Revision  uint64 `json:"revision"`
	Push      string `json:"push"`
	Unchanged bool   `json:"unchanged"`
}

// pushed is how far a push has come.
type pushed struct {
	State  string         `json:"state"`
	Counts map[string]int `json:"counts"`
}

// status of the cluster.
type status struct {
	Leader string `json:"leader"`
	Term   uint64 `json:"term"`
	Quorum bool   `json:"quorum"`
	Peers  []struct {
		Name string `json:"name"`
		Role string `json:"role"`
	} `json:"peers"`
}

func (a *api) status(ctx context.Context, peer string) (status, error) {
	var s status
	return s, a.get(ctx, peer+"/api/v1/cluster", &s)
}

// none tells whether no node answers a query.
func (a *api) none(ctx context.Context, peer, query string) (bool, error) {
	var page struct {
		Items []json.RawMessage `json:"items"`
	}
	err := a.get(ctx, peer+"/api/v1/nodes?limit=1&q="+url.QueryEscape(query), &page)
	return len(page.Items) == 0, err
}

// enrollToken makes a token for so many nodes.
func (a *api) enrollToken(ctx context.Context, peer string, uses int, labels map[string]string) (string, error) {
	var t struct {
		Token string `json:"token"`
	}
	body, err := json.Marshal(map[string]any{"uses": uses, "expires": "1h", "labels": labels})
	if err != nil {
		return "", err
	}
	return t.Token, errors.Join(a.write(ctx, http.MethodPost, peer+"/api/v1/nodes/enroll", body, &t))
}

// until asks again and again until the answer is yes.
func until(ctx context.Context, every time.Duration, ask func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		ok, err := ask()
		if ok {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}
