package serve

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/droverhq/drover/agent/store"
	"github.com/droverhq/drover/document"
)

// rereads is how often a reader looks again when what it read has changed
// under it.
const rereads = 5

// File is one configuration on the disk, as it was when it was last accepted:
// what is on trial does not count.
type File struct {
	Target  string `json:"target"`
	Version string `json:"version"` // document.InstanceVersion; empty where there is an Error
	Bytes   int    `json:"bytes"`
	Entries int    `json:"entries"` // members of the object
	Error   string `json:"error,omitempty"`
}

// held reads and hashes every file.
func (d *disk) held() (files []File, err error) {
	for range rereads {
		before := d.changes.Load()
		if files, err = d.readAll(); err == nil && d.changes.Load() == before {
			break
		}
	}
	return files, err
}

func (d *disk) readAll() ([]File, error) {
	targets, err := d.targets()
	if err != nil {
		return nil, err
	}
	files := []File{}
	for _, target := range targets {
		if f, there := d.readOne(target); there {
			files = append(files, f)
		}
	}
	return files, nil
}

// readOne reads current first: should the trial begin in between, the undo file
// has the same content.
func (d *disk) readOne(target string) (f File, there bool) {
	text, err := d.content(target)
	if errors.Is(err, fs.ErrNotExist) {
		return f, false
	}
	f = File{Target: target, Bytes: len(text)}
	if err == nil {
		f.Version, err = document.InstanceVersion(text)
	}
	if err != nil {
		f.Error = err.Error()
		return f, true
	}
	f.Entries = members(text)
	return f, true
}

// content is the accepted text of a target, fs.ErrNotExist where there is none.
func (d *disk) content(target string) ([]byte, error) {
	text, _, err := store.ReadFile(d.root, currentFile(target), maxFile)
	old, _, undo := store.ReadFile(d.root, undoFile(target, extension), maxFile)
	if !errors.Is(undo, fs.ErrNotExist) {
		return old, undo
	}
	if _, undo := d.root.Lstat(undoFile(target, nothing)); undo == nil {
		return nil, fs.ErrNotExist
	}
	return text, err
}

// version is what config-version says of a target: "" where it is not held.
func (d *disk) version(target string) string {
	f, _ := d.readOne(target)
	return f.Version
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
