package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/format"
	"go/token"
	"path"
	"slices"
	"strings"
)

// packageDocs asks each package for its comment, in doc.go and nowhere else.
func packageDocs(t *Tree) []Finding {
	var found []Finding
	documented, dirs := map[string]bool{}, map[string]bool{}
	for _, f := range t.goFiles() {
		dirs[f.dir()] = true
		switch {
		case f.syntax.Doc == nil:
		case path.Base(f.path) == "doc.go":
			documented[f.dir()] = true
		default:
			found = append(found, Finding{Where: f.path, Detail: "the package comment belongs in doc.go"})
		}
	}
	for dir := range dirs {
		if !documented[dir] {
			found = append(found, Finding{Where: dir, Detail: "no doc.go with the package's purpose, what it is not for, its goroutines and locks"})
		}
	}
	return found
}

func inits(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.goFiles() {
		for _, decl := range f.syntax.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				found = append(found, Finding{Where: f.path, Detail: "has an init function: do the work in New or main"})
			}
		}
	}
	return found
}

// sleeps finds time.Sleep in tests. Inside a testing/synctest bubble time is simulated, and sleeping
// is how it moves on.
func sleeps(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.goFiles() {
		if !f.isTest() {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if pkg, name := qualified(call.Fun); pkg == "synctest" && name == "Test" {
					return false
				}
			}
			if pkg, name := qualified(n); pkg == "time" && name == "Sleep" {
				found = append(found, Finding{Where: f.path, Detail: fmt.Sprintf("line %d sleeps: wait for the condition, or use testing/synctest", t.line(n.Pos()))})
			}
			return true
		})
	}
	return found
}

// skips finds tests that leave themselves out.
func skips(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.goFiles() {
		if !f.isTest() {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			on, name := qualified(n)
			if slices.Contains([]string{"t", "b", "f", "tb"}, on) && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, name) {
				found = append(found, Finding{Where: f.path, Detail: fmt.Sprintf("line %d skips the test: fail with what is missing", t.line(n.Pos()))})
			}
			return true
		})
	}
	return found
}

func formats(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.goFiles() {
		if want, err := format.Source(f.text); err != nil || !bytes.Equal(want, f.text) {
			found = append(found, Finding{Where: f.path, Detail: "is not formatted: run gofmt -w"})
		}
	}
	return found
}

// globals finds package variables that vary: assigned after their declaration, or of a type that
// exists to guard or hold what varies. sync.Pool and sync.OnceValue only save work.
func globals(t *Tree) []Finding {
	var found []Finding
	declared := t.packageVars()
	for _, f := range t.goFiles() {
		vars := declared[f.dir()+" "+f.syntax.Name.Name]
		report := func(e ast.Expr, what string) {
			if id := root(e); id != nil && vars[id.Name] != nil && isGlobal(id, vars[id.Name]) {
				found = append(found, Finding{Where: f.path + ":" + id.Name, Detail: fmt.Sprintf("line %d %s a package variable: pass it in", t.line(e.Pos()), what)})
			}
		}
		for name, spec := range vars {
			if guards(spec.Type) && t.fset.File(spec.Pos()).Name() == f.path {
				report(&ast.Ident{Name: name, NamePos: spec.Pos()}, "declares a lock or a holder as")
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch s := n.(type) {
			case *ast.AssignStmt:
				if s.Tok != token.DEFINE {
					for _, e := range s.Lhs {
						report(e, "assigns")
					}
				}
			case *ast.IncDecStmt:
				report(s.X, "changes")
			}
			return true
		})
	}
	return found
}

// packageVars maps "folder package" to its top-level variables.
func (t *Tree) packageVars() map[string]map[string]*ast.ValueSpec {
	all := map[string]map[string]*ast.ValueSpec{}
	for _, f := range t.goFiles() {
		key := f.dir() + " " + f.syntax.Name.Name
		if all[key] == nil {
			all[key] = map[string]*ast.ValueSpec{}
		}
		for _, decl := range f.syntax.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, s := range gen.Specs {
				spec := s.(*ast.ValueSpec)
				for _, id := range spec.Names {
					if id.Name != "_" {
						all[key][id.Name] = spec
					}
				}
			}
		}
	}
	return all
}

// isGlobal tells whether id means the package variable that spec declares, and not a local one of
// that name. The parser resolves names within a file, so an unresolved one is the package's.
func isGlobal(id *ast.Ident, spec *ast.ValueSpec) bool {
	return id.Obj == nil || id.Obj.Decl == spec
}

// root is the variable that an assignment to e changes: m for m[k], s for s.f, p for *p.
func root(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

func guards(typ ast.Expr) bool {
	if index, ok := typ.(*ast.IndexExpr); ok { // atomic.Pointer[T]
		typ = index.X
	}
	if typ == nil {
		return false
	}
	pkg, name := qualified(typ)
	return pkg == "atomic" || pkg == "sync" && !strings.HasPrefix(name, "Pool")
}
