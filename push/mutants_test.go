package push

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A mutant is the program without one rule: a line of the real code is
// replaced, and the simulation must see what is lost.
type mutant struct{ rule, file, line, without string }

var mutants = []mutant{
	{"a lower connection number opens no session", "fsm/report.go",
		"} else if r.Open.Connection <= old.Connection {", "} else if false {"},
	{"a confirmation in short counts for what was wanted when its update was made", "fsm/report.go",
		"case g.Wanted && !s.stillWanted(ord, g.At):", "case false:"},
	{"an older report of a session is dropped", "fsm/report.go",
		"row.Session.ID != r.Session || r.Seq <= row.Session.Seq", "row.Session.ID != r.Session"},
	{"an error of an update that is not wanted any more means nothing", "fsm/report.go",
		"r.Tried.Index < since || wanted.Sum != before", "false"},
	{"documents edited together fall back together", "fsm/wanted.go",
		"if len(set) == 0 {", "if true {"},
	{"what was accepted before a document left is gone when it returns", "fsm/binding.go",
		"if !held[b.Document] {", "if false {"},
	{"a newer version of a document falling back clears the refusal", "fsm/row.go",
		"d != nil && d.Current().Revision == s.LastRevision()", "false && d != nil"},
	{"no push from a state that is behind the node", "push/plan.go",
		"if state.Position().Less(s.last.at) {", "if false {"},
	{"nothing is sent after an error until the state holds it", "push/plan.go",
		"if s.retry.errorSeq > 0 && (", "if false && ("},
	{"where only the index lacks, an update without documents brings it", "push/plan.go",
		"s.last.manifest == want.Sum && !fenced", "s.last.manifest == want.Sum && (!fenced || true)"},
	{"goaway tells the highest connection number", "push/plan.go",
		"Connection: row.Session.Connection})", "Connection: 0 * row.Session.Connection})"},
	{"a session that the state has lost is told again", "push/plan.go",
		"if !row.Connected && len(s.pending) == 0 {", "if false {"},
	{"reports that were not taken are said again", "push/collector.go",
		"if c.speaks(s) {", "if false {"},
	{"a base that does not match falls back to the full content", "push/core.go",
		"s.welcome.full = true", "s.welcome.full = false"},
	{"the welcome is sent again when the audience has changed", "push/plan.go",
		"if s.welcome.done && s.welcome.audience == audience {", "if s.welcome.done {"},
}

// TestThousandsOfSeeds runs the simulation in a build without the race
// detector, which has seen enough of it in this one.
func TestThousandsOfSeeds(t *testing.T) {
	out, err := simulateApart(t, "-sim.seeds=2000")
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestEachRuleIsNeeded takes the rules out one by one.
func TestEachRuleIsNeeded(t *testing.T) {
	for _, m := range mutants {
		t.Run(m.rule, func(t *testing.T) {
			overlay := m.overlay(t)
			expectViolation(t, "-overlay", overlay)
		})
	}
	for _, rule := range []string{"stale", "base", "directory", "tell", "interrupted"} {
		t.Run("agent: "+rule, func(t *testing.T) {
			for seed := uint64(1); seed < 400; seed += 20 {
				if len(simulateAll(seed, 20, rule)) > 0 {
					return
				}
			}
			t.Error("the simulation does not miss this rule")
		})
	}
}

func (m mutant) overlay(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(source), m.line) != 1 {
		t.Fatalf("%s no longer has exactly one line %q: say anew how this rule is taken out", m.file, m.line)
	}
	dir := t.TempDir()
	mutated := filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(mutated, []byte(strings.Replace(string(source), m.line, m.without, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{path: mutated}})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return overlay
}

// expectViolation runs the simulation in a build of its own.
func expectViolation(t *testing.T, flags ...string) {
	t.Helper()
	out, err := simulateApart(t, append(flags, "-sim.seeds=500", "-sim.stop")...)
	if err == nil {
		t.Error("the simulation does not miss this rule")
	} else if !strings.Contains(out, "seeds, the first is") && !strings.Contains(out, "panic:") {
		t.Errorf("the mutant does not run:\n%s", out)
	} else {
		t.Log(firstLine(out))
	}
}

// simulateApart runs the simulation by a go command of its own.
func simulateApart(t *testing.T, flags ...string) (string, error) {
	t.Helper()
	args := append([]string{"test", "-count=1", "-vet=off", "-run", "^TestDeliveryKeepsItsRulesThroughFaults$", "."}, flags...)
	out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput()
	return string(out), err
}

func firstLine(out string) string {
	for line := range strings.Lines(out) {
		if strings.Contains(line, "seeds, the first is") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
