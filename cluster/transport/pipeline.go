package transport

import (
	"sync"

	"github.com/hashicorp/raft"
)

// pipeline always takes the answers of Raft's pipeline off it. With two calls in
// flight Raft's channels have no room: when its reader of answers ends, as it
// does after a refused entry or a higher term, an answer that waits to be read
// blocks the next one, that blocks the sender, and the sender is the one who
// would notice (hashicorp/raft v1.8.0, pipelineReplicate). The follower then
// gets heartbeats and no entries, and Raft cannot even shut down.
type pipeline struct {
	raft.AppendPipeline
	out    chan raft.AppendFuture
	once   sync.Once
	closed chan struct{}
}

func newPipeline(inner raft.AppendPipeline) *pipeline {
	p := &pipeline{
		AppendPipeline: inner,
		// After its reader has ended the sender sends once more at most; the rest is
		// room.
		out:    make(chan raft.AppendFuture, 4*raftInFlight),
		closed: make(chan struct{}),
	}
	go p.move()
	return p
}

// move ends at Close, which Raft calls in any case.
func (p *pipeline) move() {
	for {
		select {
		case f := <-p.AppendPipeline.Consumer():
			select {
			case p.out <- f:
			case <-p.closed:
				return
			}
		case <-p.closed:
			return
		}
	}
}

// Consumer implements raft.AppendPipeline.
func (p *pipeline) Consumer() <-chan raft.AppendFuture { return p.out }

// Close implements raft.AppendPipeline.
func (p *pipeline) Close() error {
	p.once.Do(func() { close(p.closed) })
	return p.AppendPipeline.Close()
}
