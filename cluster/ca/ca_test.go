package ca

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func authority(t *testing.T) *Authority {
	t.Helper()
	a, err := NewAuthority("one", now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issue(t *testing.T, a *Authority, id Identity, at time.Time) []*x509.Certificate {
	t.Helper()
	key, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := NewRequest(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := a.IssuePeer(csr, id, at)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ParseCertificate(text)
	if err != nil {
		t.Fatal(err)
	}
	return []*x509.Certificate{cert}
}

func TestAPeerIsKnownByItsIdentity(t *testing.T) {
	a, other := authority(t), authority(t)
	own := Identity{"one", 1, "me"}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.Certificate())
	for _, c := range []struct {
		name string
		by   *Authority
		id   Identity
		at   time.Time
		ok   bool
	}{
		{"a peer", a, Identity{"one", 1, "you"}, now, true},
		{"another cluster", a, Identity{"two", 1, "you"}, now, false},
		{"an old epoch", a, Identity{"one", 0, "you"}, now, false},
		{"another authority", other, Identity{"one", 1, "you"}, now, false},
		{"expired", a, Identity{"one", 1, "you"}, now.Add(-LeafLife - time.Minute), false},
		{"not yet valid", a, Identity{"one", 1, "you"}, now.Add(2 * time.Hour), false},
	} {
		id, err := VerifyPeer(issue(t, c.by, c.id, c.at), roots, own, now)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.ok && id != c.id {
			t.Errorf("%s: identity %+v", c.name, id)
		}
	}
	key, _ := NewKey()
	text, err := a.IssueAPI(key.Public(), []string{"localhost", "127.0.0.1"}, now)
	if err != nil {
		t.Fatal(err)
	}
	api, _ := ParseCertificate(text)
	if _, err := VerifyPeer([]*x509.Certificate{api}, roots, own, now); err == nil {
		t.Error("the API certificate was taken for a peer's")
	}
	if err := api.VerifyHostname("127.0.0.1"); err != nil {
		t.Error(err)
	}
	if _, err := VerifyPeer(nil, roots, own, now); err == nil {
		t.Error("no certificate was taken for a peer's")
	}
}

func TestALeafIsRenewedAtHalfItsLife(t *testing.T) {
	leaf := issue(t, authority(t), Identity{"one", 1, "you"}, now)[0]
	if got := HalfLife(leaf).Sub(now); got < 14*24*time.Hour || got > 16*24*time.Hour {
		t.Errorf("after %v", got)
	}
}

func TestAnAuthorityComesBackFromItsParts(t *testing.T) {
	a, b := authority(t), authority(t)
	key, err := a.Key()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LoadAuthority(a.Certificate(), key); err != nil {
		t.Error(err)
	}
	if _, err := LoadAuthority(b.Certificate(), key); err == nil {
		t.Error("a key was taken for another certificate's")
	}
}

func TestOnlyTheRightKeyOpensASealedSecret(t *testing.T) {
	k, err := NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := k.Seal("one", "signing", []byte("canary"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseSealKey(k.File())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := again.Open("one", "signing", sealed); err != nil || string(got) != "canary" {
		t.Errorf("%q, %v", got, err)
	}
	other, _ := NewSealKey()
	bad := append([]byte(nil), sealed...)
	bad[len(bad)-1] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"another key":     func() ([]byte, error) { return other.Open("one", "signing", sealed) },
		"another cluster": func() ([]byte, error) { return k.Open("two", "signing", sealed) },
		"another name":    func() ([]byte, error) { return k.Open("one", "ca", sealed) },
		"altered":         func() ([]byte, error) { return k.Open("one", "signing", bad) },
		"cut off":         func() ([]byte, error) { return k.Open("one", "signing", sealed[:5]) },
	} {
		if _, err := open(); err == nil {
			t.Errorf("%s opened it", name)
		}
	}
	if s := fmt.Sprintf("%v %+v %#v %s", k, k, k, k); strings.Contains(s, string(k.File())) || strings.Contains(s, fmt.Sprint(k.key[0], k.key[1], k.key[2])) {
		t.Error("the key prints itself")
	}
	for _, text := range []string{"", "drover-key-1:", "drover-key-1:AAAA", "x" + string(k.File())} {
		if _, err := ParseSealKey([]byte(text)); err == nil {
			t.Errorf("%q was taken for a key file", text)
		}
	}
}

func TestAJoinTokenCarriesTheClusterAndHidesItsSecret(t *testing.T) {
	tok, err := NewToken("one", "roothash")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseToken(" " + tok.Reveal() + "\n")
	if err != nil || got != tok {
		t.Errorf("%v, %v", got, err)
	}
	if s := fmt.Sprintf("%v %+v %#v", tok, tok, tok); strings.Contains(s, tok.Secret()) {
		t.Error("the token prints its secret: " + s)
	}
	for _, bad := range []string{"", "drover1.a.b.c", "drover2.a.b.c.d", "drover1.a..c.d", tok.Reveal() + ".x"} {
		if _, err := ParseToken(bad); !errors.Is(err, ErrToken) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestADigestDependsOnKeyClusterNameAndData(t *testing.T) {
	k, err := NewSealKey()
	other, err2 := NewSealKey()
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	base := k.Digest("one", "a", []byte("x"))
	if !bytes.Equal(base, k.Digest("one", "a", []byte("x"))) {
		t.Error("it is another one each time")
	}
	for name, d := range map[string][]byte{
		"another key": other.Digest("one", "a", []byte("x")), "another cluster": k.Digest("two", "a", []byte("x")),
		"another name": k.Digest("one", "b", []byte("x")), "other data": k.Digest("one", "a", []byte("y")),
	} {
		if bytes.Equal(d, base) {
			t.Errorf("%s: the same digest", name)
		}
	}
}
