package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/document/selector"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/instance"
)

// instanceRequest adds an instance. Token and key are never shown again.
type instanceRequest struct {
	ID      string            `json:"id,omitzero"` // default: host and port of the URL
	URL     string            `json:"url"`
	Token   string            `json:"token,omitzero"`
	Labels  map[string]string `json:"labels,omitzero"`
	Accepts *[]string         `json:"accepts,omitzero"`
	TLS     *tlsRequest       `json:"tls,omitzero"`
}

// instancePatch changes an instance: what is absent stays as it is.
type instancePatch struct {
	URL     *string            `json:"url,omitzero"`
	Token   *string            `json:"token,omitzero"` // "" takes it away
	Labels  map[string]*string `json:"labels,omitzero"`
	Accepts *[]string          `json:"accepts,omitzero"`
	TLS     *tlsRequest        `json:"tls,omitzero"`
}

// tlsRequest is what differs from the machine's usual trust. In a change, what
// is absent stays, and "" takes it away; cert and key come together.
type tlsRequest struct {
	CA         *string `json:"ca,omitzero"` // PEM
	ServerName *string `json:"server_name,omitzero"`
	Cert       *string `json:"cert,omitzero"` // PEM, shown to the instance
	Key        *string `json:"key,omitzero"`  // PEM
}

// maxAccepts is how many targets an instance may list.
const maxAccepts = 100

// instanceBody bounds a request with certificates in it.
const instanceBody = 256 << 10

// createInstance adds an instance to the registry. It is called when its peer
// gets to it: this answer never waits for it.
func (s *Server) createInstance(c *call) error {
	var in instanceRequest
	if err := c.decode(instanceBody, &in); err != nil {
		return err
	}
	if err := s.hideSecrets(c, in.Token != "" || in.TLS.secret()); err != nil {
		return err
	}
	put := fsm.PutInstance{Create: true, Accepts: in.Accepts, Labels: in.Labels}
	base, err := instance.ParseURL(in.URL)
	if err != nil {
		return invalid("/url", "%v", err)
	}
	put.URL = &base
	if put.ID = in.ID; put.ID == "" {
		put.ID = idOf(base)
	}
	if err := validInstanceID(put.ID); err != nil {
		return err
	}
	if err := selector.ValidLabels(in.Labels); err != nil {
		return at(err, "/labels")
	}
	if err := validAccepts(in.Accepts); err != nil {
		return err
	}
	if put.Token, err = s.sealToken(&in.Token, "/token"); err != nil {
		return err
	}
	if put.TLS, err = s.sealTLS(in.TLS, fsm.InstanceTLS{}); err != nil {
		return err
	}
	if _, err := s.propose(c, put); err != nil {
		return err
	}
	return s.answerInstance(c, http.StatusCreated, put.ID)
}

// patchInstance changes an instance, which is a reason to try it again.
func (s *Server) patchInstance(c *call) error {
	var in instancePatch
	if err := c.decode(instanceBody, &in); err != nil {
		return err
	}
	if err := s.hideSecrets(c, in.Token != nil || in.TLS.secret()); err != nil {
		return err
	}
	if res, err := s.replayed(c); err != nil {
		return err
	} else if res == nil {
		var n *fsm.Node
		s.view(c, func(st *fsm.State) { n, err = instanceIn(st, c) })
		if err != nil {
			return err
		}
		change, err := s.changeOf(n, in)
		if err != nil {
			return err
		}
		if _, err := s.propose(c, change); err != nil {
			return err
		}
	}
	return s.getInstance(c)
}

// changeOf checks a change of an instance and makes the command for it.
func (s *Server) changeOf(n *fsm.Node, in instancePatch) (fsm.Body, error) {
	put := fsm.PutInstance{ID: n.ID, Accepts: in.Accepts, Relabel: in.Labels}
	if in.URL == nil && in.Token == nil && in.Accepts == nil && in.TLS == nil {
		if len(in.Labels) == 0 {
			return nil, failure(codeInvalid, "name what to change: url, token, labels, accepts or tls")
		}
		return fsm.LabelNode{Node: n.ID, Labels: in.Labels}, nil
	}
	if in.URL != nil {
		base, err := movedTo(n, *in.URL)
		if err != nil {
			return nil, err
		}
		put.URL = &base
	}
	if err := validAccepts(in.Accepts); err != nil {
		return nil, err
	}
	if n.Instance.Source != "" && in.Accepts != nil {
		return nil, &Error{Code: codeConflict, Pointer: "/accepts", Detail: fmt.Sprintf("what %q accepts is what its discovery %q says: change it there", n.ID, n.Instance.Source)}
	}
	var err error
	if put.Token, err = s.sealToken(in.Token, "/token"); err != nil {
		return nil, err
	}
	put.TLS, err = s.sealTLS(in.TLS, n.Instance.TLS)
	return put, err
}

