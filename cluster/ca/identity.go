package ca

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Identity is who a peer is, as its certificate says in a URI SAN
// spiffe://drover/<cluster>/<epoch>/peer/<id> (SPIFFE-ID, section 2).
type Identity struct {
	Cluster string
	Epoch   uint64
	Peer    string
}

// URI is the form in the certificate.
func (i Identity) URI() *url.URL {
	return &url.URL{Scheme: "spiffe", Host: "drover", Path: fmt.Sprintf("/%s/%d/peer/%s", i.Cluster, i.Epoch, i.Peer)}
}

// ErrWrongCluster is a certificate of another cluster, or of an epoch that
// a recovery has ended.
var ErrWrongCluster = errors.New("the certificate is of another cluster or epoch")

// IdentityOf reads the identity out of a certificate.
func IdentityOf(cert *x509.Certificate) (Identity, error) {
	if len(cert.URIs) != 1 {
		return Identity{}, fmt.Errorf("the certificate names %d identities, want one", len(cert.URIs))
	}
	u := cert.URIs[0]
	part := strings.Split(strings.TrimPrefix(u.Path, "/"), "/")
	if u.Scheme != "spiffe" || u.Host != "drover" || len(part) != 4 || part[2] != "peer" {
		return Identity{}, fmt.Errorf("the certificate is not that of a peer: %q", u.String())
	}
	epoch, err := strconv.ParseUint(part[1], 10, 64)
	if err != nil {
		return Identity{}, fmt.Errorf("the certificate is not that of a peer: %q", u.String())
	}
	return Identity{Cluster: part[0], Epoch: epoch, Peer: part[3]}, nil
}

// VerifyPeer checks a certificate chain against the trust bundle and returns
// whose it is. Host names play no part: a peer is known by its identity.
func VerifyPeer(chain []*x509.Certificate, roots *x509.CertPool, own Identity, now time.Time) (Identity, error) {
	if len(chain) == 0 {
		return Identity{}, errors.New("the other side showed no certificate")
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: roots, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return Identity{}, fmt.Errorf("verify a peer's certificate: %w", err)
	}
	id, err := IdentityOf(chain[0])
	if err != nil {
		return Identity{}, err
	}
	if id.Cluster != own.Cluster || id.Epoch != own.Epoch {
		return Identity{}, fmt.Errorf("%w: cluster %s epoch %d, this peer's is %s epoch %d", ErrWrongCluster, id.Cluster, id.Epoch, own.Cluster, own.Epoch)
	}
	return id, nil
}
