package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/contexts"
	"github.com/droverhq/drover/internal/output"
	"github.com/droverhq/drover/internal/version"
)

// app is one run of the program: where it reads and writes, and what the flags
// of every command said.
type app struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	env    func(string) string

	flags  contexts.Flags
	format string

	began   bool   // the arguments were good: what fails now is no usage error
	release func() // gives the signals back, for commands that take them themselves
}

func newApp(stdin io.Reader, stdout, stderr io.Writer, env func(string) string) *app {
	return &app{stdin: stdin, stdout: stdout, stderr: stderr, env: env, release: func() {}}
}

// run executes one command line and returns the exit code.
func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	c, err := root.ExecuteContextC(ctx)
	return a.report(c, err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "drover",
		Short: "Keep the configuration of a fleet",
		Long: "Drover keeps the configuration of a fleet: documents are changed here, and within moments every node\n" +
			"that they are for runs the new version, or says why it does not.",
		Example: `  drover dev                                    # a whole fleet on this machine, to try
  drover doc edit routing/core                  # change a document in your editor
  drover apply -f config/ -m "Move to AS 64512" # commit the documents of a directory as one change
  drover push watch                             # see it arrive
  drover node why edge-7                        # why a node is not in sync`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		Version:           version.Version,
		PersistentPreRunE: a.begin,
	}
	f := root.PersistentFlags()
	f.StringSliceVar(&a.flags.Addr, "addr", nil, "`URL` of a controller; several, and the next is tried when one is gone (DROVER_ADDR)")
	f.StringVar(&a.flags.Context, "context", "", "`name` of the context to use (DROVER_CONTEXT)")
	f.StringVar(&a.flags.Token, "token", "", "API `token` (DROVER_TOKEN)")
	f.StringVar(&a.flags.TokenFile, "token-file", "", "`file` with the API token (DROVER_TOKEN_FILE)")
	f.StringVar(&a.flags.CA, "ca", "", "PEM `file` of the authority that controllers' certificates lead to (DROVER_CA)")
	f.StringVarP(&a.format, "output", "o", "table", "`format`: table, wide, json, jsonl, yaml or name")
	must(root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(output.Formats(), cobra.ShellCompDirectiveNoFileComp)))
	must(root.RegisterFlagCompletionFunc("context", a.completeContexts))
	dress(root)
	a.add(root)
	return root
}

// add attaches every command, in groups for the help of the root.
func (a *app) add(root *cobra.Command) {
	groups := []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"change", "Change:", []*cobra.Command{a.docCmd(), a.planCmd(), a.applyCmd(), a.exportCmd()}},
		{"see", "See it arrive:", []*cobra.Command{a.pushCmd(), a.waitCmd(), a.nodeCmd(), a.instanceCmd(), a.discoveryCmd(), a.deadLetterCmd(), a.eventsCmd()}},
		{"access", "Access:", []*cobra.Command{a.loginCmd(), a.logoutCmd(), a.whoamiCmd(), a.contextCmd(), a.userCmd(), a.tokenCmd(), a.auditCmd()}},
		{"run", "Run a cluster:", []*cobra.Command{a.devCmd(), a.serverCmd(), a.clusterCmd()}},
	}
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.id
			root.AddCommand(c)
		}
	}
	root.AddCommand(a.versionCmd(), a.manCmd())
}

// begin runs when the arguments are good.
func (a *app) begin(*cobra.Command, []string) error {
	if _, err := output.ParseFormat(a.format); err != nil {
		return usage(err)
	}
	a.began = true
	return nil
}

// client makes the client of the cluster that flags, environment and file name.
func (a *app) client() (*client.Client, error) {
	t, err := a.target()
	if err != nil {
		return nil, err
	}
	return a.clientOf(t)
}

func (a *app) target() (contexts.Target, error) {
	f, err := contexts.Load(contexts.Path(a.env))
	if err != nil {
		return contexts.Target{}, err
	}
	return f.Resolve(a.flags, a.env)
}

func (a *app) clientOf(t contexts.Target) (*client.Client, error) {
	cfg := client.Config{Addrs: t.Addrs, Token: t.Token, Session: t.Session, UserAgent: "drover/" + version.Version}
	if t.CA != "" {
		ca, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("--ca: %w", err)
		}
		cfg.CA = ca
	}
	return client.New(cfg)
}

func (a *app) printer() output.Printer {
	return output.Printer{Out: a.stdout, Notes: a.stderr, Format: output.Format(a.format), Color: a.colors(a.stdout)}
}

func (a *app) colors(w io.Writer) bool {
	return a.env("NO_COLOR") == "" && a.env("TERM") != "dumb" && terminal(w)
}

// terminal tells whether something is one.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// note tells a person something that is no data.
func (a *app) note(format string, args ...any) { fmt.Fprintf(a.stderr, format+"\n", args...) }

// confirm asks before something that cannot be undone. Where nobody can be
// asked, --yes has to say it.
func (a *app) confirm(yes bool, format string, args ...any) error {
	if yes {
		return nil
	}
	question := fmt.Sprintf(format, args...)
	if !terminal(a.stdin) || !terminal(a.stderr) {
		return fmt.Errorf("%s needs to be confirmed: repeat the command with --yes", question)
	}
	fmt.Fprintf(a.stderr, "%s? [y/N] ", question)
	var answer string
	if _, err := fmt.Fscanln(a.stdin, &answer); err != nil || answer != "y" && answer != "Y" && answer != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}

// showList prints a list of the API.
func showList[T any](ctx context.Context, a *app, v output.View[T], limit int, query url.Values, path string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	items, err := client.List[T](ctx, c, path, query, limit)
	if err != nil {
		return err
	}
	return printItems(a, v, items)
}

func printItems[T any](a *app, v output.View[T], items []client.Item[T]) error {
	rows, raw := unzip(items)
	return output.List(a.printer(), v, rows, raw)
}

// showOne prints one object of the API.
func showOne[T any](ctx context.Context, a *app, v output.View[T], path string) error {
	c, err := a.client()
	if err != nil {
		return err
	}
	item, err := client.One[T](ctx, c, path, nil)
	if err != nil {
		return err
	}
	return output.One(a.printer(), v, item.Value, item.Raw)
}

// ago is the age of a moment, in one unit.
func ago(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := time.Since(t)
	switch {
	case d < 0, d < time.Second:
		return "now"
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds ago", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	}
	return fmt.Sprintf("%dd ago", int(d.Hours()/24))
}

// must is for what can only fail by a mistake in this program.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
