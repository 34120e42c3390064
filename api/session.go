package api

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/droverhq/drover/api/credential"
	"github.com/droverhq/drover/fsm"
)

const loginPath = "/api/v1/login"

// cookieName is of the kind that browsers bind to the host and to TLS, or a
// plain one where there is no TLS (development on one machine).
func (s *Server) cookieName(r *http.Request) string {
	if s.overTLS(r) {
		return "__Host-drover"
	}
	return "drover"
}

func (s *Server) cookie(r *http.Request, value string, age int) *http.Cookie {
	return &http.Cookie{
		Name: s.cookieName(r), Value: value, Path: "/", MaxAge: age,
		Secure: s.overTLS(r), HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}

type loginRequest struct {
	User     string `json:"user"`
	Password string `json:"password"`
}

type loginAnswer struct {
	User     string   `json:"user"`
	Role     string   `json:"role"`
	Prefixes []string `json:"prefixes"`
	Expires  string   `json:"expires"`
	Index    uint64   `json:"index"`
}

// login opens a session for a password. An Idempotency-Key has no meaning
// here: every login is a session of its own.
func (s *Server) login(c *call) error {
	var in loginRequest
	if err := c.decode(smallBody, &in); err != nil {
		return err
	}
	c.once = fsm.Once{}
	undo, err := s.mayTry(c, in.User)
	if err != nil {
		return err
	}
	user, err := s.checkPassword(c, in)
	if err != nil {
		return err
	}
	undo()
	return s.openLogin(c, user)
}

// mayTry takes one try out of the account's and the address' allowance. undo
// gives it back: a login that succeeds is none to be limited.
func (s *Server) mayTry(c *call, user string) (undo func(), err error) {
	now := s.now()
	undoAddress, wait := s.limits.address.reserve(addressKey(c.RealIP()), now)
	if wait > 0 {
		return nil, tooFast(wait, "too many failed logins from this address")
	}
	undoAccount, wait := s.limits.accounts.reserve(clip(user, 100), now)
	if wait > 0 {
		return nil, tooFast(wait, "too many failed logins to this account")
	}
	return func() { undoAddress(); undoAccount() }, nil
}

// addressKey is the address, or the /64 network of an IPv6 one, which is what
// one customer has.
func addressKey(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Unmap().Is4() {
		return text
	}
	p, err := a.WithZone("").Prefix(64)
	if err != nil {
		return text
	}
	return p.String()
}

// checkPassword takes as long for an unknown user as for a known one.
func (s *Server) checkPassword(c *call, in loginRequest) (*fsm.User, error) {
	var user *fsm.User
	s.view(c, func(st *fsm.State) { user = st.User(in.User) })
	stored := ""
	if user != nil {
		stored = user.Password
	}
	fits, err := s.hasher.Verify(c.ctx(), stored, in.Password)
	if err != nil {
		return nil, err
	}
	if !fits {
		object := "an unknown user" // what was typed may be a password
		if user != nil {
			object = user.Name
		}
		s.note(c, fsm.Actor{Address: c.RealIP()}, fsm.Note{Action: "login.failed", Object: object, Outcome: codeUnauthorized})
		return nil, failure(codeUnauthorized, "user or password is wrong")
	}
	return user, nil
}

func (s *Server) openLogin(c *call, user *fsm.User) error {
	now := s.now()
	secret, ref := credential.NewSecret(), credential.Ref{ID: credential.NewID()}
	expires := now.Add(s.config.SessionMax)
	res, err := s.proposeAs(c, fsm.Command{
		Actor: fsm.Actor{Name: user.Name, Kind: "user", Address: c.RealIP()},
		Body: fsm.OpenLogin{Login: fsm.Login{
			ID: ref.ID, Hash: secret.Hash(), User: user.Name, Address: c.RealIP(),
			Created: now.UnixMilli(), Expires: expires.UnixMilli(),
		}},
	})
	if err != nil {
		return err
	}
	ref.At = fsm.Position{Epoch: c.at.Epoch, Index: res.Index}
	if !s.samePassword(c, user) {
		_, err := s.proposeAs(c, fsm.Command{Actor: fsm.Actor{Name: user.Name, Kind: "user"}, Body: fsm.CloseLogin{ID: ref.ID}})
		if err != nil {
			return err
		}
		return failure(codeUnauthorized, "the password was changed in this moment; log in again")
	}
	c.SetCookie(s.cookie(c.Request(), credential.Session(ref, secret), int(s.config.SessionMax/time.Second)))
	return c.ok(loginAnswer{
		User: user.Name, Role: user.Role, Prefixes: notNil(user.Prefixes), Expires: timeText(expires.UnixMilli()), Index: res.Index,
	})
}

// samePassword: the session was opened with a password that still holds.
func (s *Server) samePassword(c *call, user *fsm.User) bool {
	same := false
	s.view(c, func(st *fsm.State) {
		u := st.User(user.Name)
		same = u != nil && u.Password == user.Password
	})
	return same
}

// logout ends the login session; an API token is revoked at /tokens.
func (s *Server) logout(c *call) error {
	if err := c.nothing(); err != nil {
		return err
	}
	if c.who.kind != "user" {
		return failure(codeConflict, "a token has no session to end; revoke it with `drover token remove`")
	}
	if _, err := s.propose(c, fsm.CloseLogin{ID: c.who.id}); err != nil {
		return err
	}
	s.idle.forget(c.who.id)
	c.SetCookie(s.cookie(c.Request(), "", -1))
	return c.NoContent(http.StatusNoContent)
}

// endIdle ends a session for all peers, once one of them has found it unused
// for too long.
func (s *Server) endIdle(c *call, who principal) {
	_, err := s.proposeAs(c, fsm.Command{Actor: who.actor(c.RealIP()), Body: fsm.CloseLogin{ID: who.id}})
	if err != nil {
		s.log.Warn("an unused session could not be ended; it is refused here", "user", who.name, "err", err)
		return
	}
	s.idle.forget(who.id)
}

type meAnswer struct {
	User        string    `json:"user"`
	Kind        string    `json:"kind"`
	Role        string    `json:"role"`
	Prefixes    []string  `json:"prefixes"`
	Cluster     clusterID `json:"cluster"`
	Permissions []string  `json:"permissions"`
	Expires     string    `json:"expires,omitzero"`
}

type clusterID struct {
	Name  string `json:"name"`
	ID    string `json:"id"`
	Epoch uint64 `json:"epoch"`
}

func (s *Server) me(c *call) error {
	out := meAnswer{
		User: c.who.name, Kind: c.who.kind, Role: c.who.role.String(), Prefixes: notNil(c.who.prefixes),
		Permissions: c.who.role.permissions(), Expires: timeText(c.who.expires),
	}
	s.view(c, func(st *fsm.State) {
		if cl := st.Cluster(); cl != nil {
			out.Cluster = clusterID{cl.Name, cl.ID, cl.Epoch}
		}
	})
	return c.ok(out)
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// timeText is RFC 3339 in UTC; "" for the zero time.
func timeText(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z07:00")
}
