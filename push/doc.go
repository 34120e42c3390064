// Package push delivers what the replicated state wants to the agents that
// hold a session with this peer, and to the instances that this peer serves.
//
// Nothing is queued. A session knows what its node last reported; the plan
// compares that with State.Wanted and makes one signed frame for all sessions
// whose difference is the same (delta, signature and bytes once per group).
// What nodes answer is collected and replicated as one command.
//
// The rules are in core.go, session.go and plan.go: they do no I/O, are told
// the time, and are run by the seeded simulation in sim_test.go over the real
// package fsm. Around them, conn.go speaks WebSocket, collector.go proposes,
// and server.go owns the goroutines: a few readers (reader.go, over package
// socket) and writers for all connections, the worker that plans, and the
// collector. Server.Run starts and ends them all. It is not for deciding what a
// node should hold: that is package fsm.
//
// An instance has a caller (caller.go, deliver.go) on the peer that the state
// gives it to (instances.go): a goroutine that does over HTTP what an agent does
// for itself, on a session like any other. What an instance's version hashes
// mean is in reading.go; verify.go compares on request, discover.go is the
// leader's duty to look for instances. docs/decisions/0007 says why.
//
// Locks: core.mu guards all sessions; Server.mu what the state is still to be
// told of sessions that have ended, and whether the server stops; conn.mu one
// connection's queue of frames, mailbox.mu what waits for a caller, claims.mu and
// fingerprints.mu their maps. None is held across a proposal or a socket write.
package push
