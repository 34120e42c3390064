package fsm

import "sync"

// Latest is a value of which only the latest counts: who waits is told that it
// changed, never how often, so a slow reader has no backlog.
type Latest struct {
	mu      sync.Mutex
	value   uint64
	changed chan struct{}
}

// NewLatest makes a Latest with the value 0.
func NewLatest() *Latest { return &Latest{changed: make(chan struct{})} }

// Set stores a value and wakes all who wait.
func (l *Latest) Set(v uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.value = v
	close(l.changed)
	l.changed = make(chan struct{})
}

// Get returns the value.
func (l *Latest) Get() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.value
}

// Changed is closed by the next Set. Take it before looking at what it guards.
func (l *Latest) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}
