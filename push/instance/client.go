package instance

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

const (
	defaultTimeout = 10 * time.Second
	maxBody        = 64 << 10 // of an answer
	maxHeader      = 32 << 10 // of an answer
	maxTransports  = 512      // with settings of their own; the one least recently used goes first
	maxIdle        = 1024     // kept connections of one transport
	// connsPerHost is enough for some instances behind one gateway, told apart by
	// their path, when one of them hangs.
	connsPerHost = 16
	idleTimeout  = 90 * time.Second
	pingAfter    = 15 * time.Second // of silence on an HTTP/2 connection
)

// Rules are what a Client keeps to, whatever the instance.
type Rules struct {
	// Allow lists ranges that may be called although they are no public unicast:
	// private, loopback, link-local, shared (RFC 6598), multicast and the like.
	Allow []netip.Prefix
	// Timeout bounds one call, from the name to the end of the answer. Default 10 s.
	Timeout time.Duration
}

// TLS are the settings of one instance; the zero value trusts the system's
// authorities and the name in the URL. Verification cannot be turned off.
type TLS struct {
	CA          string // PEM bundle; replaces the system's authorities
	ServerName  string // that the certificate must be for; default: the host of the URL
	Certificate string // PEM chain that this side shows, with Key
	Key         Token  // PEM
}

// Validate says what cannot be used.
func (t TLS) Validate() error {
	_, err := t.config()
	return err
}

func (t TLS) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(t.CA)) {
			return nil, errors.New("the CA of the TLS settings holds no certificate in PEM form")
		}
	}
	if t.ServerName != "" {
		if _, err := parseHost(t.ServerName, false); err != nil {
			return nil, fmt.Errorf("the server name of the TLS settings, %.80q, is neither a name nor an address", t.ServerName)
		}
	}
	if t.Certificate == "" && t.Key.IsZero() {
		return c, nil
	}
	pair, err := tls.X509KeyPair([]byte(t.Certificate), []byte(t.Key.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("the client certificate of the TLS settings: %w", err)
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}

// settings tells transports apart. The key of a certificate is there as its hash.
type settings struct {
	ca, name, certificate string
	key                   [32]byte
}

// Client calls instances. It is safe for concurrent use.
type Client struct {
	timeout time.Duration
	guard   *guard
	base    *http.Transport

	mu    sync.Mutex // guards the rest
	byTLS map[settings]*shared
	clock uint64 // of uses
}

// shared is a transport for all instances with the same settings.
type shared struct {
	transport *http.Transport
	used      uint64
}

// NewClient makes a Client. Nothing is opened before the first call.
func NewClient(r Rules) *Client {
	c := &Client{timeout: r.Timeout, guard: newGuard(r.Allow), byTLS: map[settings]*shared{}}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	c.base = c.newTransport(&tls.Config{MinVersion: tls.VersionTLS12})
	return c
}

// Close ends the connections that are kept. Calls under way are not disturbed.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base.CloseIdleConnections()
	for _, s := range c.byTLS {
		s.transport.CloseIdleConnections()
	}
}

// Transport gives what calls with these settings go through, for others that
// call out under the same Rules, save the time-out: that is theirs to set. It
// follows no redirect; an http.Client around it does unless told otherwise.
func (c *Client) Transport(t TLS) (http.RoundTripper, error) { return c.transport(t) }

// Dialer makes connections under the same Rules.
func (c *Client) Dialer() *net.Dialer {
	return &net.Dialer{Timeout: c.timeout, KeepAlive: 30 * time.Second, ControlContext: c.guard.control}
}

func (c *Client) newTransport(config *tls.Config) *http.Transport {
	return &http.Transport{
		// No Proxy: a variable of the environment must not carry tokens elsewhere,
		// and the address of a proxy would be checked instead of the instance's.
		DialContext:            c.Dialer().DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    c.timeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: c.timeout},
		DisableCompression:     true, // answers are small, and inflating them would need a limit of its own
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    connsPerHost,
		MaxConnsPerHost:        connsPerHost,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
	}
}

// transport gives the one for these settings.
func (c *Client) transport(t TLS) (*http.Transport, error) {
	if t.CA == "" && t.ServerName == "" && t.Certificate == "" && t.Key.IsZero() {
		return c.base, nil
	}
	key := settings{t.CA, t.ServerName, t.Certificate, t.Key.sum()}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	if s := c.byTLS[key]; s != nil {
		s.used = c.clock
		return s.transport, nil
	}
	config, err := t.config()
	if err != nil {
		return nil, err
	}
	if len(c.byTLS) >= maxTransports {
		c.dropOldest()
	}
	s := &shared{c.newTransport(config), c.clock}
	c.byTLS[key] = s
	return s.transport, nil
}

// dropOldest makes room. A call that still uses the transport is not disturbed.
func (c *Client) dropOldest() {
	var oldest settings
	least := c.clock
	for key, s := range c.byTLS {
		if s.used < least {
			oldest, least = key, s.used
		}
	}
	c.byTLS[oldest].transport.CloseIdleConnections()
	delete(c.byTLS, oldest)
}
