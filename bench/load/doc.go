// Package load is the work that is measured: a document of a given size, of
// which one key changes, and the frame with which the floor tells that change.
// The floor and Drover's agents do the same with it.
//
// It is a leaf of pure functions, starts no goroutine and has no lock.
package load
