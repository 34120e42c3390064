// Package agent is the node side of Drover: it enrols a node, holds a WebSocket
// to one controller, verifies what arrives, switches the node's configuration
// as a whole, runs the local hooks, and reports what is on the disk.
//
// DESIGN.md beside this file says what it does, what it does not, and why.
// The messages are those of package wire; what is on the disk is package
// agent/store; commands are run by package agent/hook. A node may also, or only,
// be an instance that controllers call over HTTP: package agent/serve.
//
// It is not for: the controllers' side of the channel (push), anything about
// consensus, and choosing paths or commands: those come from the agent's own
// file, never from the network.
//
// Goroutines: Run owns all of them and returns after the last has ended. One
// worker owns the store and applies one update at a time; one keeper owns the
// addresses, the backoff and the small files of the channel; each connection
// has a reader and a writer; each attempt to connect has one goroutine.
//
// Locks: mailbox.mu guards the updates that wait; session.mu whether a session
// still takes messages to write; board.mu what is held, the failure to be told
// and the set of open sessions. None is held while a disk, a socket or a
// command is waited for. What a node is (its keys) is replaced atomically.
package agent
