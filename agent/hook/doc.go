// Package hook runs what a node's own configuration names: the check before a
// switch, the reload and the health check after it. It is a command, a signal
// to a process, or an HTTP request.
//
// A command is an argument vector, never a shell line, and comes from the
// agent's local file, as addresses and pid files do, never from the network.
// It runs in a process group of its own that is killed as a whole when its
// time is up; the end of what it printed is kept for the report.
//
// It is not for: deciding which of them runs when (packages agent and
// agent/serve).
//
// Run blocks until the command, or the request, has ended and leaves no
// goroutine behind. There is no lock and no state.
package hook
