package agent

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/droverhq/drover/agent/store"
	"github.com/droverhq/drover/wire"
)

// enrollTimeout bounds one call to one controller.
const enrollTimeout = 15 * time.Second

// ErrUnreachable is returned when no controller answered.
var ErrUnreachable = errors.New("no controller could be reached")

// ErrRefused is returned when a controller answered and said no.
var ErrRefused = errors.New("the controller refused the enrolment")

// Enrollment is what enroll was called with.
type Enrollment struct {
	Addresses []string // of controllers; those of the configuration if empty
	Token     string
	Node      string // empty: the configuration's, or the controller chooses
	CAFile    string // PEM; this or CAHash, or neither for the system's CAs
	CAHash    string // SHA-256 of the CA's public key
}

// Enroll registers the node's key with a cluster and pins the cluster's. It is
// safe to run again: a key that was made is kept, and a node that is enrolled
// is left alone (again is true then).
func Enroll(ctx context.Context, c Config, e Enrollment) (id *Identity, again bool, err error) {
	if e.Node == "" {
		e.Node = c.Node
	}
	if len(e.Addresses) == 0 {
		e.Addresses = c.Peers
	}
	if err := e.check(c); err != nil {
		return nil, false, err
	}
	s, err := store.Open(c.Dir, nil)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	id, err = loadIdentity(s.Root())
	if err == nil {
		if e.Node != "" && e.Node != id.Node {
			return nil, false, fmt.Errorf("this node is enrolled as %q already: remove %s/%s to enrol it anew", id.Node, c.Dir, identityDir)
		}
		return id, true, nil
	}
	if !errors.Is(err, ErrNotEnrolled) {
		return nil, false, err
	}
	if err := makeState(s.Root()); err != nil {
		return nil, false, err
	}
	key, err := ensureKey(s.Root())
	if err != nil {
		return nil, false, err
	}
	id, peers, err := e.call(ctx, c, key)
	if err != nil {
		return nil, false, err
	}
	if err := savePeers(s.Root(), append(peers, e.Addresses...)); err != nil {
		return nil, false, err
	}
	return id, false, id.save(s.Root()) // last: it is what makes the node enrolled
}

func (e *Enrollment) check(c Config) error {
	if e.Token == "" {
		return errors.New("a token is needed: make one with drover node enroll")
	}
	if len(e.Addresses) == 0 {
		return errors.New("an address of a controller is needed")
	}
	if e.Node != "" {
		if err := validNode(e.Node); err != nil {
			return fmt.Errorf("node %q %w", e.Node, err)
		}
	}
	if c.Node != "" && c.Node != e.Node {
		return fmt.Errorf("the configuration names the node %q, not %q", c.Node, e.Node)
	}
	if e.CAFile != "" && e.CAHash != "" {
		return errors.New("give the CA by file or by hash, not both")
	}
	for _, address := range e.Addresses {
		if err := CheckAddress(address); err != nil {
			return err
		}
	}
	return nil
}

// call tries the addresses in turn until a controller answers.
func (e *Enrollment) call(ctx context.Context, c Config, key ed25519.PrivateKey) (*Identity, []string, error) {
	public := wire.Base64(key.Public().(ed25519.PublicKey))
	body, err := json.Marshal(wire.EnrollRequest{
		Token: e.Token, Node: e.Node, PublicKey: public,
		Proof: wire.Sign(key, wire.EnrollText(e.Token, e.Node, public)),
	})
	if err != nil {
		return nil, nil, err
	}
	var failed error
	for _, address := range e.Addresses {
		answer, ca, err := e.post(ctx, c, address, body)
		if errors.Is(err, ErrRefused) {
			return nil, nil, err
		}
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", address, err))
			continue
		}
		id := &Identity{Node: answer.Node, Cluster: answer.Cluster, Keys: answer.Keys, CA: string(ca), key: key}
		if id.pinned, err = parseKeys(answer.Keys); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", address, err)
		}
		if id.Node == "" || id.Cluster == "" {
			return nil, nil, fmt.Errorf("%s: the answer names no node or no cluster", address)
		}
		return id, answer.Peers, nil
	}
	return nil, nil, fmt.Errorf("%w:\n%w", ErrUnreachable, failed)
}

func (e *Enrollment) post(ctx context.Context, c Config, address string, body []byte) (answer wire.EnrollAnswer, ca []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, enrollTimeout)
	defer cancel()
	target, err := url.JoinPath(address, "/agent/v1/enroll")
	if err != nil {
		return answer, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return answer, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	trust, err := e.trust(req.URL.Hostname(), &ca)
	if err != nil {
		return answer, nil, err
	}
	transport := &http.Transport{TLSClientConfig: trust, Proxy: proxyOf(c.Proxy), DisableKeepAlives: true}
	client := http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return answer, nil, hint(err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 256<<10))
	if err != nil {
		return answer, nil, err
	}
	if resp.StatusCode >= 500 {
		return answer, nil, fmt.Errorf("answered %s: %s", resp.Status, detail(text))
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return answer, nil, fmt.Errorf("%w: %s: %s", ErrRefused, resp.Status, detail(text))
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return answer, nil, fmt.Errorf("the answer is none of a Drover controller: %w", err)
	}
	return answer, ca, nil
}

// trust makes the TLS configuration, and fills ca with what to pin.
func (e *Enrollment) trust(host string, ca *[]byte) (*tls.Config, error) {
	switch {
	case e.CAHash != "":
		pin, err := parsePin(e.CAHash)
		if err != nil {
			return nil, err
		}
		return pinnedTLS(pin, host, time.Now, func(found []byte) { *ca = found }), nil
	case e.CAFile != "":
		bundle, err := readPool(e.CAFile)
		if err != nil {
			return nil, err
		}
		*ca = bundle
		return tlsConfig(bundle, time.Now)
	}
	return tlsConfig(nil, time.Now)
}

// detail takes the reason out of an RFC 9457 problem.
func detail(text []byte) string {
	var problem struct {
		Detail string `json:"detail"`
		Title  string `json:"title"`
	}
	if json.Unmarshal(text, &problem) == nil && problem.Detail+problem.Title != "" {
		if problem.Detail != "" {
			return clip(problem.Detail, 500)
		}
		return clip(problem.Title, 500)
	}
	return clip(strings.TrimSpace(string(text)), 200)
}

// hint adds what to do to the TLS errors that people meet.
func hint(err error) error {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("%w (is the clock of this machine right?)", err)
	case errors.As(err, &unknown):
		return fmt.Errorf("%w (give the cluster's CA with --ca or --ca-hash)", err)
	}
	return err
}
