package agent

import (
	"maps"
	"slices"
	"sync"

	"github.com/droverhq/drover/agent/store"
	"github.com/droverhq/drover/wire"
)

// held is what the node holds: finished generations only. It is never changed,
// a new one takes its place.
type held struct {
	at       store.Position // highest accepted
	revision uint64
	manifest string
	have     map[string]string // target to checksum
	drifted  []string
}

// same tells whether a report of one says what a report of the other says.
func (h *held) same(o *held) bool {
	return o != nil && h.at == o.at && h.manifest == o.manifest
}

func (h *held) status(reason string) wire.Status {
	return wire.Status{Epoch: h.at.Epoch, Index: h.at.Index, Manifest: h.manifest, Have: h.have, Reason: reason}
}

// board is what the worker tells the sessions, and which sessions there are.
type board struct {
	mu       sync.Mutex
	held     *held
	untold   *failure // of a generation that no controller was told about yet
	sessions map[*session]bool
}

func newBoard() *board { return &board{held: &held{}, sessions: map[*session]bool{}} }

func (b *board) now() *held {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.held
}

// set replaces what is held and returns what it was.
func (b *board) set(h *held) (before *held) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before, b.held = b.held, h
	return before
}

// pass leaves a failure for whatever session tells it first: one that is open,
// or the next one.
func (b *board) pass(f *failure) {
	b.mu.Lock()
	b.untold = f
	b.mu.Unlock()
	for _, s := range b.open() {
		s.send(outgoing{untold: true})
	}
}

// takeUntold hands out the failure to tell, once.
func (b *board) takeUntold() *failure {
	b.mu.Lock()
	defer b.mu.Unlock()
	f := b.untold
	b.untold = nil
	return f
}

// forget drops a failure that an update after it has made pointless.
func (b *board) forget() { _ = b.takeUntold() }

func (b *board) add(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sessions[s] = true
}

func (b *board) remove(s *session) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.sessions, s)
}

func (b *board) open() []*session {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Collect(maps.Keys(b.sessions))
}

// spread sends a status to every open session but one, where it says something
// that was not said there yet.
func (b *board) spread(except *session, reason string) {
	h := b.now()
	for _, s := range b.open() {
		if s != except {
			s.send(outgoing{message: h.status(reason), says: h, unlessSaid: true})
		}
	}
}
