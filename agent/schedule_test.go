package agent

import (
	"slices"
	"testing"
	"time"
)

func TestBackoffGrowsToAMinuteWithFullJitter(t *testing.T) {
	limits := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second,
		16 * time.Second, 32 * time.Second, time.Minute, time.Minute, time.Minute}
	for failures, limit := range limits {
		for random, want := range map[float64]time.Duration{0: 0, 0.5: limit / 2, 0.999: time.Duration(0.999 * float64(limit))} {
			s := schedule{failures: failures, random: func() float64 { return random }}
			if got := s.backoff(); got != want {
				t.Errorf("after %d failures, jitter %v: %s, want %s", failures, random, got, want)
			}
		}
	}
	s := schedule{failures: 1 << 30, random: func() float64 { return 1 }}
	if got := s.backoff(); got != time.Minute {
		t.Errorf("after a great many failures: %s", got)
	}
}

func TestWhomToCallNext(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	a, b, c := "https://a", "https://b", "https://c"
	later := map[string]time.Time{b: now.Add(time.Hour), c: now.Add(time.Minute)}
	cases := []struct {
		name      string
		schedule  schedule
		held      string
		want      string
		wait      time.Duration
		wantNoOne bool
	}{
		{name: "nobody is known", wantNoOne: true},
		{name: "another one after the last", schedule: schedule{learnt: []string{a, b, c}, last: a}, want: b},
		{name: "round the list", schedule: schedule{learnt: []string{a, b, c}, last: c}, want: a},
		{name: "the only one again", schedule: schedule{configured: []string{a}, last: a}, want: a},
		{name: "learnt ones first, each once", schedule: schedule{learnt: []string{b}, configured: []string{a, b + "/"}, last: a}, want: b},
		{name: "not the one that is held", schedule: schedule{learnt: []string{a, b}, last: b}, held: a, want: b},
		{name: "nobody but the one that is held", schedule: schedule{learnt: []string{a}}, held: a, wantNoOne: true},
		{name: "not one that wants to be left alone", schedule: schedule{learnt: []string{a, b, c}, last: a, notBefore: map[string]time.Time{b: now.Add(time.Second)}}, want: c},
		{name: "the one that is free first", schedule: schedule{learnt: []string{a, b, c}, last: a, notBefore: later}, want: c, wait: time.Minute},
		{name: "nobody before the end of a rest", schedule: schedule{learnt: []string{a, b}, last: a, hold: now.Add(time.Hour)}, want: b, wait: time.Hour},
		{name: "plain http to somewhere else is never called", schedule: schedule{learnt: []string{"http://10.0.0.1"}}, wantNoOne: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.schedule.random = func() float64 { return 0 }
			got, at, ok := c.schedule.next(now, c.held)
			if ok == c.wantNoOne || got != c.want {
				t.Fatalf("calls %q (%v), want %q", got, ok, c.want)
			}
			if ok && at.Sub(now) != c.wait {
				t.Errorf("waits %s, want %s", at.Sub(now), c.wait)
			}
		})
	}
}

func TestAFleetThatStartsTogetherSpreads(t *testing.T) {
	seen := map[string]bool{}
	for _, random := range []float64{0, 0.4, 0.9} {
		s := schedule{learnt: []string{"https://a", "https://b", "https://c"}, random: func() float64 { return random }}
		address, _, _ := s.next(time.Now(), "")
		seen[address] = true
	}
	if len(seen) != 3 {
		t.Errorf("first calls go to %v", sorted(seen))
	}
}

func TestAShortSessionIsTheNextFailureInARow(t *testing.T) {
	s := schedule{failures: 4}
	s.ended("https://a", time.Second)
	if s.failures != 5 {
		t.Errorf("%d failures", s.failures)
	}
	s.ended("https://a", time.Hour)
	if s.failures != 0 || s.last != "https://a" {
		t.Errorf("%d failures, last %s", s.failures, s.last)
	}
}

func TestRestsNeverShrinkAndAreBounded(t *testing.T) {
	now := time.Now()
	s := schedule{}
	s.rest(now, "x", time.Minute)
	s.rest(now, "x", time.Second)
	if got := s.notBefore["x"].Sub(now); got != time.Minute {
		t.Error(got)
	}
	s.rest(now, "", 1000*time.Hour)
	s.rest(now, "", -time.Hour)
	if got := s.hold.Sub(now); got != longest {
		t.Error(got)
	}
}

func TestTargetsMatchGlobs(t *testing.T) {
	cases := []struct {
		glob     string
		yes, not []string
	}{
		{"routing/core", []string{"routing/core"}, []string{"routing", "routing/core/x", "xrouting/core"}},
		{"routing/*", []string{"routing/core", "routing/edge"}, []string{"routing", "routing/a/b"}},
		{"**", []string{"a", "a/b", "a/b/c"}, nil},
		{"**/core", []string{"core", "a/core", "a/b/core"}, []string{"core/a", "xcore"}},
		{"a/**", []string{"a", "a/b", "a/b/c"}, []string{"b/a", "ab"}},
		{"a/**/z", []string{"a/z", "a/b/z", "a/b/c/z"}, []string{"a", "z", "a/b"}},
		{"site-[0-9]/?pn", []string{"site-1/vpn"}, []string{"site-x/vpn", "site-1/pn"}},
	}
	for _, c := range cases {
		if err := checkGlob(c.glob); err != nil {
			t.Errorf("%s: %v", c.glob, err)
		}
		for _, target := range append(slices.Clone(c.yes), c.not...) {
			if got := matches(c.glob, target); got != slices.Contains(c.yes, target) {
				t.Errorf("%s and %s: %v", c.glob, target, got)
			}
		}
	}
	for _, glob := range []string{"a//b", "/a", "a/", "a**", "[a", "**/**/**", `a\`} {
		if checkGlob(glob) == nil {
			t.Errorf("%q is a glob", glob)
		}
	}
}
