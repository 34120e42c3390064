package push

import (
	"maps"
	"slices"
	"strings"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/wire"
)

// Limits, in bytes, of what one node may put into the log and into the state of
// every peer, whatever it sends.
const (
	maxProblems = 16      // of one error
	maxError    = 8 << 10 // all problems of one error; the first always fits
	maxMessage  = 1 << 10
	maxLogTail  = 2 << 10
	maxWord     = 200
	maxFacts    = 4 << 10 // all facts of a node
)

// boundedFacts keeps the facts that fit, in the order of their names.
func boundedFacts(facts map[string]string) map[string]string {
	size := 0
	out := make(map[string]string, min(len(facts), maxFacts/16))
	for _, name := range slices.Sorted(maps.Keys(facts)) {
		key, value := cut(name, maxWord), cut(facts[name], maxMessage)
		if size += len(key) + len(value) + 16; size > maxFacts {
			break
		}
		out[key] = value
	}
	return out
}

func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "")
}

func problems(errors []wire.Problem) []fsm.Problem {
	out := make([]fsm.Problem, 0, min(len(errors), maxProblems))
	size := 0
	for _, e := range errors[:min(len(errors), maxProblems)] {
		p := fsm.Problem{
			Target: cut(e.Target, maxWord), Stage: cut(e.Stage, maxWord), Code: cut(e.Code, maxWord),
			Pointer: cut(e.Pointer, maxWord), Message: cut(e.Message, maxMessage),
			LogTail: cut(e.LogTail, maxLogTail), Retryable: e.Retryable,
		}
		if size += problemSize(p); size > maxError {
			break
		}
		out = append(out, p)
	}
	return out
}
