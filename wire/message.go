package wire

import "github.com/go-json-experiment/json/jsontext"

// Subprotocol is the WebSocket subprotocol that both sides must agree on.
const Subprotocol = "drover.v1"

// Read limits in bytes: before welcome a stranger may send little; after it an
// agent's largest frame is a status of all its targets, and a controller's an
// update that holds all documents of a node (16 MiB by default) in full.
const (
	LimitBeforeWelcome = 64 << 10
	LimitAfterWelcome  = 4 << 20
	LimitUpdate        = 20 << 20
)

// Message is one frame. Kind is the value of its "type" field.
type Message interface{ Kind() string }

// Challenge is the first frame of a connection; the agent signs Nonce.
type Challenge struct {
	Nonce   string `json:"nonce"`
	Cluster string `json:"cluster"`
	Peer    string `json:"peer"`
}

// Hello answers Challenge within 5 s. Index is the highest that the node
// accepted, tried ones included; Manifest was re-read from disk, and while an
// update is being tried it is the one of what ran before.
type Hello struct {
	Node         string            `json:"node"`
	Proof        string            `json:"proof"`
	Process      string            `json:"process"`
	Connection   uint64            `json:"connection"`
	AgentVersion string            `json:"agent_version,omitempty"`
	Capabilities []string          `json:"capabilities,omitempty"`
	Facts        map[string]string `json:"facts,omitempty"`
	Epoch        uint64            `json:"epoch"`
	Index        uint64            `json:"index"`
	Manifest     string            `json:"manifest"`
	Nonce        string            `json:"nonce"`
}

// Ack says that the update runs: sent after the self-check, never before. The
// position of the update is now the highest accepted.
type Ack struct {
	Seq       uint64 `json:"seq"`
	Update    string `json:"update"`
	Manifest  string `json:"manifest"`
	Millis    int64  `json:"ms"`
	Confirmed bool   `json:"confirmed"`
}

// Error says that nothing of the update was kept; Manifest is what runs now.
// Epoch and Index are the position of the update that was tried (an error may
// be told on another connection than the one that brought the update).
type Error struct {
	Seq      uint64    `json:"seq"`
	Update   string    `json:"update,omitempty"`
	Epoch    uint64    `json:"epoch"`
	Index    uint64    `json:"index"`
	Manifest string    `json:"manifest"`
	Errors   []Problem `json:"errors"`
}

// Problem is one reason. Message and LogTail are bounded (1 KiB, 2 KiB).
type Problem struct {
	Target    string `json:"target,omitempty"`
	Stage     string `json:"stage"`
	Code      string `json:"code"`
	Pointer   string `json:"pointer,omitempty"`
	Message   string `json:"message,omitempty"`
	LogTail   string `json:"log_tail,omitempty"`
	Retryable bool   `json:"retryable,omitzero"`
}

// Status reports what the node holds without an update to answer: a local
// change was seen, or Report asked for it. Have maps target to checksum; Index
// is the highest accepted.
type Status struct {
	Seq      uint64            `json:"seq"`
	Epoch    uint64            `json:"epoch"`
	Index    uint64            `json:"index"`
	Manifest string            `json:"manifest"`
	Have     map[string]string `json:"have"`
	Reason   string            `json:"reason,omitempty"`
}

// Welcome accepts the session; sent again when the audience changes.
// Signature covers WelcomeText.
type Welcome struct {
	Peer         string   `json:"peer"`
	Peers        []string `json:"peers"`
	Quorum       bool     `json:"quorum"`
	HeartbeatS   int      `json:"heartbeat_s"`
	Capabilities []string `json:"capabilities,omitempty"`
	Audience     string   `json:"audience"`
	Signature    string   `json:"signature"`
}

// Report asks the agent for a Status.
type Report struct{}

// Update brings the node to the manifest of its header. Header is the exact
// text that Signature covers; see Header.
type Update struct {
	Update    string     `json:"update"`
	Header    string     `json:"header"`
	Signature string     `json:"signature"`
	Documents []Document `json:"documents"`
}

// Document is one of: full (Content), delta (Base and Patch, RFC 6902, to be
// applied to the content whose checksum is Base), or Removed.
type Document struct {
	Target  string         `json:"target"`
	Version uint64         `json:"version,omitzero"`
	Content jsontext.Value `json:"content,omitzero"`
	Base    string         `json:"base,omitempty"`
	Patch   jsontext.Value `json:"patch,omitzero"`
	Removed bool           `json:"removed,omitzero"`
}

// Keys brings the signing keys and the CA bundle to pin from now on. Keys is
// the exact text of a KeySet, signed by a key that is pinned already.
type Keys struct {
	Keys      string `json:"keys"`
	Signature string `json:"signature"`
}

// Peers tells the addresses of the controllers when they change.
type Peers struct {
	Peers  []string `json:"peers"`
	Quorum bool     `json:"quorum"`
}

// Goaway asks the agent to go elsewhere. Connection, where set, is the highest
// connection number that the controllers have seen from this node.
type Goaway struct {
	Reason       string   `json:"reason"`
	RetryAfterMS int64    `json:"retry_after_ms,omitzero"`
	Peers        []string `json:"peers,omitempty"`
	Connection   uint64   `json:"connection,omitzero"`
}

// Fault says that the last frame was not understood; the session goes on.
type Fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (Challenge) Kind() string { return "challenge" }
func (Hello) Kind() string     { return "hello" }
func (Ack) Kind() string       { return "config_ack" }
func (Error) Kind() string     { return "config_error" }
func (Status) Kind() string    { return "status" }
func (Welcome) Kind() string   { return "welcome" }
func (Report) Kind() string    { return "report" }
func (Update) Kind() string    { return "config_update" }
func (Keys) Kind() string      { return "keys" }
func (Peers) Kind() string     { return "peers" }
func (Goaway) Kind() string    { return "goaway" }
func (Fault) Kind() string     { return "error" }
