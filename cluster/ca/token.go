package ca

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// Token lets one peer join: drover1.<cluster>.<sha256 of the root
// key>.<id>.<secret>. With the hash the joiner knows the cluster before it
// sends the secret.
type Token struct {
	Cluster string
	Root    string // Fingerprint of the root certificate
	ID      string
	secret  string
}

// ErrToken is a text that is no join token.
var ErrToken = errors.New("this is not a join token; make one with `drover cluster token` on a peer of the cluster")

const tokenPrefix = "drover1"

// NewToken makes a token with 256 bits of secret.
func NewToken(cluster, root string) (Token, error) {
	var raw [40]byte
	if _, err := rand.Read(raw[:]); err != nil {
		return Token{}, err
	}
	enc := base64.RawURLEncoding
	return Token{Cluster: cluster, Root: root, ID: enc.EncodeToString(raw[:8]), secret: enc.EncodeToString(raw[8:])}, nil
}

// ParseToken reads a token; white space around it does not matter.
func ParseToken(text string) (Token, error) {
	part := strings.Split(strings.TrimSpace(text), ".")
	if len(part) != 5 || part[0] != tokenPrefix {
		return Token{}, ErrToken
	}
	for _, p := range part[1:] {
		if p == "" {
			return Token{}, ErrToken
		}
	}
	return Token{Cluster: part[1], Root: part[2], ID: part[3], secret: part[4]}, nil
}

// Reveal is the whole token, secret included: for the person who asked for it.
func (t Token) Reveal() string {
	return strings.Join([]string{tokenPrefix, t.Cluster, t.Root, t.ID, t.secret}, ".")
}

// Secret is what the joiner sends once it has verified the cluster.
func (t Token) Secret() string { return t.secret }

// String hides the secret, wherever the token may be printed.
func (t Token) String() string {
	return strings.Join([]string{tokenPrefix, t.Cluster, t.Root, t.ID, "[secret]"}, ".")
}

// GoString hides the secret from %#v.
func (t Token) GoString() string { return t.String() }

// HashSecret is what is kept of a secret.
func HashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}
