package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/droverhq/drover/fsm"
)

// What a Proposer or a Control can answer beside the *fsm.Error of a command
// that the state refused. They are matched with errors.Is.
var (
	// ErrNoQuorum means that there is no leader and nothing was committed.
	ErrNoQuorum = errors.New("no quorum: nothing was changed")
	// ErrOutcomeUnknown means that the command may or may not be committed.
	ErrOutcomeUnknown = errors.New("it is not known whether the change was made")
	// ErrDiskFull means that nothing was committed for want of space.
	ErrDiskFull = errors.New("the disk is nearly full: nothing was changed")
	// ErrNotReady means that this peer does not run (yet, or any more).
	ErrNotReady = errors.New("this peer is not ready")
	// ErrNoPeer is a name that no peer has.
	ErrNoPeer = errors.New("no such peer")
	// ErrUnsafe is a change of the membership that would lose the majority, or
	// for which no other peer is fit.
	ErrUnsafe = errors.New("refused: the cluster would have no healthy majority")
)

// Proposer commits commands and makes reads linearizable.
type Proposer interface {
	// Propose returns once this peer's own state has applied the command. A
	// refusal by the state is an *fsm.Error.
	Propose(ctx context.Context, c fsm.Command) (fsm.Result, error)
	// ReadIndex returns the index from which a read is linearizable.
	ReadIndex(ctx context.Context) (uint64, error)
}

// Standing is what a peer knows of who leads. It is asked for on every
// request, so to tell it must be cheap.
type Standing struct {
	Self   string    // id of this peer
	Leader string    // id of the leader; "" = none is known
	Term   uint64    // of the leader, or the last known
	Since  time.Time // when the leader was first seen, or lost
}

// PeerStatus is what is known of a peer beyond its row in the state.
type PeerStatus struct {
	Voter    bool
	Alive    bool
	Applied  uint64 // index that it has applied; 0 = not known
	Hash     uint64 // of its state at Applied
	Sessions int    // agents connected to it; -1 = not known
}

// Invitation is a join token for a new peer.
type Invitation struct {
	Token   string
	Expires time.Time
	Command string // to run on the new machine
}

// Control is the membership of the cluster. Names are those of peers.
type Control interface {
	Standing() Standing
	// Status tells, by peer id, what each peer says of itself; those that do
	// not answer in time are left out.
	Status(ctx context.Context) map[string]PeerStatus
	Invite(ctx context.Context, by fsm.Actor) (Invitation, error)
	// Change carries out a membership action: "leave", "remove" or
	// "transfer-leader" (there "" lets the cluster choose).
	Change(ctx context.Context, action, name string, by fsm.Actor) error
}

// Deps is what a Server works with. Store, Proposer and Control are required.
type Deps struct {
	Store    *fsm.Store
	Proposer Proposer
	Control  Control
	Log      *slog.Logger // nil discards
	// Seal encrypts what must not be in the replicated state in clear: tokens and
	// keys of instances. Without Seal and Digest none can be set.
	Seal func(secret []byte) ([]byte, error)
	// Digest is a hash under a key that is not in the state either.
	Digest func(data []byte) ([]byte, error)
	// Verifier asks instances what they hold; nil cannot.
	Verifier Verifier
	// Agents serves /agent/v1/connect, UI every path that is not the API's.
	Agents http.Handler
	UI     http.Handler
	// Ready adds reasons why this peer is not ready; nil has none.
	Ready func() []string
	// Collectors are served at /metrics beside those of this package.
	Collectors []prometheus.Collector
}
