package cluster

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/droverhq/drover/fsm"
)

// machine lets Raft drive the store. Raft calls Apply, Snapshot and Restore on
// one goroutine; Persist runs beside them.
type machine struct {
	store *fsm.Store

	installs installs
	halted   atomic.Bool
	release  sync.Once
	released chan struct{}
}

var _ raft.BatchingFSM = (*machine)(nil)

func newMachine(store *fsm.Store) *machine {
	return &machine{store: store, released: make(chan struct{})}
}

// ApplyBatch implements raft.BatchingFSM. Raft counts configuration entries as
// applied only for such an FSM, and refuses snapshots until they are.
func (m *machine) ApplyBatch(logs []*raft.Log) []any {
	out := make([]any, len(logs))
	for i, l := range logs {
		if l.Type == raft.LogCommand {
			out[i] = m.Apply(l)
		}
	}
	return out
}

// Apply implements raft.FSM. After an entry that cannot be applied nothing more
// is: Raft is held here until it shuts down, and what it still brings then is
// refused.
func (m *machine) Apply(l *raft.Log) any {
	if m.halted.Load() {
		return fsm.Result{Index: l.Index, Err: errHalted}
	}
	res := m.store.Apply(l.Index, l.Term, l.Data)
	if fatal(res.Err) {
		m.halted.Store(true)
		<-m.released
	}
	return res
}

var errHalted = errors.New("an earlier log entry could not be applied")

// unpark lets Apply go on, once Raft is shutting down.
func (m *machine) unpark() { m.release.Do(func() { close(m.released) }) }

// Snapshot implements raft.FSM.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) {
	if m.halted.Load() {
		return nil, errHalted
	}
	return persister{m.store.Snapshot()}, nil
}

// Restore implements raft.FSM.
func (m *machine) Restore(r io.ReadCloser) error {
	if err := m.store.Restore(r); err != nil {
		return fmt.Errorf("restore a snapshot: %w", err)
	}
	m.installs.count(m.store.Index())
	return nil
}

type persister struct{ *fsm.Snapshot }

func (p persister) Persist(sink raft.SnapshotSink) error {
	if _, err := p.WriteTo(sink); err != nil {
		return fmt.Errorf("write a snapshot: %w", err)
	}
	return sink.Close()
}

func (persister) Release() {}

// maxInstalls is how often one snapshot may be installed before this peer gives
// up: its leader drops the log behind the snapshot faster than this peer takes
// it, and it would go round for ever (hashicorp/raft#697).
const maxInstalls = 3

// installs counts how often the same snapshot was installed in a row.
type installs struct {
	mu     sync.Mutex
	armed  bool // the restore at the start is none
	index  uint64
	times  int
	failed chan error
}

func (i *installs) arm() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.armed, i.failed = true, make(chan error, 1)
}

func (i *installs) count(index uint64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.armed {
		return
	}
	if i.index != index {
		i.index, i.times = index, 0
	}
	if i.times++; i.times >= maxInstalls {
		select {
		case i.failed <- fmt.Errorf("%w: the snapshot at index %d was installed %d times and the log never caught up", ErrDamaged, index, i.times):
		default:
		}
	}
}
