package archtest

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// room is a top-level folder of docs/architecture.md and the rooms that it may look into. Every
// import inside the module must be allowed here; imports point down.
type room struct {
	folder string
	may    []string
	why    string
}

func roomTable() []room {
	return []room{
		{"document", nil, "document is a leaf of pure functions"},
		{"wire", nil, "wire is a leaf: old agents and other implementations depend on it alone"},
		{"fsm", []string{"document"}, "what is persisted for ever knows neither the wire nor the API"},
		{"cluster", []string{"fsm", "document", "internal"}, "cluster replicates the state and knows nothing of agents or people"},
		{"push", []string{"cluster", "fsm", "document", "wire", "internal"}, "push delivers what the state wants and knows nothing of the API"},
		{"ui", nil, "ui is the embedded web application and nothing else"},
		{"api", []string{"push", "cluster", "fsm", "document", "internal"}, "api speaks JSON to people and scripts; the wire is another vocabulary"},
		{"agent", []string{"wire", "document", "internal"}, "the node program carries nothing of the controller"},
		{"cmd/drover-agent", []string{"agent", "wire", "document", "internal"}, "the node program carries nothing of the controller"},
		{"cmd/drover", []string{"api", "ui", "push", "cluster", "fsm", "document", "wire", "examples", "internal"}, "the server and its CLI do not contain the agent"},
		{"examples", nil, "example documents, embedded for drover dev"},
		{"internal", []string{"internal"}, "internal helpers are used by the rooms and look into none"},
		{"bench", []string{"bench", "wire", "document"}, "the benchmark uses the programs as they are shipped, and speaks to them from outside"},
		{"test", []string{"test", "examples", "api", "ui", "push", "cluster", "fsm", "document", "wire", "agent", "internal"}, "tests of the whole may use every room, not the programs' own packages"},
	}
}

// ban forbids imports from outside the module.
type ban struct {
	folders []string
	imports []string
	except  []string
	deep    bool // also for every package of the module that these folders reach
	why     string
}

func banTable() []ban {
	const raft, gorilla = "github.com/hashicorp/raft", "github.com/gorilla/websocket"
	const memberlist, echo = "github.com/hashicorp/memberlist", "github.com/labstack/echo"
	const boltdb, bbolt, raftBolt = "github.com/boltdb/bolt", "go.etcd.io/bbolt", "github.com/hashicorp/raft-boltdb"
	const autopilot = "github.com/hashicorp/raft-autopilot"
	everywhere := []string{"agent", "api", "cluster", "cmd", "document", "fsm", "internal", "push", "test", "ui", "wire"}
	return []ban{
		{folders: []string{"agent", "cmd/drover-agent"}, imports: []string{raft, raftBolt, autopilot, memberlist, echo, boltdb, bbolt},
			deep: true, why: "the node program is small and has no consensus in it"},
		{folders: []string{"api"}, imports: []string{raft, raftBolt, autopilot, memberlist, gorilla, bbolt},
			why: "the API knows neither raft nor the sockets of agents"},
		{folders: []string{"push"}, imports: []string{raft, raftBolt, autopilot, memberlist, echo, bbolt},
			why: "delivery reaches the replicated state through cluster"},
		{folders: []string{"cluster"}, imports: []string{echo, gorilla},
			why: "peers speak over the peer port only"},
		{folders: []string{"fsm", "document", "wire"}, imports: []string{"net", "os", "syscall", "math/rand", "crypto/rand", "log", raft, echo, gorilla},
			except: []string{"net/netip", "net/url"}, why: "pure: no clock, no randomness, no I/O"},
		{folders: everywhere, imports: []string{"C", "unsafe", "math/rand"}, except: []string{"math/rand/v2"},
			why: "the programs are static and memory-safe; math/rand/v2 and crypto/rand replace math/rand"},
	}
}

