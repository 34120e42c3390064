// Package dev is the supervisor of `drover dev`: it makes and runs a whole
// fleet on this machine, every peer, agent and instance a process of its own,
// so that one can be killed and another one's reaction be seen.
//
// It does what a person would do with the same programs: `drover cluster
// init`, `join`, `drover server`, `drover-agent enroll` and `run`, and calls of
// the HTTP API between them. An instance is a `drover-agent run` that serves
// and has no channel. Everything is kept below one directory, and found
// there again at the next start.
//
// It is not for production (the peers share one disk and one machine), and it
// contains no controller, agent or instance.
//
// Goroutines: Supervisor.Run owns all of them and returns when they and all
// children have ended: one starts processes (it is locked to its thread,
// because Linux signals the children when that thread ends, see system_linux.go),
// one waits for each child. The children themselves are looked after by Run's
// own loop alone, so there is no lock. Should this process be killed, its
// children end too (package lifeline).
package dev
