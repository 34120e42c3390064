package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/droverhq/drover/agent/store"
	"github.com/droverhq/drover/document"
)

// Names below the directory; see the package comment.
const (
	currentDir = "current"
	ownDir     = "serve"
	newDir     = "serve/new"
	undoDir    = "serve/undo"
	stateFile  = "serve/state.json"
	lockFile   = "lock"

	extension = ".json"
	nothing   = ".none"

	// maxFile bounds the reading of a file, which somebody may have put there by
	// hand; maxTargets how many are looked at.
	maxFile    = 64 << 20
	maxTargets = 1000
)

// disk is the directory of one instance. It has one writer at a time, the one
// that holds Server.working; reading needs no lock.
type disk struct {
	root *os.Root
	lock *os.File
	step func(string) error
	// changes rises before every change of what is held or on trial.
	changes atomic.Uint64
	seen    seen
}

// openDisk takes the directory and makes what is missing.
func openDisk(dir string, step func(string) error, now func() time.Time) (*disk, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	d := &disk{root: root, step: step, seen: seen{now: now, files: map[string]sight{}}}
	if err := d.prepare(); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *disk) prepare() (err error) {
	if d.lock, err = d.root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if err := store.TakeLock(d.lock); err != nil {
		return fmt.Errorf("%w: %s: %w", store.ErrLocked, d.root.Name(), err)
	}
	if info, err := d.root.Lstat(currentDir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is not a directory of this program's: it belongs to the channel of an enrolled agent; give serve.dir a directory of its own",
			path.Join(d.root.Name(), currentDir))
	}
	if err := d.unstage(); err != nil {
		return err
	}
	for _, dir := range []string{currentDir, ownDir, undoDir} {
		if err := d.mkdir(dir); err != nil {
			return err
		}
	}
	return nil
}

func (d *disk) close() error {
	err := d.root.Close()
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

// mkdir makes a directory, and those above it, durably; applications of other
// users must pass through.
func (d *disk) mkdir(dir string) error {
	if dir == "." {
		return nil
	}
	if err := d.mkdir(path.Dir(dir)); err != nil {
		return err
	}
	if err := d.root.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) {
		return nil
	} else if err != nil || strings.HasPrefix(dir, newDir) { // of what is staged nothing outlives a crash
		return err
	}
	return store.SyncDir(d.root, path.Dir(dir))
}

func currentFile(target string) string { return path.Join(currentDir, target+extension) }
func newFile(target string) string     { return path.Join(newDir, target+extension) }
func undoFile(target, kind string) string {
	return path.Join(undoDir, strings.ReplaceAll(target, "/", "%2F")+kind)
}

// stage writes a new content beside what runs, in a directory that looks as
// current will.
func (d *disk) stage(target string, content []byte, rule func(string) *Rule) error {
	if err := d.step("stage"); err != nil {
		return err
	}
	if err := d.root.RemoveAll(newDir); err != nil {
		return err
	}
	targets, err := d.targets()
	if err != nil {
		return err
	}
	for _, other := range targets {
		if other == target || rule(target).Check.IsZero() {
			continue
		}
		text, _, err := store.ReadFile(d.root, currentFile(other), maxFile)
		if err == nil {
			err = d.write(newFile(other), text, attr(rule(other)))
		}
		if err != nil {
			return err
		}
	}
	return d.write(newFile(target), content, attr(rule(target)))
}

func attr(r *Rule) store.Attr { return store.Attr{Mode: r.Mode, UID: r.UID, GID: r.GID} }

// write creates a file anew, whatever was there.
func (d *disk) write(name string, content []byte, a store.Attr) error {
	if err := d.mkdir(path.Dir(name)); err != nil {
		return err
	}
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return store.WriteFile(d.root, name, content, a)
}

