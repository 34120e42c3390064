package pyservice

import (
	"errors"
	"os/exec"
	"sync"
)

// ErrMissing says what to install.
var ErrMissing = errors.New("missing: Python 3 with FastAPI and uvicorn; on Debian: sudo apt-get install python3-fastapi python3-uvicorn (make test does it when run as root)")

// hasPackages ends with 1 where a module is missing; it imports none of them.
const hasPackages = `import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in ("fastapi", "uvicorn")))`

// Python finds a Python that has what service.py needs: Debian's own, for which
// the packages are, or else the first in PATH.
func Python() (string, error) { return findPython() }

var findPython = sync.OnceValues(func() (string, error) {
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(python, "-c", hasPackages).Run() == nil {
			return python, nil
		}
	}
	return "", ErrMissing
})
