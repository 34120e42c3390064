package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/droverhq/drover/fsm"
)

// notebook holds refusals on their way into the audit. It is bounded in
// number and rate, so that nobody can flood the log with them; how many were
// left out is said by the next one.
type notebook struct {
	queue   chan fsm.Command
	skipped atomic.Uint64
}

// notesWaiting is how many notes may wait to be written.
const notesWaiting = 64

func newNotebook() *notebook { return &notebook{queue: make(chan fsm.Command, notesWaiting)} }

// noteDenied records that a request was not allowed, where its route is audited.
func (s *Server) noteDenied(c *call) {
	if c.route.audited {
		s.note(c, c.who.actor(c.RealIP()), fsm.Note{
			Action: "denied", Object: clip(c.Request().URL.Path, 200),
			Detail: c.Request().Method + " needs " + string(c.route.need), Outcome: codeForbidden,
		})
	}
}

// note records something that changed no other state.
func (s *Server) note(c *call, by fsm.Actor, n fsm.Note) {
	now := s.now()
	if _, wait := s.limits.notes.reserve(n.Action+"\x00"+by.Kind+":"+by.Name+"\x00"+by.Address, now); wait > 0 || !s.limits.allNotes.AllowN(now, 1) {
		s.notes.skipped.Add(1)
		return
	}
	select {
	case s.notes.queue <- fsm.Command{ID: c.id + "." + rand.Text()[:10], Time: now.UnixMilli(), Actor: by, Body: n}:
	default:
		s.notes.skipped.Add(1)
	}
}

// writeNotes proposes notes one by one until ctx ends. What cannot be written
// (no quorum) is logged instead.
func (s *Server) writeNotes(ctx context.Context) {
	for {
		select {
		case cmd := <-s.notes.queue:
			s.writeNote(ctx, cmd)
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) writeNote(ctx context.Context, cmd fsm.Command) {
	n := cmd.Body.(fsm.Note)
	skipped := s.notes.skipped.Swap(0)
	if skipped > 0 {
		n.Detail += fmt.Sprintf(" (%d others were not recorded)", skipped)
		cmd.Body = n
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := s.deps.Proposer.Propose(ctx, cmd); err != nil {
		s.notes.skipped.Add(skipped + 1)
		s.log.Warn("a refused request could not be recorded in the audit", "action", n.Action, "actor", cmd.Actor.Name, "object", n.Object, "err", err)
	}
}
