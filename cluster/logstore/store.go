package logstore

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// ErrDamaged means that the disk gave back something else than was written, or
// that a log which must exist is gone. The peer must not go on with it: it has
// to join again with a new identity.
var ErrDamaged = errors.New("the raft log is damaged")

// Store is the log store and the stable store of one peer.
type Store struct {
	bolt *raftboltdb.BoltStore
	path string

	// grown is how many bytes were appended since Grown was last reset.
	grown atomic.Int64

	vote     vote
	failed   chan error
	release  sync.Once
	released chan struct{}
}

// Create makes a new store at path for the peer id. It refuses a file that
// exists: an id is never used again on another log.
func Create(path, id string) (*Store, error) {
	if _, err := os.Stat(path); err == nil {
		return nil, fmt.Errorf("%s exists already", path)
	}
	s, err := open(path)
	if err != nil {
		return nil, err
	}
	if err := s.setRaw(keyOwner, []byte(id)); err != nil {
		return nil, errors.Join(fmt.Errorf("write the owner of the raft log: %w", err), s.Close())
	}
	return s, nil
}

// Open opens the store of the peer id. A missing file, or one of another peer,
// is ErrDamaged: with an empty log under its old id a peer would forget what it
// voted for and what it acknowledged.
func Open(path, id string) (*Store, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	s, err := open(path)
	if err != nil {
		return nil, err
	}
	owner, err := s.getRaw(keyOwner)
	if err == nil && string(owner) != id {
		err = fmt.Errorf("it belongs to peer %q, not to %q", owner, id)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s: %w", ErrDamaged, path, err), s.Close())
	}
	return s, nil
}

func open(path string) (*Store, error) {
	bolt, err := raftboltdb.New(raftboltdb.Options{
		Path: path,
		BoltOptions: &bbolt.Options{
			Timeout:        time.Second, // of the file lock: another process has the directory
			NoFreelistSync: true,
			FreelistType:   bbolt.FreelistMapType,
		},
		MsgpackUseNewTimeFormat: true,
	})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is in use by another process: %w", path, err)
	}
	if errors.Is(err, bbolterrors.ErrInvalid) || errors.Is(err, bbolterrors.ErrChecksum) || errors.Is(err, bbolterrors.ErrVersionMismatch) {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return &Store{bolt: bolt, path: path, failed: make(chan error, 1), released: make(chan struct{})}, nil
}

// Release ends the goroutines that GetLog has parked; without it Raft could not
// shut down after damage was met.
func (s *Store) Release() { s.release.Do(func() { close(s.released) }) }

// Close closes the file. Raft must have ended.
func (s *Store) Close() error {
	s.Release()
	return s.bolt.Close()
}

// Failed yields the error when a damaged entry was met.
func (s *Store) Failed() <-chan error { return s.failed }

func (s *Store) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// Grown is how many bytes were appended since the last ResetGrown.
func (s *Store) Grown() int64 { return s.grown.Load() }

// ResetGrown is called when a snapshot was taken.
func (s *Store) ResetGrown() { s.grown.Store(0) }

// FirstIndex implements raft.LogStore.
func (s *Store) FirstIndex() (uint64, error) { return s.bolt.FirstIndex() }

// LastIndex implements raft.LogStore.
func (s *Store) LastIndex() (uint64, error) { return s.bolt.LastIndex() }

// DeleteRange implements raft.LogStore.
func (s *Store) DeleteRange(low, high uint64) error { return s.bolt.DeleteRange(low, high) }

// StoreLog implements raft.LogStore.
func (s *Store) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore; it adds the checksums.
func (s *Store) StoreLogs(logs []*raft.Log) error {
	out := make([]*raft.Log, len(logs))
	size := 0
	for i, l := range logs {
		out[i] = seal(l)
		size += len(l.Data) + len(l.Extensions)
	}
	s.grown.Add(int64(size))
	return s.bolt.StoreLogs(out)
}

// GetLog implements raft.LogStore. On a damaged entry Failed fires and the call
// does not return: raft panics when a read fails, which would take the process
// down without a word of why. The goroutine ends at Release.
func (s *Store) GetLog(index uint64, l *raft.Log) error {
	err := s.read(index, l)
	if !errors.Is(err, ErrDamaged) {
		return err
	}
	s.fail(err)
	<-s.released
	runtime.Goexit()
	return err
}

// Verify reads Raft's values, the log after the index (that of the snapshot, for
// what Raft will read at its start) and its last entry, and tells the first that
// is damaged or missing. What is before is verified when it is read.
func (s *Store) Verify(after uint64) error {
	for _, read := range []func() error{
		func() error { _, err := s.getRaw(keyTerm); return err },
		func() error { _, err := s.getVote(); return err },
	} {
		if err := read(); errors.Is(err, ErrDamaged) {
			return err
		}
	}
	first, err := s.FirstIndex()
	if err != nil {
		return fmt.Errorf("read the raft log: %w", err)
	}
	last, err := s.LastIndex()
	if err != nil {
		return fmt.Errorf("read the raft log: %w", err)
	}
	if last > after && first > after+1 {
		return fmt.Errorf("%w: entries %d to %d are missing", ErrDamaged, after+1, first-1)
	}
	var l raft.Log
	for i := max(first, min(after+1, last), 1); i <= last; i++ {
		if err := s.read(i, &l); errors.Is(err, raft.ErrLogNotFound) {
			return fmt.Errorf("%w: entry %d is missing", ErrDamaged, i)
		} else if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) read(index uint64, l *raft.Log) error {
	*l = raft.Log{}
	err := s.bolt.GetLog(index, l)
	if errors.Is(err, raft.ErrLogNotFound) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: entry %d: %w", ErrDamaged, index, err)
	}
	if l.Index != index {
		return fmt.Errorf("%w: entry %d says that it is %d", ErrDamaged, index, l.Index)
	}
	return unseal(l)
}

// Probe writes a value of its own: an error means that the disk takes no writes
// now, which is no damage.
func (s *Store) Probe() error {
	if err := s.setRaw(keyProbe, nil); err != nil {
		return fmt.Errorf("write to %s: %w", s.path, err)
	}
	return nil
}