// try puts the staged content on trial: what is there now is kept first.
func (d *disk) try(target string, r *Rule) error {
	old, _, err := store.ReadFile(d.root, currentFile(target), maxFile)
	kind := extension
	if errors.Is(err, fs.ErrNotExist) {
		kind, err = nothing, nil
	}
	if err == nil {
		err = d.mkdir(path.Dir(currentFile(target)))
	}
	if err == nil {
		err = d.step("keep")
	}
	if err != nil {
		return err
	}
	d.changes.Add(1)
	// Under another name first, so that the undo file is whole once it has its name.
	temp := undoFile(target, ".new")
	if err := d.write(temp, old, attr(r)); err != nil {
		return err
	}
	if err := d.root.Rename(temp, undoFile(target, kind)); err != nil {
		return err
	}
	if err := store.SyncDir(d.root, undoDir); err != nil {
		return err
	}
	if err := d.step("switch"); err != nil {
		return err
	}
	if err := d.root.Rename(newFile(target), currentFile(target)); err != nil {
		return err
	}
	if err := d.step("sync"); err != nil {
		return err
	}
	return store.SyncDir(d.root, path.Dir(currentFile(target)))
}

// keep ends the trial: what is current stays.
func (d *disk) keep(target string) error {
	if err := d.step("accept"); err != nil {
		return err
	}
	d.changes.Add(1)
	for _, kind := range []string{extension, nothing} {
		if err := d.root.Remove(undoFile(target, kind)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return store.SyncDir(d.root, undoDir)
}

// undo puts back what was there before the trial. The trial ends with keep, once
// the application has been told: a crash in between does it all again.
func (d *disk) undo(target string, r *Rule) error {
	if err := d.step("put back"); err != nil {
		return err
	}
	d.changes.Add(1)
	name := currentFile(target)
	old, _, err := store.ReadFile(d.root, undoFile(target, extension), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := d.root.Lstat(undoFile(target, nothing)); errors.Is(err, fs.ErrNotExist) {
			return nil // nothing is on trial: what is there is what was there before
		} else if err != nil {
			return err
		}
		if err = d.root.Remove(name); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	} else {
		if err == nil {
			err = d.write(newFile(target), old, attr(r))
		}
		if err == nil {
			err = d.root.Rename(newFile(target), name)
		}
	}
	if err != nil {
		return err
	}
	return store.SyncDir(d.root, path.Dir(name))
}

// tried lists the targets on trial.
func (d *disk) tried() ([]string, error) {
	entries, err := fs.ReadDir(d.root.FS(), undoDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []string
	for _, e := range entries {
		name, known := strings.CutSuffix(e.Name(), extension)
		if !known {
			name, known = strings.CutSuffix(e.Name(), nothing)
		}
		if known {
			out = append(out, strings.ReplaceAll(name, "%2F", "/"))
		}
	}
	return slices.Compact(out), err
}

// targets lists what lies below current: also what somebody else put there.
func (d *disk) targets() ([]string, error) {
	var out []string
	err := fs.WalkDir(d.root.FS(), currentDir, func(name string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return fs.SkipDir // it went while it was looked at, or nothing was ever pushed
		}
		if err != nil {
			return err
		}
		if target, known := targetOf(name); known && !e.IsDir() {
			out = append(out, target)
		}
		if len(out) > maxTargets {
			return fmt.Errorf("%s holds more than %d files", currentDir, maxTargets)
		}
		return nil
	})
	slices.Sort(out)
	return out, err
}

// targetOf is the target that a file below current belongs to.
func targetOf(name string) (target string, known bool) {
	target, known = strings.CutSuffix(strings.TrimPrefix(name, currentDir+"/"), extension)
	return target, known && document.ValidName(target) == nil
}

// unstage removes what a check looked at.
func (d *disk) unstage() error { return d.root.RemoveAll(newDir) }

// state is what survives for people; what is held is told by the files.
type state struct {
	Version    string    `json:"config_version"`
	LastReload time.Time `json:"last_reload,omitzero"`
}

func readState(root *os.Root) state {
	var st state
	text, _, err := store.ReadFile(root, stateFile, 1<<16)
	if err == nil && json.Unmarshal(text, &st) != nil {
		return state{}
	}
	return st
}

func (d *disk) writeState(st state) error {
	text, err := json.Marshal(st)
	if err != nil {
		return err
	}
	// Not synced: a power cut may take the last line of it, and no more.
	if err := d.root.WriteFile(stateFile+".new", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return d.root.Rename(stateFile+".new", stateFile)
}
