package agent

import (
	"errors"
	"syscall"

	"github.com/droverhq/drover/agent/store"
	"github.com/droverhq/drover/wire"
)

// Bounds of what is told: wire.Problem has 1 KiB for a message.
const (
	messageBytes = 1 << 10
	pointerBytes = 1 << 10
	maxProblems  = 20
)

// failure is why an update was not kept.
type failure struct {
	update     string // id of the update
	at         store.Position
	problems   []wire.Problem
	generation int // that was tried; 0: none was written
}

func (f *failure) Error() string {
	if len(f.problems) == 0 {
		return "failed"
	}
	p := f.problems[0]
	text := p.Stage + ": " + p.Code
	if p.Target != "" {
		text += " " + p.Target
	}
	if p.Message != "" {
		text += ": " + p.Message
	}
	return text
}

// frame is the failure as a controller is told, with what the node holds now.
func (f *failure) frame(h *held) wire.Error {
	return wire.Error{Update: f.update, Epoch: f.at.Epoch, Index: f.at.Index, Manifest: h.manifest, Errors: f.problems}
}

// fail makes a failure of one problem.
func fail(p wire.Problem) *failure {
	p.Message, p.Pointer = clip(p.Message, messageBytes), clip(p.Pointer, pointerBytes)
	return &failure{problems: []wire.Problem{p}}
}

// failWrite is a failure of the disk: not the update's fault, so worth another
// attempt.
func failWrite(err error) *failure {
	code := wire.CodeWriteFailed
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		code = wire.CodeDiskFull
	}
	return fail(wire.Problem{Stage: wire.StageWrite, Code: code, Message: err.Error(), Retryable: true})
}
