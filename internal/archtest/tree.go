package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// module is Drover's own import path.
const module = "github.com/droverhq/drover"

// Tree is the repository as the checks see it.
type Tree struct {
	files []*file
	fset  *token.FileSet
}

// file is one text file; syntax is nil for what is not Go.
type file struct {
	path   string // relative to the root, with slashes
	text   []byte
	syntax *ast.File
}

// foreign are folders whose content is fetched or built, never written by hand.
var foreign = regexp.MustCompile(`^(\.git|\.demo|bin|ui/node_modules|ui/dist)$`)

// Load reads every text file below fsys and parses the Go ones.
func Load(fsys fs.FS) (*Tree, error) {
	tree := &Tree{fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && foreign.MatchString(name):
			return fs.SkipDir
		case !entry.Type().IsRegular(), name == ".git": // in a linked worktree .git is a file
			return nil
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if bytes.IndexByte(text[:min(len(text), 8000)], 0) >= 0 {
			return nil // a picture, a font, a golden log: no text
		}
		return tree.add(name, text)
	})
	return tree, err
}

func (t *Tree) add(name string, text []byte) error {
	f := &file{path: name, text: text}
	if path.Ext(name) == ".go" && !strings.Contains("/"+name, "/testdata/") {
		syntax, err := parser.ParseFile(t.fset, name, text, parser.ParseComments)
		if err != nil {
			return fmt.Errorf("parse: %w", err)
		}
		f.syntax = syntax
	}
	t.files = append(t.files, f)
	return nil
}

// goFiles are the Go files that people wrote.
func (t *Tree) goFiles() []*file {
	return slices.DeleteFunc(slices.Clone(t.files), func(f *file) bool {
		return f.syntax == nil || ast.IsGenerated(f.syntax)
	})
}

func (t *Tree) line(at token.Pos) int { return t.fset.Position(at).Line }

func (f *file) dir() string { return path.Dir(f.path) }

// isTest tells whether the file is part of a test: by its name, or as the harness in test/.
func (f *file) isTest() bool {
	return strings.HasSuffix(f.path, "_test.go") || under(f.path, "test")
}

func (f *file) lines() int {
	n := bytes.Count(f.text, []byte("\n"))
	if len(f.text) > 0 && !bytes.HasSuffix(f.text, []byte("\n")) {
		n++
	}
	return n
}

// imports lists the import paths of the file.
func (f *file) imports() []string {
	var paths []string
	for _, spec := range f.syntax.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, "`\""))
	}
	return paths
}

// under tells whether name is the folder or import path itself or lies below it.
func under(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}
