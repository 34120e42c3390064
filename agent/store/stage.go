package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"syscall"
)

// File is one document of a generation to be written.
type File struct {
	Target   string
	Version  uint64
	Checksum string
	Text     []byte      // as received; nil: unchanged, taken over from the running generation
	Mode     fs.FileMode // of the rendered file
	UID, GID int         // owner of the rendered file; below zero: as the agent
}

// Stage writes a whole generation and syncs it. When it returns without an
// error the position of the header is accepted durably; nothing runs from the
// generation yet. After an error nothing of it is left.
func (s *Store) Stage(h Header, files []File) (*Generation, error) {
	g := &Generation{Number: s.last + 1, Header: h}
	g.Previous = s.previous()
	w := &writer{store: s, temp: path.Join(generations, ".new-"+strconv.Itoa(g.Number))}
	if err := w.write(g, files); err != nil {
		return nil, errors.Join(fmt.Errorf("generation %d: %w", g.Number, err), s.root.RemoveAll(w.temp))
	}
	if err := s.commit(w.temp, g); err != nil {
		return nil, errors.Join(fmt.Errorf("generation %d: %w", g.Number, err), s.root.RemoveAll(w.temp))
	}
	return g, nil
}

// commit gives the written generation its name: from here on it counts.
func (s *Store) commit(temp string, g *Generation) error {
	if err := s.step("stage: rename"); err != nil {
		return err
	}
	if err := s.root.Rename(temp, g.dir()); err != nil {
		return err
	}
	s.last, s.all[g.Number] = g.Number, g
	err := s.step("stage: sync generations")
	if err == nil {
		err = SyncDir(s.root, generations)
	}
	if err != nil { // whether it will be there after a crash is unknown: let it count, and fail
		return errors.Join(err, s.Fail(g, []byte(`{}`)), s.Told(g))
	}
	return nil
}

// writer fills the directory of a generation that has no name yet.
type writer struct {
	store *Store
	temp  string
	dirs  []string // made below temp, to be synced
}

func (w *writer) write(g *Generation, files []File) error {
	s := w.store
	if err := s.step("stage: make directories"); err != nil {
		return err
	}
	if err := s.root.RemoveAll(w.temp); err != nil {
		return err
	}
	for _, dir := range []string{w.temp, w.path("received"), w.path("files")} {
		if err := w.mkdir(dir); err != nil {
			return err
		}
	}
	g.Documents = make([]Document, 0, len(files))
	for _, f := range files {
		d, err := w.document(f)
		if err != nil {
			return fmt.Errorf("document %s: %w", f.Target, err)
		}
		g.Documents = append(g.Documents, d)
	}
	if err := s.step("stage: header"); err != nil {
		return err
	}
	text, err := json.Marshal(g.Header)
	if err != nil {
		return err
	}
	if err := WriteFile(s.root, w.path("header.json"), seal(text), private()); err != nil {
		return err
	}
	if err := s.step("stage: sync directories"); err != nil {
		return err
	}
	for _, dir := range w.dirs {
		if err := SyncDir(s.root, dir); err != nil {
			return err
		}
	}
	return nil
}

// mkdir makes one directory; applications of other users must pass through.
func (w *writer) mkdir(dir string) error {
	err := w.store.root.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	w.dirs = append(w.dirs, dir)
	return w.store.root.Chmod(dir, 0o755)
}

func (w *writer) path(parts ...string) string {
	return path.Join(append([]string{w.temp}, parts...)...)
}

// document writes the received copy and the rendered file of one document.
// What did not change is linked, so that a small change of a large node costs
// little, and copied where the file system has no links.
func (w *writer) document(f File) (Document, error) {
	s := w.store
	if err := s.step("stage: document " + f.Target); err != nil {
		return Document{}, err
	}
	if err := w.parents(f.Target); err != nil {
		return Document{}, err
	}
	received, rendered := w.path(receivedName(f.Target)), w.path(fileName(f.Target))
	a := Attr{Mode: f.Mode, UID: f.UID, GID: f.GID}
	old := s.running.Find(f.Target)
	if f.Text == nil {
		if old == nil || old.Checksum != f.Checksum {
			return Document{}, errors.New("is not in the running generation and came without content")
		}
		linked, err := w.link(f, received, rendered)
		if err != nil {
			return Document{}, err
		}
		if linked {
			d := *old
			d.Version = f.Version
			return d, nil
		}
		text, err := s.Text(s.running, f.Target)
		if err != nil {
			return Document{}, err
		}
		f.Text = text
	}
	content := render(f.Text)
	if err := WriteFile(s.root, received, f.Text, private()); err != nil {
		return Document{}, err
	}
	if err := s.step("stage: file " + f.Target); err != nil {
		return Document{}, err
	}
	if err := WriteFile(s.root, rendered, content, a); err != nil {
		return Document{}, err
	}
	return Document{Target: f.Target, Version: f.Version, Checksum: f.Checksum, Received: digest(f.Text), File: digest(content)}, nil
}

// link takes both files over from the running generation, or neither.
func (w *writer) link(f File, received, rendered string) (bool, error) {
	s, from := w.store, w.store.running.dir()
	if !f.fits(s.root.Lstat(path.Join(from, fileName(f.Target)))) {
		return false, nil
	}
	copied := s.root.Link(path.Join(from, receivedName(f.Target)), received) == nil
	if copied && s.root.Link(path.Join(from, fileName(f.Target)), rendered) != nil {
		return false, s.root.Remove(received)
	}
	return copied, nil
}

// fits tells whether a file is there as the local configuration wants it now.
func (f File) fits(info fs.FileInfo, err error) bool {
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode() == f.Mode &&
		(f.UID < 0 || f.UID == int(stat.Uid)) && (f.GID < 0 || f.GID == int(stat.Gid))
}

func (w *writer) parents(target string) error {
	dir := w.path("files")
	segments := strings.Split(target, "/")
	for _, segment := range segments[:len(segments)-1] {
		dir = path.Join(dir, segment)
		if err := w.mkdir(dir); err != nil {
			return err
		}
	}
	return nil
}

// render makes the file for applications: the text, and the line feed that
// text files end with.
func render(text []byte) []byte { return append(text[:len(text):len(text)], '\n') }

func fileName(target string) string { return path.Join("files", target+".json") }

func receivedName(target string) string {
	return path.Join("received", strings.ReplaceAll(target, "/", "%2F"))
}
