package fsm

import "slices"

// PutUser creates a user or replaces it.
type PutUser struct {
	User User `cbor:"1,keyasint"`
	New  bool `cbor:"2,keyasint,omitempty"` // refuse when the user exists
	// Was is the row that User was made from: a row that is another by now is
	// not overwritten. Nil overwrites any.
	Was *User `cbor:"3,keyasint,omitempty"`
}

// RemoveUser removes a user with its login sessions and its tokens.
type RemoveUser struct {
	Name string `cbor:"1,keyasint"`
}

// OpenLogin records a login session; every peer honours it.
type OpenLogin struct {
	Login Login `cbor:"1,keyasint"`
}

// CloseLogin ends a login session.
type CloseLogin struct {
	ID string `cbor:"1,keyasint"`
}

// CreateToken records an API token.
type CreateToken struct {
	Token Token `cbor:"1,keyasint"`
}

// RemoveToken revokes an API token.
type RemoveToken struct {
	ID string `cbor:"1,keyasint"`
}

func (PutUser) Kind() Kind     { return 30 }
func (RemoveUser) Kind() Kind  { return 31 }
func (OpenLogin) Kind() Kind   { return 32 }
func (CloseLogin) Kind() Kind  { return 33 }
func (CreateToken) Kind() Kind { return 34 }
func (RemoveToken) Kind() Kind { return 35 }

// User is a person with a password (argon2id, in PHC string form).
type User struct {
	Name     string   `cbor:"1,keyasint"`
	Password string   `cbor:"2,keyasint"`
	Role     string   `cbor:"3,keyasint"`
	Prefixes []string `cbor:"4,keyasint,omitempty"` // of document names; none = all
	Created  int64    `cbor:"5,keyasint"`
}

// Login is a login session. Only the SHA-256 of its secret is kept.
type Login struct {
	ID      string `cbor:"1,keyasint"`
	Hash    []byte `cbor:"2,keyasint"`
	User    string `cbor:"3,keyasint"`
	Created int64  `cbor:"4,keyasint"`
	Expires int64  `cbor:"5,keyasint"`
	Address string `cbor:"6,keyasint,omitempty"`
}

// Token is an API token. Only the SHA-256 of its secret is kept.
type Token struct {
	ID       string   `cbor:"1,keyasint"`
	Hash     []byte   `cbor:"2,keyasint"`
	Name     string   `cbor:"3,keyasint"`
	Owner    string   `cbor:"4,keyasint"` // the user who made it
	Role     string   `cbor:"5,keyasint"`
	Prefixes []string `cbor:"6,keyasint,omitempty"`
	Created  int64    `cbor:"7,keyasint"`
	Expires  int64    `cbor:"8,keyasint"` // 0 = never
}

func (s *State) applyPutUser(c PutUser) error {
	old := s.users[c.User.Name]
	if c.New && old != nil {
		return errorf(CodeConflict, "user %q exists already", c.User.Name)
	}
	if was := c.Was; was != nil && (old == nil || old.Password != was.Password || old.Role != was.Role || !slices.Equal(old.Prefixes, was.Prefixes)) {
		return errorf(CodeConflict, "user %q was changed in this moment; read it again", c.User.Name)
	}
	if old != nil && old.Role == roleAdmin && c.User.Role != roleAdmin && s.admins() == 1 {
		return errorf(CodeConflict, "%q is the last admin; make another one first", c.User.Name)
	}
	u := c.User
	if old != nil {
		u.Created = old.Created
		if old.Password != u.Password { // a changed password ends what was opened with the old one
			s.closeLogins(u.Name)
		}
	}
	s.users[u.Name] = &u
	return nil
}

func (s *State) applyRemoveUser(c RemoveUser) error {
	u := s.users[c.Name]
	if u == nil {
		return errorf(CodeNotFound, "no user is called %q", c.Name)
	}
	if u.Role == roleAdmin && s.admins() == 1 {
		return errorf(CodeConflict, "%q is the last admin; make another one first", c.Name)
	}
	delete(s.users, c.Name)
	s.closeLogins(c.Name)
	for id, t := range s.tokens {
		if t.Owner == c.Name {
			delete(s.tokens, id)
		}
	}
	return nil
}

func (s *State) applyOpenLogin(c OpenLogin) error {
	if s.users[c.Login.User] == nil {
		return errorf(CodeNotFound, "no user is called %q", c.Login.User)
	}
	l := c.Login
	s.logins[l.ID] = &l
	return nil
}

func (s *State) applyCloseLogin(c CloseLogin) error {
	delete(s.logins, c.ID)
	return nil
}

func (s *State) applyCreateToken(c CreateToken) error {
	if s.tokens[c.Token.ID] != nil {
		return errorf(CodeConflict, "token %q exists already", c.Token.ID)
	}
	t := c.Token
	s.tokens[t.ID] = &t
	return nil
}

func (s *State) applyRemoveToken(c RemoveToken) error {
	if s.tokens[c.ID] == nil {
		return errorf(CodeNotFound, "no token has the id %q", c.ID)
	}
	delete(s.tokens, c.ID)
	return nil
}

const roleAdmin = "admin"

func (s *State) admins() int {
	n := 0
	for _, u := range s.users {
		if u.Role == roleAdmin {
			n++
		}
	}
	return n
}

func (s *State) closeLogins(user string) {
	for id, l := range s.logins {
		if l.User == user {
			delete(s.logins, id)
		}
	}
}

// User returns a user, or nil.
func (s *State) User(name string) *User { return s.users[name] }

// Users returns all users, sorted by name.
func (s *State) Users() []*User {
	return sortedRows(s.users, func(u *User) string { return u.Name })
}

// Login returns a login session, or nil. The caller checks its expiry.
func (s *State) Login(id string) *Login { return s.logins[id] }

// Token returns an API token, or nil. The caller checks its expiry.
func (s *State) Token(id string) *Token { return s.tokens[id] }

// Tokens returns all API tokens, sorted by id.
func (s *State) Tokens() []*Token {
	return sortedRows(s.tokens, func(t *Token) string { return t.ID })
}
