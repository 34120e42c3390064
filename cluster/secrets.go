package cluster

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/droverhq/drover/cluster/ca"
	"github.com/droverhq/drover/fsm"
)

// Names of what is sealed in the state.
const (
	sealedCA      = "ca"
	sealedSigning = "signing"
	sealedGossip  = "gossip"
)

const gossipKeySize = 32 // AES-256

// errNoState means that the state has not arrived at this peer yet.
var errNoState = errors.New("this peer has not caught up with the cluster yet")

// trust opens what is sealed in the replicated state.
type trust struct {
	key   ca.SealKey
	store *fsm.Store
}

func (t trust) open(name string) (secret []byte, cluster *fsm.Cluster, err error) {
	t.store.View(func(s *fsm.State) { cluster = s.Cluster() })
	if cluster == nil {
		return nil, nil, errNoState
	}
	secret, err = t.key.Open(cluster.ID, name, cluster.Sealed[name])
	return secret, cluster, err
}

// seal encrypts a secret that is not one of the cluster's own.
func (t trust) seal(name string, secret []byte) ([]byte, error) {
	if len(secret) == 0 {
		return nil, nil
	}
	id, err := t.clusterID()
	if err != nil {
		return nil, err
	}
	return t.key.Seal(id, name, secret)
}

// unseal decrypts what seal made.
func (t trust) unseal(name string, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	id, err := t.clusterID()
	if err != nil {
		return nil, err
	}
	return t.key.Open(id, name, sealed)
}

// digest is a keyed hash of something that must not be guessed from it.
func (t trust) digest(name string, data []byte) ([]byte, error) {
	id, err := t.clusterID()
	if err != nil {
		return nil, err
	}
	return t.key.Digest(id, name, data), nil
}

func (t trust) clusterID() (id string, err error) {
	t.store.View(func(s *fsm.State) {
		if c := s.Cluster(); c != nil {
			id = c.ID
		}
	})
	if id == "" {
		return "", errNoState
	}
	return id, nil
}

// signingKey is the key that signs updates.
func (t trust) signingKey() (ed25519.PrivateKey, error) {
	seed, _, err := t.open(sealedSigning)
	if err != nil {
		return nil, err
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("the signing key has %d bytes", len(seed))
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// authority can issue certificates. Every peer can: the key file is the line of
// trust, and a leaf can be renewed without a quorum.
func (t trust) authority() (*ca.Authority, error) {
	key, cluster, err := t.open(sealedCA)
	if err != nil {
		return nil, err
	}
	return ca.LoadAuthority(cluster.CA, key)
}

// newSecrets makes the secrets of a new cluster, sealed, and the command that
// creates it.
func newSecrets(key ca.SealKey, authority *ca.Authority, id, name string) (fsm.CreateCluster, []byte, error) {
	create := fsm.CreateCluster{ID: id, Name: name, CA: authority.Certificate(), Sealed: map[string][]byte{}, Feature: fsm.FeatureLevel}
	caKey, err := authority.Key()
	if err != nil {
		return create, nil, fmt.Errorf("encode the key of the authority: %w", err)
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return create, nil, fmt.Errorf("make the signing key: %w", err)
	}
	create.SignKeys = [][]byte{public}
	gossip := make([]byte, gossipKeySize)
	if _, err := rand.Read(gossip); err != nil {
		return create, nil, fmt.Errorf("make the gossip key: %w", err)
	}
	for n, secret := range map[string][]byte{sealedCA: caKey, sealedSigning: private.Seed(), sealedGossip: gossip} {
		if create.Sealed[n], err = key.Seal(id, n, secret); err != nil {
			return create, nil, err
		}
	}
	return create, gossip, nil
}
