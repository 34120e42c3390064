package transport

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/droverhq/drover/cluster/ca"
)

// The protocols of the peer port.
const (
	ProtoRaft = "drover-raft/1"
	ProtoRPC  = "drover-rpc/1"
	ProtoJoin = "drover-join/1"
)

// Credentials are what this peer shows and what it trusts. The certificate may
// be replaced while connections are open; new ones use the new one.
type Credentials struct {
	own   ca.Identity
	roots *x509.CertPool
	chain [][]byte // the root, sent along so that a joiner can pin it
	cert  atomic.Pointer[tls.Certificate]
}

// NewCredentials makes credentials of the trust bundle, the certificate and the
// key, all in PEM.
func NewCredentials(bundle, certPEM, keyPEM []byte) (*Credentials, error) {
	root, err := ca.ParseCertificate(bundle)
	if err != nil {
		return nil, fmt.Errorf("trust bundle: %w", err)
	}
	c := &Credentials{roots: x509.NewCertPool(), chain: [][]byte{root.Raw}}
	c.roots.AddCert(root)
	leaf, err := ca.ParseCertificate(certPEM)
	if err != nil {
		return nil, fmt.Errorf("peer certificate: %w", err)
	}
	if c.own, err = ca.IdentityOf(leaf); err != nil {
		return nil, err
	}
	return c, c.Replace(certPEM, keyPEM)
}

// Replace sets a renewed certificate; its identity must be the same.
func (c *Credentials) Replace(certPEM, keyPEM []byte) error {
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return fmt.Errorf("peer certificate: %w", err)
	}
	id, err := ca.IdentityOf(cert.Leaf)
	if err != nil {
		return err
	}
	if id != c.own {
		return fmt.Errorf("the certificate is that of %s, not of %s", id.URI(), c.own.URI())
	}
	cert.Certificate = append(cert.Certificate, c.chain...)
	c.cert.Store(&cert)
	return nil
}

// Identity is who this peer is.
func (c *Credentials) Identity() ca.Identity { return c.own }

// Leaf is the certificate in use.
func (c *Credentials) Leaf() *x509.Certificate { return c.cert.Load().Leaf }

// server is the TLS side of the listener. What a client asks for by ALPN
// decides whether it must show a certificate; nothing else is offered then.
func (c *Credentials) server() *tls.Config {
	base := func() *tls.Config {
		return &tls.Config{
			MinVersion:             tls.VersionTLS13,
			SessionTicketsDisabled: true,
			GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.cert.Load(), nil },
		}
	}
	join := base()
	join.NextProtos = []string{ProtoJoin}
	peers := base()
	peers.NextProtos = []string{ProtoRaft, ProtoRPC}
	peers.ClientAuth = tls.RequireAnyClientCert // verified below, by identity
	peers.VerifyConnection = c.verify("")
	peers.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		if len(h.SupportedProtos) == 1 && h.SupportedProtos[0] == ProtoJoin {
			return join, nil
		}
		return nil, nil
	}
	return peers
}

// client is the TLS side of a dial. peer is whom it must reach; an address may
// have been taken over by another one.
func (c *Credentials) client(proto, peer string) *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		NextProtos:           []string{proto},
		InsecureSkipVerify:   true, // the name is not checked: VerifyConnection checks chain and identity
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.cert.Load(), nil },
		VerifyConnection:     c.verify(peer),
	}
}

func (c *Credentials) verify(peer string) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		id, err := ca.VerifyPeer(s.PeerCertificates, c.roots, c.own, time.Now())
		if err != nil {
			return err
		}
		if peer != "" && id.Peer != peer {
			return fmt.Errorf("reached peer %s instead of %s: its address was taken over", id.Peer, peer)
		}
		return nil
	}
}
