package enroll_test

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/droverhq/drover/push/enroll"
	"github.com/droverhq/drover/wire"
)

func request(t *testing.T, change func(*wire.EnrollRequest)) []byte {
	t.Helper()
	key := ed25519.NewKeyFromSeed(slices.Repeat([]byte{7}, ed25519.SeedSize))
	r := wire.EnrollRequest{Token: "t", Node: "edge-1", PublicKey: wire.Base64(key.Public().(ed25519.PublicKey))}
	r.Proof = wire.Sign(key, wire.EnrollText(r.Token, r.Node, r.PublicKey))
	if change != nil {
		change(&r)
	}
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestAProofIsGoodForItsTokenNodeAndKeyAlone(t *testing.T) {
	got, err := enroll.Read(request(t, nil))
	if err != nil || got.Token != "t" || got.Node != "edge-1" || len(got.PublicKey) != ed25519.PublicKeySize {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, c := range map[string]struct {
		change func(*wire.EnrollRequest)
		want   error
	}{
		"another token": {func(r *wire.EnrollRequest) { r.Token = "u" }, enroll.ErrProof},
		"another node":  {func(r *wire.EnrollRequest) { r.Node = "edge-2" }, enroll.ErrProof},
		"another key":   {func(r *wire.EnrollRequest) { r.PublicKey = wire.Base64(make([]byte, 32)) }, enroll.ErrProof},
		"no proof":      {func(r *wire.EnrollRequest) { r.Proof = "" }, enroll.ErrProof},
		"a short key":   {func(r *wire.EnrollRequest) { r.PublicKey = "AA" }, enroll.ErrMalformed},
	} {
		if _, err := enroll.Read(request(t, c.change)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := enroll.Read([]byte(`{"token":1}`)); !errors.Is(err, enroll.ErrMalformed) {
		t.Errorf("a number for a token: %v", err)
	}
}

func TestTheAnswerIsTheWires(t *testing.T) {
	body, err := enroll.Answer("edge-1", "c-1", [][]byte{{1, 2}}, []string{"https://a:8443"})
	if err != nil {
		t.Fatal(err)
	}
	var got wire.EnrollAnswer
	if err := json.Unmarshal(body, &got); err != nil || got.Node != "edge-1" || got.Keys[0] != "AQI" || got.Peers[0] != "https://a:8443" {
		t.Errorf("%s, %v", body, err)
	}
}
