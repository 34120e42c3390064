package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/cespare/xxhash/v2"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// Raft's keys for its vote. It writes the term first and the candidate after
// it; a crash between the two would leave the new term with the old candidate,
// and a second vote in one term could be given.
const (
	keyVoteTerm      = "LastVoteTerm"
	keyVoteCandidate = "LastVoteCand"
	keyTerm          = "CurrentTerm"
)

// Our keys.
const (
	keyVote  = "drover.vote"
	keyOwner = "drover.owner"
	keyProbe = "drover.probe"
)

// vote holds the term of a vote between Raft's two writes.
type vote struct {
	mu   sync.Mutex
	term uint64
}

// Set implements raft.StableStore.
func (s *Store) Set(key, value []byte) error {
	if string(key) != keyVoteCandidate {
		return s.setRaw(string(key), value)
	}
	s.vote.mu.Lock()
	term := s.vote.term
	s.vote.mu.Unlock()
	return s.setRaw(keyVote, append(binary.BigEndian.AppendUint64(nil, term), value...))
}

// SetUint64 implements raft.StableStore. The term of a vote is not written
// before its candidate comes.
func (s *Store) SetUint64(key []byte, value uint64) error {
	if string(key) == keyVoteTerm {
		s.vote.mu.Lock()
		s.vote.term = value
		s.vote.mu.Unlock()
		return nil
	}
	return s.setRaw(string(key), binary.BigEndian.AppendUint64(nil, value))
}

// Get implements raft.StableStore.
func (s *Store) Get(key []byte) ([]byte, error) {
	if string(key) != keyVoteCandidate {
		return s.getRaw(string(key))
	}
	v, err := s.getVote()
	if err != nil {
		return nil, err
	}
	return v[8:], nil
}

// GetUint64 implements raft.StableStore.
func (s *Store) GetUint64(key []byte) (uint64, error) {
	if string(key) == keyVoteTerm {
		v, err := s.getVote()
		if err != nil {
			return 0, err
		}
		return binary.BigEndian.Uint64(v), nil
	}
	v, err := s.getRaw(string(key))
	if err != nil {
		return 0, err
	}
	if len(v) != 8 {
		return 0, fmt.Errorf("%w: %s has %d bytes", ErrDamaged, key, len(v))
	}
	return binary.BigEndian.Uint64(v), nil
}

func (s *Store) getVote() ([]byte, error) {
	v, err := s.getRaw(keyVote)
	if err == nil && len(v) < 8 {
		return nil, fmt.Errorf("%w: the vote has %d bytes", ErrDamaged, len(v))
	}
	return v, err
}

// setRaw writes a value with its checksum.
func (s *Store) setRaw(key string, value []byte) error {
	sum := xxhash.Sum64String(key + string(value))
	return s.bolt.Set([]byte(key), binary.BigEndian.AppendUint64(append([]byte(nil), value...), sum))
}

// getRaw reads a value. Raft compares the text of the error for a missing key
// with "not found", so that one is returned as it is.
func (s *Store) getRaw(key string) ([]byte, error) {
	v, err := s.bolt.Get([]byte(key))
	if errors.Is(err, raftboltdb.ErrKeyNotFound) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	cut := len(v) - sumSize
	if cut < 0 || binary.BigEndian.Uint64(v[cut:]) != xxhash.Sum64String(key+string(v[:cut])) {
		return nil, fmt.Errorf("%w: %s does not match its checksum", ErrDamaged, key)
	}
	return v[:cut], nil
}
