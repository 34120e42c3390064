package fsm

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/cespare/xxhash/v2"
)

// Store holds the state of one peer: it applies the log, lets everybody read,
// and tells who waits that the state has moved.
type Store struct {
	mu    sync.RWMutex
	state *State
	feed  feed

	// waiting: results by request id, for the peer that proposed.
	waitMu  sync.Mutex
	waiting map[string]chan Result

	moved  *Latest
	failed chan error
}

// Result is what a command did. Err is an *Error where it was refused.
type Result struct {
	Index   uint64
	Outcome Outcome
	Err     error
}

// Outcome is what the answer to a command needs.
type Outcome struct {
	Revision  uint64        `cbor:"1,keyasint,omitempty"`
	Edits     []EditOutcome `cbor:"2,keyasint,omitempty"`
	Unchanged bool          `cbor:"3,keyasint,omitempty"`
	ID        string        `cbor:"4,keyasint,omitempty"`
	Count     int           `cbor:"5,keyasint,omitempty"`
	Replayed  bool          `cbor:"-"` // an earlier request with the same Idempotency-Key did it
}

// EditOutcome is one document of a committed change.
type EditOutcome struct {
	Document  string `cbor:"1,keyasint"`
	Version   uint64 `cbor:"2,keyasint"`
	Checksum  Sum    `cbor:"3,keyasint"`
	Unchanged bool   `cbor:"4,keyasint,omitempty"`
	Created   bool   `cbor:"5,keyasint,omitempty"`
}

// NewStore makes an empty store.
func NewStore() *Store {
	return &Store{
		state:   newState(),
		feed:    newFeed(),
		waiting: map[string]chan Result{},
		moved:   NewLatest(),
		failed:  make(chan error, 1),
	}
}

// Apply applies one log entry. It is called by one goroutine at a time, in the
// order of the log. An entry that this version cannot apply makes Failed fire:
// the peer must stop, for to go on would be to diverge.
func (t *Store) Apply(index, term uint64, entry []byte) Result {
	c, err := Decode(entry)
	if err != nil {
		t.fail(fmt.Errorf("log index %d: %w", index, err))
		return Result{Index: index, Err: err}
	}
	t.mu.Lock()
	res := t.state.apply(index, term, c, entry)
	events := t.state.moved
	t.state.moved = nil
	t.feed.add(t.state.Epoch(), index, events)
	t.mu.Unlock()
	if errors.Is(res.Err, ErrUnknownCommand) {
		t.fail(fmt.Errorf("log index %d: %w", index, res.Err))
		return res
	}
	t.deliver(c.ID, res)
	t.moved.Set(index)
	return res
}

func (t *Store) fail(err error) {
	select {
	case t.failed <- err:
	default:
	}
}

// Failed yields the error that stops this peer.
func (t *Store) Failed() <-chan error { return t.failed }

// View runs f on the state, under the read lock: f must not block.
func (t *Store) View(f func(*State)) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	f(t.state)
}

// Index is the Raft index of the last command applied.
func (t *Store) Index() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.state.index
}

// Watch tells when the state has moved.
func (t *Store) Watch() *Latest { return t.moved }

