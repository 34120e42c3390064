package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/droverhq/drover/document"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(dir, nil)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func reopen(t testing.TB, s *Store) *Store {
	t.Helper()
	must(t, s.Close())
	return open(t, s.root.Name())
}

func file(t testing.TB, target, text string) File {
	t.Helper()
	sum, err := document.Sum([]byte(text))
	must(t, err)
	return File{Target: target, Version: 1, Checksum: sum.String(), Text: []byte(text), Mode: 0o640, UID: -1, GID: -1}
}

func header(cluster string, epoch, index uint64, files []File) Header {
	var entries []document.Entry
	for _, f := range files {
		sum, _ := document.ParseChecksum(f.Checksum)
		entries = append(entries, document.Entry{Target: f.Target, Checksum: sum})
	}
	h := Header{}
	h.Cluster, h.Epoch, h.Index, h.Manifest = cluster, epoch, index, document.ManifestSum(entries).String()
	return h
}

// run brings files all the way.
func run(t testing.TB, s *Store, index uint64, files ...File) *Generation {
	t.Helper()
	g, err := s.Stage(header("c", 1, index, files), files)
	must(t, err)
	must(t, s.Switch(g))
	must(t, s.Finish(g))
	return g
}

func TestAGenerationIsReadBackAfterARestart(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "new"))
	run(t, s, 7, file(t, "a", `{"x":1}`), file(t, "deep/er/b", `{"y":1.0}`))
	s = reopen(t, s)
	g := s.Running()
	if g == nil || g.Index != 7 || len(g.Documents) != 2 || s.Unfinished() != nil {
		t.Fatalf("%+v", g)
	}
	held := s.Read(g)
	if len(held.Drifted) != 0 || held.Manifest().String() != g.Manifest {
		t.Fatalf("%+v", held)
	}
	text, err := s.Text(g, "deep/er/b")
	must(t, err)
	if string(text) != `{"y":1.0}` {
		t.Fatalf("%s", text)
	}
	seen, err := os.ReadFile(filepath.Join(s.root.Name(), "current", "deep", "er", "b.json"))
	must(t, err)
	if string(seen) != `{"y":1.0}`+"\n" {
		t.Fatalf("%q", seen)
	}
}

func TestUnchangedDocumentsAreTakenOverNotWritten(t *testing.T) {
	s := open(t, t.TempDir())
	a, b := file(t, "a", `{"x":1}`), file(t, "b", `{"y":1}`)
	run(t, s, 1, a, b)
	inode := func(name string) uint64 {
		info, err := s.root.Stat(name)
		must(t, err)
		return info.Sys().(*syscall.Stat_t).Ino
	}
	before := inode("current/b.json")
	b.Text = nil
	run(t, s, 2, file(t, "a", `{"x":2}`), b)
	if inode("current/b.json") != before {
		t.Error("an unchanged file was written again")
	}
	// Another mode in the local configuration counts from the next update on.
	b.Mode = 0o600
	run(t, s, 3, file(t, "a", `{"x":3}`), b)
	info, err := s.root.Stat("current/b.json")
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if info, err = s.root.Stat(filepath.Join("generations/2/files/b.json")); err != nil || info.Mode() != 0o640 {
		t.Errorf("an older generation was changed: %v %v", info, err)
	}
	// Without content and without a predecessor there is nothing to take over.
	c := file(t, "c", `{}`)
	c.Text = nil
	if _, err := s.Stage(header("c", 1, 4, []File{c}), []File{c}); err == nil {
		t.Error("a document without content was staged")
	}
	if s.Accepted("c").Index != 3 {
		t.Error("what could not be staged counts as accepted")
	}
}

