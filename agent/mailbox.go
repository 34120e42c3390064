package agent

import (
	"sync"

	"github.com/droverhq/drover/agent/store"
	"github.com/droverhq/drover/wire"
)

// job is an update whose signature, cluster and audience were verified.
type job struct {
	from   *session
	update wire.Update
	header wire.Header
}

func (j job) position() store.Position {
	return store.Position{Epoch: j.header.Epoch, Index: j.header.Index}
}

// mailbox holds the updates that wait for the worker: one for each session, a
// newer one takes its place.
type mailbox struct {
	mu      sync.Mutex
	waiting map[*session]job
	ready   chan struct{} // one slot: something waits
}

func newMailbox() *mailbox {
	return &mailbox{waiting: map[*session]job{}, ready: make(chan struct{}, 1)}
}

func (m *mailbox) put(j job) {
	m.mu.Lock()
	m.waiting[j.from] = j
	m.mu.Unlock()
	m.wake()
}

func (m *mailbox) wake() {
	select {
	case m.ready <- struct{}{}:
	default:
	}
}

// take returns the update with the highest position; the others find
// themselves stale after it.
func (m *mailbox) take() (job, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var best job
	for _, j := range m.waiting {
		if best.from == nil || j.position().Compare(best.position()) > 0 {
			best = j
		}
	}
	if best.from == nil {
		return job{}, false
	}
	delete(m.waiting, best.from)
	if len(m.waiting) > 0 {
		m.wake()
	}
	return best, true
}

// drop forgets what a session that ended brought: the next one brings it again.
func (m *mailbox) drop(s *session) {
	m.mu.Lock()
	delete(m.waiting, s)
	m.mu.Unlock()
}
