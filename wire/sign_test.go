package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// seeded is a key that is the same in every run.
func seeded(first byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = first + byte(i)
	}
	return ed25519.NewKeyFromSeed(seed)
}

func public(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// signedText is one line of the golden file: what is signed, and the signature
// that the key with the seed 20 21 22 … makes of it.
type signedText struct {
	What      string `json:"what"`
	Text      string `json:"text"`
	Signature string `json:"signature"`
}

func TestSignedTextsAreThoseOfTheContract(t *testing.T) {
	header := Header{Purpose: PurposeUpdate, Cluster: "c-1", Epoch: 2, Index: 57, Revision: 9, Audience: "aud", Base: "b", Manifest: "m"}
	var now []signedText
	for _, s := range []signedText{
		{What: "hello", Text: HelloText("c-1", "edge-1", "bm9uY2U")},
		{What: "welcome", Text: WelcomeText("c-1", "edge-1", "cGVlcg", "YWdlbnQ", "aud")},
		{What: "enroll", Text: EnrollText("token", "", "a2V5")},
		{What: "header", Text: header.Text()},
	} {
		s.Signature = Sign(seeded(0x20), s.Text)
		now = append(now, s)
	}
	text, err := json.MarshalIndent(now, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join("testdata", "signed.json")
	if *golden {
		if err := os.WriteFile(name, append(text, '\n'), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(append(text, '\n'), want) {
		t.Errorf("is now\n%s\nand was\n%s", text, want)
	}
	for _, s := range now {
		if err := Verify([]ed25519.PublicKey{public(seeded(1)), public(seeded(0x20))}, s.Text, s.Signature); err != nil {
			t.Errorf("%s: %v", s.What, err)
		}
	}
}

func TestSignaturesThatAreNotGood(t *testing.T) {
	key, other := seeded(0x20), seeded(1)
	pinned := []ed25519.PublicKey{public(key)}
	good := Sign(key, "text")
	raw, err := FromBase64(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		keys      []ed25519.PublicKey
		text, sig string
	}{
		"another text":       {pinned, "texT", good},
		"another key":        {[]ed25519.PublicKey{public(other)}, "text", good},
		"no key":             {nil, "text", good},
		"a short key":        {[]ed25519.PublicKey{public(key)[:31]}, "text", good},
		"without our prefix": {pinned, "text", Base64(ed25519.Sign(key, []byte("text")))},
		"none":               {pinned, "text", ""},
		"padded":             {pinned, "text", good + "=="},
		"a byte too many":    {pinned, "text", Base64(append(slices.Clone(raw), 0))},
		"a line feed in it":  {pinned, "text", good[:40] + "\n" + good[40:]},
	} {
		if err := Verify(c.keys, c.text, c.sig); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for bit := range len(raw) * 8 {
		flipped := slices.Clone(raw)
		flipped[bit/8] ^= 1 << (bit % 8)
		if err := Verify(pinned, "text", Base64(flipped)); !errors.Is(err, ErrSignature) {
			t.Errorf("bit %d flipped: %v", bit, err)
		}
	}
}

// A text that was signed for one thing is never one of another kind.
func TestTextsOfDifferentKindsDiffer(t *testing.T) {
	texts := []string{HelloText("c", "n", "x"), WelcomeText("c", "n", "x", "y", "z"), EnrollText("c", "n", "x"), Header{}.Text()}
	for i, a := range texts {
		for _, b := range texts[i+1:] {
			if a == b || strings.SplitN(a, "\n", 2)[0] == strings.SplitN(b, "\n", 2)[0] {
				t.Errorf("%q and %q", a, b)
			}
		}
	}
}

func TestHeadersAreVerifiedBeforeTheyAreParsed(t *testing.T) {
	key := seeded(0x20)
	pinned := []ed25519.PublicKey{public(key)}
	h := Header{Purpose: PurposeUpdate, Cluster: "c-1", Epoch: 1, Index: 2, Revision: 3, Audience: "a", Base: "b", Manifest: "m"}
	text := h.Text()
	if got, err := OpenHeader(pinned, text, Sign(key, text)); err != nil || got != h {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := OpenHeader(pinned, `{"epoch":`, Sign(seeded(1), `{"epoch":`)); !errors.Is(err, ErrSignature) {
		t.Errorf("%v", err)
	}
	for _, text := range []string{`{"epoch":`, `{"epoch":1,"epoch":2}`, `{"epoch":-1}`, `[]`, ``} {
		if _, err := OpenHeader(pinned, text, Sign(key, text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestOneSpellingOfBase64(t *testing.T) {
	for _, b := range [][]byte{nil, {0}, {0xfb, 0xff}, bytes.Repeat([]byte{0xa5}, 64)} {
		if back, err := FromBase64(Base64(b)); err != nil || !bytes.Equal(back, b) {
			t.Errorf("%x: %x %v", b, back, err)
		}
	}
	for _, s := range []string{"AA==", "+/8", "AB", "A", "A A", "AA\n", "\nAA"} {
		if b, err := FromBase64(s); err == nil {
			t.Errorf("%q is read as %x", s, b)
		}
	}
}

func TestWhenToComeBack(t *testing.T) {
	want := map[int]time.Duration{
		CloseProtocol: 10 * time.Second, CloseProof: time.Minute, CloseUnknown: time.Minute, CloseRevoked: 15 * time.Minute,
		CloseSuperseded: 0, CloseDuplicate: time.Minute, CloseGoaway: 0, CloseSlow: time.Second, CloseNotReady: time.Second,
		1000: 0, 1006: 0, 4999: 0,
	}
	for code, wait := range want {
		if got := RetryAfter(code); got != wait {
			t.Errorf("after %d: %s, want %s", code, got, wait)
		}
	}
	for i, code := range []int{CloseProtocol, CloseProof, CloseUnknown, CloseRevoked, CloseSuperseded, CloseDuplicate, CloseGoaway, CloseSlow, CloseNotReady} {
		if code != 4000+i {
			t.Errorf("close code %d has moved", code)
		}
	}
}

func FuzzOpenHeader(f *testing.F) {
	key := seeded(0x20)
	pinned := []ed25519.PublicKey{public(key)}
	f.Add(Header{Purpose: PurposeUpdate}.Text(), "")
	f.Add(`{"purpose":"update","epoch":18446744073709551615,"x":[{}]}`, Sign(key, "x"))
	f.Fuzz(func(t *testing.T, text, signature string) {
		if Verify(pinned, text, signature) == nil && Sign(key, text) != signature {
			t.Fatalf("%q counts as the signature of %q", signature, text)
		}
		h, err := OpenHeader(pinned, text, Sign(key, text))
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		again, err := OpenHeader(pinned, h.Text(), Sign(key, h.Text()))
		if err != nil || again != h {
			t.Fatalf("%+v became %+v (%v)", h, again, err)
		}
	})
}
