package agent

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/droverhq/drover/agent/hook"
	"github.com/droverhq/drover/agent/store"
	"github.com/droverhq/drover/wire"
)

// undoTimeout bounds the hooks that are run for the old configuration when the
// agent is being stopped in the middle of an update.
const undoTimeout = 5 * time.Second

// apply brings the node to the manifest of an update, wholly or not at all.
// The order of the steps is the protocol's; see DESIGN.md.
func (w *worker) apply(ctx context.Context, j job) *failure {
	if w.stuck != nil {
		return fail(wire.Problem{Stage: wire.StageWrite, Code: wire.CodeWriteFailed, Retryable: true,
			Message: "an update before this one could not be taken back: the disk does not take writes"})
	}
	if f := order(w.store.Accepted(j.header.Cluster), j); f != nil {
		return f
	}
	w.look()
	if j.header.Base != w.held.Manifest().String() {
		return baseMismatch("", "the node does not hold the manifest that the update starts from")
	}
	p, f := makePlan(w.store, w.store.Running(), w.held, j)
	if f != nil {
		return f
	}
	// Equal manifests are not enough: 1 and 1.0 have one checksum.
	if len(p.changed) == 0 && j.header.Manifest == j.header.Base {
		return w.keepNumber(j)
	}
	for i := range p.files {
		r := w.config.rule(p.files[i].Target)
		p.files[i].Mode, p.files[i].UID, p.files[i].GID = r.Mode, r.uid, r.gid
	}
	g, err := w.store.Stage(store.Header{Accepted: acceptedOf(j)}, p.files)
	if err != nil {
		return failWrite(err)
	}
	w.publish() // the position counts from here on, what is held does not change
	if f := w.try(ctx, p, g); f != nil {
		f.update = j.update.Update
		return w.takeBack(ctx, g, f)
	}
	return nil
}

func acceptedOf(j job) store.Accepted {
	return store.Accepted{Cluster: j.header.Cluster, Position: j.position(), Revision: j.header.Revision, Manifest: j.header.Manifest}
}

// keepNumber notes the position of an update whose manifest runs already.
func (w *worker) keepNumber(j job) *failure {
	if to := acceptedOf(j); to != w.store.Accepted(j.header.Cluster) {
		if err := w.store.Raise(to); err != nil {
			return failWrite(err)
		}
	}
	w.publish()
	return nil
}

// try validates a staged generation, switches to it and runs the hooks. After
// a failure the caller takes it back.
func (w *worker) try(ctx context.Context, p *plan, g *store.Generation) *failure {
	if f := w.validate(p); f != nil {
		return f
	}
	run := w.hooksFor(p.changed, g)
	if f := run.each(ctx, "check", wire.StageValidate, func(r *Rule) hook.Action { return r.Check }); f != nil {
		return f
	}
	if err := w.store.Switch(g); err != nil {
		return failWrite(err)
	}
	if f := run.each(ctx, "reload", wire.StageHook, func(r *Rule) hook.Action { return r.Reload }); f != nil {
		return f
	}
	if f := run.each(ctx, "health", wire.StageHealth, func(r *Rule) hook.Action { return r.Health }); f != nil {
		return f
	}
	if err := w.step("reread"); err != nil {
		return failWrite(err)
	}
	now := w.store.Read(g)
	if len(now.Drifted) > 0 || now.Manifest().String() != g.Manifest {
		return selfCheck(now.Drifted)
	}
	if err := w.store.Finish(g); err != nil {
		return failWrite(err)
	}
	w.held = now
	w.publish()
	return nil
}

func selfCheck(drifted []string) *failure {
	f := &failure{}
	for _, target := range drifted {
		f.problems = append(f.problems, wire.Problem{Target: target, Stage: wire.StageWrite, Code: wire.CodeSelfCheck,
			Message: "the file is not what was written when it was read again", Retryable: true})
	}
	if len(drifted) == 0 {
		return fail(wire.Problem{Stage: wire.StageWrite, Code: wire.CodeSelfCheck, Retryable: true,
			Message: "the files do not add up to the manifest when they were read again"})
	}
	return f
}

// validate runs the schemas of the local configuration on what changes.
func (w *worker) validate(p *plan) *failure {
	if err := w.step("validate"); err != nil {
		return failWrite(err)
	}
	f := &failure{}
	for _, file := range p.files {
		s := w.config.rule(file.Target).schema
		if s == nil || file.Text == nil || !slices.Contains(p.changed, file.Target) {
			continue
		}
		for _, problem := range s.Validate(file.Text) {
			f.problems = append(f.problems, wire.Problem{Target: file.Target, Stage: wire.StageValidate, Code: wire.CodeSchemaInvalid,
				Pointer: clip(problem.Pointer, pointerBytes), Message: clip(problem.Message, messageBytes)})
		}
	}
	if len(f.problems) == 0 {
		return nil
	}
	f.problems = f.problems[:min(len(f.problems), maxProblems)]
	return f
}

