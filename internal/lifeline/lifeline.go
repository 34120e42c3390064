package lifeline

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
)

// Variable names the file descriptor of the pipe in the environment.
const Variable = "DROVER_LIFELINE"

// exitOrphan is the exit code of a child whose supervisor is gone.
const exitOrphan = 1

// Watch ends this process when the pipe that the environment names is closed
// at its other end.
func Watch() error {
	text := os.Getenv(Variable)
	if text == "" {
		return nil
	}
	fd, err := strconv.ParseUint(text, 10, 16)
	if err != nil || fd < 3 {
		return fmt.Errorf("%s: %q is not the number of an inherited file", Variable, text)
	}
	syscall.CloseOnExec(int(fd)) // it is not for what this process starts
	pipe := os.NewFile(uintptr(fd), "lifeline")
	go func() {
		_, _ = io.Copy(io.Discard, pipe) // nothing is ever written: it returns when the other end is closed
		os.Exit(exitOrphan)
	}()
	return nil
}
