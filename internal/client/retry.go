package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// retryAfter is an answer that names its own delay.
type retryAfter struct {
	problem *Error
	after   time.Duration
}

func (r *retryAfter) Error() string { return r.problem.Error() }
func (r *retryAfter) Unwrap() error { return r.problem }

func withRetryAfter(e *Error, h http.Header) error {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || e.Status != http.StatusTooManyRequests {
		return e
	}
	return &retryAfter{e, time.Duration(max(seconds, 0)) * time.Second}
}

// retry calls one address after the other until there is an answer that the
// next one would give too, or patience ends.
func (c *Client) retry(ctx context.Context, call func(context.Context, string) (*Answer, error)) (*Answer, error) {
	began := time.Now()
	for attempt := 1; ; attempt++ {
		c.mu.Lock()
		at := c.current
		c.mu.Unlock()
		answer, err := call(ctx, c.cfg.Addrs[at])
		if err == nil {
			return answer, nil
		}
		verdict := judge(ctx, err)
		if verdict.final {
			return nil, explain(err, c.cfg.Addrs)
		}
		if verdict.elsewhere {
			c.next(at)
		}
		pause := verdict.after
		if pause == 0 && attempt%len(c.cfg.Addrs) == 0 { // all were asked: let them catch their breath
			pause = time.Duration(50+rand.IntN(150)) * time.Millisecond
		}
		asked := attempt >= len(c.cfg.Addrs) || !verdict.elsewhere // whoever could know better was asked
		if asked && time.Since(began)+pause > verdict.patience {
			return nil, explain(err, c.cfg.Addrs)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, explain(err, c.cfg.Addrs)
		}
	}
}

// next moves on from an address that failed, unless somebody else did already.
func (c *Client) next(from int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == from {
		c.current = (from + 1) % len(c.cfg.Addrs)
	}
}

type verdict struct {
	final     bool
	elsewhere bool
	after     time.Duration
	patience  time.Duration
}

func judge(ctx context.Context, err error) verdict {
	if ctx.Err() != nil {
		return verdict{final: true}
	}
	var busy *retryAfter
	if errors.As(err, &busy) {
		return verdict{after: max(busy.after, 100*time.Millisecond), patience: patience}
	}
	var e *Error
	var own *callerError
	if errors.As(err, &own) {
		return verdict{final: true}
	}
	if errors.As(err, &e) {
		switch e.Status {
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return verdict{elsewhere: true, patience: patience}
		}
		return verdict{final: true}
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return verdict{final: true}
	}
	return verdict{elsewhere: true, patience: patienceAbsent}
}

// explain adds what to do next to errors that are not a controller's own.
func explain(err error, addrs []string) error {
	var own *callerError
	if errors.As(err, &own) {
		return own.error
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return fmt.Errorf("%w: %w; give the cluster's CA with --ca FILE (ca.pem in a controller's data directory)", ErrUnreachable, err)
	}
	if len(addrs) > 1 {
		return fmt.Errorf("%w at any of %d addresses, the last error is: %w", ErrUnreachable, len(addrs), err)
	}
	return fmt.Errorf("%w: %w; check the address (--addr, DROVER_ADDR) and that the controller runs", ErrUnreachable, err)
}
