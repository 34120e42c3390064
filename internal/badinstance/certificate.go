package badinstance

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// Certificate is what an instance shows over TLS. Its authority is in
// Server.CA: a client that was not told about it meets an unknown authority.
type Certificate int

// What there is.
const (
	Plain     Certificate = iota // no TLS
	Valid                        // for localhost and every address of 127.0.0.1 to 127.0.0.254
	OtherName                    // for other.example alone
	Expired                      // valid until an hour ago
)

func (c Certificate) config() (*tls.Config, string, error) {
	if c == Plain {
		return nil, "", nil
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority of a test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	root, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	if err != nil {
		return nil, "", err
	}
	leaf := c.leaf()
	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, "", err
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, authority, leafKey.Public(), key)
	if err != nil {
		return nil, "", err
	}
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root}))
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: leafKey}}}, ca, nil
}

func (c Certificate) leaf() *x509.Certificate {
	out := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "an instance"},
		NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if c == Expired {
		out.NotAfter = time.Now().Add(-time.Hour)
	}
	if c == OtherName {
		out.DNSNames = []string{"other.example"}
		return out
	}
	out.DNSNames = []string{"localhost"}
	for i := byte(1); i < 255; i++ {
		out.IPAddresses = append(out.IPAddresses, net.IPv4(127, 0, 0, i))
	}
	return out
}
