package agent

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/droverhq/drover/agent/store"
	"github.com/droverhq/drover/wire"
)

// Files of an identity, below the agent's directory, for the owner alone.
const (
	identityDir  = "identity"
	keyFile      = "identity/key"
	identityFile = "identity/identity.json"
)

// ErrNotEnrolled is returned where an identity is needed and there is none.
var ErrNotEnrolled = errors.New("this node is not enrolled: run drover-agent enroll first")

// Identity is who a node is, and whom it trusts.
type Identity struct {
	Node    string   `json:"node"`
	Cluster string   `json:"cluster"`
	Keys    []string `json:"keys"`         // of the cluster, base64url: who may sign updates
	CA      string   `json:"ca,omitempty"` // PEM bundle that controllers' certificates must lead to

	pinned []ed25519.PublicKey
	key    ed25519.PrivateKey
}

// loadIdentity reads what enrolment left.
func loadIdentity(root *os.Root) (*Identity, error) {
	text, err := root.ReadFile(identityFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotEnrolled
	}
	if err != nil {
		return nil, err
	}
	id := &Identity{}
	if err := json.Unmarshal(text, id); err != nil {
		return nil, fmt.Errorf("%s: %w", identityFile, err)
	}
	if id.pinned, err = parseKeys(id.Keys); err != nil {
		return nil, fmt.Errorf("%s: %w", identityFile, err)
	}
	if id.key, err = loadKey(root); err != nil {
		return nil, err
	}
	return id, nil
}

func (id *Identity) save(root *os.Root) error {
	text, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return err
	}
	return store.Replace(root, identityFile, append(text, '\n'))
}

// with returns the identity with other keys and, where given, another CA.
func (id *Identity) with(set wire.KeySet) (*Identity, error) {
	pinned, err := parseKeys(set.Keys)
	if err != nil {
		return nil, err
	}
	next := *id
	next.Keys, next.pinned = set.Keys, pinned
	if set.CA != "" {
		if _, err := poolOf([]byte(set.CA)); err != nil {
			return nil, err
		}
		next.CA = set.CA
	}
	return &next, nil
}

func parseKeys(texts []string) ([]ed25519.PublicKey, error) {
	var keys []ed25519.PublicKey
	for _, text := range texts {
		raw, err := wire.FromBase64(text)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, errors.New("a signing key is not 32 bytes of base64url")
		}
		keys = append(keys, raw)
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no signing key")
	}
	return keys, nil
}

// ensureKey reads the node's key, and makes it the first time. It never leaves
// the machine, and an enrolment that is run again goes on with the same one.
func ensureKey(root *os.Root) (ed25519.PrivateKey, error) {
	if err := root.Mkdir(identityDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	key, err := loadKey(root)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if _, key, err = ed25519.GenerateKey(rand.Reader); err != nil {
		return nil, err
	}
	return key, store.Replace(root, keyFile, []byte(wire.Base64(key.Seed())+"\n"))
}

func loadKey(root *os.Root) (ed25519.PrivateKey, error) {
	info, err := root.Stat(keyFile)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: others may read it (mode %o): make it 0600, or enrol anew if they did",
			path.Join(root.Name(), keyFile), info.Mode().Perm())
	}
	text, err := root.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	for len(text) > 0 && text[len(text)-1] == '\n' {
		text = text[:len(text)-1]
	}
	seed, err := wire.FromBase64(string(text))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s: is not the key that enrolment wrote", keyFile)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// openKeys verifies a keys frame against what is pinned.
func openKeys(id *Identity, m wire.Keys) (*Identity, error) {
	if err := wire.Verify(id.pinned, m.Keys, m.Signature); err != nil {
		return nil, err
	}
	var set wire.KeySet
	if err := json.Unmarshal([]byte(m.Keys), &set); err != nil {
		return nil, err
	}
	if set.Purpose != "keys" || set.Cluster != id.Cluster {
		return nil, errors.New("the signature was made for something else")
	}
	return id.with(set)
}
