package hook

import (
	"context"
	"log/slog"
	"time"
)

// Action is one way to make an application take notice, or to ask how it is: a
// command, a signal or an HTTP request. The zero Action does nothing.
type Action struct {
	Argv   []string
	Signal *Signal
	HTTP   *Request
}

// Setting is what an action is run with. Dir and Env concern commands alone.
type Setting struct {
	Dir     string        // working directory
	Env     []string      // added to the agent's own, "NAME=value"
	Timeout time.Duration // zero: DefaultTimeout
}

// IsZero tells the action that does nothing.
func (a Action) IsZero() bool { return len(a.Argv) == 0 && a.Signal == nil && a.HTTP == nil }

// Name is what logs and messages call the action. No secret is in it.
func (a Action) Name() string {
	switch {
	case a.Signal != nil:
		return a.Signal.name()
	case a.HTTP != nil:
		return a.HTTP.name()
	case len(a.Argv) > 0:
		return a.Argv[0]
	}
	return "nothing"
}

// Run runs the action and returns the end of what it said: of a command's
// output, of a response's body. The error is ErrTimeout, ErrBusy, ErrFailed or
// that of ctx.
func (a Action) Run(ctx context.Context, s Setting) (tail string, err error) {
	if s.Timeout <= 0 {
		s.Timeout = DefaultTimeout
	}
	switch {
	case a.Signal != nil:
		return "", a.Signal.send()
	case a.HTTP != nil:
		return a.HTTP.run(ctx, s.Timeout)
	case len(a.Argv) > 0:
		return Run(ctx, Command{Argv: a.Argv, Dir: s.Dir, Env: s.Env, Timeout: s.Timeout})
	}
	return "", nil
}

// Secret is a token. It does not print itself.
type Secret string

const redacted = "[redacted]"

// String hides the secret.
func (Secret) String() string { return redacted }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return redacted }

// LogValue hides the secret from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the secret from JSON and YAML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
