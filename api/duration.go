package api

import (
	"regexp"
	"strconv"
	"time"
)

var days = regexp.MustCompile(`^([0-9]{1,5})d$`)

// deadline reads when something expires: a duration ("90m", "24h", "30d"), or a
// time (RFC 3339). Absent, it is in `standard`; it is never in more than `most`.
func (s *Server) deadline(text string, standard, most time.Duration) (time.Time, error) {
	now := s.now()
	if text == "" {
		return now.Add(standard), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		d, bad := time.ParseDuration(text)
		if m := days.FindStringSubmatch(text); m != nil {
			n, _ := strconv.Atoi(m[1]) // five digits
			d, bad = time.Duration(n)*24*time.Hour, nil
		}
		if bad != nil {
			return now, expiry("%q is neither a duration, as 24h or 30d, nor a time, as 2030-01-31T00:00:00Z", clip(text, 60))
		}
		at = now.Add(d)
	}
	switch {
	case !at.After(now):
		return now, expiry("%q is over already", clip(text, 60))
	case at.Sub(now) > most:
		return now, expiry("%q is too far away: %d days are allowed", clip(text, 60), int(most.Hours()/24))
	}
	return at, nil
}

func expiry(format string, args ...any) error {
	e := failure(codeInvalid, format, args...)
	e.Pointer = "/expires"
	return e
}
