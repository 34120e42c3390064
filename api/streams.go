package api

import "sync"

// streams are the open event streams of this peer.
type streams struct {
	limit, each int
	tally       *tally

	mu     sync.Mutex
	open   map[string]int // by principal
	total  int
	closed chan struct{}
	over   bool
}

func newStreams(c Config) *streams {
	return &streams{limit: c.Streams.Limit, each: c.Streams.Each, tally: newTally(), open: map[string]int{}, closed: make(chan struct{})}
}

// enter counts a stream in; leave must be called when it ends.
func (t *streams) enter(key string) (leave func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.over:
		return nil, ErrNotReady
	case t.total >= t.limit:
		return nil, &Error{Code: "too_many_streams", Detail: "this controller serves as many event streams as it can; use another one", RetryAfter: 5}
	case t.open[key] >= t.each:
		return nil, &Error{Code: "too_many_streams", Detail: "this token or session has as many event streams as it may; close some", RetryAfter: 5}
	}
	t.total++
	t.open[key]++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.total--
		if t.open[key]--; t.open[key] == 0 {
			delete(t.open, key)
		}
	}, nil
}

func (t *streams) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}

// close ends all streams, and lets no other begin.
func (t *streams) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.over = true
		close(t.closed)
	}
}
