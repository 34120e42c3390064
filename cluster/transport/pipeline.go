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
	p := &pipeline{AppendPipeline: inner, out: make(chan raft.AppendFuture), closed: make(chan struct{})}
	go p.move()
	return p
}

// move ends at Close, which Raft calls in any case. What waits to be read stays
// small: once its reader has ended, the sender stops within a few sends.
func (p *pipeline) move() {
	var waiting []raft.AppendFuture
	for {
		var out chan raft.AppendFuture
		var next raft.AppendFuture
		if len(waiting) > 0 {
			out, next = p.out, waiting[0]
		}
		select {
		case f := <-p.AppendPipeline.Consumer():
			waiting = append(waiting, f)
		case out <- next:
			waiting = waiting[1:]
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
