package serve

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/droverhq/drover/agent/store"
	"github.com/droverhq/drover/document"
)

const (
	// rereads is how often a reader looks again when what it read has changed
	// under it.
	rereads = 5
	// settled is how old a file has to be before its time says that it did not
	// change: some file systems keep times no finer than 2 s.
	settled = 3 * time.Second
	// trusted is how long it says so: after that the file is read again.
	trusted = 5 * time.Minute
)

// File is one configuration on the disk, as it was when it was last accepted:
// what is on trial does not count.
type File struct {
	Target  string `json:"target"`
	Version string `json:"version"` // document.InstanceVersion; empty where there is an Error
	Bytes   int    `json:"bytes"`
	Entries int    `json:"entries"` // members of the object
	Error   string `json:"error,omitempty"`
}

// held tells what every file holds.
func (d *disk) held() ([]File, error) {
	targets, err := d.targets()
	if err != nil {
		return nil, err
	}
	files := []File{}
	for _, target := range targets {
		if f, there := d.look(target); there {
			files = append(files, f)
		}
	}
	return files, nil
}

// look reads and hashes one file, again where an update came in between.
func (d *disk) look(target string) (f File, there bool) {
	for range rereads {
		before := d.changes.Load()
		if f, there = d.readOne(target); d.changes.Load() == before {
			break
		}
	}
	return f, there
}

func (d *disk) readOne(target string) (f File, there bool) {
	name, err := d.accepted(target)
	if err != nil {
		return f, false
	}
	info, err := d.root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return f, false
	}
	if err == nil && !info.Mode().IsRegular() { // opening a pipe would wait for its other end
		err = errors.New("is not a regular file")
	}
	var text []byte
	if err == nil {
		if known, ok := d.seen.find(target, info); ok {
			return known, true
		}
		text, _, err = store.ReadFile(d.root, name, maxFile)
	}
	f = File{Target: target, Bytes: len(text)}
	if err == nil {
		f.Version, err = document.InstanceVersion(text)
	}
	if len(text) > largeText {
		defer debug.FreeOSMemory()
	}
	if err != nil {
		f.Error = err.Error()
		return f, true
	}
	f.Entries = members(text)
	d.seen.keep(f, info)
	return f, true
}

// accepted is the name of the file with the accepted content of a target;
// fs.ErrNotExist where its first content is on trial.
func (d *disk) accepted(target string) (string, error) {
	if _, err := d.root.Lstat(undoFile(target, extension)); !errors.Is(err, fs.ErrNotExist) {
		return undoFile(target, extension), err
	}
	if _, err := d.root.Lstat(undoFile(target, nothing)); err == nil {
		return "", fs.ErrNotExist
	}
	return currentFile(target), nil
}

// content is the accepted text of a target, fs.ErrNotExist where there is none.
// The caller holds Server.working.
func (d *disk) content(target string) ([]byte, error) {
	name, err := d.accepted(target)
	if err != nil {
		return nil, err
	}
	text, _, err := store.ReadFile(d.root, name, maxFile)
	return text, err
}

// version is what config-version says of a target: "" where it is not held.
func (d *disk) version(target string) string {
	f, _ := d.look(target)
	return f.Version
}

// seen remembers what files held, so that a controller that looks every few
// seconds costs a small machine nothing. The zero seen remembers nothing.
type seen struct {
	now func() time.Time

	mu    sync.Mutex
	files map[string]sight
}

// sight is a file as it was when it was read.
type sight struct {
	file File
	info fs.FileInfo
	at   time.Time
}

func (s *seen) find(target string, info fs.FileInfo) (File, bool) {
	if s.now == nil {
		return File{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, ok := s.files[target]
	ok = ok && os.SameFile(old.info, info) && old.info.Size() == info.Size() && old.info.ModTime().Equal(info.ModTime()) &&
		s.now().Sub(old.at).Abs() < trusted
	return old.file, ok
}

// keep takes a file that was read after info was, and not changed for a while.
func (s *seen) keep(f File, info fs.FileInfo) {
	if s.now == nil || s.now().Sub(info.ModTime()) < settled {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.files) > maxTargets {
		clear(s.files) // files come and go by hand
	}
	s.files[f.Target] = sight{f, info, s.now()}
}

// members counts the members of the object that text holds; what is no object
// has none.
func members(text []byte) int {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text))
	if start, err := dec.ReadToken(); err != nil || start.Kind() != '{' {
		return 0
	}
	for {
		if kind := dec.PeekKind(); kind == '}' || kind == 0 {
			_, values := dec.StackIndex(1)
			return int(values / 2)
		}
		if dec.SkipValue() != nil {
			return 0
		}
	}
}

// Status is what `drover-agent status` shows of an instance.
type Status struct {
	ID         string    `json:"instance_id"`
	Listen     string    `json:"listen"`
	Running    bool      `json:"running"` // a process has the directory
	Version    string    `json:"config_version"`
	LastReload time.Time `json:"last_reload,omitzero"`
	OnTrial    []string  `json:"on_trial"` // targets with a content that is not accepted yet
	Files      []File    `json:"documents"`
}

// ReadStatus looks at an instance's directory without disturbing the process
// that may be running on it.
func ReadStatus(c Config) (st Status, err error) {
	st = Status{ID: c.ID, Listen: c.Listen, OnTrial: []string{}, Files: []File{}}
	if st.ID == "" {
		if st.ID, err = os.Hostname(); err != nil {
			return st, err
		}
	}
	if _, err := os.Stat(filepath.Join(c.Dir, ownDir)); errors.Is(err, fs.ErrNotExist) {
		return st, nil // it has never run
	}
	root, err := os.OpenRoot(c.Dir)
	if err != nil {
		return st, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	d := &disk{root: root}
	if st.Running, err = store.Locked(root); err != nil && !errors.Is(err, syscall.EACCES) {
		return st, err
	}
	if st.Files, err = d.held(); err != nil {
		return st, err
	}
	if tried, err := d.tried(); err == nil && tried != nil {
		st.OnTrial = tried
	}
	kept := readState(root)
	st.Version, st.LastReload = kept.Version, kept.LastReload
	return st, nil
}
