package cluster

import (
	"context"
	"io"
	"log"
	"log/slog"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// hlog lets Raft and autopilot log to slog. What it does not override does
// nothing.
type hlog struct {
	hclog.Logger
	log *slog.Logger
}

func newHclog(l *slog.Logger, part string) hclog.Logger {
	return &hlog{Logger: hclog.NewNullLogger(), log: l.With("part", part)}
}

func (h *hlog) Log(level hclog.Level, msg string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case hclog.Info:
		to = slog.LevelInfo
	case hclog.Warn:
		to = slog.LevelWarn
	case hclog.Error:
		to = slog.LevelError
	}
	h.log.Log(context.Background(), to, msg, args...) //nolint:sloglint // the message is another library's
}

func (h *hlog) Debug(msg string, args ...any) { h.Log(hclog.Debug, msg, args...) }
func (h *hlog) Info(msg string, args ...any)  { h.Log(hclog.Info, msg, args...) }
func (h *hlog) Warn(msg string, args ...any)  { h.Log(hclog.Warn, msg, args...) }

// Error is a warning here: what Raft calls an error is mostly another peer that
// cannot be reached, which it goes on trying.
func (h *hlog) Error(msg string, args ...any) { h.Log(hclog.Warn, msg, args...) }

func (h *hlog) IsDebug() bool { return h.log.Enabled(context.Background(), slog.LevelDebug) }
func (h *hlog) IsInfo() bool  { return true }
func (h *hlog) IsWarn() bool  { return true }
func (h *hlog) IsError() bool { return true }

func (h *hlog) With(args ...any) hclog.Logger {
	return &hlog{Logger: h.Logger, log: h.log.With(args...)}
}
func (h *hlog) Named(name string) hclog.Logger      { return h.With("name", name) }
func (h *hlog) ResetNamed(name string) hclog.Logger { return h.Named(name) }

// newStdlog lets memberlist log to slog, at debug level: what it says of other
// peers is a hint only.
func newStdlog(l *slog.Logger, part string) *log.Logger {
	return log.New(lines{l.With("part", part)}, "", 0)
}

type lines struct{ log *slog.Logger }

var _ io.Writer = lines{}

func (w lines) Write(b []byte) (int, error) {
	w.log.Debug("message", "text", strings.TrimSpace(string(b)))
	return len(b), nil
}
