// Package output writes what the command line found: as a table for people, or
// as JSON, JSON Lines, YAML or bare names for programs.
//
// Programs get what the controller wrote, key by key and number by number; the
// table shows what is useful of it, cut to one line a row, without control
// characters: a node's own words must not move a terminal's cursor.
//
// It is not for progress, which goes to standard error and is package main's.
// It starts no goroutine and has no lock.
package output
