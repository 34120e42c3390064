package fsm

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/droverhq/drover/document"
)

// Sum is a SHA-256: of a text (a blob's name) or of canonical bytes (a
// document's checksum).
type Sum = document.Checksum

// State is the replicated state. Its exported methods only read, and may be
// called inside Store.View alone; the rows that they return are immutable and
// may be kept.
type State struct {
	head
	membership
	access
	catalog
	fleet
	history
}

// head is where the state stands in the log. now and term are those of the
// command that is being applied.
type head struct {
	index uint64 // Raft index of the last command applied
	term  uint64
	now   int64
	hash  uint64 // rolling, see mix
	// moved is what the command being applied changed, for the feed.
	moved []Event
	share sharer
}

type membership struct {
	cluster    *Cluster
	peers      map[string]*Peer
	joinTokens map[string]*JoinToken
	settings   *Settings
}

type access struct {
	users  map[string]*User
	logins map[string]*Login
	tokens map[string]*Token
}

type catalog struct {
	documents map[string]*Document
	blobs     map[Sum]*Blob
	partial   map[Sum]*partialBlob
	revisions []*Revision // revisions[i] is number i+1-less the pruned ones
	pruned    uint64      // revisions dropped by retention, from the start
}

type fleet struct {
	nodes        map[string]*Node
	byOrdinal    []*Node // nil where removed
	rows         []*Row  // by ordinal
	audiences    map[Sum]*Audience
	byDocument   map[string]map[Sum]*Audience // audiences that a document reaches
	refusing     map[uint32]struct{}          // ordinals of rows with a refusal
	enrollTokens map[string]*EnrollToken
	instances    []uint32 // ordinals of the nodes that are called over HTTP, ascending
	discoveries  map[string]*Discovery
}

type history struct {
	pushes   map[uint64]*Push
	running  []uint64 // revisions of the pushes that run, ascending
	audit    AuditLog
	auditSeq uint64
	once     map[string]*onceRow
	requests requestLog
}

func newState() *State {
	s := &State{}
	s.peers, s.joinTokens = map[string]*Peer{}, map[string]*JoinToken{}
	s.settings = DefaultSettings()
	s.users, s.logins, s.tokens = map[string]*User{}, map[string]*Login{}, map[string]*Token{}
	s.documents, s.blobs, s.partial = map[string]*Document{}, map[Sum]*Blob{}, map[Sum]*partialBlob{}
	s.nodes, s.audiences = map[string]*Node{}, map[Sum]*Audience{}
	s.byDocument, s.refusing = map[string]map[Sum]*Audience{}, map[uint32]struct{}{}
	s.enrollTokens, s.discoveries = map[string]*EnrollToken{}, map[string]*Discovery{}
	s.pushes, s.once = map[uint64]*Push{}, map[string]*onceRow{}
	s.requests.seen = map[requestKey]struct{}{}
	return s
}

// Index is the Raft index of the last command applied.
func (s *State) Index() uint64 { return s.index }

// Epoch is the cluster's epoch, 0 before the cluster is created.
func (s *State) Epoch() uint64 {
	if s.cluster == nil {
		return 0
	}
	return s.cluster.Epoch
}

// Position is the (epoch, index) of the state.
func (s *State) Position() Position { return Position{s.Epoch(), s.index} }

// Hash is the rolling hash of what every command did: equal on all peers at
// equal index.
func (s *State) Hash() uint64 { return s.hash }

// Position orders states and updates: (epoch, index).
type Position struct {
	Epoch uint64 `cbor:"1,keyasint,omitempty"`
	Index uint64 `cbor:"2,keyasint,omitempty"`
}

// Less tells whether p comes before q.
func (p Position) Less(q Position) bool {
	return p.Epoch < q.Epoch || p.Epoch == q.Epoch && p.Index < q.Index
}

// Codes of Error, for programs.
const (
	CodeConflict    = "conflict"     // something else exists or moved
	CodeBaseMoved   = "base_moved"   // If-Match does not hold any more
	CodeSchemaMoved = "schema_moved" // the content was checked against another schema
	CodeNotFound    = "not_found"    //
	CodeDenied      = "denied"       // a token is unknown, used or expired
	CodeInvalid     = "invalid"      // the content or a field is not acceptable
	CodeTooLarge    = "too_large"    // a limit of the cluster
	CodeFenced      = "fenced"       // a leader duty of another term
	CodeKeyMismatch = "idempotency_mismatch"
	CodeNoFeature   = "feature_level"
)

// Error is a refusal: the command changed nothing. Code is for programs,
// Message says what to do next, Pointer names the place where there is one.
type Error struct {
	Code    string
	Pointer string
	Message string
}

func (e *Error) Error() string { return e.Message }

// Code returns the code of a refusal, or "".
func Code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func sortedRows[K comparable, V any, O cmp.Ordered](m map[K]V, by func(V) O) []V {
	return slices.SortedFunc(maps.Values(m), func(a, b V) int { return cmp.Compare(by(a), by(b)) })
}

func sameHash(a, b []byte) bool { return len(a) > 0 && bytes.Equal(a, b) }

// mix folds a value into the rolling hash (the finaliser of MurmurHash3, which
// spreads every input bit over the word).
func (s *State) mix(values ...uint64) {
	for _, v := range values {
		h := s.hash ^ v
		h ^= h >> 33
		h *= 0xff51afd7ed558ccd
		h ^= h >> 33
		h *= 0xc4ceb9fe1a85ec53
		s.hash = h ^ h>>33
	}
}
