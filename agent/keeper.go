package agent

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/droverhq/drover/wire"
)

// maxTold bounds the connection number that a controller may tell, so that
// there is always one above it.
const maxTold = 1 << 62

// event is something that a session has for the keeper.
type event struct {
	from    *session
	message wire.Message
	handled chan struct{} // closed when the keeper is done with the message
	ended   bool
	err     error // why it ended
}

// attempt is the outcome of one call.
type attempt struct {
	address string
	session *session
	err     error
}

// keeper keeps a session with one controller: it calls, moves when it is told
// to go away, and remembers addresses, keys and the connection number.
type keeper struct {
	agent    *Agent
	log      *slog.Logger
	schedule schedule
	events   chan event
	attempts chan attempt
	running  sync.WaitGroup // sessions and attempts

	current *session
	cancel  context.CancelFunc // of current
	leaving string             // reason of a goaway that current got; "": it stays
	calling bool
	told    uint64 // highest connection number that a controller told
	target  string // whom to call next
	due     time.Time
	lastErr string
	shown   contact // what the status file says
}

func newKeeper(a *Agent) *keeper {
	return &keeper{
		agent: a, log: a.log, events: make(chan event), attempts: make(chan attempt, 1),
		schedule: schedule{configured: a.config.Peers, learnt: learnt(a.root), random: a.random},
	}
}

// run keeps a session until ctx ends, then waits for everything it started.
func (k *keeper) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer k.stop(cancel)
	k.plan(0)
	for {
		timer := time.NewTimer(time.Until(k.due))
		if k.target == "" || k.calling {
			timer.Stop()
		}
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
			k.call(ctx)
		case r := <-k.attempts:
			k.calling = false
			k.attempted(ctx, r)
		case e := <-k.events:
			k.handle(e)
			if e.handled != nil {
				close(e.handled)
			}
		}
		timer.Stop()
		k.writeStatus()
	}
}

// plan decides whom to call next, if anybody: there is no session, or it was
// asked to go elsewhere.
func (k *keeper) plan(atLeast time.Duration) {
	k.target = ""
	held := ""
	if k.current != nil {
		if k.leaving == "" {
			return
		}
		held = k.current.address
	}
	now := time.Now()
	address, at, ok := k.schedule.next(now, held)
	if !ok {
		return
	}
	if earliest := now.Add(atLeast); earliest.After(at) {
		at = earliest
	}
	k.target, k.due = address, at
}

func (k *keeper) call(ctx context.Context) {
	address, told := k.target, k.told
	k.calling = true
	k.running.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout+challengeTimeout+welcomeTimeout)
		defer cancel()
		s, err := k.agent.connect(ctx, address, told)
		k.attempts <- attempt{address, s, err} // there is one at a time, so there is room
	})
}

// stop ends the sessions and attempts and waits for them.
func (k *keeper) stop(cancel context.CancelFunc) {
	cancel()
	k.running.Wait()
	select {
	case r := <-k.attempts:
		if r.session != nil {
			r.session.line.cut(context.Canceled)
		}
	default:
	}
}

// attempted takes over a session, or learns from a failure.
func (k *keeper) attempted(ctx context.Context, r attempt) {
	now := time.Now()
	if r.err != nil {
		k.lastErr = r.address + ": " + r.err.Error()
		k.log.Warn("no session with a controller", "peer", r.address, "error", r.err)
		k.schedule.failed(r.address)
		k.learnFrom(now, r.address, r.err)
		k.plan(0)
		return
	}
	s := r.session
	if !s.welcome.Quorum && k.current != nil {
		// The one that it would replace is no worse: stay there.
		k.log.Info("this controller has no quorum either", "peer", r.address)
		s.line.cut(errors.New("no quorum there"))
		k.schedule.failed(r.address)
		k.learn(s.welcome.Peers)
		k.plan(0)
		return
	}
	if k.current != nil {
		k.cancel() // its end comes as an event
	}
	k.current, k.leaving, k.lastErr = s, "", ""
	if !s.welcome.Quorum {
		k.leaving = wire.GoawayNoQuorum
	} else {
		k.schedule.last = s.address
	}
	k.log.Info("session", "peer", s.address, "name", s.welcome.Peer, "quorum", s.welcome.Quorum)
	k.learn(s.welcome.Peers)
	k.start(ctx, s)
	k.plan(0)
}

// start runs a session. What it has to say first is queued before anything
// that the controller sent can be answered.
func (k *keeper) start(whole context.Context, s *session) {
	ctx, cancel := context.WithCancel(whole)
	k.cancel = cancel
	a := k.agent
	a.board.add(s)
	h := a.board.now()
	s.send(outgoing{untold: true})
	s.send(outgoing{message: h.status("changed"), says: h, unlessSaid: true})
	k.running.Go(func() {
		err := s.run(ctx)
		a.board.remove(s)
		select {
		case k.events <- event{from: s, ended: true, err: err}:
		case <-whole.Done():
		}
	})
}

