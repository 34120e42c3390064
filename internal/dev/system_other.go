//go:build unix && !linux

package dev

import "syscall"

// processAttributes puts a child into a group of its own, so that Ctrl-C on
// the terminal reaches the supervisor alone.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
