package agent

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/droverhq/drover/agent/store"
	"github.com/droverhq/drover/wire"
)

const (
	lookEvery = time.Minute     // between two cheap looks at the files
	hashEvery = time.Hour       // between two readings of all of them
	lookWait  = 2 * time.Second // that a hello waits for the worker
)

// worker owns the store: it applies one update at a time, and re-reads the
// files when it is asked, when they look touched, and once an hour.
type worker struct {
	config  *Config
	store   *store.Store
	board   *board
	mailbox *mailbox
	cluster string
	step    func(string) error
	log     *slog.Logger

	held   store.Held // of the running generation, as last read
	hashed time.Time
	stuck  *store.Generation // could not be taken back yet

	asked chan chan struct{}
	told  chan int
}

func newWorker(a *Agent, s *store.Store) *worker {
	return &worker{
		config: &a.config, store: s, board: a.board, mailbox: a.mailbox, cluster: a.identity.Load().Cluster,
		step: a.step, log: a.log, asked: make(chan chan struct{}), told: make(chan int, queue),
	}
}

// run works until ctx ends. What a crash left is settled first.
func (w *worker) run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.mailbox.ready:
			if j, ok := w.mailbox.take(); ok {
				w.update(ctx, j)
			}
		case answer := <-w.asked:
			w.hash()
			w.publish()
			close(answer)
		case n := <-w.told:
			w.markTold(n)
		case <-tick.C:
			w.check(ctx)
		}
	}
}

// update applies one update and answers on the connection that brought it; the
// others hear what changed.
func (w *worker) update(ctx context.Context, j job) {
	start := time.Now()
	w.settle(ctx)
	f := w.apply(ctx, j)
	h := w.board.now()
	log := w.log.With("update", j.update.Update, "epoch", j.header.Epoch, "index", j.header.Index, "revision", j.header.Revision)
	if f == nil {
		took := time.Since(start).Milliseconds()
		log.Info("applied", "manifest", h.manifest, "ms", took)
		w.board.forget()
		j.from.send(outgoing{says: h, message: wire.Ack{Update: j.update.Update, Manifest: h.manifest, Millis: took, Confirmed: true}})
	} else {
		f.update, f.at = j.update.Update, j.position()
		log.Warn("refused", "error", f, "manifest", h.manifest)
		w.refuse(ctx, j, f, h)
	}
	w.board.spread(j.from, "changed")
	if err := w.store.Prune(); err != nil {
		w.log.Warn("old generations could not be removed", "error", err)
	}
}

func (w *worker) refuse(ctx context.Context, j job, f *failure, h *held) {
	o := outgoing{says: h, message: f.frame(h)}
	if f.generation > 0 {
		if ctx.Err() != nil { // being stopped: see takeBack
			return
		}
		o.failure = f
	}
	if !j.from.send(o) && f.generation > 0 {
		w.board.pass(f)
		return
	}
	if code := f.problems[0].Code; code == wire.CodeBaseMismatch || code == wire.CodeManifestMismatch {
		j.from.send(outgoing{says: h, message: h.status(code)})
	}
}

// start settles what the last process left and reads what is there.
func (w *worker) start(ctx context.Context) {
	for _, n := range w.store.Damaged {
		w.log.Error("a file of the agent's own is damaged and not used", "generation", n)
	}
	w.hash()
	w.publish()
	if w.settle(ctx) {
		return
	}
	g, text := w.store.Untold()
	if g == nil {
		return
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil || len(r.Problems) == 0 {
		r.Problems = interrupted(true).problems
	}
	w.board.pass(&failure{update: r.Update, at: g.Position, problems: r.Problems, generation: g.Number})
}

// settle takes back a generation that has no verdict: a crash left it, or the
// disk did not let it be taken back. It tells whether there was one.
func (w *worker) settle(ctx context.Context) bool {
	g := w.stuck
	if g == nil {
		g = w.store.Unfinished()
	}
	if g == nil {
		return false
	}
	w.log.Warn("an update was interrupted, going back", "generation", g.Number, "epoch", g.Epoch, "index", g.Index)
	f := w.takeBack(ctx, g, interrupted(w.store.Switched(g)))
	w.board.pass(f)
	return true
}

func interrupted(switched bool) *failure {
	stage := wire.StageValidate
	if switched {
		stage = wire.StageHook
	}
	return fail(wire.Problem{Stage: stage, Code: wire.CodeInterrupted, Retryable: true,
		Message: "the agent or the node stopped while the update was being applied; what ran before is back"})
}

// check looks for drift, and tries again what the disk did not allow before.
func (w *worker) check(ctx context.Context) {
	if w.stuck != nil {
		w.settle(ctx)
	}
	if time.Since(w.hashed) >= hashEvery {
		w.hash()
	} else {
		w.look()
	}
	before := w.board.now()
	w.publish()
	now := w.board.now()
	if now.manifest != before.manifest {
		w.log.Warn("files are not what was written", "targets", now.drifted, "manifest", now.manifest)
	}
	w.board.spread(nil, "drift")
}

// look reads the files again if one seems to have been touched.
func (w *worker) look() {
	if w.hashed.IsZero() || w.store.Touched(w.store.Running(), w.held) {
		w.hash()
	}
}

func (w *worker) hash() {
	w.held, w.hashed = w.store.Read(w.store.Running()), time.Now()
}

// publish puts what is held on the board.
func (w *worker) publish() {
	accepted := w.store.Accepted(w.cluster)
	h := &held{at: accepted.Position, manifest: w.held.Manifest().String(), have: map[string]string{}, drifted: w.held.Drifted}
	for _, e := range w.held.Entries {
		h.have[e.Target] = e.Checksum.String()
	}
	if g := w.store.Running(); g != nil {
		h.revision = g.Revision
	}
	if accepted.Manifest == h.manifest {
		h.revision = accepted.Revision
	}
	w.board.set(h)
}

// reread asks for what is on the disk now. While an update is being applied
// the answer is what ran before it: only finished generations are reported.
func (w *worker) reread(ctx context.Context) *held {
	answer := make(chan struct{})
	limit := time.NewTimer(lookWait)
	defer limit.Stop()
	select {
	case w.asked <- answer:
		select {
		case <-answer:
		case <-limit.C:
		case <-ctx.Done():
		}
	case <-limit.C:
	case <-ctx.Done():
	}
	return w.board.now()
}

// wasTold notes that a controller has the reason why a generation failed. When
// too many wait, the reason is told once more after the next start.
func (w *worker) wasTold(generation int) {
	select {
	case w.told <- generation:
	default:
	}
}

func (w *worker) markTold(n int) {
	if err := w.store.ToldOf(n); err != nil {
		w.log.Warn("it could not be noted that a failure was told", "generation", n, "error", err)
	}
}
