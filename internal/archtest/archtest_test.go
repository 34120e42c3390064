package archtest

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// TestTheTreeKeepsItsShape is what the package is for.
func TestTheTreeKeepsItsShape(t *testing.T) {
	root := os.DirFS(filepath.Join("..", ".."))
	if _, err := fs.Stat(root, "go.mod"); err != nil {
		t.Fatalf("the repository's root is not two folders up: %v", err)
	}
	tree, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.goFiles()) < 10 {
		t.Fatalf("only %d Go files found: the walk is broken", len(tree.goFiles()))
	}
	for _, f := range Run(tree, exceptions()) {
		t.Error(f)
	}
	for _, e := range exceptions() {
		if len(e.Reason) < 20 {
			t.Errorf("the exception %s for %s gives no reason", e.Check, e.Where)
		}
	}
}

// Each case is a small tree with exactly one violation, and the check that has to find it.
func TestEachCheckFindsItsViolation(t *testing.T) {
	long := func(n int) string { return strings.Repeat("// x\n", n) }
	absolute := "/" + "home/ann/drover" // in two parts, or this file would be a finding itself
	for _, c := range []struct {
		name, check, path, text string
	}{
		{"a leaf imports a room", "rooms", "wire/a.go", `import _ "github.com/droverhq/drover/document"`},
		{"the agent imports the controller", "rooms", "agent/a.go", `import _ "github.com/droverhq/drover/fsm"`},
		{"the agent's program imports push", "rooms", "cmd/drover-agent/a.go", `import _ "github.com/droverhq/drover/push"`},
		{"fsm looks up", "rooms", "fsm/a_test.go", `import _ "github.com/droverhq/drover/cluster"`},
		{"api speaks wire", "rooms", "api/a.go", `import _ "github.com/droverhq/drover/wire"`},
		{"a helper imports a room", "rooms", "internal/x/a.go", `import _ "github.com/droverhq/drover/api"`},
		{"a folder that is no room", "rooms", "misc/a.go", ``},
		{"the agent imports echo", "foreign imports", "agent/a.go", `import _ "github.com/labstack/echo/v4"`},
		{"the agent's program imports bolt", "foreign imports", "cmd/drover-agent/a.go", `import _ "go.etcd.io/bbolt"`},
		{"api imports raft", "foreign imports", "api/a.go", `import _ "github.com/hashicorp/raft"`},
		{"api imports gorilla", "foreign imports", "api/a.go", `import _ "github.com/gorilla/websocket"`},
		{"push imports raft", "foreign imports", "push/a.go", `import _ "github.com/hashicorp/raft"`},
		{"fsm imports net/http", "foreign imports", "fsm/a.go", `import _ "net/http"`},
		{"fsm imports os", "foreign imports", "fsm/a.go", `import _ "os"`},
		{"fsm imports randomness", "foreign imports", "fsm/a.go", `import _ "math/rand/v2"`},
		{"old math/rand anywhere", "foreign imports", "push/a.go", `import _ "math/rand"`},
		{"fsm reads the clock", "clock", "fsm/a.go", "import \"time\"\n\nvar start = time.Now"},
		{"a file too long", "file size", "push/a.go", long(maxFileLines)},
		{"a style sheet too long", "file size", "ui/src/a.css", long(maxFileLines + 1)},
		{"a component too long", "component size", "ui/src/a.tsx", long(maxComponentLines + 1)},
		{"a function too long", "function size", "push/a.go", "func f() {\n" + strings.Repeat("\tprintln()\n", maxFunctionLines-1) + "}"},
		{"a struct too wide", "struct size", "push/a.go", "type s struct {\n\ta, b int\n" + strings.Repeat("\tint\n", maxStructFields-1) + "}"},
		{"a package comment elsewhere", "package doc", "cluster/a.go", "// Package p.\npackage p"},
		{"an init function", "init", "push/a.go", "func init() {}"},
		{"a global assigned", "global", "push/a.go", "var n int\n\nfunc f() { n = 1 }"},
		{"a global counted", "global", "push/a.go", "var n int\n\nfunc f() { n++ }"},
		{"a global map filled", "global", "push/a.go", "var m = map[int]int{}\n\nfunc f() { m[1] = 1 }"},
		{"a global lock", "global", "push/a.go", "import \"sync\"\n\nvar mu sync.Mutex"},
		{"a test that sleeps", "sleep", "push/a_test.go", "import \"time\"\n\nfunc f() { time.Sleep(1) }"},
		{"the harness sleeps", "sleep", "test/a.go", "import \"time\"\n\nfunc f() { time.Sleep(1) }"},
		{"a test that skips itself", "skip", "push/a_test.go", "import \"testing\"\n\nfunc f(t *testing.T) { t.Skip() }"},
		{"unformatted code", "format", "push/a.go", "func  f() {}"},
		{"a path of one machine", "machine path", "docs/a.md", "cd " + absolute},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := run(t, fixture(c.path, c.text), nil)
			if len(found) == 0 {
				t.Fatal("found nothing")
			}
			for _, f := range found {
				if f.Check != c.check {
					t.Errorf("found %v, want only %q", f, c.check)
				}
			}
		})
	}
}

