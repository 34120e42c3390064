package api

import (
	"crypto/sha256"
	"net/http"
	"regexp"
	"strings"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
)

type userRow struct {
	User     string   `json:"user"`
	Role     string   `json:"role"`
	Prefixes []string `json:"prefixes"`
	Created  string   `json:"created,omitzero"`
}

type userRequest struct {
	User     string    `json:"user,omitzero"`
	Password *string   `json:"password,omitzero"`
	Role     *string   `json:"role,omitzero"`
	Prefixes *[]string `json:"prefixes,omitzero"`
}

var userName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)

// maxPrefixes bounds the prefixes of a user or a token.
const maxPrefixes = 100

func userOfRow(u *fsm.User) userRow {
	return userRow{User: u.Name, Role: u.Role, Prefixes: notNil(u.Prefixes), Created: timeText(u.Created)}
}

func (s *Server) listUsers(c *call) error {
	w, err := c.window()
	if err != nil {
		return err
	}
	list := gather[userRow]{window: w}
	s.view(c, func(st *fsm.State) {
		for _, u := range st.Users() {
			if (w.first || u.Name > w.after) && !list.add(u.Name, func() userRow { return userOfRow(u) }) {
				return
			}
		}
	})
	return c.ok(list.done())
}

func (s *Server) createUser(c *call) error {
	var in userRequest
	if err := c.decode(smallBody, &in); err != nil {
		return err
	}
	if !userName.MatchString(in.User) {
		return &Error{Code: codeInvalid, Pointer: "/user", Detail: "a user's name has 1 to 64 letters, digits, '.', '_', '@' and '-', and begins with a letter or digit"}
	}
	if in.Password == nil || in.Role == nil {
		return &Error{Code: codeInvalid, Detail: "a user needs a password and a role"}
	}
	u := fsm.User{Name: in.User, Created: s.now().UnixMilli()}
	if err := s.hidePassword(c); err != nil {
		return err
	}
	if res, err := s.replayed(c); err != nil {
		return err
	} else if res == nil {
		if err := s.changeUser(c, u, nil, in); err != nil {
			return err
		}
	}
	return s.answerUser(c, http.StatusCreated, in.User)
}

// patchUser changes the password, the role or the prefixes. A new password
// ends the user's login sessions.
func (s *Server) patchUser(c *call) error {
	var in userRequest
	if err := c.decode(smallBody, &in); err != nil {
		return err
	}
	name := c.segment("user")
	if in.User != "" && in.User != name {
		return &Error{Code: codeInvalid, Pointer: "/user", Detail: "a user's name cannot be changed"}
	}
	if in.Password != nil {
		if err := s.hidePassword(c); err != nil {
			return err
		}
	}
	if res, err := s.replayed(c); err != nil {
		return err
	} else if res == nil {
		u, err := s.userNamed(c, name)
		if err != nil {
			return err
		}
		if err := s.changeUser(c, *u, u, in); err != nil {
			return err
		}
	}
	return s.answerUser(c, http.StatusOK, name)
}

// hidePassword makes the hash that is kept of a request with an Idempotency-Key
// as slow to guess from as that of the password in it: it is in backups, too.
func (s *Server) hidePassword(c *call) (err error) {
	if c.once.Key == "" {
		return nil
	}
	salt := sha256.Sum256([]byte("drover once\x00" + c.once.Key))
	c.once.Hash, err = s.hasher.Digest(c.ctx(), c.once.Hash, salt[:16])
	return err
}

func (s *Server) userNamed(c *call, name string) (u *fsm.User, err error) {
	s.view(c, func(st *fsm.State) { u = st.User(name) })
	if u == nil {
		return nil, failure(codeNotFound, "no user is called %q", clip(name, 100))
	}
	return u, nil
}

// changeUser applies a request to a user and commits it; was is the row that
// it starts from, nil for a new user.
func (s *Server) changeUser(c *call, u fsm.User, was *fsm.User, in userRequest) (err error) {
	if was != nil { // nobody changes who is above them
		if err := s.mayGrant(c, u.Role, u.Prefixes); err != nil {
			return err
		}
	}
	if in.Role != nil {
		u.Role = *in.Role
	}
	if in.Prefixes != nil {
		u.Prefixes = *in.Prefixes
	}
	if err := s.mayGrant(c, u.Role, u.Prefixes); err != nil {
		return err
	}
	if in.Password != nil {
		if u.Password, err = s.hasher.Hash(c.ctx(), *in.Password); err != nil {
			return at(err, "/password")
		}
	}
	_, err = s.propose(c, fsm.PutUser{User: u, New: was == nil, Was: was})
	return err
}

// mayGrant checks a role and prefixes, and that they are no more than what the
// caller has.
func (s *Server) mayGrant(c *call, name string, prefixes []string) error {
	r := parseRole(name)
	if r == roleNone {
		return &Error{Code: codeInvalid, Pointer: "/role", Detail: "role is " + strings.Join(roleNames[1:], ", ") + "; " + clip(name, 40) + " is none of them"}
	}
	if len(prefixes) > maxPrefixes {
		return &Error{Code: codeInvalid, Pointer: "/prefixes", Detail: "100 prefixes are allowed"}
	}
	for _, p := range prefixes {
		if name := strings.TrimSuffix(p, "/"); p != "*" && document.ValidName(name) != nil {
			return at(document.ValidName(name), "/prefixes")
		}
	}
	if r > c.who.role || !coversAll(c.who.prefixes, prefixes) {
		s.noteDenied(c)
		return failure(codeForbidden, "nobody can give more than they have: %s %q is %s with the prefixes [%s]",
			c.who.kind, c.who.name, article(c.who.role), strings.Join(c.who.prefixes, ", "))
	}
	return nil
}

func (s *Server) answerUser(c *call, status int, name string) error {
	u, err := s.userNamed(c, name)
	if err != nil {
		return err
	}
	return c.answer(status, userOfRow(u))
}

func (s *Server) deleteUser(c *call) error {
	if err := c.nothing(); err != nil {
		return err
	}
	name := c.segment("user")
	if res, err := s.replayed(c); err != nil {
		return err
	} else if res == nil {
		u, err := s.userNamed(c, name)
		if err != nil {
			return err
		}
		if err := s.mayGrant(c, u.Role, u.Prefixes); err != nil {
			return err
		}
		if _, err := s.propose(c, fsm.RemoveUser{Name: name}); err != nil {
			return err
		}
	}
	return c.NoContent(http.StatusNoContent)
}
