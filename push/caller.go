package push

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/instance"
	"github.com/droverhq/drover/wire"
)

// caller does for one instance what an agent does for itself: it opens a
// session, says what the instance holds, carries out updates, and confirms them.
// The rules of delivery see no difference. It belongs to one goroutine.
type caller struct {
	server *Server
	life   context.Context // of the server: a call that was sent is not cut off when another peer takes over
	node   *fsm.Node
	box    *mailbox
	target instance.Target

	session   *session
	baselines baselines
	dirty     map[string]bool // targets whose content is not known since a push failed
	answers
	said     fsm.Sum // the manifest that was last told
	observed fsm.Observed
	warnings []string

	resynced uint64 // the Row.Resync that was carried out
	busy     int    // answers in a row that a reload is in progress
	// An instance that another process served may still be carrying out a call of
	// that one: notBefore is when a push may go out, recheck when it is looked at
	// once more after the first.
	takeover takeover
}

// answers are what the instance last told of itself.
type answers struct {
	hashes map[string]string // version hashes by target
	info   instance.Info
}

type takeover struct {
	notBefore time.Time
	recheck   time.Time
}

func newCaller(life context.Context, s *Server, n *fsm.Node) *caller {
	return &caller{server: s, life: life, node: n}
}

// How long an instance is left alone that could not be called: twice as long
// each time up to the interval, and longer where a person has to do something.
const (
	callAgain      = time.Second
	callAgainNever = 5 * time.Minute
	wishEvery      = 250 * time.Millisecond // between two looks for a person's wish
)

// errEnded ends a session that the rules have ended.
var errEnded = errors.New("the session was ended")

func (c *caller) run(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; failures++ {
		err := c.attend(ctx)
		if c.session != nil {
			failures = 0
		}
		c.end(ctx, c.unreachable(err))
		c.rest(ctx, err, failures)
	}
}

// unreachable is what the state is to be told of an instance that cannot be
// called, nil where that is not so.
func (c *caller) unreachable(err error) *fsm.Unreachable {
	if errors.Is(err, errEnded) || errors.Is(err, context.Canceled) || err == nil {
		return nil
	}
	code, message := reasonOf(err)
	return &fsm.Unreachable{Node: c.node.Ordinal, Code: code, Message: message}
}

// end ends the session, and tells the state why.
func (c *caller) end(ctx context.Context, why *fsm.Unreachable) {
	var g gone
	if c.session != nil {
		if c.server.core.ended(c.session) && ctx.Err() == nil {
			g.closed = []fsm.Closed{{Node: c.node.Ordinal, Session: c.session.id}}
		}
		c.session = nil
	}
	if row := c.row(); why != nil && (row.Connected || !why.Same(row.Unreachable())) {
		g.unreachable = []fsm.Unreachable{*why}
	}
	if len(g.closed)+len(g.unreachable) > 0 {
		c.server.tellGone(g)
	}
}

// rest waits before the instance is called again; a person's wish ends it.
func (c *caller) rest(ctx context.Context, err error, failures int) {
	wait := min(callAgain<<min(failures, 10), c.server.config.Instances.Interval)
	var e *instance.Error
	if errors.As(err, &e) && !e.Retryable {
		wait = callAgainNever
	}
	asked := c.row().Resync
	for until := time.Now().Add(jitter(wait)); ctx.Err() == nil && time.Now().Before(until); {
		pause(ctx, min(wishEvery, time.Until(until)))
		if c.row().Resync != asked {
			return
		}
	}
}

// jitter is a duration give or take a fifth.
func jitter(d time.Duration) time.Duration { return d*4/5 + rand.N(d*2/5+1) }

func (c *caller) row() (row fsm.Row) {
	c.server.deps.Store.View(func(state *fsm.State) {
		if r := state.Row(c.node.Ordinal); r != nil {
			row = *r
		}
	})
	return row
}

