// Package rpc carries calls between peers: length-prefixed CBOR frames, many
// calls at once on one connection, each with a deadline that travels with it.
//
// It is not for Raft's own messages, which have a transport of their own, and
// it knows nothing of TLS: it is given connections that are already
// authenticated, with the id of the peer at the other end.
//
// Goroutines: Serve reads on the caller's goroutine and runs each handler on
// one of its own, and returns when all have ended. A Pool has one reader per
// connection; Close ends them and waits. Locks: Pool.mu guards its maps,
// conn.mu the calls in flight, conn.writeMu the order of frames; none is held
// across a dial or while waiting for an answer.
package rpc
