package fleet

import (
	"maps"
	"sync"
	"time"

	"github.com/droverhq/drover/bench/proc"
)

// tracker counts who has confirmed which change.
type tracker struct {
	all int // clients of this process

	mu            sync.Mutex
	revision      uint64
	count         int
	first         int64
	frame, answer int
}

// confirmed notes that a client has sent its confirmation. It returns the
// event to tell when it was the last one.
func (t *tracker) confirmed(revision uint64, frame, answer int) (proc.Event, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if revision < t.revision {
		return proc.Event{}, false
	}
	if revision > t.revision {
		t.revision, t.count, t.first = revision, 0, time.Now().UnixNano()
	}
	t.count++
	t.frame, t.answer = frame, answer
	if t.count != t.all {
		return proc.Event{}, false
	}
	return proc.Event{
		Kind: "all", Revision: revision, Count: t.count, First: t.first, Last: time.Now().UnixNano(), Frame: frame, Answer: answer,
	}, true
}

func (t *tracker) sizes() (frame, answer int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.frame, t.answer
}

// reasons counts why connections ended.
type reasons struct {
	mu     sync.Mutex
	counts map[string]int
}

// maxReasons bounds the different ones that are told apart.
const maxReasons = 20

func (r *reasons) add(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	text := err.Error()
	if r.counts == nil {
		r.counts = map[string]int{}
	}
	if r.counts[text] == 0 && len(r.counts) >= maxReasons {
		text = "others"
	}
	r.counts[text]++
}

func (r *reasons) all() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.counts)
}
