package api

import (
	"net/http"
	"strings"
	"time"

	"github.com/droverhq/drover/api/credential"
	"github.com/droverhq/drover/fsm"
)

// principal is who makes a request.
type principal struct {
	kind     string // "user" or "token"; "" = nobody is known
	name     string
	role     role
	prefixes []string
	id       string // of the login session or the token
	expires  int64  // Unix time in milliseconds; 0 = never
}

// key tells principals apart, for limits.
func (p principal) key() string { return p.kind + ":" + p.id }

func (p principal) actor(address string) fsm.Actor {
	return fsm.Actor{Name: p.name, Kind: p.kind, Address: address}
}

// proof is the credential that a request carries.
type proof struct {
	kind   string // as in principal
	ref    credential.Ref
	secret credential.Secret
}

var errUnauthorized = failure(codeUnauthorized, "log in, or send a token as `Authorization: Bearer …`")

// proofOf reads the credential of a request: the Authorization header, or the
// cookie. found is false where there is neither.
func (s *Server) proofOf(r *http.Request) (p proof, found bool, err error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, text, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return p, true, failure(codeUnauthorized, "the Authorization header is not of the form `Bearer TOKEN`")
		}
		p.kind = "token"
		p.ref, p.secret, err = credential.ParseToken(strings.TrimSpace(text))
	} else {
		cookies := r.CookiesNamed(s.cookieName(r))
		if len(cookies) == 0 {
			return p, false, nil
		}
		p.kind = "user"
		p.ref, p.secret, err = credential.ParseSession(cookies[0].Value)
	}
	if err != nil {
		return p, true, failure(codeUnauthorized, "the token is malformed; copy it whole")
	}
	return p, true, nil
}

// identify finds who a credential belongs to. Where this peer lags behind the
// moment at which the credential was made, it waits for that moment first.
func (s *Server) identify(c *call, p proof) (principal, error) {
	who, found := s.lookUp(p)
	if !found && s.mayCome(p.ref.At) {
		if err := s.awaitCredential(c, p.ref.At); err != nil {
			return who, err
		}
		who, found = s.lookUp(p)
	}
	if !found {
		return who, failure(codeUnauthorized, "the session or token is not known: it ended, was revoked, or has expired")
	}
	if p.kind == "user" && s.idle.expired(who.id, s.now()) {
		s.endIdle(c, who)
		return who, failure(codeUnauthorized, "the session ended because it was not used for %s; log in again", s.config.SessionIdle)
	}
	return who, nil
}

// foresight is how many indexes ahead of this peer a credential may claim to
// have been made; what claims more is made up.
const foresight = 1 << 20

// mayCome tells whether this peer may yet reach a position.
func (s *Server) mayCome(at fsm.Position) bool {
	now := s.position()
	return at.Epoch == now.Epoch && at.Index > now.Index && at.Index-now.Index < foresight
}

func (s *Server) lookUp(p proof) (who principal, found bool) {
	now := s.now().UnixMilli()
	s.deps.Store.View(func(st *fsm.State) {
		if p.kind == "user" {
			who, found = userOf(st, p, now)
		} else {
			who, found = tokenOf(st, p, now)
		}
	})
	return who, found
}

func userOf(st *fsm.State, p proof, now int64) (principal, bool) {
	l := st.Login(p.ref.ID)
	if l == nil || !p.secret.Fits(l.Hash) || l.Expires < now {
		return principal{}, false
	}
	u := st.User(l.User)
	if u == nil {
		return principal{}, false
	}
	return principal{kind: "user", name: u.Name, role: parseRole(u.Role), prefixes: u.Prefixes, id: l.ID, expires: l.Expires}, true
}

// tokenOf finds the bearer of a token. A token is never worth more than the
// user who made it, also when that user's role was lowered since.
func tokenOf(st *fsm.State, p proof, now int64) (principal, bool) {
	t := st.Token(p.ref.ID)
	if t == nil || !p.secret.Fits(t.Hash) || t.Expires != 0 && t.Expires < now {
		return principal{}, false
	}
	who := principal{kind: "token", name: t.Name, role: parseRole(t.Role), prefixes: t.Prefixes, id: t.ID, expires: t.Expires}
	if t.Owner == "" {
		return who, true
	}
	owner := st.User(t.Owner)
	if owner == nil {
		return principal{}, false
	}
	who.role = min(who.role, parseRole(owner.Role))
	who.prefixes = common(owner.Prefixes, who.prefixes)
	return who, true
}

// stillValid tells, for an event stream, whether its principal may go on.
func (s *Server) stillValid(st *fsm.State, who principal, now time.Time) bool {
	if who.expires != 0 && who.expires < now.UnixMilli() {
		return false
	}
	if who.kind == "user" {
		l := st.Login(who.id)
		return l != nil && st.User(l.User) != nil && !s.idle.expired(who.id, now)
	}
	t := st.Token(who.id)
	return t != nil && (t.Owner == "" || st.User(t.Owner) != nil)
}