// rooms checks imports inside the module. A folder that the table does not list is a finding too.
func rooms(t *Tree) []Finding {
	var found []Finding
	for _, f := range t.goFiles() {
		r := roomOf(f.dir())
		if r == nil {
			found = append(found, Finding{Where: f.path, Detail: "no room of docs/architecture.md: " + f.dir()})
			continue
		}
		for _, name := range f.imports() {
			target, own := strings.CutPrefix(name, module+"/")
			if !own || r.allows(target) || (f.isTest() && under(target, "internal")) {
				continue
			}
			found = append(found, Finding{Where: f.path, Detail: fmt.Sprintf("imports %s: %s", target, r.why)})
		}
	}
	return found
}

// roomOf finds the room of a folder. The longest match counts: cmd/drover-agent is not below cmd/drover.
func roomOf(dir string) *room {
	for _, r := range roomTable() {
		if under(dir, r.folder) {
			return &r
		}
	}
	return nil
}

func (r room) allows(target string) bool {
	return under(target, r.folder) || slices.ContainsFunc(r.may, func(folder string) bool { return under(target, folder) })
}

// foreignImports checks imports from outside the module. Tests are free to use what they need.
func foreignImports(t *Tree) []Finding {
	var found []Finding
	for _, b := range banTable() {
		folders := t.dirs(b.folders)
		if b.deep {
			folders = t.reach(folders)
		}
		for _, f := range t.goFiles() {
			if f.isTest() || !folders[f.dir()] {
				continue
			}
			for _, name := range f.imports() {
				if b.forbids(name) {
					found = append(found, Finding{Where: f.path, Detail: fmt.Sprintf("imports %s: %s", name, b.why)})
				}
			}
		}
	}
	return found
}

// forbids matches a package or module, in any major version, and everything below it.
func (b ban) forbids(name string) bool {
	return !slices.Contains(b.except, name) &&
		slices.ContainsFunc(b.imports, func(banned string) bool { return under(name, banned) })
}

// dirs are the folders with Go files at or below any of the given ones.
func (t *Tree) dirs(folders []string) map[string]bool {
	found := map[string]bool{}
	for _, f := range t.goFiles() {
		if slices.ContainsFunc(folders, func(folder string) bool { return under(f.dir(), folder) }) {
			found[f.dir()] = true
		}
	}
	return found
}

// reach adds every package of the module that the given ones import, at any depth.
func (t *Tree) reach(from map[string]bool) map[string]bool {
	uses := map[string][]string{}
	for _, f := range t.goFiles() {
		for _, name := range f.imports() {
			if target, own := strings.CutPrefix(name, module+"/"); own && !f.isTest() {
				uses[f.dir()] = append(uses[f.dir()], target)
			}
		}
	}
	seen := map[string]bool{}
	var visit func(string)
	visit = func(dir string) {
		if seen[dir] {
			return
		}
		seen[dir] = true
		for _, next := range uses[dir] {
			visit(next)
		}
	}
	for dir := range from {
		visit(dir)
	}
	return seen
}

// clocks finds reads of the clock where the state must be a pure function of its commands: the
// proposer stamps time. Types such as time.Duration are fine.
func clocks(t *Tree) []Finding {
	reads := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	var found []Finding
	for _, f := range t.goFiles() {
		if f.isTest() || !slices.ContainsFunc([]string{"fsm", "document", "wire"}, func(r string) bool { return under(f.path, r) }) {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if pkg, name := qualified(n); pkg == "time" && slices.Contains(reads, name) {
				found = append(found, Finding{Where: f.path, Detail: fmt.Sprintf("line %d reads the clock (time.%s): the proposer stamps time", t.line(n.Pos()), name)})
			}
			return true
		})
	}
	return found
}

// qualified returns "time" and "Now" for the node time.Now.
func qualified(n ast.Node) (pkg, name string) {
	sel, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	id, ok := sel.X.(*ast.Ident)
	if !ok {
		return "", ""
	}
	return id.Name, sel.Sel.Name
}
