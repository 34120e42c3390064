package agent

import (
	"slices"
	"time"
)

const (
	quick       = 500 * time.Millisecond // within which another peer is tried after a lost session
	backoffBase = time.Second
	backoffCap  = time.Minute
	// settled is how long a session must last for its end to count as the
	// first trouble and not as the next one in a row.
	settled = 10 * time.Second
	// longest bounds what a controller may ask an agent to wait.
	longest = time.Hour
)

// schedule decides which controller is called next, and when. It is plain data
// and belongs to the keeper; the caller brings the time.
type schedule struct {
	configured, learnt []string
	random             func() float64 // [0,1)
	failures           int            // in a row
	last               string         // called last
	notBefore          map[string]time.Time
	hold               time.Time // nobody is called before
}

// addresses are those told by the controllers, then the configured ones.
func (s *schedule) addresses() []string {
	return usable(append(slices.Clone(s.learnt), s.configured...))
}

// backoff is the jittered wait after the failures so far: at once another peer
// within 500 ms, then 1 s doubled up to a minute, with full jitter.
func (s *schedule) backoff() time.Duration {
	limit := quick
	if s.failures > 0 {
		limit = min(backoffCap, backoffBase<<min(s.failures-1, 10))
	}
	return time.Duration(s.random() * float64(limit))
}

// next chooses whom to call and when; held is the address of a session that
// stays until there is another. ok is false when there is nobody to call.
func (s *schedule) next(now time.Time, held string) (address string, at time.Time, ok bool) {
	at = now.Add(s.backoff())
	if s.hold.After(at) {
		at = s.hold
	}
	list := s.addresses()
	candidates := slices.DeleteFunc(slices.Clone(list), func(a string) bool { return a == held })
	if len(candidates) == 0 {
		return "", time.Time{}, false
	}
	// In the order of the list, from the one behind the last; the first time
	// anywhere, so that a fleet that starts together spreads.
	start := slices.Index(list, s.last) + 1
	if start == 0 {
		start = int(s.random() * float64(len(list)))
	}
	var soonest time.Time
	for i := range list {
		a := list[(start+i)%len(list)]
		if a == held || a == s.last && len(candidates) > 1 {
			continue
		}
		ready := s.notBefore[a]
		if !ready.After(at) {
			return a, at, true
		}
		if address == "" || ready.Before(soonest) {
			address, soonest = a, ready
		}
	}
	return address, soonest, true
}

// failed notes that an attempt came to nothing.
func (s *schedule) failed(address string) {
	s.last = address
	s.failures++
}

// ended notes the end of a session that lasted so long.
func (s *schedule) ended(address string, lasted time.Duration) {
	s.last = address
	if lasted >= settled {
		s.failures = 0
	} else {
		s.failures++
	}
}

// rest keeps the agent away from one peer, or from all of them (address "").
func (s *schedule) rest(now time.Time, address string, wait time.Duration) {
	until := now.Add(min(max(wait, 0), longest))
	if address == "" {
		if until.After(s.hold) {
			s.hold = until
		}
		return
	}
	if s.notBefore == nil {
		s.notBefore = map[string]time.Time{}
	}
	if until.After(s.notBefore[address]) {
		s.notBefore[address] = until
	}
}

// jitter spreads a wait over its second half and as much again, so that agents
// that were told the same do not come back together.
func (s *schedule) jitter(wait time.Duration) time.Duration {
	return wait + time.Duration(s.random()*float64(wait)/2)
}