func TestPositionsSurvivePruningAndBelongToTheirCluster(t *testing.T) {
	s := open(t, t.TempDir())
	for i := range uint64(5) {
		run(t, s, 10+i, file(t, "a", `{"x":`+string(rune('0'+i))+`}`))
	}
	tried := []File{file(t, "a", `{"x":"tried"}`)}
	g, err := s.Stage(header("c", 1, 99, tried), tried)
	must(t, err)
	must(t, s.Fail(g, []byte(`{}`)))
	run(t, s, 99, file(t, "a", `{"x":"good"}`))
	must(t, s.Prune())
	entries, err := fs.ReadDir(s.root.FS(), generations)
	must(t, err)
	if len(entries) > 3 {
		t.Errorf("%d generations are left", len(entries))
	}
	must(t, s.Raise(Accepted{Cluster: "c", Position: Position{1, 120}, Manifest: s.Running().Manifest}))
	s = reopen(t, s)
	if got := s.Accepted("c"); got.Index != 120 || got.Manifest != s.Running().Manifest {
		t.Errorf("%+v", got)
	}
	if got := s.Accepted("another"); got.Position != (Position{}) {
		t.Errorf("the position of another cluster counts: %+v", got)
	}
	if (Position{2, 1}).Compare(Position{1, 9}) <= 0 || (Position{1, 9}).Compare(Position{1, 10}) >= 0 {
		t.Error("positions are ordered by the epoch, then by the index")
	}
}

// Every flipped bit in the agent's own files is noticed, and none makes it run
// or report something that was not sent.
func TestFlippedBitsAreNoticed(t *testing.T) {
	source := open(t, filepath.Join(t.TempDir(), "source"))
	run(t, source, 1, file(t, "a", `{"x":0}`), file(t, "b", `{"z":1}`))
	good := run(t, source, 2, file(t, "a", `{"x":1}`), file(t, "b", `{"y":1}`))
	must(t, source.Raise(Accepted{Cluster: "c", Position: Position{1, 50}, Manifest: good.Manifest}))
	names := []string{"generations/2/header.json", "generations/2/received/a", "generations/2/files/a.json", "accepted.json"}
	for _, name := range names {
		size := 0
		for bit := 0; bit == 0 || bit < size*8; bit += 7 {
			dir := filepath.Join(t.TempDir(), "copy")
			must(t, os.CopyFS(dir, noLinks{source.root.FS()}))
			must(t, os.Symlink("generations/2/files", filepath.Join(dir, "current")))
			path := filepath.Join(dir, name)
			text, err := os.ReadFile(path)
			must(t, err)
			size = len(text)
			text[bit/8] ^= 1 << (bit % 8)
			must(t, os.WriteFile(path, text, 0o600))
			checkFlipped(t, dir, name, bit, good)
			must(t, os.RemoveAll(dir))
		}
	}
}

// noLinks hides the symlink, which fs.FS cannot copy.
type noLinks struct{ fs.FS }

func (n noLinks) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(n.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Type()&fs.ModeSymlink != 0 }), err
}

func checkFlipped(t *testing.T, dir, name string, bit int, good *Generation) {
	t.Helper()
	s, err := Open(dir, nil)
	must(t, err)
	defer func() { must(t, s.Close()) }()
	noticed := false
	switch g := s.Running(); {
	case strings.HasSuffix(name, "header.json"):
		// What is left is the generation before: its files are not there, and
		// that is what is reported.
		noticed = slices.Equal(s.Damaged, []int{2}) && g.Number == 1 && len(s.Read(g).Drifted) > 0 && s.Accepted("c").Index == 50
	case name == "accepted.json":
		noticed = len(s.Damaged) == 1 && s.Accepted("c").Index == 2
	case strings.Contains(name, "received"):
		_, err := s.Text(g, "a")
		noticed = errors.Is(err, ErrDamaged)
	default:
		held := s.Read(g)
		noticed = slices.Equal(held.Drifted, []string{"a"}) && held.Manifest().String() != good.Manifest
	}
	if !noticed {
		t.Errorf("bit %d of %s was flipped and nobody noticed", bit, name)
	}
}

