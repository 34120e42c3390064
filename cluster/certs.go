package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/droverhq/drover/cluster/ca"
)

// certificateInterval is how often certificates are looked at.
const certificateInterval = time.Minute

// certificates holds the certificate of the API port.
type certificates struct {
	cfg Config

	mu      sync.Mutex
	api     *tls.Certificate
	changed time.Time // of the configured file
}

func newCertificates(cfg Config) *certificates { return &certificates{cfg: cfg} }

var errNoCertificate = errors.New("there is no certificate for the API port yet: this peer has not caught up with the cluster")

func (c *certificates) get() (*tls.Certificate, error) {
	c.mu.Lock()
	cert := c.api
	c.mu.Unlock()
	if cert != nil {
		return cert, nil
	}
	if c.cfg.API.Cert != "" { // asked before the peer runs
		if err := c.load(); err != nil {
			return nil, err
		}
		return c.get()
	}
	return nil, errNoCertificate
}

func (c *certificates) set(cert *tls.Certificate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.api = cert
}

// load reads the configured certificate, when its file has changed.
func (c *certificates) load() error {
	info, err := os.Stat(c.cfg.API.Cert)
	if err != nil {
		return fmt.Errorf("api.cert: %w", err)
	}
	c.mu.Lock()
	same := c.api != nil && info.ModTime().Equal(c.changed)
	c.mu.Unlock()
	if same {
		return nil
	}
	cert, err := tls.LoadX509KeyPair(c.cfg.API.Cert, c.cfg.API.Key)
	if err != nil {
		return fmt.Errorf("api.cert: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.api, c.changed = &cert, info.ModTime()
	return nil
}

// hosts are the names and addresses that the API certificate is good for.
func (c Config) hosts() []string {
	list := []string{"localhost", "127.0.0.1", "::1"}
	add := func(h string) {
		if h != "" && !unspecified(h) && !slices.Contains(list, h) {
			list = append(list, h)
		}
	}
	host, _, _ := net.SplitHostPort(c.Peer.Advertise)
	add(host)
	host, _, _ = net.SplitHostPort(c.API.Listen)
	add(host)
	if u, err := url.Parse(c.API.URL); err == nil {
		add(u.Hostname())
	}
	if name, err := os.Hostname(); err == nil {
		add(name)
	}
	return list
}

// keepCertificates renews this peer's certificates at half their life. Each peer
// signs its own with the authority's key, which the key file opens: a renewal
// needs no quorum.
func (r *running) keepCertificates(ctx context.Context, certs *certificates) error {
	for pause(ctx, r.renewNow(certs)) == nil {
	}
	return nil
}

// renewNow renews what is due, and returns when to look again.
func (r *running) renewNow(certs *certificates) time.Duration {
	err := r.renew(certs, time.Now())
	if errors.Is(err, errNoState) {
		return 100 * time.Millisecond
	}
	if err != nil {
		r.log.Warn("certificates were not renewed", "err", err)
	}
	return certificateInterval
}

func (r *running) renew(certs *certificates, now time.Time) error {
	if now.After(ca.HalfLife(r.creds.Leaf())) {
		if err := r.renewPeer(now); err != nil {
			return err
		}
	}
	if certs.cfg.API.Cert != "" {
		return certs.load()
	}
	if cert, err := certs.get(); err == nil && now.Before(ca.HalfLife(cert.Leaf)) {
		return nil
	}
	cert, err := r.apiCertificate(certs.cfg.hosts(), now)
	if err != nil {
		return err
	}
	certs.set(cert)
	return nil
}

// renewPeer replaces this peer's own certificate, with a new key. Connections
// that are open go on.
func (r *running) renewPeer(now time.Time) error {
	authority, err := r.trust.authority()
	if err != nil {
		return err
	}
	private, err := ca.NewKey()
	if err != nil {
		return err
	}
	csr, err := ca.NewRequest(private)
	if err != nil {
		return err
	}
	cert, err := authority.IssuePeer(csr, r.creds.Identity(), now)
	if err != nil {
		return err
	}
	key, err := ca.EncodeKey(private)
	if err != nil {
		return err
	}
	// One file, so that certificate and key cannot come apart in a crash.
	both := append(append([]byte(nil), cert...), key...)
	if err := r.home.write(filepath.Join("peer", r.id.Peer, fileCert), both); err != nil {
		return err
	}
	if err := r.creds.Replace(cert, key); err != nil {
		return err
	}
	r.log.Info("the peer certificate was renewed", "until", r.creds.Leaf().NotAfter)
	return nil
}

// apiCertificate returns the certificate on disk while it is good for these
// hosts and young enough, and otherwise makes a new one.
func (r *running) apiCertificate(hosts []string, now time.Time) (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(r.home.path(fileAPICert), r.home.path(fileAPIKey))
	if err == nil && now.Before(ca.HalfLife(cert.Leaf)) && covers(&cert, hosts) {
		return &cert, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.log.Warn("the API certificate on disk is not usable and is made anew", "err", err)
	}
	authority, err := r.trust.authority()
	if err != nil {
		return nil, err
	}
	private, err := ca.NewKey()
	if err != nil {
		return nil, err
	}
	leaf, err := authority.IssueAPI(private.Public(), hosts, now)
	if err != nil {
		return nil, err
	}
	key, err := ca.EncodeKey(private)
	if err != nil {
		return nil, err
	}
	chain := append(leaf, authority.Certificate()...)
	if err := errors.Join(r.home.write(fileAPIKey, key), r.home.write(fileAPICert, chain)); err != nil {
		return nil, err
	}
	made, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("API certificate: %w", err)
	}
	return &made, nil
}

func covers(cert *tls.Certificate, hosts []string) bool {
	for _, h := range hosts {
		if cert.Leaf.VerifyHostname(h) != nil {
			return false
		}
	}
	return true
}
