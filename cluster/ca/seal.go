package ca

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// SealKey opens what is sealed in the replicated state. It lives in a file of
// its own on every peer, and never in the state or in a backup.
type SealKey struct{ key [32]byte }

const sealKeyPrefix = "drover-key-1:"

// NewSealKey makes the key of a new cluster.
func NewSealKey() (SealKey, error) {
	var k SealKey
	_, err := rand.Read(k.key[:])
	return k, err
}

// ParseSealKey reads the text of a key file.
func ParseSealKey(text []byte) (SealKey, error) {
	rest, ok := bytes.CutPrefix(bytes.TrimSpace(text), []byte(sealKeyPrefix))
	raw, err := base64.RawURLEncoding.DecodeString(string(rest))
	if !ok || err != nil || len(raw) != 32 {
		return SealKey{}, errors.New("this is not a key file of a cluster")
	}
	return SealKey{key: [32]byte(raw)}, nil
}

// File is the text of the key file.
func (k SealKey) File() []byte {
	return []byte(sealKeyPrefix + base64.RawURLEncoding.EncodeToString(k.key[:]) + "\n")
}

// String hides the key, wherever it may be printed.
func (SealKey) String() string { return "[sealed]" }

// GoString hides the key from %#v.
func (SealKey) GoString() string { return "[sealed]" }

// Seal encrypts a secret (AES-256-GCM with a random nonce). What it is sealed
// as, the cluster and the name, is bound to it.
func (k SealKey) Seal(cluster, name string, secret []byte) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, secret, binding(cluster, name)), nil
}

// Digest is a keyed hash (HMAC-SHA-256), bound like what is sealed: equal for
// equal data, and worth nothing to whoever would guess at it without the key.
func (k SealKey) Digest(cluster, name string, data []byte) []byte {
	h := hmac.New(sha256.New, k.key[:])
	h.Write([]byte("drover digest\x00" + cluster + "\x00" + name + "\x00"))
	h.Write(data)
	return h.Sum(nil)
}

// Open decrypts what Seal made.
func (k SealKey) Open(cluster, name string, sealed []byte) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	secret, err := aead.Open(nil, nil, sealed, binding(cluster, name))
	if err != nil {
		return nil, fmt.Errorf("open the sealed %s: the key file is not that of this cluster, or the value is damaged", name)
	}
	return secret, nil
}

func (k SealKey) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.key[:])
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	return aead, nil
}

func binding(cluster, name string) []byte {
	return []byte("drover seal\x00" + cluster + "\x00" + name)
}
