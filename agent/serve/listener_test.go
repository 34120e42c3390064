package serve

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// certificate writes a certificate for loopback that is its own authority.
func certificate(t *testing.T, serial int64, certFile, keyFile string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "hook-1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	must(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.Chtimes(certFile, time.Time{}, time.Unix(serial, 0)))
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return cert
}

func TestOverTLSWithACertificateThatIsRenewed(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	roots := x509.NewCertPool()
	roots.AddCert(certificate(t, 1, cert, key))
	i := start(t, Config{Cert: cert, Key: key}, Deps{})
	plainURL := i.url
	i.url = strings.Replace(i.url, "http:", "https:", 1)
	i.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	i.pushed("a", v1)
	serial := func() int64 {
		c, err := tls.Dial("tcp", strings.TrimPrefix(i.url, "https://"), &tls.Config{RootCAs: roots})
		must(t, err)
		defer func() { _ = c.Close() }()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("the certificate %d is used", got)
	}
	roots.AddCert(certificate(t, 2, cert, key))
	if got := serial(); got != 2 {
		t.Errorf("the certificate %d is used, it was renewed", got)
	}
	must(t, os.WriteFile(cert, []byte("broken"), 0o600))
	if got := serial(); got != 2 {
		t.Errorf("the certificate %d is used, the file is broken", got)
	}
	resp, err := http.Get(plainURL + "/admin/instance-info")
	if err == nil {
		if err := resp.Body.Close(); err != nil || resp.StatusCode != 400 {
			t.Errorf("plain http was answered %d", resp.StatusCode)
		}
	}
	if _, err := tls.Dial("tcp", strings.TrimPrefix(i.url, "https://"), &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
	http.DefaultClient.CloseIdleConnections()
	err = New(Config{Cert: cert, Key: key, Token: token, Dir: t.TempDir(), Listen: "127.0.0.1:0"}, Deps{}).Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "serve.cert") {
		t.Errorf("a start with a broken certificate: %v", err)
	}
}

func TestTheNumberOfConnectionsIsBounded(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	l := wrapListener(inner, 1, nil)
	accepted := make(chan net.Conn)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", inner.Addr().String())
		must(t, err)
		return c
	}
	a, b := dial(), dial()
	first := <-accepted
	select {
	case <-accepted:
		t.Fatal("a second connection was accepted")
	case <-time.After(50 * time.Millisecond):
	}
	must(t, first.Close())
	_ = first.Close() // gives its slot back once
	second := <-accepted
	must(t, l.Close())
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
	for _, c := range []net.Conn{a, b, second} {
		_ = c.Close()
	}
}

// pipes is a listener in memory.
type pipes struct {
	conns chan net.Conn
	ended chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.ended:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.ended); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func TestACallerThatDawdlesIsDropped(t *testing.T) {
	dir := t.TempDir()
	cases := []struct {
		name, sends string
		after       time.Duration
	}{
		{"nothing is sent", "", headerTimeout},
		{"half a head", "GET /admin/config-version HTTP/1.1\r\nHost: x\r\n", headerTimeout},
		{"half a body", "POST /admin/config-update HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\nContent-Length: 100\r\n\r\n{", bodyTimeout},
		{"half a body to reload", "POST /admin/reload-config HTTP/1.1\r\nHost: x\r\nAuthorization: " + token + "\r\nContent-Length: 100\r\n\r\n{", bodyTimeout},
		{"half a body without the token", "POST /admin/config-update HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", bodyTimeout},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &pipes{conns: make(chan net.Conn), ended: make(chan struct{})}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				s := New(Config{Dir: dir, Token: token, Listen: "127.0.0.1:0"}, Deps{Listen: func(string, string) (net.Listener, error) { return l, nil }})
				go func() { done <- s.Run(ctx) }()
				near, far := net.Pipe()
				l.conns <- far
				begin := time.Now()
				_, err := io.WriteString(near, c.sends)
				must(t, err)
				_, err = io.ReadAll(near)
				if took := time.Since(begin); err != nil || took < c.after || took > c.after+time.Second {
					t.Errorf("dropped after %s with %v", took, err)
				}
				must(t, near.Close())
				cancel()
				must(t, <-done)
			})
		})
	}
}

func TestWhatCouldNotBePutBackIsTriedEveryMinute(t *testing.T) {
	dir := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(dir, undoDir), 0o755))
	must(t, os.MkdirAll(filepath.Join(dir, currentDir), 0o755))
	current, undo := filepath.Join(dir, currentDir, "a.json"), filepath.Join(dir, undoDir, "a.json")
	must(t, os.WriteFile(current, []byte(bad), 0o600))
	must(t, os.WriteFile(undo, []byte(v1), 0o600))
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{conns: make(chan net.Conn), ended: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		tries := 0
		s := New(Config{Dir: dir, Token: token, Listen: "127.0.0.1:0"}, Deps{
			Listen: func(string, string) (net.Listener, error) { return l, nil },
			Step: func(string) error {
				if tries++; tries == 1 {
					return errors.New("the disk does not want to")
				}
				return nil
			},
		})
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()
		if read(t, current) != bad || read(t, undo) != v1 {
			t.Error("it was put back at once")
		}
		time.Sleep(settleEvery)
		synctest.Wait()
		if read(t, current) != v1 || read(t, undo) != "" {
			t.Errorf("%q is current, %q is kept", read(t, current), read(t, undo))
		}
		cancel()
		must(t, <-done)
	})
}
