package dev

import "syscall"

// processAttributes puts a child into a group of its own, so that Ctrl-C on
// the terminal reaches the supervisor alone, and has the kernel kill it when
// the thread that started it ends: prctl(2), PR_SET_PDEATHSIG. The thread, not
// the process, is why the spawner is locked to one.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
