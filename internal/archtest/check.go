package archtest

import (
	"cmp"
	"fmt"
	"slices"
)

// Finding is one violation. Where is the path of a file or folder, with ":Name" behind it when a
// function, type or variable is meant: what an Exception has to name.
type Finding struct {
	Check  string
	Where  string
	Detail string
}

func (f Finding) String() string { return fmt.Sprintf("%s: %s: %s", f.Where, f.Check, f.Detail) }

// Exception lets one finding stand, for a reason.
type Exception struct {
	Check  string
	Where  string
	Reason string
}

type check struct {
	name string
	run  func(*Tree) []Finding
}

// checks is every rule that the tree is held to.
func checks() []check {
	return []check{
		{"rooms", rooms},
		{"foreign imports", foreignImports},
		{"clock", clocks},
		{"file size", fileSizes},
		{"component size", componentSizes},
		{"function size", functionSizes},
		{"struct size", structSizes},
		{"package doc", packageDocs},
		{"init", inits},
		{"global", globals},
		{"sleep", sleeps},
		{"skip", skips},
		{"format", formats},
		{"machine path", machinePaths},
	}
}

// Run applies every check and takes out what the exceptions name. An exception that nothing needs
// any more is a finding too, so that the list only shrinks.
func Run(tree *Tree, exceptions []Exception) []Finding {
	var found []Finding
	used := map[Exception]bool{}
	for _, c := range checks() {
		for _, f := range c.run(tree) {
			f.Check = c.name
			i := slices.IndexFunc(exceptions, func(e Exception) bool {
				return e.Check == f.Check && e.Where == f.Where
			})
			if i < 0 {
				found = append(found, f)
				continue
			}
			used[exceptions[i]] = true
		}
	}
	for _, e := range exceptions {
		if !used[e] {
			found = append(found, Finding{e.Check, e.Where, "the exception is no longer needed: take it out of the list"})
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return cmp.Compare(a.Where, b.Where) })
	return found
}