// movedTo checks the new URL of an instance; whether the token may go there is
// for the state to say.
func movedTo(n *fsm.Node, text string) (string, error) {
	base, err := instance.ParseURL(text)
	if err != nil {
		return "", invalid("/url", "%v", err)
	}
	if n.Instance.Source != "" && base != n.Instance.URL {
		return "", &Error{Code: codeConflict, Pointer: "/url", Detail: fmt.Sprintf("the URL of %q is what its discovery %q finds: change it there", n.ID, n.Instance.Source)}
	}
	return base, nil
}

// idOf is the name of an instance that was given none: host and port of its URL.
func idOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return strings.Trim(strings.Map(func(r rune) rune {
		if r == ':' || r == '[' || r == ']' || r == '_' {
			return '-'
		}
		return r
	}, u.Host), "-.")
}

// validInstanceID keeps names apart from the words of the API's paths.
func validInstanceID(id string) error {
	if err := fsm.ValidNodeID(id); err != nil {
		return at(err, "/id")
	}
	if id == "sync" || id == "verify" {
		return invalid("/id", "%q is a word of this API: choose another id", id)
	}
	return nil
}

func validAccepts(targets *[]string) error {
	if targets == nil {
		return nil
	}
	if len(*targets) > maxAccepts {
		return invalid("/accepts", "%d targets are listed, %d are allowed", len(*targets), maxAccepts)
	}
	for i, target := range *targets {
		if err := document.ValidName(target); err != nil {
			return at(err, fmt.Sprintf("/accepts/%d", i))
		}
	}
	return nil
}

// invalid is an error at a place of the body.
func invalid(pointer, format string, args ...any) *Error {
	e := failure(codeInvalid, format, args...)
	e.Pointer = pointer
	return e
}

// hideSecrets puts the hash that is kept of a request under a key where it holds
// a secret: one that a person chose could be guessed from a plain hash.
func (s *Server) hideSecrets(c *call, holdsOne bool) (err error) {
	if !holdsOne || c.once.Key == "" {
		return nil
	}
	if s.deps.Digest == nil {
		return ErrNotReady
	}
	c.once.Hash, err = s.deps.Digest(c.once.Hash)
	return err
}

// sealToken checks and seals a token: nil stays nil, and "" becomes the empty
// one, which takes away what is there.
func (s *Server) sealToken(token *string, pointer string) (*[]byte, error) {
	if token == nil {
		return nil, nil
	}
	if err := instance.ValidToken(*token); err != nil {
		return nil, invalid(pointer, "%v", err)
	}
	sealed, err := s.seal(*token)
	if sealed == nil {
		sealed = []byte{}
	}
	return &sealed, err
}

func (s *Server) seal(secret string) ([]byte, error) {
	if secret == "" {
		return nil, nil
	}
	if s.deps.Seal == nil {
		return nil, ErrNotReady
	}
	return s.deps.Seal([]byte(secret))
}

func (t *tlsRequest) secret() bool { return t != nil && t.Key != nil }

// sealTLS checks TLS settings and puts them on top of what there is, with the
// key sealed; nil stays nil.
func (s *Server) sealTLS(in *tlsRequest, old fsm.InstanceTLS) (*fsm.InstanceTLS, error) {
	if in == nil {
		return nil, nil
	}
	if (in.Cert == nil) != (in.Key == nil) || in.Cert != nil && (*in.Cert == "") != (*in.Key == "") {
		return nil, invalid("/tls", "a client certificate needs its key: give tls.cert and tls.key together, or both as \"\"")
	}
	out := old
	for _, m := range []struct {
		name  string
		given *string
		kept  *string
		check instance.TLS
	}{
		{"ca", in.CA, &out.CA, instance.TLS{CA: value(in.CA)}},
		{"server_name", in.ServerName, &out.ServerName, instance.TLS{ServerName: value(in.ServerName)}},
		{"cert", in.Cert, &out.Cert, instance.TLS{Certificate: value(in.Cert), Key: instance.NewToken(value(in.Key))}},
	} {
		if m.given == nil {
			continue
		}
		if err := m.check.Validate(); err != nil {
			return nil, invalid("/tls/"+m.name, "%v", err)
		}
		*m.kept = *m.given
	}
	if in.Key == nil {
		return &out, nil
	}
	var err error
	out.Key, err = s.seal(*in.Key)
	return &out, err
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
