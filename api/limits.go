package api

import (
	"container/list"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limiters are the rate limits of this peer.
type limiters struct {
	requests *limiterSet // by token or login session
	accounts *limiterSet // logins, by account
	address  *limiterSet // logins, by address
	enrolls  *limiterSet // by address
	notes    *limiterSet // refusals that are recorded, by who was refused
	allNotes *rate.Limiter
	waiters  chan struct{} // who waits here and is not known yet
}

// limiterEntries bounds each set: beyond it the one longest unused is dropped.
const limiterEntries = 16384

func newLimiters(c Config) *limiters {
	perMinute := rate.Every(time.Minute / time.Duration(c.LoginsPerMinute))
	return &limiters{
		requests: newLimiterSet(rate.Limit(c.RequestsPerSecond), c.RequestsPerSecond),
		accounts: newLimiterSet(perMinute, c.LoginsPerMinute),
		address:  newLimiterSet(perMinute, c.LoginsPerMinute),
		enrolls:  newLimiterSet(rate.Limit(c.EnrollsPerSecond), 10*c.EnrollsPerSecond),
		notes:    newLimiterSet(rate.Every(10*time.Second), 3),
		allNotes: rate.NewLimiter(5, 50),
		waiters:  make(chan struct{}, 256),
	}
}

func (l *limiters) request(key string, now time.Time) error {
	if _, wait := l.requests.reserve(key, now); wait > 0 {
		return tooFast(wait, "too many requests with this token or session")
	}
	return nil
}

func tooFast(wait time.Duration, why string) error {
	return &Error{Code: codeRateLimited, Detail: why + "; try again after the time in Retry-After", RetryAfter: max(1, int(math.Ceil(wait.Seconds())))}
}

// limiterSet is a bounded map of token buckets.
type limiterSet struct {
	limit rate.Limit
	burst int

	mu    sync.Mutex
	byKey map[string]*list.Element
	used  *list.List // of *keyed, the latest first
}

type keyed struct {
	key     string
	limiter *rate.Limiter
}

func newLimiterSet(limit rate.Limit, burst int) *limiterSet {
	return &limiterSet{limit: limit, burst: burst, byKey: map[string]*list.Element{}, used: list.New()}
}

// reserve takes one event out of the bucket of key. Where there is none, it
// takes nothing and tells how long to wait. undo gives it back.
func (l *limiterSet) reserve(key string, now time.Time) (undo func(), wait time.Duration) {
	r := l.of(key).ReserveN(now, 1)
	if wait = r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return func() {}, wait
	}
	return func() { r.CancelAt(now) }, 0
}

func (l *limiterSet) of(key string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.byKey[key]; e != nil {
		l.used.MoveToFront(e)
		return e.Value.(*keyed).limiter
	}
	k := &keyed{key, rate.NewLimiter(l.limit, l.burst)}
	l.byKey[key] = l.used.PushFront(k)
	if l.used.Len() > limiterEntries {
		oldest := l.used.Back()
		l.used.Remove(oldest)
		delete(l.byKey, oldest.Value.(*keyed).key)
	}
	return k.limiter
}

// idle remembers when each login session was last used on this peer. It is
// not replicated: a peer that has not seen a session counts from its first
// request there.
type idle struct {
	limit time.Duration
	keep  time.Duration // as long as a session can live

	mu   sync.Mutex
	seen map[string]time.Time
	next time.Time // when to forget what is over
}

func newIdle(limit, keep time.Duration) *idle {
	return &idle{limit: limit, keep: keep, seen: map[string]time.Time{}}
}

func (i *idle) touch(who principal, now time.Time) {
	if who.kind != "user" {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.seen[who.id] = now
	if now.Before(i.next) {
		return
	}
	i.next = now.Add(i.limit)
	for id, at := range i.seen {
		if now.Sub(at) > i.keep {
			delete(i.seen, id)
		}
	}
}

func (i *idle) expired(id string, now time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	at, known := i.seen[id]
	return known && now.Sub(at) > i.limit
}

func (i *idle) forget(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.seen, id)
}
