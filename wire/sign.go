package wire

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
)

// Purposes of a signed header.
const PurposeUpdate = "update"

// prefix separates Drover's signatures from every other use of a key.
const prefix = "drover.v1\x00"

// Header is what a config_update binds: to which cluster and audience it may
// go, from which manifest it starts, and the manifest of everything the node
// then holds. It travels as the exact text that was signed.
type Header struct {
	Purpose  string `json:"purpose"`
	Cluster  string `json:"cluster"`
	Epoch    uint64 `json:"epoch"`
	Index    uint64 `json:"index"`
	Revision uint64 `json:"revision"`
	Audience string `json:"audience"`
	Base     string `json:"base"`
	Manifest string `json:"manifest"`
}

// KeySet is the content of Keys.Keys: the Ed25519 keys (base64url) that may
// sign from now on, and the CA bundle (PEM) to trust for TLS.
type KeySet struct {
	Purpose string   `json:"purpose"` // "keys"
	Cluster string   `json:"cluster"`
	Keys    []string `json:"keys"`
	CA      string   `json:"ca,omitempty"`
}

// ErrSignature is returned when no pinned key made the signature.
var ErrSignature = errors.New("signature was made by none of the pinned keys")

// Sign signs text under the drover.v1 prefix; the result is base64url.
func Sign(key ed25519.PrivateKey, text string) string {
	return Base64(ed25519.Sign(key, []byte(prefix+text)))
}

// Verify checks text against any of the pinned keys.
func Verify(keys []ed25519.PublicKey, text, signature string) error {
	sig, err := FromBase64(signature)
	if err != nil || len(sig) != ed25519.SignatureSize {
		return fmt.Errorf("%w (malformed)", ErrSignature)
	}
	message := []byte(prefix + text)
	for _, key := range keys {
		if len(key) == ed25519.PublicKeySize && ed25519.Verify(key, message, sig) {
			return nil
		}
	}
	return ErrSignature
}

// Text is the exact text of the header, to be signed and sent.
func (h Header) Text() string {
	text, err := json.Marshal(h)
	if err != nil { // a struct of strings and integers always encodes
		panic(err)
	}
	return string(text)
}

// OpenHeader verifies the text first and parses it only then.
func OpenHeader(keys []ed25519.PublicKey, text, signature string) (Header, error) {
	var h Header
	if err := Verify(keys, text, signature); err != nil {
		return h, err
	}
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		return h, fmt.Errorf("%w: header: %w", ErrMalformed, err)
	}
	return h, nil
}

// HelloText is what Hello.Proof signs with the node's key: a proof that is
// good for this nonce, this cluster and this node alone.
func HelloText(cluster, node, nonce string) string {
	return lines("hello", cluster, node, nonce)
}

// WelcomeText is what Welcome.Signature covers: it binds the node to its
// audience and, by both nonces, to this connection.
func WelcomeText(cluster, node, peerNonce, agentNonce, audience string) string {
	return lines("welcome", cluster, node, peerNonce, agentNonce, audience)
}

// EnrollText is what the proof of an enrolment signs with the new key.
func EnrollText(token, node, publicKey string) string {
	return lines("enroll", token, node, publicKey)
}

// lines joins parts that hold no line feed: ids and base64url.
func lines(parts ...string) string { return strings.Join(parts, "\n") }

// Base64 is base64url without padding, the encoding of every hash, key and
// signature on the wire.
func Base64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// FromBase64 reads what Base64 wrote and refuses any other spelling of it.
func FromBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") { // which the decoder would skip
		return nil, errors.New("no base64url without padding: it has a line feed")
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("no base64url without padding: %w", err)
	}
	return b, nil
}
