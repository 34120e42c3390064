package discovery

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/droverhq/drover/push/instance"
)

// maxFile bounds a file, in bytes.
const maxFile = 4 << 20

// findFile reads a list. The path came over the API, so nothing above the
// directory for such files can be reached, by links neither.
func (f *Finder) findFile(s Source) ([]Found, error) {
	text, err := f.read(s.File.Path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.asked(), err)
	}
	found, err := parseFile(s, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.asked(), err)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s has no entry: %w", s.asked(), ErrEmpty)
	}
	return found, nil
}

func (f *Finder) read(path string) ([]byte, error) {
	if f.config.Files == "" {
		return nil, errors.New("this peer has no directory for such files: set instances.files in its configuration")
	}
	root, err := os.OpenRoot(f.config.Files)
	if err != nil {
		return nil, fmt.Errorf("the directory for such files: %w", err)
	}
	defer root.Close()
	// Without blocking: a named pipe would wait for its writer.
	file, err := root.OpenFile(filepath.FromSlash(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is no regular file")
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("is larger than %d MiB", maxFile>>20)
	}
	return text, nil
}

// clip shortens what a file says for an error.
func clip(text string) string { return instance.Clean(text, 80) }
