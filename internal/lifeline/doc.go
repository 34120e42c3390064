// Package lifeline ends a process when the one that started it is gone,
// however that ended. `drover dev` gives each of its children the reading end
// of a pipe and keeps the writing end: when the kernel closes that, the child
// ends. It works on every system; on Linux the supervisor also asks the kernel
// to signal its children.
//
// It is not for servers that somebody else started: without the variable in
// the environment Watch does nothing. It owns one goroutine, which lives as
// long as the process, and has no lock.
package lifeline
