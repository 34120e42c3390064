// Package fsm is the replicated state of a cluster: the commands that change
// it, the rows it is made of, what every node should hold (State.Wanted), the
// snapshots, and the feed of what changed.
//
// It is pure. Apply has no clock, no randomness, no I/O and no map order that
// shows: the proposer stamps time and ids, so that every peer holds the same
// state at the same index, which the rolling State.Hash proves. It is not for
// talking to nodes (package push), to peers (package cluster) or to people
// (package api), and its commands are persisted for ever: a field number is
// never reused, and the golden logs in testdata replay unchanged.
//
// Rows are immutable: they are replaced, never mutated, so a reader may keep a
// pointer after View has returned. One RWMutex in Store guards the maps; it is
// held for one command at a time, and never across I/O. The package starts no
// goroutine.
package fsm
