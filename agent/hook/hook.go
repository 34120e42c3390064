package hook

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"
)

const (
	// DefaultTimeout is how long a command may run when nothing else is set.
	DefaultTimeout = 30 * time.Second
	// TailBytes is how much of the end of a command's output is kept.
	TailBytes = 2 << 10
	// grace is how long a background process may keep the output open after
	// the command itself has ended.
	grace = time.Second
)

var (
	// ErrTimeout is returned when the command was killed because its time was up.
	ErrTimeout = errors.New("timed out")
	// ErrFailed is returned when the command ended with another status than 0,
	// or could not be started.
	ErrFailed = errors.New("failed")
)

// Command is what to run.
type Command struct {
	Argv    []string
	Dir     string        // working directory
	Env     []string      // added to the agent's own, "NAME=value"
	Timeout time.Duration // zero: DefaultTimeout
}

// Run runs a command and returns the last TailBytes of what it printed on both
// outputs. The error is ErrTimeout, ErrFailed or that of ctx.
func Run(ctx context.Context, c Command) (tail string, err error) {
	if len(c.Argv) == 0 {
		return "", fmt.Errorf("%w: no command", ErrFailed)
	}
	timeout := c.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	limited, cancel := context.WithTimeoutCause(ctx, timeout, ErrTimeout)
	defer cancel()
	out := &ring{}
	cmd := exec.CommandContext(limited, c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Env = c.Dir, append(os.Environ(), c.Env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = grace
	err = cmd.Run()
	switch {
	case errors.Is(context.Cause(limited), ErrTimeout) && err != nil:
		return out.String(), fmt.Errorf("%s %w after %s", c.Argv[0], ErrTimeout, timeout)
	case ctx.Err() != nil && err != nil:
		return out.String(), ctx.Err()
	case errors.Is(err, exec.ErrWaitDelay): // it ended well; something in the background holds the output
		return out.String(), nil
	case err != nil:
		return out.String(), fmt.Errorf("%s %w: %w", c.Argv[0], ErrFailed, err)
	}
	return out.String(), nil
}

// ring keeps the end of what is written to it. exec.Cmd writes from one
// goroutine when both outputs are the same writer.
type ring struct {
	end     []byte
	dropped bool
}

func (r *ring) Write(p []byte) (int, error) {
	r.end = append(r.end, p...)
	if extra := len(r.end) - TailBytes; extra > 0 {
		r.end = append(r.end[:0], r.end[extra:]...)
		r.dropped = true
	}
	return len(p), nil
}

func (r *ring) String() string {
	b := r.end
	for r.dropped && len(b) > 0 && !utf8.RuneStart(b[0]) {
		b = b[1:]
	}
	return strings.TrimSpace(strings.ToValidUTF8(string(b), "�"))
}
