package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/internal/client"
)

// execute runs a command line without a cluster.
func execute(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a := newApp(strings.NewReader(""), &out, &errs, func(k string) string { return env[k] })
	code = a.run(t.Context(), args)
	return code, out.String(), errs.String()
}

func TestEveryErrorHasItsExitCode(t *testing.T) {
	status := func(n int) error { return fmt.Errorf("wrapped: %w", &client.Error{Status: n}) }
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("anything"), 1},
		{&codedError{code: exitChanges}, 2},
		{status(400), 3},
		{status(413), 3},
		{status(422), 3},
		{status(401), 4},
		{status(403), 4},
		{status(404), 5},
		{status(409), 6},
		{status(412), 6},
		{coded(exitNotConverged, "x"), 7},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), 8},
		{status(502), 9},
		{status(503), 9},
		{status(504), 9},
		{fmt.Errorf("x: %w", client.ErrUnreachable), 9},
		{status(429), 1},
		{status(500), 1},
		{usage(errors.New("x")), 64},
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("%v: %d, want %d", c.err, got, c.want)
		}
	}
}

// Every command that does something shows an example first, says what it is
// for, and refuses arguments that it does not know.
func TestEveryCommandHelps(t *testing.T) {
	a := newApp(nil, &bytes.Buffer{}, &bytes.Buffer{}, func(string) string { return "" })
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		name := c.CommandPath()
		if strings.HasPrefix(name, "drover completion") || strings.HasPrefix(name, "drover help") {
			return // cobra's own
		}
		if c.Short == "" || !c.HasExample() {
			t.Errorf("%s: no description or no example", name)
		}
		if c.Runnable() && c.Args == nil && !strings.Contains(c.Use, "…") {
			t.Errorf("%s takes any arguments", name)
		}
		code, help, stderr := execute(t, nil, append(strings.Fields(name)[1:], "--help")...)
		if code != 0 || stderr != "" {
			t.Errorf("%s --help: %d %s", name, code, stderr)
		}
		if example, usage := strings.Index(help, "Examples:"), strings.Index(help, "Usage:"); example < 0 || usage < example {
			t.Errorf("%s: the examples do not come before the usage", name)
		}
	}
	walk(a.root())
}

func TestWhatIsNotBuiltIsNotShown(t *testing.T) {
	_, help, _ := execute(t, nil, "--help")
	_, push, _ := execute(t, nil, "push", "--help")
	_, dev, _ := execute(t, nil, "dev", "--help")
	for _, word := range []string{"change ", "alert", "freeze", "template", "secret", "promote", "pause", "abort"} {
		if strings.Contains(help, "\n  "+word) || strings.Contains(push, "\n  "+word) || strings.Contains(dev, "--"+word) {
			t.Errorf("%q is shown", word)
		}
	}
}

