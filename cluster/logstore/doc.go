// Package logstore keeps the Raft log and Raft's own few values on disk: bbolt
// (raft-boltdb) with what that lacks. Every entry carries a checksum that is
// verified on read, term and candidate of a vote are written as one, how
// long a write takes is known, and a directory that lost its log is told from
// a new one.
//
// It is not for the replicated state (package fsm) and not for snapshots, which
// Raft's own file store writes and verifies.
//
// The package starts no goroutine. A Store is safe for concurrent use; bbolt
// has one writer at a time, and the fields beside it are atomic.
package logstore
