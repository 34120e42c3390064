package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/droverhq/drover/cluster/ca"
)

func TestCertificatesAreRenewedAtHalfTheirLifeWithoutARestart(t *testing.T) {
	t.Parallel()
	peers := three(t)
	for i, p := range peers { // each comes back with a certificate of some days ago
		r := p.running1(t)
		const day = 24 * time.Hour
		age := []time.Duration{day, 14 * day, 20 * day}[i]
		if err := r.renewPeer(time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
		old := r.creds.Leaf()
		p.kill()
		peers[i] = p.restart().ready()
		r = peers[i].running1(t)
		if due := age > ca.LeafLife/2; due {
			eventually(t, "a renewal", func() bool { return r.creds.Leaf().NotAfter.After(time.Now().Add(ca.LeafLife - time.Hour)) })
		} else if !r.creds.Leaf().Equal(old) {
			t.Errorf("a certificate of %v ago was replaced", age)
		}
		if err := r.renew(peers[i].certs, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	// Everything goes on with the new ones, on open connections and on new ones.
	peers[1].commit(putUser("before"))
	for _, p := range peers {
		for _, q := range others(peers, p) {
			p.core().drop(q.peerID)
		}
	}
	peers[2].commit(putUser("after"))
	peers[2].kill()
	peers[2].restart().ready().commit(putUser("restarted"))
}

func TestTheAPICertificateIsGoodForItsHostsAndSurvivesARestart(t *testing.T) {
	t.Parallel()
	one := initPeer(t).ready()
	eventually(t, "an API certificate", func() bool { _, err := one.APICertificate(nil); return err == nil })
	cert, err := one.APICertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := os.ReadFile(filepath.Join(one.dir, fileCA))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	host, _ := os.Hostname()
	for _, name := range []string{"localhost", "127.0.0.1", "::1", host} {
		if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	one.kill()
	two := one.restart().ready()
	eventually(t, "an API certificate", func() bool { _, err := two.APICertificate(nil); return err == nil })
	if again, _ := two.APICertificate(nil); !again.Leaf.Equal(cert.Leaf) {
		t.Error("a restart changes the certificate")
	}
	two.kill()
	changed := two.cfg
	changed.API.URL = "https://drover.example:8443"
	three := start(t, two.net, two.dir, changed).ready()
	eventually(t, "the new host", func() bool {
		c, err := three.APICertificate(nil)
		return err == nil && c.Leaf.VerifyHostname("drover.example") == nil
	})
}

func TestAConfiguredAPICertificateIsUsedAndReloaded(t *testing.T) {
	t.Parallel()
	one := initPeer(t).ready()
	dir := t.TempDir()
	cfg := one.cfg
	cfg.API.Cert, cfg.API.Key = filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	issue := func(at time.Time) {
		authority, err := one.running1(t).trust.authority()
		if err != nil {
			t.Fatal(err)
		}
		private, _ := ca.NewKey()
		cert, err := authority.IssueAPI(private.Public(), []string{"own.example"}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		key, _ := ca.EncodeKey(private)
		for path, data := range map[string][]byte{cfg.API.Cert: cert, cfg.API.Key: key} {
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	issue(time.Now().Add(-time.Hour))
	certs := newCertificates(cfg)
	first, err := certs.get()
	if err != nil || first.Leaf.VerifyHostname("own.example") != nil {
		t.Fatal(err)
	}
	issue(time.Now())
	if err := one.running1(t).renew(certs, time.Now()); err != nil {
		t.Fatal(err)
	}
	if second, _ := certs.get(); second.Leaf.Equal(first.Leaf) {
		t.Error("the new file is not used")
	}
	missing := newCertificates(Config{API: APIConfig{Cert: "nowhere.pem", Key: "nowhere.key"}})
	conf := tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: (&Node{certs: missing}).APICertificate}
	if _, err := conf.GetCertificate(nil); err == nil {
		t.Error("a missing file was taken for a certificate")
	}
}
