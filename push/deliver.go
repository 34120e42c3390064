package push

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/instance"
	"github.com/droverhq/drover/wire"
)

// A service that reloads says so for a moment. If it never ends, that is an
// error like others.
const (
	busyMost = 8
	busyWait = 500 * time.Millisecond
	busyCap  = 15 * time.Second
)

// Codes of errors that only instances have, beside those of package instance.
const (
	codeVersionMismatch = "version_mismatch"
	codeReloadStuck     = "reload_stuck"
)

// deliver pushes the documents of an update one after the other, and confirms it
// when the instance reports all of them.
func (c *caller) deliver(ctx context.Context, f *frame) error {
	pause(ctx, time.Until(c.takeover.notBefore))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	switch v := c.standing(); {
	case v.row == nil || v.stale:
		return errEnded
	case v.want != f.manifest:
		c.fail(f, wire.Problem{Code: wire.CodeStaleIndex}) // something newer is wanted by now
		return nil
	}
	began := time.Now()
	for _, doc := range f.contents {
		if doc.version == nil {
			continue
		}
		c.dirty[doc.target] = true
		if err := c.push(ctx, doc); err != nil {
			return c.refused(ctx, f, doc, err)
		}
		delete(c.dirty, doc.target)
	}
	c.busy = 0
	if !c.takeover.notBefore.IsZero() {
		c.takeover = takeover{recheck: time.Now().Add(c.server.config.Instances.Timeout)}
	}
	return c.confirm(ctx, f, began)
}

func (c *caller) push(ctx context.Context, doc content) error {
	// A call that was sent is waited for even when this peer ceases to serve the
	// instance: whoever does next waits as long.
	return c.call(ctx, func(context.Context) error {
		_, err := c.server.http.Update(c.life, c.target, instance.Update{
			Type: doc.target, Config: doc.text, Version: strconv.FormatUint(doc.version.Number, 10),
		})
		return err
	})
}

// refused tells apart what says something about the document, what only about
// the moment, and that the instance cannot be called at all.
func (c *caller) refused(ctx context.Context, f *frame, doc content, err error) error {
	var e *instance.Error
	if ctx.Err() != nil || !errors.As(err, &e) {
		return err
	}
	if offline(err) && c.readVersions(ctx) != nil {
		if e.Sent { // perhaps it died of it, and would each time
			c.fail(f, wire.Problem{Target: doc.target, Stage: wire.StageWrite, Code: wire.CodeInterrupted, Message: "it was gone after this was sent to it: " + e.Message, Retryable: true})
		}
		return err // otherwise nothing was tried; one that answers and only drops updates has failed
	}
	p := wire.Problem{Target: doc.target, Stage: wire.StageWrite, Code: string(e.Code), Message: e.Message, LogTail: e.Details, Retryable: e.Retryable}
	switch {
	case e.Busy:
		c.busy++
		if c.busy <= busyMost {
			pause(ctx, min(max(e.RetryAfter, busyWait<<c.busy), busyCap))
			c.fail(f, wire.Problem{Code: wire.CodeBusy})
			return ctx.Err()
		}
		p.Code, p.Retryable, c.busy = codeReloadStuck, true, 0
	case e.Code == instance.CodeRefused:
		p.Stage = wire.StageValidate
	}
	if e.RetryAfter > 0 {
		c.server.core.wait(c.session, time.Now().Add(e.RetryAfter))
	}
	c.server.deps.Log.Info("an instance did not take a document", "node", c.node.ID, "target", doc.target, "code", p.Code, "reason", p.Message)
	c.fail(f, p)
	return nil
}

// fail answers an update with an error. What the instance holds of a target that
// could not be pushed is not known: real services write a file before they
// validate it, and do not put the old one back. So the rules push back what it
// last accepted.
func (c *caller) fail(f *frame, p wire.Problem) {
	v := c.standing()
	if v.row == nil || v.stale {
		return // with other settings it might have been taken
	}
	have, err := c.have(v)
	if err != nil {
		return
	}
	c.said = haveSum(have)
	c.hear(nil, wire.Error{
		Update: f.id, Epoch: f.at.Epoch, Index: f.at.Index, Manifest: c.said.String(), Errors: []wire.Problem{p},
	})
}

// confirm re-reads what the instance holds: to have answered "success" is not to
// run it.
func (c *caller) confirm(ctx context.Context, f *frame, began time.Time) error {
	if err := c.readVersions(ctx); err != nil {
		if err = c.read(ctx); err != nil {
			return err
		}
	}
	for _, doc := range f.contents {
		if doc.version == nil {
			continue
		}
		p, err := c.verify(doc)
		if err != nil {
			return err
		}
		if p != nil {
			c.dirty[doc.target] = true
			c.fail(f, *p)
			return nil
		}
	}
	v := c.standing()
	if v.row == nil {
		return errEnded
	}
	have, err := c.have(v)
	if err != nil {
		return err
	}
	if c.said = haveSum(have); v.want != f.manifest {
		c.said = f.manifest // it took the update; what is newer comes with the next
	}
	c.server.deps.Log.Debug("an instance took an update", "node", c.node.ID, "index", f.at.Index, "ms", time.Since(began).Milliseconds())
	c.hear(c.news(v), wire.Ack{
		Update: f.id, Manifest: c.said.String(), Confirmed: true, Millis: time.Since(began).Milliseconds(),
	})
	return nil
}

// verify compares what an instance reports after it took a document with what it
// should; where that cannot be known, what it reports now is the baseline.
func (c *caller) verify(doc content) (*wire.Problem, error) {
	print, err := c.server.prints.of(doc.blob)
	if err != nil {
		return nil, err
	}
	hash := c.hashes[doc.target]
	if print.placeholders && hash != "" {
		c.baselines[doc.target] = fsm.Baseline{Target: doc.target, Version: doc.version.Number, Hash: cut(hash, maxWord)}
		return nil, nil
	}
	delete(c.baselines, doc.target)
	if hash == print.hash {
		return nil, nil
	}
	message := fmt.Sprintf("it answered success, and reports version hash %q instead of %q", cut(hash, maxWord), print.hash)
	if hash == "" {
		message = fmt.Sprintf("it answered success, and reports no %s_version", doc.target)
	}
	return &wire.Problem{Target: doc.target, Stage: wire.StageConfirm, Code: codeVersionMismatch, Message: message, Retryable: true}, nil
}
