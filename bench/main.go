package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/droverhq/drover/bench/fleet"
	"github.com/droverhq/drover/bench/floor"
	"github.com/droverhq/drover/bench/instances"
	"github.com/droverhq/drover/bench/proc"
)

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, "bench: "+err.Error())
		os.Exit(1)
	}
}

func start() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "floor":
			return floor.Run(proc.NewParent())
		case "fleet":
			return fleet.Run(ctx, proc.NewParent())
		case "instances":
			return instances.Run(proc.NewParent())
		case "plot":
			return plotFile(os.Args[2:])
		}
	}
	o, err := parse(os.Args[1:])
	if err != nil {
		return err
	}
	return run(ctx, o)
}

// run does the measurements that were asked for, prints each when it is there,
// and all of them beside their targets at the end.
func run(ctx context.Context, o options) (err error) {
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	if !o.keep {
		defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	}
	if err := o.check(); err != nil {
		return err
	}
	out, err := newReport(os.Stdout, o.out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.close()) }()
	if err := out.machine(o); err != nil {
		return err
	}
	for _, m := range []struct {
		name string
		do   func(context.Context, options, *report) error
	}{
		{"commits", measureCommits}, {"pairs", measurePairs}, {"tls", measureTLS}, {"instances", measureInstances}, {"growth", measureGrowth},
	} {
		if !o.wants(m.name) {
			continue
		}
		if err := m.do(ctx, o, out); err != nil {
			if ctx.Err() != nil {
				err = errors.Join(context.Cause(ctx), err)
			}
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return out.figures()
}
