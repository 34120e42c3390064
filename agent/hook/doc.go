// Package hook runs the commands that a node's own configuration names: the
// check before a switch, the reload and the health check after it.
//
// A command is an argument vector, never a shell line, and comes from the
// agent's local file, never from the network. It runs in a process group of
// its own that is killed as a whole when its time is up; the end of what it
// printed is kept for the report.
//
// It is not for: deciding which command runs when (package agent).
//
// Run blocks until the command has ended and leaves no goroutine behind. There
// is no lock and no state.
package hook
