package store

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	current     = "current"
	generations = "generations"
	acceptedAt  = "accepted.json"
	lockFile    = "lock"
)

// ErrLocked is returned by Open when another process has the directory.
var ErrLocked = errors.New("another drover-agent runs on this directory")

// Position orders updates on a node: the epoch first, then the index.
type Position struct {
	Epoch uint64 `json:"epoch"`
	Index uint64 `json:"index"`
}

// Compare is negative when p is older than q.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Epoch, q.Epoch), cmp.Compare(p.Index, q.Index))
}

// Accepted is the highest position that the node took, tried ones included,
// and the manifest that came with it.
type Accepted struct {
	Cluster string `json:"cluster"`
	Position
	Revision uint64 `json:"revision"`
	Manifest string `json:"manifest"`
}

// Document is one document of a generation.
type Document struct {
	Target   string `json:"target"`
	Version  uint64 `json:"version,omitempty"`
	Checksum string `json:"checksum"` // of the document, as in the manifest
	Received string `json:"received"` // SHA-256 of the copy as received
	File     string `json:"file"`     // SHA-256 of the rendered file
}

// Header describes a generation.
type Header struct {
	Accepted
	Previous  int        `json:"previous"` // the generation that ran when this one was written; 0: none
	Documents []Document `json:"documents"`
}

// Generation is one configuration of the whole node. It is never changed.
type Generation struct {
	Number int
	Header
}

// Find returns the document of a target, nil where there is none.
func (g *Generation) Find(target string) *Document {
	if g == nil {
		return nil
	}
	for i := range g.Documents {
		if g.Documents[i].Target == target {
			return &g.Documents[i]
		}
	}
	return nil
}

// Files is the directory of the files for applications, below the agent's.
func (g *Generation) Files() string { return g.files() }

func (g *Generation) dir() string   { return path.Join(generations, strconv.Itoa(g.Number)) }
func (g *Generation) files() string { return path.Join(g.dir(), "files") }
func (g *Generation) mark(name string) string {
	return path.Join(g.dir(), name)
}

// Marks of a generation; see the package comment.
const (
	markGood    = "good"
	markUndoing = "undoing"
	markFailed  = "failed.json"
	markTold    = "told"
)

// Store is the directory of one agent.
type Store struct {
	root     *os.Root
	lock     *os.File
	step     func(string) error
	all      map[int]*Generation // with an intact header
	last     int                 // the highest number in use, damaged ones included
	running  *Generation         // finished, and what current should point to
	accepted Accepted            // as accepted.json has it
	Damaged  []int               // generations whose header cannot be read; 0: accepted.json
	InUse    bool                // another process has the directory; set by View alone
}