func TestMistakesOnTheCommandLineAreUsageErrors(t *testing.T) {
	for _, args := range [][]string{
		{"nonsense"},
		{"doc", "nonsense"},
		{"doc", "get"},
		{"doc", "get", "a", "b"},
		{"doc", "list", "--nonsense"},
		{"doc", "list", "-o", "xml"},
		{"doc", "put", "a"},
		{"doc", "diff", "a", "x"},
		{"doc", "rollback", "a", "x"},
		{"apply"},
		{"wait", "0"},
		{"wait", "1", "--for", "200%"},
		{"node", "label", "a", "nonsense"},
		{"instance", "set", "a"},
		{"instance", "set", "a", "--no-token", "--instance-token-file", "f"},
		{"instance", "add", "http://a", "-l", "nonsense"},
		{"discovery", "add", "a"},
		{"discovery", "add", "a", "--dns", "x", "--file", "y"},
		{"deadletter", "retry"},
		{"deadletter", "discard", "a", "--all"},
		{"dev", "--peers", "2"},
		{"cluster", "join", "x:1"},
		{"login", "ann", "--addr", "http://127.0.0.1:1"}, // nobody can be asked for the password
	} {
		code, stdout, stderr := execute(t, map[string]string{"XDG_CONFIG_HOME": t.TempDir()}, args...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, "Usage: drover ") {
			t.Errorf("drover %s: %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
		}
	}
}

func TestSharesAreReadAndRoundedUp(t *testing.T) {
	for text, want := range map[string]float64{"95%": 0.95, "100%": 1, "0.5%": 0.005} {
		if got, err := parseShare(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "95", "0%", "-1%", "101%", "x%", "NaN%"} {
		if got, err := parseShare(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
	for _, c := range []struct {
		share       float64
		total, want int
	}{{0.95, 100, 95}, {0.95, 101, 96}, {0.95, 1, 1}, {1, 5, 5}, {0.5, 5, 3}, {1, 0, 0}, {0.07, 100, 7}} {
		if got := enough(c.share, c.total); got != c.want {
			t.Errorf("%v of %d: %d, want %d", c.share, c.total, got, c.want)
		}
	}
}

func TestAPushLeadsToTheOneThatTookOver(t *testing.T) {
	for _, c := range []struct {
		push client.Push
		want string
	}{
		{client.Push{ID: "3", State: "superseded", SupersededBy: float64(1234567)}, "1234567"},
		{client.Push{ID: "3", State: "superseded", SupersededBy: "5"}, "5"},
		{client.Push{ID: "3", State: "superseded"}, ""},
		{client.Push{ID: "3", State: "superseded", SupersededBy: "3"}, ""},
		{client.Push{ID: "3", State: "done", SupersededBy: "5"}, ""},
	} {
		if got := superseder(c.push); got != c.want {
			t.Errorf("%+v: %q, want %q", c.push, got, c.want)
		}
	}
}

func TestTextsAreComparedAsTheControllerDoes(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{`{"a": 1}`, "{\n\"a\":1}", true},
		{`{"a":1}`, `{"a":1.0}`, false},
		{`{"a":1,"b":2}`, `{"b":2,"a":1}`, false},
		{``, `null`, true},
		{`{"a":"<&>"}`, `{"a":"<&>"}`, true},
	} {
		if got := sameText(rawMessage(c.a), rawMessage(c.b)); got != c.same {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}

func TestAServerConfigurationNamesWhatIsWrong(t *testing.T) {
	const good = "name: ctl-1\ndata_dir: data\napi: {listen: '127.0.0.1:8443', url: 'https://127.0.0.1:8443'}\npeer: {listen: '127.0.0.1:8300', advertise: '127.0.0.1:8300'}\ngossip: {listen: '127.0.0.1:8301'}\n"
	if _, err := parseServerConfig([]byte(good + "trusted_proxies: [192.0.2.1, 2001:db8::/32]\nlog: {level: debug, format: json}\n")); err != nil {
		t.Fatal(err)
	}
	c, err := parseServerConfig([]byte(good + "instances: {allow: [127.0.0.0/8, '::1'], timeout: 2s}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if allow, err := c.Instances.allow(); err != nil || len(allow) != 2 || c.Instances.Timeout != 2*time.Second || c.Instances.Interval != 10*time.Second {
		t.Fatalf("instances: %+v, %v, %v", c.Instances, allow, err)
	}
	for _, c := range []struct{ text, want string }{
		{good + "nonsense: 1\n", `line 6: unknown key "nonsense"`},
		{good + "raft:\n  profil: fast\n", `line 7: unknown key "profil"`},
		{good + "name: again\n", "line 6"},
		{good + "raft: {profile: quick}\n", "raft.profile"},
		{good + "trusted_proxies: [here]\n", "trusted_proxies[0]"},
		{good + "instances: {allow: [127.0.0.0/8, here]}\n", "instances.allow[1]"},
		{good + "instances: {timeout: 0.5s}\n", "instances.timeout"},
		{good + "instances: {interval: 1h}\n", "instances.interval"},
		{good + "instances: {files: here}\n", "instances.files"},
		{good + "instances: {every: 1s}\n", `unknown key "every"`},
		{good + "log: {level: loud}\n", "log.level"},
		{good + "log: {format: xml}\n", "log.format"},
		{"name: [\n", "line 1"},
		{strings.Replace(good, "https://127", "http://127", 1) + "", ""},
		{strings.NewReplacer("https://127.0.0.1", "http://192.0.2.1", "listen: '127.0.0.1:8443'", "listen: ':8443'").Replace(good), "plain HTTP"},
		{strings.Replace(good, "127.0.0.1:8443'", "nonsense'", 1), "api.listen"},
	} {
		_, err := parseServerConfig([]byte(c.text))
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\n%v, want %q", c.text, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "main.") {
			t.Errorf("the error names a type of the program: %v", err)
		}
	}
}

func TestAnExportedAuditIsVerifiedOffline(t *testing.T) {
	var entries []fsm.AuditEntry
	var previous fsm.Sum
	for i := range uint64(5) {
		e := fsm.AuditEntry{Seq: 10 + i, Time: int64(i), Actor: fsm.Actor{Name: "ann"}, Action: "change.commit", Object: "<a>", Outcome: "done", Previous: previous}
		e.Hash = fsm.HashEntry(e)
		previous = e.Hash
		entries = append(entries, e)
	}
	export := func(entries []fsm.AuditEntry) string {
		var b strings.Builder
		for _, e := range entries {
			text, err := marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(text + "\n")
		}
		return b.String()
	}
	check := func(name, text string, want auditVerdict) {
		t.Helper()
		if got, err := verifyExport(strings.NewReader(text)); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
		}
	}
	good := export(entries)
	check("whole", good, auditVerdict{Valid: true, Entries: 5, First: 10, Last: 14})
	check("without a line feed at its end", strings.TrimSuffix(good, "\n"), auditVerdict{Valid: true, Entries: 5, First: 10, Last: 14})
	check("a later part of it", export(entries[2:]), auditVerdict{Valid: true, Entries: 3, First: 12, Last: 14})
	check("one missing", export(append(append([]fsm.AuditEntry(nil), entries[:2]...), entries[3:]...)), auditVerdict{Entries: 4, First: 10, Last: 14, BrokenAt: 13})
	check("one altered", strings.Replace(good, `"time":2,`, `"time":3,`, 1), auditVerdict{Entries: 5, First: 10, Last: 14, BrokenAt: 12})
	for name, text := range map[string]string{"empty": "", "no JSON": "x\n", "a key that is not hashed": strings.Replace(good, `{"seq"`, `{"x":1,"seq"`, 1)} {
		if _, err := verifyExport(strings.NewReader(text)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func marshal(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}
