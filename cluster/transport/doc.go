// Package transport is the peer port: one listener, TLS 1.3 both ways, on which
// ALPN tells Raft's connections (drover-raft/1), calls between peers
// (drover-rpc/1) and joining peers (drover-join/1) apart. The first two need a
// client certificate of this cluster and epoch; the third has none yet.
//
// It is not for agents or browsers, and it does not decide who is a member: a
// certificate says who somebody is, the replicated state says who belongs.
//
// Goroutines: Run owns the accept loop and one goroutine per connection, and
// returns when all have ended. Locks: Port.mu guards the set of open
// connections; the credentials and the refusing flag are atomic.
package transport
