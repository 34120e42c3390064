package instance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// pair is a certificate with its key, in PEM form and ready for use.
type pair struct {
	cert, key string
	tls       tls.Certificate
}

// selfSigned makes one for a name and 127.0.0.1 that is its own authority.
func selfSigned(t *testing.T, name string, until time.Time) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: until.Add(-48 * time.Hour), NotAfter: until, IsCA: true, BasicConstraintsValid: true,
	}
	if name == "" {
		template.DNSNames, template.IPAddresses = nil, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := pair{
		cert: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		key:  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
	}
	if p.tls, err = tls.X509KeyPair([]byte(p.cert), []byte(p.key)); err != nil {
		t.Fatal(err)
	}
	return p
}

func serveTLS(t *testing.T, config *tls.Config, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS, s.EnableHTTP2 = config, true
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL
}

func TestTLSIsVerified(t *testing.T) {
	soon := time.Now().Add(24 * time.Hour)
	byAddress, byName, other := selfSigned(t, "", soon), selfSigned(t, "hooks.internal", soon), selfSigned(t, "", soon)
	expired, client := selfSigned(t, "", time.Now().Add(-time.Hour)), selfSigned(t, "peer", soon)
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM([]byte(client.cert))
	const any = " " // the alert may be overtaken by the end of the connection
	for _, c := range []struct {
		name   string
		server *tls.Config
		tls    TLS
		says   string // empty: it works
	}{
		{"a CA of its own", &tls.Config{Certificates: []tls.Certificate{byAddress.tls}}, TLS{CA: byAddress.cert}, ""},
		{"two CAs", &tls.Config{Certificates: []tls.Certificate{byAddress.tls}}, TLS{CA: other.cert + byAddress.cert}, ""},
		{"the system's authorities", &tls.Config{Certificates: []tls.Certificate{byAddress.tls}}, TLS{}, "unknown authority"},
		{"another CA", &tls.Config{Certificates: []tls.Certificate{byAddress.tls}}, TLS{CA: other.cert}, "unknown authority"},
		{"the server name", &tls.Config{Certificates: []tls.Certificate{byName.tls}}, TLS{CA: byName.cert, ServerName: "hooks.internal"}, ""},
		{"no server name", &tls.Config{Certificates: []tls.Certificate{byName.tls}}, TLS{CA: byName.cert}, "set the server name"},
		{"another server name", &tls.Config{Certificates: []tls.Certificate{byName.tls}}, TLS{CA: byName.cert, ServerName: "x.internal"}, "set the server name"},
		{"expired", &tls.Config{Certificates: []tls.Certificate{expired.tls}}, TLS{CA: expired.cert}, "expired"},
		{"TLS 1.1", &tls.Config{Certificates: []tls.Certificate{byAddress.tls}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
			TLS{CA: byAddress.cert}, "protocol version"},
		{"a client certificate", &tls.Config{Certificates: []tls.Certificate{byAddress.tls}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients},
			TLS{CA: byAddress.cert, Certificate: client.cert, Key: NewToken(client.key)}, ""},
		{"no client certificate", &tls.Config{Certificates: []tls.Certificate{byAddress.tls}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients},
			TLS{CA: byAddress.cert}, any},
	} {
		t.Run(c.name, func(t *testing.T) {
			var proto string
			url := serveTLS(t, c.server, func(w http.ResponseWriter, r *http.Request) {
				proto = r.Proto
				io.WriteString(w, success)
			})
			_, err := newClient(t, Rules{}).Update(t.Context(), Target{URL: url, Token: NewToken(canary), TLS: c.tls}, webhooks())
			if c.says == "" {
				if err != nil || proto != "HTTP/2.0" {
					t.Fatalf("%v, over %q", err, proto)
				}
				return
			}
			e := failureOf(t, err)
			if e.Code != CodeUnreachable || !e.Retryable || !strings.Contains(e.Message, c.says) || proto != "" {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestTLSAgainstAPlainPort(t *testing.T) {
	target := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("was called") })
	target.URL = strings.Replace(target.URL, "http:", "https:", 1)
	_, err := newClient(t, Rules{}).Info(t.Context(), target)
	if e := failureOf(t, err); e.Code != CodeUnreachable || !strings.Contains(e.Message, "does not speak TLS") {
		t.Errorf("got %+v", e)
	}
}

func TestAnInstanceThatWantsAClientCertificateIsNotOpen(t *testing.T) {
	soon := time.Now().Add(24 * time.Hour)
	server, client := selfSigned(t, "", soon), selfSigned(t, "peer", soon)
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM([]byte(client.cert))
	url := serveTLS(t, &tls.Config{Certificates: []tls.Certificate{server.tls}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients},
		func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{}`) })
	target := Target{URL: url, TLS: TLS{CA: server.cert, Certificate: client.cert, Key: NewToken(client.key)}}
	c := newClient(t, Rules{})
	if _, err := c.Info(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if open, err := c.Open(t.Context(), target); err != nil || len(open) != 0 {
		t.Errorf("open %v, %v", open, err)
	}
}

func TestTransportsAreSharedAndBounded(t *testing.T) {
	c := newClient(t, Rules{})
	get := func(name string) *http.Transport {
		tr, err := c.transport(TLS{ServerName: name})
		if err != nil {
			t.Fatal(err)
		}
		return tr
	}
	if plain, err := c.transport(TLS{}); err != nil || plain != c.base {
		t.Error("no settings need a transport of their own")
	}
	first, second := get("a0"), get("a1")
	if first == second || get("a0") != first {
		t.Error("transports do not follow the settings")
	}
	for i := range maxTransports - 1 {
		get("b" + strings.Repeat("x", i%50) + string(rune('a'+i/50)))
	}
	if n := len(c.byTLS); n > maxTransports {
		t.Errorf("%d transports are kept", n)
	}
	if get("a0") != first {
		t.Error("the one in use last went before the others")
	}
	if get("a1") == second {
		t.Error("the oldest stayed")
	}
}
