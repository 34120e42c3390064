package wire

// EnrollRequest is the body of POST /agent/v1/enroll. Proof signs EnrollText
// with the key whose public half is registered (base64url of 32 bytes).
type EnrollRequest struct {
	Token     string `json:"token"`
	Node      string `json:"node,omitempty"`
	PublicKey string `json:"public_key"`
	Proof     string `json:"proof"`
}

// EnrollAnswer tells the node its name, its cluster, the signing keys to pin
// and the URLs of the controllers.
type EnrollAnswer struct {
	Node    string   `json:"node"`
	Cluster string   `json:"cluster"`
	Keys    []string `json:"keys"`
	Peers   []string `json:"peers"`
}
