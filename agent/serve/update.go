package serve

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/droverhq/drover/agent/hook"
	"github.com/droverhq/drover/agent/store"
)

// Stages of an update, as on the channel.
const (
	stageValidate = "validate"
	stageWrite    = "write"
	stageHook     = "hook"
	stageHealth   = "health"
)

// undoTimeout bounds the reload of the previous content when the process is
// being stopped in the middle of an update.
const undoTimeout = 5 * time.Second

// settleEvery is the pause before what could not be put back is tried again.
const settleEvery = time.Minute

// update brings the instance to a content, wholly or not at all. It tells
// whether anything changed. The caller holds working.
func (s *Server) update(p push) (changed bool, err error) {
	if err := s.settle(); err != nil {
		return false, failWrite(fmt.Errorf("an update before this one cannot be taken back: %w", err))
	}
	r := s.config.Rule(p.target)
	if f := validate(p.content, r); f != nil {
		return false, f
	}
	now, err := s.disk.content(p.target)
	if err == nil && bytes.Equal(now, p.content) && s.loaded[p.target] {
		return false, nil // it runs already: a push may come twice
	}
	defer func() {
		if err := s.disk.unstage(); err != nil {
			s.log.Warn("what was staged could not be removed", "error", err)
		}
	}()
	if err := s.disk.stage(p.target, p.content, s.config.Rule); err != nil {
		return false, failWrite(err)
	}
	staged := filepath.Join(s.config.Dir, filepath.FromSlash(newDir))
	if err := s.run(s.whole, "check", r, r.Check, staged, p.target); err != nil {
		return false, s.fromHook(err, stageValidate, codeCheck)
	}
	if err := s.attempt(p, r); err != nil {
		return true, s.takeBack(p.target, r, err)
	}
	return true, nil
}

// validate looks at the content with the local schema.
func validate(content []byte, r *Rule) *refusal {
	if r.Schema == nil {
		return nil
	}
	found := r.Schema.Validate(content)
	if len(found) == 0 {
		return nil
	}
	f := &refusal{status: http.StatusBadRequest, code: codeSchema, stage: stageValidate,
		pointer: "/config" + found[0].Pointer, message: found[0].Message}
	for _, p := range found {
		f.problems = append(f.problems, problem(p))
	}
	return f
}

// attempt puts the staged content on trial, and ends the trial when the
// application took it. After an error the caller takes it back.
func (s *Server) attempt(p push, r *Rule) error {
	if err := s.disk.try(p.target, r); err != nil {
		return failWrite(err)
	}
	if err := s.reload(s.whole, r, p.target); err != nil {
		return err
	}
	if err := s.step("reread"); err != nil {
		return failWrite(err)
	}
	there, _, err := store.ReadFile(s.disk.root, currentFile(p.target), maxFile)
	if err == nil && !bytes.Equal(there, p.content) {
		err = errors.New("the file is not what was written when it was read again")
	}
	if err == nil {
		err = s.disk.keep(p.target)
	}
	if err != nil {
		return failWrite(err)
	}
	s.loaded[p.target] = true
	return nil
}

// reload makes the application load what is current, and asks how it is.
func (s *Server) reload(ctx context.Context, r *Rule, targets ...string) error {
	current := filepath.Join(s.config.Dir, currentDir)
	if err := s.run(ctx, "reload", r, r.Reload, current, targets...); err != nil {
		return s.fromHook(err, stageHook, codeHook)
	}
	if err := s.run(ctx, "health", r, r.Health, current, targets...); err != nil {
		return s.fromHook(err, stageHealth, codeUnhealthy)
	}
	return nil
}

// takeBack puts the previous content back and makes the application load it.
// The reason comes back with what became of it.
func (s *Server) takeBack(target string, r *Rule, why error) error {
	reason := (*refusal)(nil)
	if !errors.As(why, &reason) {
		reason = &refusal{status: http.StatusInternalServerError, code: codeWrite, message: why.Error()}
	}
	out := *reason
	reload, err := s.putBack(target, r)
	switch {
	case err != nil:
		s.log.Error("a content could not be taken back, it is tried again with the next update and at the next start", "target", target, "error", err)
		out.status = http.StatusInternalServerError
		out.message += "; and the previous content could not be put back: " + err.Error()
	case reload != nil:
		s.log.Error("the reload of the previous content failed", "target", target, "error", reload)
		out.restored = true
		out.message += "; the previous content was put back, but its reload failed too, and is tried again: " + reload.Error()
	default:
		out.restored = true
		out.message += "; the previous content was put back"
	}
	return &out
}

// putBack ends a trial with what was there before. A reload that fails is told
// apart: the disk is right then, the application may not be, and the trial goes
// on until it is.
func (s *Server) putBack(target string, r *Rule) (reload, err error) {
	if err := s.disk.undo(target, r); err != nil {
		return nil, err
	}
	ctx := s.whole
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
	}
	reload = s.run(ctx, "undo", r, r.Reload, filepath.Join(s.config.Dir, currentDir), target)
	s.loaded[target] = reload == nil
	if reload != nil {
		return reload, nil
	}
	return nil, s.disk.keep(target)
}

