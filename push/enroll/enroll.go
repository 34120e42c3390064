package enroll

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/droverhq/drover/wire"
)

// Request is an enrolment whose proof was checked.
type Request struct {
	Token     string
	Node      string // "" = the one that the token names
	PublicKey []byte // Ed25519, 32 bytes
}

var (
	// ErrMalformed is a body that is no enrolment.
	ErrMalformed = errors.New("this is no enrolment")
	// ErrProof is a proof that the registered key did not make.
	ErrProof = errors.New("the proof was not made with the private half of public_key, over this token and node")
)

// Read reads the body of a request and checks its proof. Members that it does
// not know are those of a newer agent, and are passed over.
func Read(body []byte) (Request, error) {
	var in wire.EnrollRequest
	if err := json.Unmarshal(body, &in); err != nil {
		return Request{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	key, err := wire.FromBase64(in.PublicKey)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return Request{}, fmt.Errorf("%w: public_key is not the base64url of %d bytes", ErrMalformed, ed25519.PublicKeySize)
	}
	text := wire.EnrollText(in.Token, in.Node, in.PublicKey)
	if err := wire.Verify([]ed25519.PublicKey{key}, text, in.Proof); err != nil {
		return Request{}, ErrProof
	}
	return Request{Token: in.Token, Node: in.Node, PublicKey: key}, nil
}

// Answer is the body of the answer: the name that the node has from now on,
// the id of the cluster, the public keys to pin, and the URLs of the peers.
func Answer(node, cluster string, keys [][]byte, peers []string) ([]byte, error) {
	out := wire.EnrollAnswer{Node: node, Cluster: cluster, Keys: make([]string, len(keys)), Peers: peers}
	for i, k := range keys {
		out.Keys[i] = wire.Base64(k)
	}
	return json.Marshal(out)
}
