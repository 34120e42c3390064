package agent

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/droverhq/drover/wire"
)

// authority is a CA of a test.
type authority struct {
	t    testing.TB
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t testing.TB) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return &authority{t, key, cert}
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func (a *authority) pin() [32]byte { return sha256.Sum256(a.cert.RawSubjectPublicKeyInfo) }

// listen serves TLS on loopback with a certificate for it, the CA behind it.
func (a *authority) listen() net.Listener {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "ctl"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	must(a.t, err)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key}}})
	must(a.t, err)
	return l
}

// secure is a controller behind TLS, and a directory that is not enrolled.
type secure struct {
	*cluster
	ca   *authority
	peer *peer
	url  string
	dir  string
}

func newSecure(t testing.TB) *secure {
	s := &secure{cluster: newCluster(t), ca: newAuthority(t), dir: filepath.Join(t.TempDir(), "agent")}
	l := s.ca.listen()
	s.url = "https://" + l.Addr().String()
	s.peer = newPeer(s.cluster, "ctl-1", l)
	s.peers = []string{s.url}
	return s
}

func (s *secure) caFile(a *authority) string {
	name := filepath.Join(s.t.TempDir(), "ca.pem")
	must(s.t, os.WriteFile(name, a.pem(), 0o600))
	return name
}

func TestEnrolWithTheCAByFileOrByHash(t *testing.T) {
	s := newSecure(t)
	pin := s.ca.pin()
	for name, e := range map[string]Enrollment{
		"file":            {CAFile: s.caFile(s.ca)},
		"hash, base64url": {CAHash: wire.Base64(pin[:])},
		"hash, hex":       {CAHash: hex.EncodeToString(pin[:])},
	} {
		t.Run(name, func(t *testing.T) {
			c := Config{Dir: filepath.Join(t.TempDir(), "agent")}
			e.Addresses, e.Token, e.Node = []string{"https://127.0.0.1:1", s.url}, s.token, "edge-1"
			id, again, err := Enroll(t.Context(), c, e)
			must(t, err)
			if id.Node != "edge-1" || id.Cluster != s.id || again {
				t.Errorf("%+v", id)
			}
			key, err := os.Stat(filepath.Join(c.Dir, keyFile))
			must(t, err)
			if key.Mode().Perm() != 0o600 {
				t.Errorf("the key has mode %o", key.Mode())
			}
			// Once more: nothing happens, even with a token that is spent.
			e.Token = "spent"
			if _, again, err = Enroll(t.Context(), c, e); err != nil || !again {
				t.Errorf("again: %v %v", again, err)
			}
			// The address in the configuration is not needed: it was learnt.
			startAgent(t, c, Deps{})
			v1 := docs{"a": `{"x":1}`}
			l := s.peer.session()
			l.send(s.update(1, nil, v1))
			next[wire.Ack](l)
			runs(t, c.Dir, v1)
		})
	}
}

func TestAnEnrolmentThatWasCutGoesOnWithTheSameKey(t *testing.T) {
	s := newSecure(t)
	c := Config{Dir: s.dir}
	e := Enrollment{Addresses: []string{s.url}, Token: s.token, CAFile: s.caFile(s.ca)}
	id, _, err := Enroll(t.Context(), c, e)
	must(t, err)
	if id.Node != "named-by-controller" {
		t.Errorf("node %q", id.Node)
	}
	first := s.nodes[id.Node]
	// The answer was lost: the controller knows the node, the node does not.
	must(t, os.Remove(filepath.Join(s.dir, identityFile)))
	id, again, err := Enroll(t.Context(), c, e)
	must(t, err)
	if again || !first.Equal(s.nodes[id.Node]) {
		t.Error("another key was made")
	}
}

func TestEnrolmentsThatAreRefused(t *testing.T) {
	s := newSecure(t)
	other := newAuthority(t)
	pin := other.pin()
	good := Enrollment{Addresses: []string{s.url}, Token: s.token, Node: "edge-1", CAFile: s.caFile(s.ca)}
	cases := []struct {
		name   string
		change func(*Enrollment)
		config Config
		is     error
		says   string
	}{
		{name: "another CA", change: func(e *Enrollment) { e.CAFile = s.caFile(other) }, is: ErrUnreachable, says: "--ca"},
		{name: "the hash of another CA", change: func(e *Enrollment) { e.CAFile, e.CAHash = "", hex.EncodeToString(pin[:]) }, is: ErrUnreachable, says: "--ca-hash"},
		{name: "no CA", change: func(e *Enrollment) { e.CAFile = "" }, is: ErrUnreachable, says: "--ca"},
		{name: "a hash that is none", change: func(e *Enrollment) { e.CAFile, e.CAHash = "", "abc" }, says: "43 characters"},
		{name: "an unknown token", change: func(e *Enrollment) { e.Token = "x" }, is: ErrRefused, says: "the token is not known"},
		{name: "no token", change: func(e *Enrollment) { e.Token = "" }, says: "token"},
		{name: "no address", change: func(e *Enrollment) { e.Addresses = nil }, says: "address"},
		{name: "nobody there", change: func(e *Enrollment) { e.Addresses = []string{"https://127.0.0.1:1"} }, is: ErrUnreachable},
		{name: "plain http to elsewhere", change: func(e *Enrollment) { e.Addresses = []string{"http://192.0.2.1"} }, says: "loopback"},
		{name: "a bad name", change: func(e *Enrollment) { e.Node = "Edge 1" }, says: "[a-z0-9]"},
		{name: "both kinds of CA", change: func(e *Enrollment) { e.CAHash = hex.EncodeToString(pin[:]) }, says: "not both"},
		{name: "another name than configured", config: Config{Node: "edge-2"}, change: func(*Enrollment) {}, says: "edge-2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := good
			c.change(&e)
			c.config.Dir = filepath.Join(t.TempDir(), "agent")
			_, _, err := Enroll(t.Context(), c.config, e)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v", err)
			}
			if err := New(c.config, Deps{}).Run(t.Context()); !errors.Is(err, ErrNotEnrolled) {
				t.Errorf("run after it: %v", err)
			}
		})
	}
}

