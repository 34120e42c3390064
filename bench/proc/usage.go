package proc

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of the times in /proc/PID/stat: USER_HZ is 100 on every
// architecture that Go runs on.
const tick = 10 * time.Millisecond

// CPU is the processor time that a process has used, user and system together,
// of all its threads, also of those that have ended.
func CPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, err
	}
	// The name of the program, in parentheses, may hold blanks.
	rest := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(rest) < 13 {
		return 0, fmt.Errorf("the stat of process %d has %d fields", pid, len(rest))
	}
	user, err := strconv.ParseInt(rest[11], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(rest[12], 10, 64)
	return time.Duration(user+system) * tick, err
}

// Memory of a process in bytes. PSS counts a page that several processes share
// in parts, so that the sum over processes is right.
type Memory struct {
	RSS, PSS int64
}

// MemoryOf reads the memory of a process.
func MemoryOf(pid int) (Memory, error) {
	var m Memory
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "smaps_rollup"))
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		kib, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			continue
		}
		switch f[0] {
		case "Rss:":
			m.RSS = kib << 10
		case "Pss:":
			m.PSS = kib << 10
		}
	}
	return m, nil
}

// RaiseFiles lifts the limit of open files of this process, and of those that
// it starts, as far as it may, and tells it.
func RaiseFiles() (uint64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("limit of open files: %w", err)
	}
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, fmt.Errorf("limit of open files: %w", err)
	}
	return l.Max, nil
}

// tmpfs and ramfs, by their magic numbers (statfs(2)): a sync costs nothing
// there.
const (
	tmpfsMagic = 0x01021994
	ramfsMagic = 0x858458f6
)

// Durable refuses a directory whose file system is in memory.
func Durable(dir string) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	if t := uint32(s.Type); t == tmpfsMagic || t == ramfsMagic {
		return fmt.Errorf("%s is in memory, where a sync costs nothing: choose a directory on a disk with -dir", dir)
	}
	return nil
}
