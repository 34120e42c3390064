package hook

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Signal is sent to the process that a file names. Whether the process could
// do what it was asked is for a health check to find out: a signal has no
// answer.
type Signal struct {
	Number  syscall.Signal
	PIDFile string
}

// ParseSignal reads the name of a signal that applications are told things
// with, "HUP" or "SIGHUP".
func ParseSignal(name string) (syscall.Signal, error) {
	switch strings.TrimPrefix(strings.ToUpper(name), "SIG") {
	case "HUP":
		return syscall.SIGHUP, nil
	case "INT":
		return syscall.SIGINT, nil
	case "QUIT":
		return syscall.SIGQUIT, nil
	case "TERM":
		return syscall.SIGTERM, nil
	case "USR1":
		return syscall.SIGUSR1, nil
	case "USR2":
		return syscall.SIGUSR2, nil
	case "WINCH":
		return syscall.SIGWINCH, nil
	}
	return 0, fmt.Errorf("%q is none of HUP, INT, QUIT, TERM, USR1, USR2, WINCH", name)
}

func (s *Signal) name() string {
	return fmt.Sprintf("the signal %d to the process in %s", int(s.Number), s.PIDFile)
}

func (s *Signal) send() error {
	pid, err := readPID(s.PIDFile)
	if err == nil {
		err = syscall.Kill(pid, s.Number)
	}
	switch {
	case errors.Is(err, syscall.ESRCH):
		return fmt.Errorf("%s %w: no such process: %d; the application is not running, or its pid file is old", s.name(), ErrFailed, pid)
	case err != nil:
		return fmt.Errorf("%s %w: %w", s.name(), ErrFailed, err)
	}
	return nil
}

// readPID reads a pid file. What somebody else wrote must not choose which
// process is signalled, as the agent may be allowed to signal every one: the
// file belongs to root, to the agent's user, or to the user of the process it
// names, and others may not write it.
func readPID(name string) (pid int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o002 != 0 {
		return 0, errors.New("not a regular file that only its owner or group may write")
	}
	text, err := io.ReadAll(io.LimitReader(f, 64))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid < 2 {
		return 0, errors.New("no process id is in it")
	}
	return pid, mayName(info, pid)
}

func mayName(info fs.FileInfo, pid int) error {
	owner, ok := ownerOf(info)
	if !ok || owner == 0 || int(owner) == os.Geteuid() {
		return nil
	}
	process, err := os.Stat("/proc/" + strconv.Itoa(pid))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nobody will be signalled
	}
	if err != nil {
		return err
	}
	if of, ok := ownerOf(process); ok && of == owner {
		return nil
	}
	return fmt.Errorf("it belongs to the user %d, who does not own the process %d", owner, pid)
}

func ownerOf(info fs.FileInfo) (uid uint32, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Uid, true
}