func (k *keeper) handle(e event) {
	switch m := e.message.(type) {
	case wire.Welcome:
		k.learn(m.Peers)
		k.quorum(e.from, m.Quorum)
	case wire.Peers:
		k.learn(m.Peers)
		k.quorum(e.from, m.Quorum)
	case wire.Keys:
		k.trust(m)
	case wire.Goaway:
		k.goaway(e.from, m)
	}
	if e.ended {
		k.ended(e.from, e.err)
	}
}

// quorum clears a goaway no_quorum when the controller has one again.
func (k *keeper) quorum(from *session, has bool) {
	if from != k.current || !has || k.leaving != wire.GoawayNoQuorum {
		return
	}
	k.leaving, k.schedule.failures = "", 0
	k.plan(0)
}

// goaway looks for another controller. The session stays until one welcomes
// this node, except where it must not.
func (k *keeper) goaway(from *session, m wire.Goaway) {
	k.learn(m.Peers)
	k.number(m)
	if from != k.current {
		return
	}
	wait := time.Duration(m.RetryAfterMS) * time.Millisecond
	k.log.Info("the controller sends this node elsewhere", "peer", from.address, "reason", clip(m.Reason, 40), "wait", wait)
	now := time.Now()
	switch m.Reason {
	case wire.GoawayDuplicate:
		k.schedule.failures++
		k.schedule.rest(now, "", k.schedule.jitter(wait))
		from.line.cut(&away{m})
	case wire.GoawayNoQuorum:
		k.leaving = m.Reason
		k.plan(time.Duration(k.schedule.random() * float64(min(wait, longest))))
	default:
		k.leaving = m.Reason
		k.schedule.rest(now, from.address, wait)
		k.plan(time.Duration(k.schedule.random() * float64(min(wait, longest))))
		if k.target != "" {
			return
		}
		k.leaving = "" // there is nowhere else to go
		if m.Reason == wire.GoawayShutdown {
			from.line.cut(&away{m}) // and nothing to wait for
		}
	}
}

func (k *keeper) number(m wire.Goaway) {
	if m.Connection < maxTold {
		k.told = max(k.told, m.Connection)
	}
}

// ended plans the next call after a session.
func (k *keeper) ended(s *session, err error) {
	if s != k.current { // it was replaced
		return
	}
	k.cancel()
	k.current, k.leaving = nil, ""
	lasted := time.Since(s.started)
	k.lastErr = s.address + ": " + err.Error()
	k.log.Warn("the session ended", "peer", s.address, "lasted", lasted.Round(time.Second).String(), "error", err)
	k.schedule.ended(s.address, lasted)
	k.learnFrom(time.Now(), s.address, err)
	k.plan(0)
}

// learnFrom keeps to the waits that a refusal asks for. What is about this
// node holds for all controllers, what is about one of them for that one.
func (k *keeper) learnFrom(now time.Time, address string, err error) {
	var gone *away
	var full *busy
	var closed *websocket.CloseError
	switch {
	case errors.As(err, &gone):
		k.learn(gone.Peers)
		k.number(gone.Goaway)
		wait := time.Duration(gone.RetryAfterMS) * time.Millisecond
		if gone.Reason == wire.GoawayDuplicate {
			address = ""
		}
		k.schedule.rest(now, address, k.schedule.jitter(wait))
	case errors.As(err, &full):
		k.schedule.rest(now, address, k.schedule.jitter(full.after))
	case errors.As(err, &closed):
		everywhere := []int{wire.CloseProof, wire.CloseUnknown, wire.CloseRevoked, wire.CloseDuplicate}
		if slices.Contains(everywhere, closed.Code) {
			address = ""
		}
		k.schedule.rest(now, address, k.schedule.jitter(wire.RetryAfter(closed.Code)))
	}
}

// learn keeps the addresses that a controller told.
func (k *keeper) learn(peers []string) {
	peers = usable(peers)
	if len(peers) == 0 || slices.Equal(peers, k.schedule.learnt) {
		return
	}
	k.schedule.learnt = peers
	if err := savePeers(k.agent.root, peers); err != nil {
		k.log.Warn("the controllers' addresses could not be kept", "error", err)
	}
}

// trust pins new keys when one that is pinned already signed them.
func (k *keeper) trust(m wire.Keys) {
	id := k.agent.identity.Load()
	next, err := openKeys(id, m)
	if err == nil {
		err = next.save(k.agent.root)
	}
	if err != nil {
		k.log.Error("new signing keys were refused", "error", err)
		return
	}
	k.agent.identity.Store(next)
	k.log.Info("new signing keys are pinned", "keys", len(next.Keys))
}
