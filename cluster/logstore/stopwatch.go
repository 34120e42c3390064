package logstore

import (
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// Stopwatch is a log store that knows how long the write in flight takes. Raft
// itself waits for the disk as long as it takes, with its heartbeats going on:
// a leader whose disk hangs would stay leader (hashicorp/raft#503).
type Stopwatch struct {
	raft.LogStore
	began atomic.Int64 // Unix nanoseconds; 0 = no write
}

// NewStopwatch wraps a log store.
func NewStopwatch(s raft.LogStore) *Stopwatch { return &Stopwatch{LogStore: s} }

// StoreLog implements raft.LogStore.
func (s *Stopwatch) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore.
func (s *Stopwatch) StoreLogs(logs []*raft.Log) error {
	s.began.Store(time.Now().UnixNano())
	defer s.began.Store(0)
	return s.LogStore.StoreLogs(logs)
}

// Writing is how long the write in flight takes already; 0 when there is none.
func (s *Stopwatch) Writing(now time.Time) time.Duration {
	began := s.began.Load()
	if began == 0 {
		return 0
	}
	return now.Sub(time.Unix(0, began))
}
