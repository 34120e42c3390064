package archtest

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// The limits of the house style.
const (
	maxFileLines      = 600
	maxComponentLines = 200
	maxFunctionLines  = 80
	maxStructFields   = 15
)

func fileSizes(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		generated := f.syntax != nil && ast.IsGenerated(f.syntax)
		source := slices.Contains([]string{".go", ".ts", ".tsx", ".css", ".mjs"}, path.Ext(f.path))
		if n := f.lines(); source && !generated && n > maxFileLines {
			found = append(found, Finding{Where: f.path, Detail: fmt.Sprintf("%d lines, at most %d", n, maxFileLines)})
		}
	}
	return found
}

// componentSizes holds the UI's components to less than other files; their tests are such files.
func componentSizes(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.files {
		component := under(f.path, "ui") && path.Ext(f.path) == ".tsx" && !strings.HasSuffix(f.path, ".test.tsx")
		if n := f.lines(); component && n > maxComponentLines {
			found = append(found, Finding{Where: f.path, Detail: fmt.Sprintf("%d lines, a component has at most %d", n, maxComponentLines)})
		}
	}
	return found
}

// functionSizes counts from the line of `func` to that of the closing brace.
func functionSizes(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.goFiles() {
		for _, decl := range f.syntax.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := t.line(fn.End()) - t.line(fn.Pos()) + 1; n > maxFunctionLines {
				found = append(found, Finding{Where: f.path + ":" + fn.Name.Name, Detail: fmt.Sprintf("%d lines, at most %d", n, maxFunctionLines)})
			}
		}
	}
	return found
}

// structSizes counts the fields of named structs; `a, b int` are two, an embedded type is one.
func structSizes(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.goFiles() {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if !ok {
				return true
			}
			body, ok := spec.Type.(*ast.StructType)
			if !ok {
				return true
			}
			fields := 0
			for _, field := range body.Fields.List {
				fields += max(1, len(field.Names))
			}
			if fields > maxStructFields {
				found = append(found, Finding{Where: f.path + ":" + spec.Name.Name, Detail: fmt.Sprintf("%d fields, at most %d", fields, maxStructFields)})
			}
			return true
		})
	}
	return found
}
