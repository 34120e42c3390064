// Package push delivers what the replicated state wants to the agents that
// hold a session with this peer.
//
// Nothing is queued. A session knows what its node last reported; the plan
// compares that with State.Wanted and makes one signed frame for all sessions
// whose difference is the same (delta, signature and bytes once per group).
// What nodes answer is collected and replicated as one command.
//
// The rules are in core.go, session.go and plan.go: they do no I/O, are told
// the time, and are run by the seeded simulation in sim_test.go over the real
// package fsm. Around them, conn.go speaks WebSocket, collector.go proposes,
// and server.go owns the goroutines: one reader per connection, a few writers,
// the worker that plans, and the collector. Server.Run starts and ends them
// all. It is not for deciding what a node should hold: that is package fsm.
//
// Locks: core.mu guards all sessions; conn.mu guards one connection's queue of
// frames. Neither is held across a proposal or a socket write.
package push
