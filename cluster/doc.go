// Package cluster is one peer of a cluster: the Raft node, the peer port,
// forwarding of writes to the leader, strong reads, joining and leaving,
// certificates between peers, and the duties of the leader. DESIGN.md beside it
// says how, and what it does not do.
//
// It is not for the meaning of commands (package fsm), not for agents (package
// push) and not for people (package api); those use Node.
//
// Goroutines: Node.Run owns all of them, in one errgroup per run; it returns
// when they have ended. Raft's own goroutines and memberlist's end with it.
// What waits for a disk that hangs may outlive it: a write, a look at the free
// space, and the calls that wait for them, for which nothing can be done.
//
// Locks, each a leaf, none held across a proposal, a socket or a disk write:
// view.mu guards who leads, coalescer.mu the next round of strong reads,
// certificates.mu the API certificate. What a run consists of (core) is set
// once and read through an atomic pointer.
package cluster
