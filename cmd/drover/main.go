package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// A command line that waits ends at once on Ctrl-C; server and dev take
	// signals themselves, because their end has steps.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := newApp(os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	a.release = stop
	code := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
