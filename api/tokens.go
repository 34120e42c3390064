package api

import (
	"net/http"
	"time"

	"github.com/droverhq/drover/api/credential"
	"github.com/droverhq/drover/fsm"
)

// Life of API tokens.
const (
	tokenFor   = 90 * 24 * time.Hour // where nothing else is asked for
	tokenAtMax = 10 * 365 * 24 * time.Hour
)

type tokenRow struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Owner    string   `json:"owner,omitzero"`
	Role     string   `json:"role"`
	Prefixes []string `json:"prefixes"`
	Created  string   `json:"created,omitzero"`
	Expires  string   `json:"expires,omitzero"` // absent = never
}

type tokenRequest struct {
	Name     string   `json:"name"`
	Role     string   `json:"role"`
	Prefixes []string `json:"prefixes,omitzero"`
	Expires  string   `json:"expires,omitzero"` // a duration, a time, or "never"
}

type tokenAnswer struct {
	tokenRow
	Token string `json:"token"`
}

func tokenRowOf(t *fsm.Token) tokenRow {
	return tokenRow{ID: t.ID, Name: t.Name, Owner: t.Owner, Role: t.Role, Prefixes: notNil(t.Prefixes),
		Created: timeText(t.Created), Expires: timeText(t.Expires)}
}

func (s *Server) listTokens(c *call) error {
	w, err := c.window()
	if err != nil {
		return err
	}
	list := gather[tokenRow]{window: w}
	s.view(c, func(st *fsm.State) {
		for _, t := range st.Tokens() {
			if (w.first || t.ID > w.after) && !list.add(t.ID, func() tokenRow { return tokenRowOf(t) }) {
				return
			}
		}
	})
	return c.ok(list.done())
}

// createToken makes an API token. Its secret is in this answer and nowhere
// else, so a repeated request with the same Idempotency-Key is refused.
func (s *Server) createToken(c *call) error {
	var in tokenRequest
	if err := c.decode(smallBody, &in); err != nil {
		return err
	}
	if err := s.onceOnly(c); err != nil {
		return err
	}
	if !userName.MatchString(in.Name) {
		return &Error{Code: codeInvalid, Pointer: "/name", Detail: "a token's name has 1 to 64 letters, digits, '.', '_', '@' and '-', and begins with a letter or digit"}
	}
	if err := s.mayGrant(c, in.Role, in.Prefixes); err != nil {
		return err
	}
	now := s.now()
	t := fsm.Token{ID: credential.NewID(), Name: in.Name, Owner: s.ownerOf(c), Role: in.Role, Prefixes: in.Prefixes, Created: now.UnixMilli()}
	if in.Expires != "never" {
		expires, err := s.deadline(in.Expires, tokenFor, tokenAtMax)
		if err != nil {
			return err
		}
		t.Expires = expires.UnixMilli()
	}
	secret := credential.NewSecret()
	t.Hash = secret.Hash()
	res, err := s.propose(c, fsm.CreateToken{Token: t})
	if err != nil {
		return err
	}
	if err := replayedSecret(res); err != nil {
		return err
	}
	ref := credential.Ref{ID: t.ID, At: fsm.Position{Epoch: c.at.Epoch, Index: res.Index}}
	return c.answer(http.StatusCreated, tokenAnswer{tokenRowOf(&t), credential.Token(ref, secret)})
}

// ownerOf is the user whose removal takes the token along: the caller, or who
// owns the caller's own token.
func (s *Server) ownerOf(c *call) (owner string) {
	if c.who.kind == "user" {
		return c.who.name
	}
	s.view(c, func(st *fsm.State) {
		if t := st.Token(c.who.id); t != nil {
			owner = t.Owner
		}
	})
	return owner
}

func (s *Server) deleteToken(c *call) error {
	if err := c.nothing(); err != nil {
		return err
	}
	id := c.segment("id")
	var t *fsm.Token
	s.view(c, func(st *fsm.State) { t = st.Token(id) })
	if t != nil { // nobody revokes what is above them
		if err := s.mayGrant(c, t.Role, t.Prefixes); err != nil {
			return err
		}
	}
	if _, err := s.propose(c, fsm.RemoveToken{ID: id}); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
