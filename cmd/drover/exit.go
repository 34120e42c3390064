package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
)

// Exit codes: scripts rely on them, and they never change their meaning.
const (
	exitDone         = 0
	exitError        = 1
	exitChanges      = 2  // changes are present, with --exit-code
	exitInvalid      = 3  // validation or policy
	exitDenied       = 4  // not allowed
	exitNotFound     = 5  //
	exitConflict     = 6  // the base moved, or something else is there
	exitNotConverged = 7  // ended with nodes not converged
	exitTimeout      = 8  // timed out waiting
	exitNoLeader     = 9  // no leader, or unreachable
	exitUsage        = 64 // sysexits.h EX_USAGE
)

// codedError is an error with its own exit code; without a text nothing is
// printed.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *codedError) Unwrap() error { return e.err }

func coded(code int, format string, args ...any) error {
	return &codedError{code, fmt.Errorf(format, args...)}
}

func usage(err error) error { return &codedError{exitUsage, err} }

// exitCode is the code for an error.
func exitCode(err error) int {
	var own *codedError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &own):
		return own.code
	case errors.Is(err, client.ErrUnreachable):
		return exitNoLeader
	case errors.Is(err, context.DeadlineExceeded):
		return exitTimeout
	}
	switch client.Status(err) {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return exitInvalid
	case http.StatusUnauthorized, http.StatusForbidden:
		return exitDenied
	case http.StatusNotFound:
		return exitNotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return exitConflict
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return exitNoLeader
	}
	return exitError
}

// report prints an error with what to do next, and returns the exit code.
func (a *app) report(c *cobra.Command, err error) int {
	if err == nil {
		return exitDone
	}
	if !a.began && exitCode(err) == exitError { // cobra found it in the arguments
		err = usage(err)
	}
	if errors.Is(err, context.Canceled) {
		a.note("interrupted")
		return exitError
	}
	if text := err.Error(); text != "" {
		a.note("drover: %s%s", text, hint(c, err))
	}
	return exitCode(err)
}

// hint is what to do about errors whose text cannot know this program.
func hint(c *cobra.Command, err error) string {
	switch {
	case exitCode(err) == exitUsage:
		return fmt.Sprintf("\nUsage: %s\nExamples: %s --help", c.UseLine(), c.CommandPath())
	case client.Status(err) == http.StatusUnauthorized:
		return "\nLog in with drover login, or give a token (--token-file, DROVER_TOKEN)."
	case client.Code(err) == "outcome_unknown":
		return "\nIt may or may not have been committed: look with drover doc history or drover push list before you repeat it."
	}
	return ""
}