// proxy is an HTTP proxy that knows CONNECT.
type proxy struct {
	address string
	asked   atomic.Int64
}

func newProxy(t testing.TB) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{address: "http://" + l.Addr().String()}
	server := &http.Server{Handler: http.HandlerFunc(p.connect)}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return p
}

func (p *proxy) connect(w http.ResponseWriter, r *http.Request) {
	p.asked.Add(1)
	to, err := net.Dial("tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusOK)
	from, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	go splice(to, buffered.Reader, from)
	splice(from, bufio.NewReader(to), to)
}

func splice(to net.Conn, from *bufio.Reader, other net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = other.Close()
}

func TestTheProxyIsUsedForEnrolmentAndChannel(t *testing.T) {
	s := newSecure(t)
	p := newProxy(t)
	c := Config{Dir: s.dir, Proxy: p.address}
	_, _, err := Enroll(t.Context(), c, Enrollment{Addresses: []string{s.url}, Token: s.token, CAFile: s.caFile(s.ca)})
	must(t, err)
	if p.asked.Load() != 1 {
		t.Errorf("the proxy was asked %d times for the enrolment", p.asked.Load())
	}
	run := startAgent(t, c, Deps{})
	s.peer.session()
	run.stop()
	if p.asked.Load() != 2 {
		t.Errorf("the proxy was asked %d times", p.asked.Load())
	}
	u := func(text string) *http.Request { r, _ := url.Parse(text); return &http.Request{URL: r} }
	if via, err := proxyOf(p.address)(u("http://127.0.0.1:1/x")); err != nil || via != nil {
		t.Error("plain http to this machine goes to a proxy")
	}
}

func TestARouterWithoutAClockConnectsOnceItHasSeenTheTime(t *testing.T) {
	s := newSecure(t)
	c := Config{Dir: s.dir}
	_, _, err := Enroll(t.Context(), c, Enrollment{Addresses: []string{s.url}, Token: s.token, CAFile: s.caFile(s.ca)})
	must(t, err)
	boot := func() time.Time { return time.Unix(100, 0) }
	// It was never connected: 1970 is before any certificate.
	a := New(c, Deps{Now: boot})
	func() {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- a.Run(ctx) }()
		for st := (Status{}); !strings.Contains(st.Contact.LastError, "clock"); {
			st, err = ReadStatus(Config{Dir: s.dir})
			must(t, err)
		}
		cancel()
		must(t, <-ended)
	}()
	startAgent(t, c, Deps{}).stopAfter(s.peer)
	startAgent(t, c, Deps{Now: boot}).stopAfter(s.peer)
	// A clock that is behind only a little does not take the known time back.
	startAgent(t, c, Deps{Now: func() time.Time { return time.Now().Add(-30 * time.Minute) }}).stopAfter(s.peer)
}

func (r *running) stopAfter(p *peer) {
	p.session()
	r.stop()
}

func TestKnownTimeNeverGoesBackAndIsWrittenRarely(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, root.Close()) })
	must(t, makeState(root))
	now := time.Unix(1_800_000_000, 0)
	c := loadClock(root, func() time.Time { return now })
	must(t, c.good(root, time.Unix(0, 0)))
	first := loadClock(root, time.Now).known.Load()
	now = now.Add(59 * time.Minute)
	must(t, c.good(root, time.Unix(0, 0)))
	if got := loadClock(root, time.Now).known.Load(); got != first {
		t.Error("written again within the hour")
	}
	now = time.Unix(5, 0)
	if got := c.Now().Unix(); got != first+59*60 {
		t.Errorf("went back to %d", got)
	}
	must(t, c.good(root, time.Unix(1_900_000_000, 0)))
	if got := loadClock(root, func() time.Time { return now }).Now().Unix(); got != 1_900_000_000 {
		t.Errorf("a certificate made then does not count: %d", got)
	}
}
