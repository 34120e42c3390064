package agent

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/droverhq/drover/agent/store"
	"github.com/droverhq/drover/wire"
)

// clockFile keeps the last time that was known to be good.
const clockFile = "state/time.json"

// clockStep is how far the known time must move on before it is written
// again: routers keep it on flash.
const clockStep = time.Hour

// clock tells the time for TLS checks: the later of the system clock and the
// last time known to be good, because routers boot in 1970. A time is good
// when a controller's certificate was valid at it and the controller then
// proved itself; that also bounds how far a wrong clock can carry it.
type clock struct {
	now   func() time.Time
	known atomic.Int64 // seconds
	saved int64        // what the file has; the keeper's alone
}

func loadClock(root *os.Root, now func() time.Time) *clock {
	c := &clock{now: now}
	var kept struct {
		Known int64 `json:"known"`
	}
	text, err := root.ReadFile(clockFile)
	if err == nil && json.Unmarshal(text, &kept) == nil {
		c.known.Store(kept.Known)
		c.saved = kept.Known
	}
	return c
}

// Now is the time to check certificates at.
func (c *clock) Now() time.Time {
	now := c.now()
	if known := time.Unix(c.known.Load(), 0); known.After(now) {
		return known
	}
	return now
}

// good notes that certificates were valid now, and that the newest of them was
// made at issued, so that it is at least that late.
func (c *clock) good(root *os.Root, issued time.Time) error {
	at := max(c.Now().Unix(), issued.Unix())
	c.known.Store(at)
	if at-c.saved < int64(clockStep/time.Second) {
		return nil
	}
	c.saved = at
	text, err := json.Marshal(map[string]int64{"known": at})
	if err != nil {
		return err
	}
	return store.Replace(root, clockFile, text)
}

// poolOf reads a PEM bundle of certificates.
func poolOf(bundle []byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(bundle) {
		return nil, errors.New("holds no PEM certificate")
	}
	return pool, nil
}

func readPool(file string) ([]byte, error) {
	bundle, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if _, err := poolOf(bundle); err != nil {
		return nil, fmt.Errorf("%s %w", file, err)
	}
	return bundle, nil
}

// tlsConfig trusts the given bundle, and the system's CAs where it is empty.
func tlsConfig(bundle []byte, now func() time.Time) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, Time: now}
	if len(bundle) == 0 {
		return c, nil
	}
	pool, err := poolOf(bundle)
	c.RootCAs = pool
	return c, err
}

// parsePin reads the SHA-256 of a public key, in base64url or hexadecimal.
func parsePin(text string) ([]byte, error) {
	if b, err := hex.DecodeString(text); err == nil && len(b) == sha256.Size {
		return b, nil
	}
	if b, err := wire.FromBase64(text); err == nil && len(b) == sha256.Size {
		return b, nil
	}
	return nil, errors.New("a CA hash is the SHA-256 of the CA's public key, 43 characters of base64url or 64 of hexadecimal")
}

// pinnedTLS trusts whatever CA of the served chain has the pinned public key,
// and hands its certificate to found. The rest of the checks stay as they are.
func pinnedTLS(pin []byte, host string, now func() time.Time, found func(pemText []byte)) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         host,
		InsecureSkipVerify: true, // VerifyConnection below does it, with a root found in the chain
		VerifyConnection: func(state tls.ConnectionState) error {
			roots, between := x509.NewCertPool(), x509.NewCertPool()
			var ca *x509.Certificate
			for _, cert := range state.PeerCertificates[1:] {
				sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
				if cert.IsCA && string(sum[:]) == string(pin) {
					roots.AddCert(cert)
					ca = cert
					continue
				}
				between.AddCert(cert)
			}
			if ca == nil {
				return errors.New("no CA of the served chain has the pinned public key (--ca-hash): this is another cluster, or somebody is in between")
			}
			_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{
				Roots: roots, Intermediates: between, DNSName: host, CurrentTime: now(),
			})
			if err == nil {
				found(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}))
			}
			return err
		},
	}
}