// attend opens a session and serves it until it ends, or until the instance
// cannot be called.
func (c *caller) attend(ctx context.Context) error {
	if err := c.open(ctx); err != nil {
		return err
	}
	tick := time.NewTimer(jitter(c.server.config.Instances.Interval))
	defer tick.Stop()
	for {
		var err error
		select {
		case <-c.box.wake:
			err = c.serve(ctx, c.box.take())
		case <-c.rechecking():
			c.takeover.recheck = time.Time{}
			err = c.look(ctx)
		case <-tick.C:
			tick.Reset(jitter(c.server.config.Instances.Interval))
			c.checkOpen(ctx)
			err = c.look(ctx)
		case <-ctx.Done():
			return ctx.Err()
		}
		if err != nil {
			return err
		}
	}
}

func (c *caller) rechecking() <-chan time.Time {
	if c.takeover.recheck.IsZero() {
		return nil
	}
	return time.After(time.Until(c.takeover.recheck))
}

func (c *caller) serve(ctx context.Context, p post) error {
	if p.closed {
		return errEnded
	}
	if p.asked {
		if err := c.status(ctx); err != nil {
			return err
		}
	}
	if p.update != nil {
		return c.deliver(ctx, p.update)
	}
	return nil
}

// open reads what the instance holds and begins a session with that.
func (c *caller) open(ctx context.Context) error {
	var err error
	if c.target, err = c.server.target(c.node); err != nil {
		return err
	}
	if err := c.readOnce(ctx); err != nil {
		return err
	}
	v := c.standing()
	if v.row == nil {
		return errEnded // removed; the owner's loop will see it
	}
	c.baselines, c.dirty = baselinesOf(v.row.Observed()), map[string]bool{}
	for _, r := range v.row.Refused {
		// Whoever served it before may not have come to push back what it accepted.
		c.dirty[v.targetOf(r.Document)] = true
	}
	if v.owes {
		c.disbelieve(v)
	}
	have, err := c.have(v)
	if err != nil {
		return err
	}
	c.observed, c.warnings, c.resynced = v.row.Observed(), v.row.Observed().Warnings, v.row.Resync
	c.takeover = takeover{}
	if old := v.row.Session; old.ID != 0 && !c.server.core.ours(old.ID) {
		c.takeover.notBefore = time.Now().Add(c.server.config.Instances.Timeout)
	}
	c.box = newMailbox()
	c.session = c.server.core.admitInstance(c.box, instanceHello{
		node: c.node, connection: v.row.Session.Connection + 1, at: v.row.At, have: have, listed: !c.doubts(v),
		facts: factsOf(c.info), observed: c.news(v),
	})
	c.said = haveSum(have)
	c.kick()
	return nil
}

func (c *caller) kick() {
	c.server.kick(c.server.kicked)
	c.server.kick(c.server.heard)
}

func factsOf(i instance.Info) map[string]string {
	facts := map[string]string{}
	for name, value := range map[string]string{"instance_id": i.InstanceID, "hostname": i.Hostname, "version": i.Version} {
		if value != "" {
			facts[name] = value
		}
	}
	return facts
}

// read asks an instance for its health and its versions. One failure may be an
// accident.
func (c *caller) read(ctx context.Context) error {
	err := c.readOnce(ctx)
	var e *instance.Error
	if err == nil || ctx.Err() != nil || errors.As(err, &e) && !e.Retryable {
		return err
	}
	pause(ctx, callAgain)
	return c.readOnce(ctx)
}

// call runs one request to the instance.
func (c *caller) call(ctx context.Context, request func(context.Context) error) error {
	row := c.row()
	return call(ctx, c.server.places.of(&row), request)
}

func (c *caller) readOnce(ctx context.Context) error {
	err := c.call(ctx, func(ctx context.Context) (err error) {
		c.info, err = c.server.http.Info(ctx, c.target)
		return err
	})
	if err != nil {
		return err
	}
	return c.readVersions(ctx)
}

func (c *caller) readVersions(ctx context.Context) error {
	return c.call(ctx, func(ctx context.Context) error {
		v, err := c.server.http.Versions(ctx, c.target)
		if err == nil {
			c.hashes = v.ByType
		}
		return err
	})
}

// standing is what the state says of the instance.
type standing struct {
	row    *fsm.Row
	wanted []expected
	want   fsm.Sum
	owes   bool // a sync was asked for that has not been carried out
	// stale: the settings that this caller began with are not those of the state
	// any more; another one is about to begin.
	stale bool
}

