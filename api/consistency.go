package api

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/droverhq/drover/fsm"
)

// formatPosition is epoch.index, as in Drover-Index and the ids of events.
func formatPosition(p fsm.Position) string {
	return strconv.FormatUint(p.Epoch, 10) + "." + strconv.FormatUint(p.Index, 10)
}

func parsePosition(text string) (p fsm.Position, ok bool) {
	epoch, index, found := strings.Cut(text, ".")
	var err1, err2 error
	p.Epoch, err1 = strconv.ParseUint(epoch, 10, 64)
	p.Index, err2 = strconv.ParseUint(index, 10, 64)
	return p, found && err1 == nil && err2 == nil
}

// consistent waits until this peer's state is as new as the request asks for:
// as the index that the client has seen, or as everything that is committed.
func (s *Server) consistent(c *call) error {
	r := c.Request()
	if text := r.Header.Get("Drover-Index"); text != "" {
		seen, ok := parsePosition(text)
		if !ok {
			return failure(codeBadRequest, "Drover-Index is %q; send back what an answer carried, of the form epoch.index", clip(text, 60))
		}
		if err := s.awaitIndex(c, seen); err != nil {
			return err
		}
	}
	if unsafe(r.Method) {
		return nil
	}
	switch mode := c.QueryParam("consistency"); mode {
	case "", "default":
		return nil
	case "strong":
		return s.strong(c)
	default:
		return failure(codeBadRequest, "consistency is %q; it can be strong", clip(mode, 60))
	}
}

// awaitIndex waits for a position of this peer's epoch; another epoch's is
// ignored, for its indexes mean nothing here.
func (s *Server) awaitIndex(c *call, want fsm.Position) error {
	now := s.position()
	if want.Epoch != now.Epoch || want.Index <= now.Index {
		return nil
	}
	ctx, cancel := context.WithTimeout(c.ctx(), s.config.BehindTimeout)
	defer cancel()
	if err := s.deps.Store.Wait(ctx, want.Index); err != nil {
		return &Error{
			Code: codeBehind, RetryAfter: 1,
			Detail: "this controller has not reached index " + formatPosition(want) + " yet; try again, or another controller",
		}
	}
	return nil
}

// awaitCredential waits for the position at which a credential claims to have
// been made. Whoever sent it is not known yet, so only so many may wait.
func (s *Server) awaitCredential(c *call, at fsm.Position) error {
	select {
	case s.limits.waiters <- struct{}{}:
		defer func() { <-s.limits.waiters }()
		return s.awaitIndex(c, at)
	default:
		return &Error{Code: codeBehind, RetryAfter: 1, Detail: "this controller lags behind; try again, or another controller"}
	}
}

// strong makes the read linearizable: what was committed when it began is in
// the state that answers it.
func (s *Server) strong(c *call) error {
	ctx, cancel := context.WithTimeout(c.ctx(), s.config.WriteTimeout)
	defer cancel()
	index, err := s.deps.Proposer.ReadIndex(ctx)
	switch {
	case errors.Is(err, ErrNotReady):
		return err
	case err != nil:
		return &Error{Code: codeNoQuorum, RetryAfter: 1,
			Detail: "the cluster has no quorum, so a strong read is not possible; without consistency=strong this controller answers with what it knows"}
	}
	if err := s.deps.Store.Wait(ctx, index); err != nil {
		return failure(codeBehind, "this controller lags behind the leader; try again, or another controller")
	}
	return nil
}
