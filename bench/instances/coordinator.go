package instances

import (
	_ "embed"
	"errors"
	"os/exec"
)

//go:embed coordinator.py
var program string

// Targets is the first line to the coordinator.
type Targets struct {
	Targets []string `json:"targets"` // URLs of the instances
	Token   string   `json:"token"`
}

// errMissing says what to install.
var errMissing = errors.New("missing: Python 3 with httpx; on Debian: sudo apt-get install python3-httpx (make bench does it when run as root)")

const hasPackage = `import importlib.util as u, sys; sys.exit(u.find_spec("httpx") is None)`

// Coordinator is the command of the plain Python coordinator: by Debian's own
// Python, for which its packages are, or else by the first in PATH.
func Coordinator() (*exec.Cmd, error) {
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(python, "-c", hasPackage).Run() == nil {
			return exec.Command(python, "-u", "-c", program), nil
		}
	}
	return nil, errMissing
}
