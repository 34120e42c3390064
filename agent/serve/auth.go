package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// Requests without the right token have an allowance of their own: whoever
// knocks without one cannot use up that of the controllers.
const (
	wrongPerSecond = 2
	wrongBurst     = 20
)

// admit lets requests through that bear the token, at the rate that is set.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		known, err := s.config.tokens()
		if err != nil {
			s.log.Error("the token cannot be read, every request is refused", "error", err)
			s.fail(w, http.StatusInternalServerError, "the token of this instance cannot be read: see its log")
			return
		}
		if !bears(r.Header.Values("Authorization"), known) {
			w.Header().Set("Connection", "close")
			if s.spend(w, s.wrong) {
				w.Header().Set("WWW-Authenticate", "Bearer")
				s.fail(w, http.StatusUnauthorized, "the token is missing or not the right one: send Authorization: Bearer TOKEN")
			}
			return
		}
		if s.spend(w, s.right) {
			next.ServeHTTP(w, r)
		}
	})
}

// spend takes one request off an allowance; where there is none left it
// answers 429 with the time to come back.
func (s *Server) spend(w http.ResponseWriter, from *rate.Limiter) bool {
	now := s.now()
	one := from.ReserveN(now, 1)
	wait := one.DelayFrom(now)
	if wait == 0 {
		return true
	}
	one.CancelAt(now)
	retryAfter(w, wait)
	s.fail(w, http.StatusTooManyRequests, "too many requests: come back when Retry-After says")
	return false
}

func retryAfter(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))))
}

// bears tells whether the one Authorization header is a known token, bare or
// behind "Bearer". How long that takes tells nothing of the token.
func bears(headers []string, known [][]byte) bool {
	if len(headers) != 1 {
		return false
	}
	given := strings.TrimSpace(headers[0])
	if scheme, rest, found := strings.Cut(given, " "); found && strings.EqualFold(scheme, "Bearer") {
		given = strings.TrimSpace(rest)
	}
	sum := sha256.Sum256([]byte(given))
	same := 0
	for _, token := range known {
		want := sha256.Sum256(token)
		same |= subtle.ConstantTimeCompare(sum[:], want[:])
	}
	return same == 1
}
