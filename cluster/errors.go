package cluster

import (
	"errors"

	"github.com/droverhq/drover/cluster/logstore"
)

// What a caller can be told of a write or a strong read.
var (
	// ErrNoQuorum means that there is no leader, and that nothing was committed.
	ErrNoQuorum = errors.New("the cluster has no quorum; nothing was changed")
	// ErrOutcomeUnknown means that the command may or may not be committed, now
	// or later. To repeat it under the same id is safe.
	ErrOutcomeUnknown = errors.New("it is not known whether the change was made; repeat it with the same key to find out")
	// ErrDiskFull means that this peer, or the leader, has too little space left
	// to accept more than what frees space. Nothing was committed.
	ErrDiskFull = errors.New("the disk is nearly full; nothing was changed")
	// ErrNotReady means that Run has not come far enough yet, or has ended.
	ErrNotReady = errors.New("this peer is not running")
)

// Why Run ends on its own.
var (
	// ErrLeft means that this peer has left the cluster or was removed from it.
	// Its data directory is marked, and does not start again.
	ErrLeft = errors.New("this peer is no longer a member of the cluster")
	// ErrDiskHung means that a write took so long that this peer, the leader,
	// gave way to the others. The process must end.
	ErrDiskHung = errors.New("the disk does not answer")
	// ErrDamaged means that the log on disk is not what was written.
	ErrDamaged = logstore.ErrDamaged
)

// Why a change of the membership is refused.
var (
	// ErrUnsafe means that the remaining voters would have no healthy majority.
	ErrUnsafe = errors.New("refused: the remaining peers would have no healthy majority")
	// ErrNoSuchPeer is an id or name that no peer has.
	ErrNoSuchPeer = errors.New("no such peer")
	// ErrNoTarget means that no other voter is fit to lead.
	ErrNoTarget = errors.New("there is no other healthy voter that could lead")
	// ErrRefused is a join that the cluster did not accept; the text says why.
	ErrRefused = errors.New("the cluster refused")
)