func TestWhatIsAllowedIsNoFinding(t *testing.T) {
	for _, c := range []struct{ name, path, text string }{
		{"the agent's own rooms", "agent/a.go", "import (\n\t_ \"github.com/droverhq/drover/document\"\n\t_ \"github.com/droverhq/drover/wire\"\n)"},
		{"tests use helpers and the clock", "fsm/a_test.go", "import (\n\t_ \"os\"\n\t\"time\"\n\n\t_ \"github.com/droverhq/drover/internal/x\"\n)\n\nvar _ = time.Now"},
		{"a duration in fsm", "fsm/a.go", "import \"time\"\n\nconst day = 24 * time.Hour"},
		{"parsing an address", "document/a.go", `import _ "net/netip"`},
		{"a local variable of a global's name", "push/a.go", "var n = 1\n\nfunc f() {\n\tn := 2\n\tn = n + 3\n}"},
		{"the blank name", "push/a.go", "var _ = 1\n\nfunc f() { _ = 2 }"},
		{"a global that stays", "push/a.go", "import \"sync\"\n\nvar pool sync.Pool\nvar table = map[string]int{\"a\": 1}"},
		{"sleeping in a bubble", "push/a_test.go", "import (\n\t\"testing\"\n\t\"testing/synctest\"\n\t\"time\"\n)\n\nfunc f(t *testing.T) {\n\tsynctest.Test(t, func(*testing.T) { time.Sleep(1) })\n}"},
		{"a method named init", "push/a.go", "type s struct{}\n\nfunc (s) init() {}"},
		{"generated code may be long", "fsm/a.go", "// Code generated by x. DO NOT EDIT.\n\npackage p\n" + strings.Repeat("// x\n", maxFileLines)},
		{"paths of a system, a URL and a variable", "docs/a.md", "/var/lib/drover https://example.com/home/a $HOME/x ~/project/y ./tmp/z"},
		{"npm's folders", "ui/node_modules/x/a.go", "not even Go"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if found := run(t, fixture(c.path, c.text), nil); len(found) != 0 {
				t.Fatalf("found %v", found)
			}
		})
	}
}

func TestAPackageNeedsItsDoc(t *testing.T) {
	found := run(t, fstest.MapFS{"cluster/a.go": {Data: []byte("package cluster\n")}}, nil)
	if len(found) != 1 || found[0].Check != "package doc" || found[0].Where != "cluster" {
		t.Fatalf("found %v", found)
	}
}

func TestTheAgentIsCheckedThroughWhatItReaches(t *testing.T) {
	tree := fixture("agent/a.go", `import _ "github.com/droverhq/drover/internal/x"`)
	tree["internal/x/doc.go"] = &fstest.MapFile{Data: []byte("// Package x is a fixture.\npackage x\n\nimport _ \"github.com/hashicorp/memberlist\"\n")}
	found := run(t, tree, nil)
	if len(found) != 1 || found[0].Where != "internal/x/doc.go" || found[0].Check != "foreign imports" {
		t.Fatalf("found %v", found)
	}
}

func TestAnExceptionCoversItsFindingOnly(t *testing.T) {
	tree := fixture("push/a.go", "func init() {}")
	covered := Exception{"init", "push/a.go", "a fixture"}
	if found := run(t, tree, []Exception{covered}); len(found) != 0 {
		t.Errorf("the exception does not cover: %v", found)
	}
	elsewhere := Exception{"init", "push/b.go", "a fixture"}
	found := run(t, tree, []Exception{covered, elsewhere})
	if len(found) != 1 || found[0].Where != "push/b.go" {
		t.Errorf("an exception that nothing needs is not reported: %v", found)
	}
}

func TestBrokenGoIsAnError(t *testing.T) {
	if _, err := Load(fstest.MapFS{"push/a.go": {Data: []byte("func")}}); err == nil {
		t.Error("a file that does not parse went unseen")
	}
}

// fixture is a tree with one documented package that has the given file. Go text gets its package
// clause here, unless it brings one.
func fixture(name, text string) fstest.MapFS {
	tree := fstest.MapFS{name: {Data: []byte(text)}}
	if path.Ext(name) != ".go" || strings.Contains(name, "node_modules") {
		return tree
	}
	if !strings.Contains(text, "package p") {
		text = "package p\n\n" + text
	}
	tree[name].Data = []byte(strings.TrimRight(text, "\n") + "\n")
	tree[path.Dir(name)+"/doc.go"] = &fstest.MapFile{Data: []byte("// Package p is a fixture.\npackage p\n")}
	return tree
}

func run(t *testing.T, fsys fs.FS, exceptions []Exception) []Finding {
	t.Helper()
	tree, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return Run(tree, exceptions)
}