// Wait returns when the command at index, or the last one below it, has been
// applied. The index must be that of a command: others never reach the FSM.
func (t *Store) Wait(ctx context.Context, index uint64) error {
	for {
		moved := t.moved.Changed()
		if t.Index() >= index {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Expect delivers the result of the command with this request id once this
// peer's own state has it. It must be called before the command is proposed;
// cancel releases it.
func (t *Store) Expect(id string) (<-chan Result, func()) {
	ch := make(chan Result, 1)
	t.waitMu.Lock()
	t.waiting[id] = ch
	t.waitMu.Unlock()
	return ch, func() {
		t.waitMu.Lock()
		delete(t.waiting, id)
		t.waitMu.Unlock()
	}
}

func (t *Store) deliver(id string, res Result) {
	if id == "" {
		return
	}
	t.waitMu.Lock()
	ch := t.waiting[id]
	delete(t.waiting, id)
	t.waitMu.Unlock()
	if ch != nil {
		ch <- res
	}
}

// apply is the one place where a command meets the state: the checks that all
// share, the switch, and the audit.
func (s *State) apply(index, term uint64, c Command, entry []byte) Result {
	s.index, s.term, s.now = index, term, max(s.now, c.Time)
	s.mix(index, xxhash.Sum64(entry))
	if c.ID != "" && !s.requests.first(c.ID) {
		return Result{Index: index, Outcome: Outcome{Unchanged: true}}
	}
	if s.cluster != nil && s.cluster.Feature >= featureRequests {
		s.requests.plain = nil
	} else if c.ID != "" {
		s.requests.remember(c.ID)
	}
	if s.cluster == nil && c.Body.Kind() != (CreateCluster{}).Kind() {
		return Result{Index: index, Err: errorf(CodeConflict, "the log has no cluster yet")}
	}
	if err := s.knows(c.Body.Kind()); err != nil {
		return Result{Index: index, Err: err}
	}
	if c.Term != 0 && c.Term != term {
		return Result{Index: index, Err: errorf(CodeFenced, "decided in term %d, but the term is %d", c.Term, term)}
	}
	if row, err := s.replay(c); row != nil || err != nil {
		if err != nil {
			return Result{Index: index, Err: err}
		}
		out := row.Outcome
		out.Replayed = true
		return Result{Index: row.Index, Outcome: out}
	}
	out, err := s.dispatch(c)
	if errors.Is(err, ErrUnknownCommand) {
		return Result{Index: index, Err: err}
	}
	s.record(c, out, err)
	if err == nil {
		s.keep(c, out)
	}
	s.mix(out.Revision, uint64(len(out.Edits)), xxhash.Sum64String(Code(err)))
	return Result{Index: index, Outcome: out, Err: err}
}

// Knows refuses a kind of command that not every peer can apply yet.
func (t *Store) Knows(kind Kind) (err error) {
	t.View(func(s *State) { err = s.knows(kind) })
	return err
}

func (s *State) knows(kind Kind) error {
	need := uint64(1)
	if kind >= (PutInstance{}).Kind() {
		need = featureInstances
	}
	if s.cluster == nil || s.cluster.Feature >= need {
		return nil
	}
	return errorf(CodeNoFeature, "the controllers can do this when all of them have been upgraded (feature level %d of %d); see drover cluster status", s.cluster.Feature, need)
}

// dispatch is the switch over commands: one applyX each.
func (s *State) dispatch(c Command) (out Outcome, err error) {
	switch b := c.Body.(type) {
	case CreateCluster:
		err = s.applyCreateCluster(b)
	case PutPeer:
		err = s.applyPutPeer(b)
	case RemovePeer:
		err = s.applyRemovePeer(b)
	case SetLiveness:
		err = s.applySetLiveness(b)
	case CreateJoinToken:
		err = s.applyCreateJoinToken(b)
	case UseJoinToken:
		err = s.applyUseJoinToken(b)
	case RaiseFeature:
		err = s.applyRaiseFeature(b)
	case PutSettings:
		err = s.applyPutSettings(b)
	case Prune:
		out, err = s.applyPrune()
	case StoreBlob:
		err = s.applyStoreBlob(b)
	case Commit:
		out, err = s.applyCommit(c, b)
	case Note:
	default:
		return s.dispatchFleet(c)
	}
	return out, err
}

func (s *State) dispatchFleet(c Command) (out Outcome, err error) {
	switch b := c.Body.(type) {
	case CreateEnrollToken:
		err = s.applyCreateEnrollToken(b)
	case EnrollNode:
		out, err = s.applyEnrollNode(b)
	case LabelNode:
		err = s.applyLabelNode(b)
	case RemoveNode:
		err = s.applyRemoveNode(b)
	case RetryNodes:
		out, err = s.applyRetryNodes(b)
	case Reports:
		out, err = s.applyReports(b)
	case EndPush:
		err = s.applyEndPush(b)
	case PutUser:
		err = s.applyPutUser(b)
	case RemoveUser:
		err = s.applyRemoveUser(b)
	case OpenLogin:
		err = s.applyOpenLogin(b)
	case CloseLogin:
		err = s.applyCloseLogin(b)
	case CreateToken:
		err = s.applyCreateToken(b)
	case RemoveToken:
		err = s.applyRemoveToken(b)
	default:
		return s.dispatchInstances(c)
	}
	return out, err
}

func (s *State) dispatchInstances(c Command) (out Outcome, err error) {
	switch b := c.Body.(type) {
	case PutInstance:
		out, err = s.applyPutInstance(b)
	case PutDiscovery:
		out, err = s.applyPutDiscovery(b)
	case RemoveDiscovery:
		err = s.applyRemoveDiscovery(b)
	case Discovered:
		out, err = s.applyDiscovered(b)
	case DiscardDeadLetters:
		out, err = s.applyDiscardDeadLetters(b)
	default:
		err = fmt.Errorf("%w: %T", ErrUnknownCommand, c.Body)
	}
	return out, err
}
