package api

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/droverhq/drover/document/schema/builtin"
	"github.com/droverhq/drover/fsm"
)

// Whatever is edited together, the warnings of a dry run are those of the
// commit, and both are what every node, asked by itself, would complain about.
func TestWarningsAreWhatTheNodesWouldComplainAbout(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	complaints, refused := 0, 0
	for range 40 {
		w := newWorld(t)
		for i := range 6 {
			labels := map[string]string{"env": pick(r, "prod", "test"), "n": fmt.Sprint(i)}
			switch i % 3 {
			case 0:
				w.enroll(fmt.Sprintf("edge-%d", i), labels)
			case 1:
				w.instance(fmt.Sprintf("hook-%d", i), labels)
			default:
				w.instance(fmt.Sprintf("half-%d", i), labels, builtin.Webhooks)
			}
		}
		for range 8 {
			edits, names := randomEdits(w, r)
			dry := w.want(200, request{method: "POST", path: "/api/v1/changes", body: `{"dry_run":true,` + edits})
			if dry["valid"] != true { // two of one target on one node
				refused++
				continue
			}
			concerned := w.concerned(names)
			done := w.want(200, request{method: "POST", path: "/api/v1/changes", body: `{"commit":true,` + edits})
			if a, b := told(dry["warnings"]), told(done["warnings"]); !slices.Equal(a, b) {
				t.Fatalf("%s\ndry run:\n%s\ncommit:\n%s", edits, strings.Join(a, "\n"), strings.Join(b, "\n"))
			}
			want := w.complaints(names, concerned || w.concerned(names))
			complaints += len(want)
			if got := places(done["warnings"]); !slices.Equal(got, want) {
				t.Fatalf("%s\ngot  %q\nwant %q", edits, got, want)
			}
		}
	}
	if complaints < 50 || refused < 10 {
		t.Errorf("only %d complaints and %d refusals: nothing was tried", complaints, refused)
	}
}

func pick(r *rand.Rand, of ...string) string { return of[r.IntN(len(of))] }

// randomEdits are the edits of a change, and the documents that they are about.
func randomEdits(w *world, r *rand.Rand) (edits string, names []string) {
	there := map[string]bool{}
	w.store.View(func(st *fsm.State) {
		for _, d := range st.Documents() {
			there[d.Name] = !d.Deleted
		}
	})
	var list []string
	for _, name := range []string{"w1", "w2", "k1", "k2"} {
		if r.IntN(2) == 0 {
			continue
		}
		names = append(names, name)
		if there[name] && r.IntN(5) == 0 {
			list = append(list, fmt.Sprintf(`{"document":%q,"op":"delete"}`, name))
			continue
		}
		target, content := builtin.Webhooks, fmt.Sprintf(`{"h":{"module":"log","connection":%q},"i":{"chain":[{"module":"log","connection":%q}]}}`, pick(r, "a", "b"), pick(r, "a", "{$X:b}"))
		if name[0] == 'k' {
			target, content = builtin.Connections, fmt.Sprintf(`{%q:{"type":"kafka"}}`, pick(r, "a", "b", "c"))
		}
		if r.IntN(8) == 0 {
			target = "other/" + name
		}
		list = append(list, fmt.Sprintf(`{"document":%q,"op":"put","target":%q,"selector":%q,"content":%s}`,
			name, target, pick(r, "", "env=prod", "env=test", "n=1", "n in (0,1,2)"), content))
	}
	if list == nil {
		list, names = []string{`{"document":"else","op":"put","content":{}}`}, []string{"else"}
	}
	return `"edits":[` + strings.Join(list, ",") + `]}`, names
}

// concerned tells whether one of the documents is connections.
func (w *world) concerned(names []string) bool {
	found := false
	w.store.View(func(st *fsm.State) {
		for _, name := range names {
			d := st.Document(name)
			found = found || d != nil && !d.Deleted && d.Target == builtin.Connections
		}
	})
	return found
}

// complaints asks every node for the hooks that it would hold without their
// connections, as far as the edited documents have to do with it.
func (w *world) complaints(edited []string, concerned bool) []string {
	var out []string
	held := map[string]bool{}
	w.store.View(func(st *fsm.State) {
		text := func(d *fsm.Document) []byte {
			b, err := st.Blob(d.Current().Blob).Text()
			if err != nil {
				w.t.Fatal(err)
			}
			return b
		}
		missing := func(hooks *fsm.Document, defined map[string]bool) {
			for _, r := range builtin.References(text(hooks)) {
				if !defined[r.Connection] {
					out = append(out, hooks.Name+" "+r.Pointer)
				}
			}
		}
		st.Nodes(func(n *fsm.Node) bool {
			on := map[string]*fsm.Document{}
			for _, e := range st.Desired(n.Ordinal).Entries {
				on[e.Target] = st.Document(e.Document)
			}
			hooks, connections := on[builtin.Webhooks], on[builtin.Connections]
			if hooks == nil {
				return true
			}
			held[hooks.Name] = true
			defined := map[string]bool{}
			if connections != nil {
				defined = builtin.Names(text(connections))
			}
			if slices.Contains(edited, hooks.Name) || connections != nil && slices.Contains(edited, connections.Name) || connections == nil && concerned {
				missing(hooks, defined)
			}
			return true
		})
		all := map[string]bool{}
		for _, d := range st.Documents() {
			if d.Target == builtin.Connections && !d.Deleted {
				for name := range builtin.Names(text(d)) {
					all[name] = true
				}
			}
		}
		for _, name := range edited {
			if d := st.Document(name); d != nil && !d.Deleted && d.Target == builtin.Webhooks && !held[name] {
				missing(d, all)
			}
		}
	})
	slices.Sort(out)
	return slices.Compact(out)
}

// places are where warnings are about references, each once.
func places(warnings any) []string {
	var out []string
	for _, line := range told(warnings) {
		if at, _, found := strings.Cut(line, ": there is no connection"); found {
			out = append(out, at)
		}
	}
	slices.SortFunc(out, cmp.Compare[string])
	return slices.Compact(out)
}