// takeBack returns to what ran before, if need be, and keeps the reason until
// a controller has it. The failure comes back with what went wrong on the way.
func (w *worker) takeBack(ctx context.Context, g *store.Generation, f *failure) *failure {
	f.generation, f.at = g.Number, g.Position
	stopping := ctx.Err() != nil
	if w.store.Switched(g) {
		if err := w.undo(ctx, g); err != nil {
			w.log.Error("an update could not be taken back, it is tried again", "generation", g.Number, "error", err)
			f.problems = append(f.problems, failWrite(err).problems...)
			w.look()
			w.publish()
			w.stuck = g
			return f
		}
	}
	w.stuck = nil
	record, err := json.Marshal(f.record())
	if err == nil {
		err = w.store.Fail(g, record)
	}
	if err == nil && stopping { // a planned stop is nobody's fault: what is held says enough
		err = w.store.Told(g)
	}
	if err != nil {
		w.log.Error("the verdict on an update could not be kept", "generation", g.Number, "error", err)
		w.stuck = g
	}
	w.look()
	w.publish()
	return f
}

// undo switches back and runs the hooks for the old configuration.
func (w *worker) undo(ctx context.Context, g *store.Generation) error {
	if err := w.store.Revert(g); err != nil {
		return err
	}
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
		defer cancel()
	}
	old := w.store.Running()
	run := w.hooksFor(between(old, g), old)
	if f := run.each(ctx, "undo", wire.StageHook, func(r *Rule) hook.Action { return r.Reload }); f != nil {
		w.log.Error("the reload of what ran before failed", "error", f)
	}
	return nil
}

// between lists the targets that differ between two generations.
func between(a, b *store.Generation) []string {
	changed := map[string]bool{}
	differs := func(x, y *store.Generation) {
		if x == nil {
			return
		}
		for _, d := range x.Documents {
			if other := y.Find(d.Target); other == nil || other.File != d.File {
				changed[d.Target] = true
			}
		}
	}
	differs(a, b)
	differs(b, a)
	return sorted(changed)
}

// record is what is kept on the disk of a failure.
type record struct {
	Update   string         `json:"update"`
	Problems []wire.Problem `json:"problems"`
}

func (f *failure) record() record { return record{f.update, f.problems} }

// hooks are the commands for one update.
type hooks struct {
	worker  *worker
	changed []string
	env     []string
}

func (w *worker) hooksFor(changed []string, g *store.Generation) *hooks {
	current := filepath.Join(w.config.Dir, "current")
	staged, revision := current, uint64(0)
	if g != nil {
		staged, revision = filepath.Join(w.config.Dir, g.Files()), g.Revision
	}
	return &hooks{worker: w, changed: changed, env: []string{
		"DROVER_STAGED=" + staged, "DROVER_CURRENT=" + current, "DROVER_REVISION=" + strconv.FormatUint(revision, 10),
	}}
}

// each runs one kind of hook for every rule that a changed document falls
// under, in the order of the file, and stops at the first failure.
func (h *hooks) each(ctx context.Context, step, stage string, kind func(*Rule) hook.Action) *failure {
	w := h.worker
	for i := range w.config.Documents {
		r := &w.config.Documents[i]
		action := kind(r)
		if action.IsZero() {
			continue
		}
		var mine []string
		for _, target := range h.changed {
			if w.config.rule(target) == r {
				mine = append(mine, target)
			}
		}
		if len(mine) == 0 {
			continue
		}
		if err := w.step(step); err != nil {
			return failWrite(err)
		}
		start := time.Now()
		tail, err := action.Run(ctx, hook.Setting{
			Dir: w.config.Dir, Timeout: r.Timeout,
			Env: append(slices.Clone(h.env), "DROVER_CHANGED="+strings.Join(mine, " ")),
		})
		w.log.Info("a hook ran", "step", step, "hook", action.Name(), "ms", time.Since(start).Milliseconds(), "ok", err == nil)
		if err != nil {
			return hookFailure(mine, stage, tail, err)
		}
	}
	return nil
}

// hookFailure names every document that the command was run for: it is known
// that one of them is to blame, and that no other is.
func hookFailure(targets []string, stage, tail string, err error) *failure {
	p := wire.Problem{Stage: stage, Message: clip(err.Error(), messageBytes), LogTail: tail, Retryable: true}
	switch {
	case errors.Is(err, hook.ErrTimeout):
		p.Code = wire.CodeHookTimeout
	case stage == wire.StageValidate: // the command looked at the content and said no
		p.Code, p.Retryable = wire.CodeCheckFailed, false
	case stage == wire.StageHealth:
		p.Code = wire.CodeUnhealthy
	default:
		p.Code = wire.CodeHookFailed
	}
	f := &failure{}
	for _, target := range targets[:min(len(targets), maxProblems)] {
		p.Target = target
		f.problems = append(f.problems, p)
		p.LogTail = "" // once is enough
	}
	return f
}