func TestADamagedHeaderDoesNotChangeWhatApplicationsRead(t *testing.T) {
	s := open(t, t.TempDir())
	run(t, s, 1, file(t, "a", `{"x":1}`))
	run(t, s, 2, file(t, "a", `{"x":2}`))
	must(t, s.Close())
	must(t, os.WriteFile(filepath.Join(s.root.Name(), "generations/2/header.json"), []byte("?"), 0o600))
	s = open(t, s.root.Name())
	must(t, s.Prune())
	text, err := s.root.ReadFile("current/a.json")
	must(t, err)
	if string(text) != "{\"x\":2}\n" {
		t.Fatalf("%s", text)
	}
	// An update that fails leads back to the same files.
	files := []File{file(t, "a", `{"x":3}`)}
	g, err := s.Stage(header("c", 1, 3, files), files)
	must(t, err)
	must(t, s.Switch(g))
	must(t, s.Revert(g))
	must(t, s.Fail(g, []byte("why")))
	if text, err = s.root.ReadFile("current/a.json"); err != nil || string(text) != "{\"x\":2}\n" {
		t.Fatalf("%s %v", text, err)
	}
	// And one that is good ends the matter.
	run(t, s, 4, files...)
	must(t, s.Prune())
	if s = reopen(t, s); len(s.Damaged) != 0 || s.Running().Index != 4 {
		t.Fatalf("%v %+v", s.Damaged, s.Running())
	}
}

func TestALinkThatIsGoneIsDrift(t *testing.T) {
	for name, spoil := range map[string]func(*Store) error{
		"gone":      func(s *Store) error { return s.root.Remove("current") },
		"elsewhere": func(s *Store) error { return errors.Join(s.root.Remove("current"), s.root.Symlink("/etc", "current")) },
		"a directory": func(s *Store) error {
			return errors.Join(s.root.Remove("current"), s.root.Mkdir("current", 0o755))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			g := run(t, s, 1, file(t, "a", `{"x":1}`))
			must(t, spoil(s))
			s = reopen(t, s)
			if s.Running() == nil || s.Running().Number != g.Number {
				t.Fatalf("%+v", s.Running())
			}
			if held := s.Read(s.Running()); !slices.Equal(held.Drifted, []string{"a"}) || len(held.Entries) != 0 {
				t.Errorf("%+v", held)
			}
		})
	}
}

func TestTouchedSeesWhatReadWouldSee(t *testing.T) {
	s := open(t, t.TempDir())
	g := run(t, s, 1, file(t, "a", `{"x":1}`), file(t, "b", `{}`))
	held := s.Read(g)
	if s.Touched(g, held) {
		t.Error("touched from the start")
	}
	later := time.Now().Add(time.Minute)
	must(t, s.root.Chtimes("current/a.json", later, later))
	if !s.Touched(g, held) {
		t.Error("another time is not seen")
	}
	held = s.Read(g)
	must(t, s.root.Remove("current/b.json"))
	if !s.Touched(g, held) {
		t.Error("a file that went is not seen")
	}
	if held = s.Read(g); s.Touched(g, held) {
		t.Error("what is known to be gone is seen again and again")
	}
	must(t, s.root.WriteFile("current/b.json", []byte("{}\n"), 0o600))
	if !s.Touched(g, held) {
		t.Error("a file that came back is not seen")
	}
}

func TestOneProcessHasTheDirectory(t *testing.T) {
	s := open(t, t.TempDir())
	if _, err := Open(s.root.Name(), nil); !errors.Is(err, ErrLocked) {
		t.Fatalf("%v", err)
	}
	v, err := View(s.root.Name())
	must(t, err)
	if !v.InUse {
		t.Error("the view does not see the process")
	}
	must(t, v.Close())
	must(t, s.Close())
	if v, err = View(s.root.Name()); err != nil || v.InUse {
		t.Errorf("%v %v", v, err)
	}
	must(t, v.Close())
}

func TestAViewChangesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	run(t, s, 1, file(t, "a", `{"x":1}`))
	must(t, s.root.Mkdir("generations/.new-2", 0o755))
	v, err := View(s.root.Name())
	must(t, err)
	if v.Running() == nil || !exists(s.root, "generations/.new-2") {
		t.Error("the view swept, or saw nothing")
	}
	if err := v.Raise(Accepted{}); err == nil {
		t.Error("a view wrote")
	}
	must(t, v.Close())
	if s = reopen(t, s); exists(s.root, "generations/.new-2") {
		t.Error("what was never completed is still there")
	}
	empty, err := View(t.TempDir())
	must(t, err)
	must(t, empty.Close())
}
