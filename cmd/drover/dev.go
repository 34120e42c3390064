package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/examples"
	"github.com/droverhq/drover/internal/dev"
	"github.com/droverhq/drover/internal/lifeline"
)

func (a *app) devCmd() *cobra.Command {
	conf := dev.Config{}
	var dir string
	c := &cobra.Command{
		Use: "dev --dir DIR", Short: "Run a whole fleet on this machine, to try and to develop with", Args: cobra.NoArgs,
		Long: "Run a whole fleet on this machine: controllers with their UI, agents that write real files, and\n" +
			"instances that are pushed to over HTTP, each a process of its own. Everything is kept in the directory,\n" +
			"and resumed from there the next time. Ctrl-C ends it all. DIR/dev.json, written when the fleet is ready,\n" +
			"is for scripts. Instances serve plain HTTP on loopback addresses, with --tls too.",
		Example: lines("drover dev --dir demo", "drover dev --dir demo --peers 1 --agents 20 --instances 0 --empty",
			"drover dev kill leader --dir demo        # in another terminal", ". demo/env && drover doc edit routing/core"),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := lifeline.Watch(); err != nil {
				return err
			}
			var err error
			if conf.Dir, err = filepath.Abs(dir); err != nil {
				return err
			}
			if err := conf.Validate(); err != nil {
				return usage(err)
			}
			if conf.Drover, conf.Agent, err = programs(); err != nil {
				return err
			}
			s := dev.New(conf, dev.Deps{
				Progress: a.stderr, Examples: examples.SDWAN(), Webhooks: examples.Webhooks(), Ready: func(f dev.File) { a.welcome(dir, conf, f) },
			})
			return s.Run(c.Context())
		},
	}
	c.PersistentFlags().StringVar(&dir, "dir", ".demo", "`directory` that everything is kept in")
	f := c.Flags()
	f.IntVar(&conf.Peers, "peers", 3, "`number` of controllers: 1, 3, 5 or 7")
	f.IntVar(&conf.Agents, "agents", 5, "`number` of agents")
	f.IntVar(&conf.Instances, "instances", 2, "`number` of webhook instances, 0 to 100")
	f.IntVar(&conf.HTTPPort, "http-port", 8080, "`port` of the first controller; the others follow")
	f.BoolVar(&conf.TLS, "tls", false, "serve HTTPS, by the cluster's own authority")
	f.BoolVar(&conf.Empty, "empty", false, "without the example documents")
	f.BoolVar(&conf.NoRestart, "no-restart", false, "what dies stays dead")
	c.AddCommand(a.devKillCmd(&dir))
	return c
}

// programs finds this program and the agent beside it.
func programs() (drover, agent string, err error) {
	if drover, err = os.Executable(); err != nil {
		return "", "", err
	}
	if drover, err = filepath.EvalSymlinks(drover); err != nil {
		return "", "", err
	}
	agent = filepath.Join(filepath.Dir(drover), "drover-agent")
	if _, err := os.Stat(agent); err != nil {
		return "", "", fmt.Errorf("%s is missing: build both programs with make build, into one folder", agent)
	}
	return drover, agent, nil
}

// welcome says what there is to see, and what to try.
func (a *app) welcome(dir string, conf dev.Config, f dev.File) {
	var urls []string
	for _, p := range f.Peers {
		urls = append(urls, p.URL)
	}
	fmt.Fprintf(a.stdout, "\nThe fleet is ready.\n\n  UI     %s\n  Login  %s / %s\n", strings.Join(urls, "  "), f.Admin.User, f.Admin.Password)
	if len(f.Agents) > 0 {
		fmt.Fprintf(a.stdout, "  Files  %s\n", filepath.Join(f.Agents[0].Dir, "current"))
	}
	if len(f.Instances) > 0 {
		fmt.Fprintf(a.stdout, "  Hooks  %s\n", filepath.Join(f.Instances[0].Dir, "current"))
	}
	drover, env, dir := quoted(os.Args[0]), quoted(filepath.Join(dir, "env")), quoted(dir)
	fmt.Fprintf(a.stdout, "\nIn another terminal:\n\n  . %s\n", env)
	try := func(rest, why string) {
		line := drover + " " + rest
		if why != "" {
			line = fmt.Sprintf("%-46s # %s", line, why)
		}
		fmt.Fprintf(a.stdout, "  %s\n", line)
	}
	if !conf.Empty && len(f.Agents) > 0 {
		try(`doc edit routing/core -m "Try it" --watch`, "")
	}
	try("node list", "")
	if len(f.Instances) > 0 {
		if !conf.Empty {
			try("doc edit webhooks --watch", "a change that instances get over HTTP")
		}
		try("instance verify", "asks each what it holds, now")
		try("dev kill "+f.Instances[0].Node+" --dir "+dir, "instance list says what became of it")
	}
	try("dev kill leader --dir "+dir, "and edit again: it arrives again")
	fmt.Fprint(a.stdout, "\nCtrl-C ends it all.\n")
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if !strings.ContainsFunc(word, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-", r)
	}) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func (a *app) devKillCmd(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "kill leader|PEER|NODE --dir DIR", Short: "Kill one process of a running fleet (SIGKILL)", Args: cobra.ExactArgs(1),
		Example: lines("drover dev kill leader --dir demo", "drover dev kill ctl-2 --dir demo", "drover dev kill edge-3 --dir demo",
			"drover dev kill hook-1 --dir demo"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			names := []string{"leader"}
			if f, err := dev.Read(*dir); err == nil {
				for _, p := range f.Peers {
					names = append(names, p.Name)
				}
				for _, n := range f.Agents {
					names = append(names, n.Node)
				}
				for _, i := range f.Instances {
					names = append(names, i.Node)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			name, pid, err := dev.Kill(c.Context(), *dir, args[0])
			if err != nil {
				return err
			}
			what := ""
			if args[0] == "leader" {
				what = ", the leader,"
			}
			fmt.Fprintf(a.stdout, "killed %s%s (pid %d)\n", name, what, pid)
			return nil
		},
	}
}
