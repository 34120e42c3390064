// Package document holds what Drover knows about the text of a document: is it
// acceptable, what is its checksum, how do two texts differ, how is a patch
// applied, what hash would a webhook instance report for it.
//
// A document is kept as text, not as a tree of Go values: number literals,
// string escapes and key order stay as they were written, because 1 and 1.0
// are one value to JSON and two to some of the services that read them. Only
// white space is dropped. Compact is the gate: everything that enters Drover
// goes through it once, and the other functions take its results.
//
// Heavy or rarely needed parts live below: document/selector (which nodes a
// document is for) and document/schema (JSON Schema); the agent imports neither
// unless it needs them.
//
// It is not for: storing documents or numbering versions (fsm), reading files
// or sockets, secrets, templates' meaning.
//
// All functions are pure: no I/O, no clock, no randomness, no package state.
// They start no goroutines, hold no locks, never change the slices that they
// are given and are safe for concurrent use. Their running time is bounded by
// the size of their input times a small factor, whatever the input is.
package document
