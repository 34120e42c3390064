package push

import (
	"sync"

	"github.com/droverhq/drover/wire"
)

// mailbox is the link of an instance's session: it keeps what the rules send
// until the instance's caller looks. Nothing is queued: there is one update in
// flight at most.
type mailbox struct {
	wake chan struct{}

	mu   sync.Mutex
	post post
}

// post is what has come since the last look.
type post struct {
	update *frame
	asked  bool // what does the instance hold?
	closed bool
}

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

func (m *mailbox) send(f *frame) { m.put(func(p *post) { p.update = f }) }

// tell takes messages that are meant for agents, too: an instance has no choice
// of controllers.
func (m *mailbox) tell(message wire.Message) {
	if _, ok := message.(wire.Report); ok {
		m.put(func(p *post) { p.asked = true })
	}
}

func (m *mailbox) close(int, string) { m.put(func(p *post) { p.closed = true }) }

func (m *mailbox) put(set func(*post)) {
	m.mu.Lock()
	set(&m.post)
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *mailbox) take() post {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.post
	m.post = post{closed: p.closed}
	return p
}