// settle puts back what is on trial and has nobody who tries it: after a crash,
// and after an undo that did not come to its end.
func (s *Server) settle() error {
	tried, err := s.disk.tried()
	for _, target := range tried {
		s.log.Warn("a content was left on trial, the one before it is put back", "target", target)
		reload, undo := s.putBack(target, s.config.Rule(target))
		if reload != nil {
			s.log.Error("the reload of the previous content failed", "target", target, "error", reload)
		}
		err = errors.Join(err, undo)
	}
	return err
}

// recover settles at the start, with working held, and from time to time where
// that did not succeed. Until it does, every update settles first.
func (s *Server) recover(ctx context.Context) {
	settle := func() {
		defer s.working.Unlock()
		if err := s.settle(); err != nil {
			s.log.Error("a content could not be put back, it is tried again", "error", err)
		}
	}
	settle()
	again := time.NewTicker(settleEvery)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
			if s.working.TryLock() {
				settle()
			}
		}
	}
}

// run runs one hook for some targets of a rule.
func (s *Server) run(ctx context.Context, step string, r *Rule, a hook.Action, staged string, targets ...string) error {
	if a.IsZero() {
		return nil
	}
	if err := s.step(step); err != nil {
		return failWrite(err)
	}
	start := time.Now()
	tail, err := a.Run(ctx, hook.Setting{Dir: s.config.Dir, Timeout: r.Timeout, Env: []string{
		"DROVER_STAGED=" + staged, "DROVER_CURRENT=" + filepath.Join(s.config.Dir, currentDir),
		"DROVER_CHANGED=" + strings.Join(targets, " "), "DROVER_REVISION=0", // a push to an instance carries none
	}})
	s.log.Info("a hook ran", "step", step, "hook", a.Name(), "ms", time.Since(start).Milliseconds(), "ok", err == nil)
	if err != nil {
		return &hookError{err: err, tail: tail}
	}
	return nil
}

// hookError is a hook's error with the end of what the hook said.
type hookError struct {
	err  error
	tail string
}

func (e *hookError) Error() string { return e.err.Error() }
func (e *hookError) Unwrap() error { return e.err }

// fromHook tells a content that the application does not want from an
// application that has no time for any.
func (s *Server) fromHook(err error, stage, code string) error {
	if f := (*refusal)(nil); errors.As(err, &f) {
		return f
	}
	f := &refusal{status: http.StatusBadRequest, stage: stage, code: code, message: err.Error()}
	if h := (*hookError)(nil); errors.As(err, &h) {
		f.tail = h.tail
	}
	switch {
	case s.whole.Err() != nil:
		f.status, f.code, f.message = http.StatusServiceUnavailable, codeStopping, "this instance is being stopped"
	case errors.Is(err, hook.ErrBusy):
		// In the words by which callers know that the content is not to blame.
		f.status, f.code, f.message = http.StatusServiceUnavailable, codeBusy, errBusy.message+" in the application: "+f.message
	case errors.Is(err, hook.ErrTimeout):
		f.code = codeTimeout
	}
	return f
}

func failWrite(err error) error {
	f := &refusal{status: http.StatusInternalServerError, stage: stageWrite, code: codeWrite, message: err.Error()}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		f.code = codeDiskFull
	}
	return f
}

// reloadAll makes the application load everything that is held, from the disk.
// The caller holds working.
func (s *Server) reloadAll() error {
	if err := s.settle(); err != nil {
		return failWrite(fmt.Errorf("an update before this one cannot be taken back: %w", err))
	}
	files, err := s.disk.held()
	if err != nil {
		return failWrite(err)
	}
	var rules []*Rule
	targets := map[*Rule][]string{}
	for _, f := range files {
		if f.Error != "" {
			return &refusal{status: http.StatusBadRequest, stage: stageValidate, code: codeNotJSON, message: f.Target + ": " + f.Error}
		}
		r := s.config.Rule(f.Target)
		if targets[r] == nil {
			rules = append(rules, r)
		}
		targets[r] = append(targets[r], f.Target)
	}
	for _, r := range rules {
		if err := s.reloadRule(r, targets[r]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) reloadRule(r *Rule, targets []string) error {
	for _, target := range targets {
		text, err := s.disk.content(target)
		if err != nil {
			return failWrite(err)
		}
		if f := validate(text, r); f != nil {
			f.message, f.pointer = target+": "+f.message, strings.TrimPrefix(f.pointer, "/config")
			return f
		}
		s.loaded[target] = false
	}
	current := filepath.Join(s.config.Dir, currentDir)
	if err := s.run(s.whole, "check", r, r.Check, current, targets...); err != nil {
		return s.fromHook(err, stageValidate, codeCheck)
	}
	if err := s.reload(s.whole, r, targets...); err != nil {
		return err
	}
	for _, target := range targets {
		s.loaded[target] = true
	}
	return nil
}
