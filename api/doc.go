// Package api is the HTTP API of a peer: routes, login sessions, API tokens,
// roles, rate limits, audit of what was refused, the event stream (SSE), health,
// metrics and the OpenAPI description. DESIGN.md beside it says how the parts
// fit and what it does not do.
//
// It speaks JSON to people and scripts, reads the replicated state of package
// fsm, and changes it only by commands that it hands to a Proposer. It knows
// neither Raft nor the sockets of agents: what it needs of them are the small
// interfaces in deps.go. The management channel's WebSocket and the UI are
// handlers that it is given.
//
// Goroutines: Server.Run owns one, which writes the audit notes of refused
// requests; every other one belongs to net/http and ends with its request.
// Event streams end when Run's context ends, or Drain is called.
//
// Locks, each a leaf, none held across a proposal, a socket write or a call
// into another package: limiters.mu (rate limits), idle.mu (when a login
// session was last used here), schemas.mu (compiled schemas), tally.mu (counts
// of running pushes, shared by event streams), streams.mu (open event streams).
package api
