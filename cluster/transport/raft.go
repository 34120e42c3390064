package transport

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// Settings of Raft's transport (see DESIGN.md of package cluster).
const (
	raftTimeout  = 2 * time.Second
	raftMaxPool  = 3
	raftInFlight = 2
)

// Raft is Raft's network transport, with one more try where a pooled connection
// turns out to be stale: after a restart of the other peer each of them would
// fail one call, and a vote lost that way costs an election timeout. It
// implements raft.WithPreVote; without that Raft silently has no pre-vote.
type Raft struct {
	*raft.NetworkTransport
}

// NewRaft starts Raft's transport on a stream. Addresses come from the
// provider, so that a peer may move.
func NewRaft(s *Stream, addresses raft.ServerAddressProvider, log hclog.Logger) *Raft {
	return &Raft{raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		ServerAddressProvider:   addresses,
		Logger:                  log,
		Stream:                  s,
		MaxPool:                 raftMaxPool,
		MaxRPCsInFlight:         raftInFlight,
		Timeout:                 raftTimeout,
		MsgpackUseNewTimeFormat: true,
	})}
}

// again calls f until it meets no stale connection; the pool holds at most
// raftMaxPool of them. Every call that goes through here may be repeated.
func again(f func() error) error {
	var err error
	for range raftMaxPool + 1 {
		if err = f(); !stale(err) {
			return err
		}
	}
	return err
}

func stale(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// AppendEntries implements raft.Transport.
func (t *Raft) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	return again(func() error { return t.NetworkTransport.AppendEntries(id, target, args, resp) })
}

// AppendEntriesPipeline implements raft.Transport.
func (t *Raft) AppendEntriesPipeline(id raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	inner, err := t.NetworkTransport.AppendEntriesPipeline(id, target)
	if err != nil {
		return nil, err
	}
	return newPipeline(inner), nil
}

// RequestVote implements raft.Transport.
func (t *Raft) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	return again(func() error { return t.NetworkTransport.RequestVote(id, target, args, resp) })
}

// RequestPreVote implements raft.WithPreVote.
func (t *Raft) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	return again(func() error { return t.NetworkTransport.RequestPreVote(id, target, args, resp) })
}

// TimeoutNow implements raft.Transport.
func (t *Raft) TimeoutNow(id raft.ServerID, target raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	return again(func() error { return t.NetworkTransport.TimeoutNow(id, target, args, resp) })
}

// Close closes Raft's stream and the connections it has pooled.
func (t *Raft) Close() error {
	t.CloseStreams()
	return t.NetworkTransport.Close()
}