func (v standing) targetOf(document string) string {
	for _, x := range v.wanted {
		if x.document == document {
			return x.target
		}
	}
	return document
}

func (c *caller) standing() (v standing) {
	c.server.deps.Store.View(func(state *fsm.State) {
		if v.row = state.Row(c.node.Ordinal); v.row != nil {
			want := state.Wanted(c.node.Ordinal)
			v.wanted, v.want = expect(state, want, v.row), want.Sum
			v.owes = v.row.Resync > 0 && v.row.At.Less(fsm.Position{Epoch: state.Epoch(), Index: v.row.Resync})
			v.stale = state.NodeAt(c.node.Ordinal).Instance != c.node.Instance
		}
	})
	return v
}

func (c *caller) have(v standing) (map[string]fsm.Sum, error) {
	return c.server.prints.have(v.wanted, c.baselines, c.hashes, c.dirty)
}

// news is what was seen of the instance, where the state does not have it yet.
func (c *caller) news(v standing) *fsm.Observed {
	now := fsm.Observed{Baselines: c.baselines.list(), Unmanaged: unmanaged(v.wanted, c.hashes), Warnings: c.warnings}
	if reflect.DeepEqual(now, c.observed) {
		return nil
	}
	c.observed = now
	return &now
}

// look sees whether the instance is alive and still holds what it did.
func (c *caller) look(ctx context.Context) error {
	before := factsOf(c.info)
	if err := c.read(ctx); err != nil {
		return err
	}
	if !reflect.DeepEqual(before, factsOf(c.info)) {
		return errEnded // another process, or another version, answers: begin anew
	}
	v := c.standing()
	if v.row == nil {
		return errEnded
	}
	have, err := c.have(v)
	if err != nil {
		return err
	}
	if news := c.news(v); news != nil || haveSum(have) != c.said {
		c.tell(v, have, news, "drift")
	}
	return nil
}

// status answers the question what the instance holds. After a person's wish for
// a resync nothing that it holds is believed: it is pushed again.
func (c *caller) status(ctx context.Context) error {
	v := c.standing()
	if v.row == nil {
		return errEnded
	}
	if v.row.Resync > c.resynced {
		c.resynced = v.row.Resync
		c.disbelieve(v)
	}
	if slices.ContainsFunc(v.wanted, func(x expected) bool { return !c.dirty[x.target] }) {
		if err := c.readVersions(ctx); err != nil {
			return err
		}
	}
	have, err := c.have(v)
	if err != nil {
		return err
	}
	c.tell(v, have, c.news(v), "report")
	return nil
}

// disbelieve takes the targets that the last resync was asked for as unknown
// until they have been pushed.
func (c *caller) disbelieve(v standing) {
	for _, x := range v.wanted {
		if v.row.ResyncOf(x.document) {
			c.dirty[x.target] = true
		}
	}
}

// doubts tells whether the instance may hold something else than it was sent
// because of what this side did, or asks for: that is no drift.
func (c *caller) doubts(v standing) bool {
	return slices.ContainsFunc(v.wanted, func(x expected) bool { return c.dirty[x.target] })
}

func (c *caller) tell(v standing, have map[string]fsm.Sum, news *fsm.Observed, reason string) {
	texts := make(map[string]string, len(have))
	for target, sum := range have {
		texts[target] = sum.String()
	}
	c.said = haveSum(have)
	if c.doubts(v) {
		reason = reasonSync
	}
	c.hear(news, wire.Status{
		Epoch: v.row.At.Epoch, Index: v.row.At.Index, Manifest: c.said.String(), Have: texts, Reason: reason,
	})
}

func (c *caller) hear(news *fsm.Observed, m wire.Message) {
	c.server.core.hearInstance(c.session, news, m)
	c.kick()
}

// checkOpen notes whether the instance tells its configuration to anybody. It is
// asked once.
func (c *caller) checkOpen(ctx context.Context) {
	if c.warnings != nil {
		return
	}
	_ = c.call(ctx, func(ctx context.Context) error {
		open, err := c.server.http.Open(ctx, c.target)
		if err != nil {
			return err // it is asked again with the next look
		}
		c.warnings = []string{}
		if len(open) > 0 {
			c.warnings = []string{fsm.WarnNoAuth}
		}
		return nil
	})
}