// View reads the directory and changes nothing, beside a process that runs on
// it. Only the methods that read may be called.
func View(dir string) (*Store, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{root: root, all: map[int]*Generation{}, step: func(string) error { return errors.New("this is a view") }}
	if s.InUse, err = Locked(root); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.read(false); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Open takes the directory, makes what is missing and removes generations that
// were never completed. step is called before every change of the disk with
// its name: a test ends the process there, or returns an error in its place.
// Nil is allowed.
func Open(dir string, step func(string) error) (*Store, error) {
	if step == nil {
		step = func(string) error { return nil }
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{root: root, step: step, all: map[int]*Generation{}}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close releases the directory.
func (s *Store) Close() error {
	err := s.root.Close()
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// Root gives access to the directory, for small files beside the generations.
func (s *Store) Root() *os.Root { return s.root }

func (s *Store) load() error {
	lock, err := s.root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	s.lock = lock
	if err := TakeLock(lock); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrLocked, s.root.Name(), err)
	}
	if err := s.root.Mkdir(generations, 0o755); err == nil {
		if err := SyncDir(s.root, "."); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.read(true)
}

// read takes in what is there; sweep removes what was never completed.
func (s *Store) read(sweep bool) error {
	if err := s.loadAccepted(); err != nil {
		return err
	}
	entries, err := fs.ReadDir(s.root.FS(), generations)
	if err != nil && (sweep || !errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	for _, e := range entries {
		if err := s.loadGeneration(e.Name(), sweep); err != nil {
			return err
		}
	}
	s.running = s.finished(s.linked())
	if s.running == nil && s.linked() == nil {
		s.running = s.newestGood() // the link was taken away, or a header is damaged: drift, not a new node
	}
	return nil
}

func (s *Store) newestGood() *Generation {
	var newest *Generation
	for n, g := range s.all {
		if (newest == nil || n > newest.Number) && s.good(g) {
			newest = g
		}
	}
	return newest
}

// TakeLock waits a moment: a process that looks at the lock (View), or that is
// ending, gives it back soon.
func TakeLock(lock *os.File) error {
	const tries, pause = 20, 50 * time.Millisecond
	var err error
	for range tries {
		if err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			return nil
		}
		time.Sleep(pause)
	}
	return err
}

// Locked tells whether a process has the directory. Closing the file gives the
// lock that it took for that back.
func Locked(root *os.Root) (inUse bool, err error) {
	lock, err := root.Open(lockFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	return syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil, nil
}

func (s *Store) loadAccepted() error {
	sealed, _, err := ReadFile(s.root, acceptedAt, 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	text, err := unseal(sealed)
	if err == nil {
		err = json.Unmarshal(text, &s.accepted)
	}
	if err != nil { // the generations still have theirs
		s.accepted = Accepted{}
		s.Damaged = append(s.Damaged, 0)
	}
	return nil
}

func (s *Store) loadGeneration(name string, sweep bool) error {
	n, err := strconv.Atoi(name)
	if err != nil || n < 1 { // begun and not completed: nothing of it counts
		if sweep {
			return s.root.RemoveAll(path.Join(generations, name))
		}
		return nil
	}
	s.last = max(s.last, n)
	g := &Generation{Number: n}
	if g.Header, err = readHeader(s.root, g.mark("header.json")); err != nil {
		s.Damaged = append(s.Damaged, n)
	} else {
		s.all[n] = g
	}
	return nil
}

func readHeader(root *os.Root, name string) (h Header, err error) {
	sealed, _, err := ReadFile(root, name, 64<<20)
	if err != nil {
		return h, err
	}
	text, err := unseal(sealed)
	if err != nil {
		return h, err
	}
	return h, json.Unmarshal(text, &h)
}

// linked returns the generation that the symlink names, nil for none and for
// one whose header is damaged.
func (s *Store) linked() *Generation { return s.all[s.linkedNumber()] }

func (s *Store) linkedNumber() int {
	to, err := s.root.Readlink(current)
	if err != nil {
		return 0
	}
	number, ok := strings.CutPrefix(path.Dir(to), generations+"/")
	n, err := strconv.Atoi(number)
	if !ok || err != nil || path.Base(to) != "files" {
		return 0
	}
	return n
}

// previous is the number to go back to from a new generation: what runs, even
// where its header is damaged and its files are all that is left of it.
func (s *Store) previous() int {
	if n := s.linkedNumber(); n > 0 && s.all[n] == nil && exists(s.root, path.Join(generations, strconv.Itoa(n))) {
		return n
	}
	if s.running != nil {
		return s.running.Number
	}
	return 0
}

// finished follows from a generation to the last one before it that is good.
func (s *Store) finished(g *Generation) *Generation {
	for g != nil && !s.good(g) {
		g = s.all[g.Previous]
	}
	return g
}

// Running is the finished generation that the node runs, nil for none. While
// another is being tried it is the one to go back to.
func (s *Store) Running() *Generation { return s.running }

// Accepted is the highest position that was taken from a cluster. What another
// cluster sent does not count: its numbers have nothing to do with these.
func (s *Store) Accepted(cluster string) Accepted {
	highest := Accepted{Cluster: cluster}
	if s.accepted.Cluster == cluster {
		highest = s.accepted
	}
	for _, g := range s.all {
		if g.Cluster == cluster && g.Position.Compare(highest.Position) > 0 {
			highest = g.Accepted
		}
	}
	return highest
}

// Raise notes a position whose manifest runs already.
func (s *Store) Raise(to Accepted) error {
	if err := s.step("raise"); err != nil {
		return err
	}
	text, err := json.Marshal(to)
	if err != nil {
		return err
	}
	if err := Replace(s.root, acceptedAt, seal(text)); err != nil {
		return err
	}
	s.accepted = to
	return nil
}
