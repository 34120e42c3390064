package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/droverhq/drover/agent"
	"github.com/droverhq/drover/agent/serve"
	"github.com/droverhq/drover/internal/lifeline"
	"github.com/droverhq/drover/internal/version"
)

// Exit codes, the same as those of drover.
const (
	exitOK          = 0
	exitError       = 1
	exitInvalid     = 3
	exitUnreachable = 9
	exitUsage       = 64
)

const defaultConfig = "/etc/drover/agent.yaml"

const usage = `Examples:
  drover-agent enroll --addr https://ctl-1:8443 --ca ca.pem --token T --config agent.yaml
  drover-agent run --config agent.yaml
  drover-agent status -o json

Commands:
  enroll        register this node with a cluster and pin the cluster's keys
  run           keep this node's configuration as the controllers want it
  status        show what this node runs and whom it talks to
  check-config  check the configuration file and change nothing
  version       print the version

"drover-agent COMMAND --help" shows the flags of a command.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "drover-agent:", err)
	}
	os.Exit(exitCode(err))
}

// errUsage marks an error of the command line.
var errUsage = errors.New("see drover-agent --help")

func exitCode(err error) int {
	var invalid *agent.ConfigError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.As(err, &invalid):
		return exitInvalid
	case errors.Is(err, agent.ErrUnreachable):
		return exitUnreachable
	}
	return exitError
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "enroll":
		return enroll(ctx, args, stdout, stderr)
	case "run":
		return runAgent(ctx, args, stderr)
	case "status":
		return status(args, stdout, stderr)
	case "check-config":
		return checkConfig(args, stdout, stderr)
	case "version", "--version", "-version":
		_, err := fmt.Fprintln(stdout, "drover-agent", version.Version)
		return err
	case "help", "--help", "-help", "-h":
		_, err := fmt.Fprint(stdout, usage)
		return err
	case "":
		return fmt.Errorf("a command is missing: %w", errUsage)
	}
	return fmt.Errorf("unknown command %q: %w", command, errUsage)
}

// flags makes a flag set whose help shows the example first.
func flags(name, example string, stderr io.Writer) (set *flag.FlagSet, config *string) {
	set = flag.NewFlagSet("drover-agent "+name, flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() {
		fmt.Fprintf(stderr, "Example:\n  drover-agent %s %s\n\nFlags:\n", name, example)
		set.PrintDefaults()
	}
	return set, set.String("config", defaultConfig, "the agent's configuration `file`")
}

func parse(set *flag.FlagSet, args []string) error {
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", err, errUsage)
	case set.NArg() > 0:
		return fmt.Errorf("unexpected argument %q: %w", set.Arg(0), errUsage)
	}
	return nil
}

// list is a flag that may be given several times, or with commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }
func (l *list) Set(value string) error {
	*l = append(*l, strings.Split(value, ",")...)
	return nil
}

func enroll(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set, config := flags("enroll", "--addr https://ctl-1:8443 --ca ca.pem --token T --config agent.yaml", stderr)
	var e agent.Enrollment
	set.Var((*list)(&e.Addresses), "addr", "`URL` of a controller; several with commas or by repeating it (default: peers of the configuration)")
	set.StringVar(&e.CAFile, "ca", "", "PEM `file` with the cluster's CA")
	set.StringVar(&e.CAHash, "ca-hash", "", "SHA-256 of the cluster CA's public key, instead of --ca")
	set.StringVar(&e.Token, "token", "", "enrolment token (default: DROVER_ENROLL_TOKEN)")
	set.StringVar(&e.Node, "node", "", "`name` of this node (default: node of the configuration, else the controller chooses)")
	if err := parse(set, args); err != nil {
		return err
	}
	if e.Token == "" {
		e.Token = os.Getenv("DROVER_ENROLL_TOKEN")
	}
	c, err := agent.ReadConfig(*config)
	if err != nil {
		return err
	}
	id, again, err := agent.Enroll(ctx, c, e)
	if err != nil {
		return err
	}
	if again {
		_, err = fmt.Fprintf(stdout, "this node is enrolled already, as %s in cluster %s\n", id.Node, id.Cluster)
		return err
	}
	_, err = fmt.Fprintf(stdout, "enrolled as %s in cluster %s; next: drover-agent run --config %s\n", id.Node, id.Cluster, *config)
	return err
}

func runAgent(ctx context.Context, args []string, stderr io.Writer) error {
	set, config := flags("run", "--config agent.yaml", stderr)
	format := set.String("log-format", "text", "`text` or json")
	level := set.String("log-level", "info", "`debug`, info, warn or error")
	if err := parse(set, args); err != nil {
		return err
	}
	log, err := logger(stderr, *format, *level)
	if err != nil {
		return err
	}
	c, err := agent.ReadConfig(*config)
	if err != nil {
		return err
	}
	if err := lifeline.Watch(); err != nil { // a child of `drover dev` ends with it
		return err
	}
	log.Info("starting", "version", version.Version, "dir", c.Dir)
	err = agent.New(c, agent.Deps{Log: log, Version: version.Version}).Run(ctx)
	log.Info("stopped")
	return err
}

func logger(to io.Writer, format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q: %w", level, errUsage)
	}
	options := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(to, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(to, options)), nil
	}
	return nil, fmt.Errorf("--log-format %q is neither text nor json: %w", format, errUsage)
}

func checkConfig(args []string, stdout, stderr io.Writer) error {
	set, config := flags("check-config", "--config agent.yaml", stderr)
	if err := parse(set, args); err != nil {
		return err
	}
	if _, err := agent.ReadConfig(*config); err != nil {
		return err
	}
	_, err := fmt.Fprintf(stdout, "%s is valid\n", *config)
	return err
}

func status(args []string, stdout, stderr io.Writer) error {
	set, config := flags("status", "--config agent.yaml -o json", stderr)
	output := set.String("o", "table", "`table` or json")
	if err := parse(set, args); err != nil {
		return err
	}
	c, err := agent.ReadConfig(*config)
	if err != nil {
		return err
	}
	st, err := agent.ReadStatus(c)
	if err != nil {
		return err
	}
	switch *output {
	case "json":
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(st)
	case "table":
		return table(stdout, st)
	}
	return fmt.Errorf("-o %q is neither table nor json: %w", *output, errUsage)
}

func table(out io.Writer, st agent.Status) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if st.Cluster != "" || st.Serve == nil {
		channelTable(w, st)
	}
	if st.Serve != nil {
		if st.Cluster != "" {
			fmt.Fprintln(w)
		}
		instanceTable(w, *st.Serve)
	}
	return w.Flush()
}

func channelTable(w io.Writer, st agent.Status) {
	contact := "not running"
	switch {
	case st.Contact.Connected:
		contact = fmt.Sprintf("%s since %s", st.Contact.Peer, st.Contact.Since.Format(time.RFC3339))
	case st.Running:
		contact = "none; " + st.Contact.LastError
	}
	fmt.Fprintf(w, "node\t%s\ncluster\t%s\ncontroller\t%s\nrevision\t%d\naccepted\t%d.%d\nmanifest\t%s\n\n",
		st.Node, st.Cluster, contact, st.Revision, st.Epoch, st.Index, st.Manifest)
	fmt.Fprintln(w, "TARGET\tVERSION\tFILE")
	for _, d := range st.Documents {
		state := "as sent"
		switch {
		case d.Checksum == "":
			state = "missing"
		case d.Drifted:
			state = "changed on this node"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\n", d.Target, d.Version, state)
	}
}

func instanceTable(w io.Writer, st serve.Status) {
	state, last := "not running", "never"
	if st.Running {
		state = "serving on " + st.Listen
	}
	if !st.LastReload.IsZero() {
		last = st.LastReload.Format(time.RFC3339)
	}
	fmt.Fprintf(w, "instance\t%s\nendpoints\t%s\nversion\t%s\nlast reload\t%s\n\n", st.ID, state, st.Version, last)
	fmt.Fprintln(w, "TYPE\tHASH\tENTRIES\tFILE")
	for _, f := range st.Files {
		file := "accepted"
		switch {
		case f.Error != "":
			file = f.Error
		case slices.Contains(st.OnTrial, f.Target):
			file = "another content is on trial"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", f.Target, f.Version, f.Entries, file)
	}
}
