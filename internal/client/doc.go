// Package client calls the HTTP API of a cluster: the command line, `drover
// dev` and the tests of the whole use it.
//
// It knows several addresses and goes to the next one when a peer is gone or
// has no leader; a write that is sent again carries the same Idempotency-Key,
// so that it commits once; every answer's Drover-Index is carried to the next
// read, so that one's own writes are seen behind any load balancer.
//
// It is not for agents (they speak the management channel) nor for peers among
// each other. Answers are kept as text, so that number literals stay as they
// were written; the types here name only what the callers look at.
//
// Client.mu guards the address in use and the highest index seen; it is not
// held across a call. No goroutine outlives a call.
package client
