package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/droverhq/drover/bench/proc"
)

// options are the flags.
type options struct {
	bin     string // folder with drover and drover-agent
	dir     string // for the clusters
	out     string // file for JSON lines
	nodes   []int  // numbers of nodes, rising
	pairs   int    // of rounds at each number
	bytes   int    // of the document
	perProc int    // clients of a process
	tlsAt   int    // number of nodes over TLS
	commits commitOptions
	rest    time.Duration // until memory is read a second time
	only    []string
	limit   time.Duration
	keep    bool
	growth  growthOptions
	called  int // number of instances
}

// commitOptions are the flags of commits and kills.
type commitOptions struct {
	kills   int   // of the leader
	writers []int // numbers of writers
	time    time.Duration
}

// parts are the measurements, as -only names them.
func parts() []string {
	return []string{"commits", "kill", "pairs", "storm", "tls", "instances", "growth"}
}

func parse(args []string) (options, error) {
	o := options{}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&o.bin, "bin", "../bin", "`folder` with drover and drover-agent")
	f.StringVar(&o.dir, "dir", "", "`folder` for the clusters, on a disk; kept, and resumed by the next run (default: a new one, removed at the end)")
	f.StringVar(&o.out, "o", "", "`file` to append every measurement to, as JSON lines")
	nodes := f.String("n", "1000,5000,10000", "`numbers` of nodes, rising")
	f.IntVar(&o.pairs, "pairs", 7, "`number` of interleaved pairs of rounds at each number of nodes")
	f.IntVar(&o.bytes, "bytes", 10<<10, "size of the document in `bytes`")
	f.IntVar(&o.perProc, "per-process", 5000, "at most so many clients in a `process`")
	f.IntVar(&o.tlsAt, "tls", 5000, "`number` of nodes over TLS")
	f.IntVar(&o.commits.kills, "kills", 10, "`number` of times that the leader is killed")
	writers := f.String("writers", "1,64", "`numbers` of writers")
	f.DurationVar(&o.commits.time, "write", 8*time.Second, "`time` that writers write")
	f.DurationVar(&o.rest, "rest", 150*time.Second, "`time` of rest before memory is read a second time; 0 leaves that out")
	only := f.String("only", "", "only these `measurements`: "+strings.Join(parts(), ", ")+" (default: all but growth)")
	f.DurationVar(&o.limit, "limit", 30*time.Minute, "`time` after which the whole run ends")
	f.IntVar(&o.called, "instances", 500, "`number` of instances that are called over HTTP")
	f.IntVar(&o.growth.base, "base", 2000, "`number` of nodes from which everything else grows")
	f.StringVar(&o.growth.plots, "plots", "", "`folder` to draw the growth into, as SVG")
	sweeps := f.String("sweeps", defaultSweeps, "what shall `grow`, and to which numbers")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag", f.Arg(0))
	}
	var err error
	if o.nodes, err = numbers("n", *nodes); err != nil {
		return o, err
	}
	if o.commits.writers, err = numbers("writers", *writers); err != nil {
		return o, err
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	if o.growth.sweeps, err = parseSweeps(*sweeps); err != nil {
		return o, err
	}
	return o, o.places()
}

func numbers(name, text string) ([]int, error) {
	var out []int
	for _, part := range strings.Split(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 || len(out) > 0 && n <= out[len(out)-1] {
			return nil, fmt.Errorf("-%s %s: give rising numbers, such as 1000,5000", name, text)
		}
		out = append(out, n)
	}
	return out, nil
}

// places makes paths absolute and the folder, if none was given.
func (o *options) places() error {
	for _, name := range o.only {
		if !slices.Contains(parts(), name) {
			return fmt.Errorf("-only %s: use %s", name, strings.Join(parts(), ", "))
		}
	}
	var err error
	if o.bin, err = filepath.Abs(o.bin); err != nil {
		return err
	}
	o.keep = o.dir != ""
	if !o.keep {
		o.dir, err = os.MkdirTemp("", "drover-bench-")
		return err
	}
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return err
	}
	return os.MkdirAll(o.dir, 0o700)
}

func (o options) wants(part string) bool {
	return len(o.only) == 0 && part != "growth" || slices.Contains(o.only, part)
}

// most is the largest number of nodes of the run.
func (o options) most() int {
	most := 0
	if o.wants("pairs") {
		most = o.nodes[len(o.nodes)-1]
	}
	if o.wants("tls") {
		most = max(most, o.tlsAt)
	}
	if o.wants("growth") {
		most = max(most, o.growth.most())
	}
	return most
}

// check says in one line why this machine cannot do what was asked.
func (o options) check() error {
	for _, name := range []string{"drover", "drover-agent"} {
		if _, err := os.Stat(filepath.Join(o.bin, name)); err != nil {
			return fmt.Errorf("%s is missing: run make build, or say with -bin where it is", filepath.Join(o.bin, name))
		}
	}
	if err := proc.Durable(o.dir); err != nil {
		return err
	}
	files, err := proc.RaiseFiles()
	if err != nil {
		return err
	}
	if need := uint64(o.most() + 500); files < need {
		return fmt.Errorf("%d nodes need processes with %d open files, and the hard limit is %d: raise it (ulimit -Hn), or give smaller numbers with -n, -tls and -sweeps", o.most(), need, files)
	}
	switch {
	case o.bytes < 512 || o.bytes > 1<<20:
		return errors.New("-bytes: use 512 to 1048576")
	case o.growth.base < 1, o.called < 1:
		return errors.New("-base and -instances are above zero")
	case o.pairs < 1, o.perProc < 1, o.commits.kills < 0, o.commits.time <= 0:
		return errors.New("-pairs, -per-process, -kills and -write are above zero")
	}
	return nil
}
