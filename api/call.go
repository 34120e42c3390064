package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/labstack/echo/v4"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/fsm"
)

// call is one request on its way through the API.
type call struct {
	echo.Context
	id    string // request id
	route *route
	who   principal
	// at is the position that the answer is of, for Drover-Index.
	at fsm.Position
	// key of this request, from Idempotency-Key and the body.
	once  fsm.Once
	empty bool // it has no body
	// planned are the edits last proposed, for what is told of them.
	planned []prepared
}

func (c *call) ctx() context.Context { return c.Request().Context() }

func (c *call) actor() fsm.Actor { return c.who.actor(c.RealIP()) }

// view reads the state, and remembers which one the answer is of.
func (s *Server) view(c *call, f func(*fsm.State)) {
	s.deps.Store.View(func(st *fsm.State) {
		c.at = st.Position()
		f(st)
	})
}

// segment is a parameter of the path, decoded once: routing%2Fcore is
// routing/core. The router sees the path as it was sent.
func (c *call) segment(name string) string {
	raw := c.Param(name)
	text, err := url.PathUnescape(raw)
	if err != nil {
		return raw
	}
	return text
}

// Limits of a request's body in bytes. A document may be as large as the
// cluster's settings say; bodyRoom is for what stands beside its content.
const (
	smallBody = 64 << 10
	bodyRoom  = 256 << 10
)

// read reads the body, up to limit bytes.
func (c *call) read(limit int) ([]byte, error) {
	r := c.Request()
	if r.ContentLength > int64(limit) {
		return nil, failure(codeTooLarge, "the body has %d bytes, %d are allowed", r.ContentLength, limit)
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, int64(limit)))
	if err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return nil, failure(codeTooLarge, "the body has more than %d bytes", limit)
		}
		return nil, failure(codeBadRequest, "the body could not be read: %v", err)
	}
	return body, nil
}

// decode reads a JSON body into v, strictly: names are matched by case, and
// unknown or repeated ones are refused.
func (c *call) decode(limit int, v any, types ...string) error {
	if err := c.decodeIfAny(limit, v, types...); err != nil {
		return err
	}
	if c.empty {
		return failure(codeMalformed, "the body is empty; send JSON")
	}
	return nil
}

// nothing is the body of a request that has nothing to say: none, or {}.
func (c *call) nothing() error { return c.decodeIfAny(smallBody, &struct{}{}) }

// decodeIfAny does what decode does, and leaves v as it is where there is no body.
func (c *call) decodeIfAny(limit int, v any, types ...string) error {
	body, err := c.read(limit)
	if err != nil {
		return err
	}
	if c.once, err = c.onceOf(body); err != nil {
		return err
	}
	if c.empty = len(body) == 0; c.empty {
		return nil
	}
	if err := c.isJSON(types); err != nil {
		return err
	}
	return strict(body, v)
}

// isJSON refuses a body of another media type; among what it refuses is all
// that a page of another origin can send without asking.
func (c *call) isJSON(types []string) error {
	header := c.Request().Header.Get("Content-Type")
	kind, _, err := mime.ParseMediaType(header)
	for _, t := range append(types, "application/json") {
		if err == nil && kind == t {
			return nil
		}
	}
	return failure("unsupported_media_type", "the Content-Type is %q; send application/json", header)
}

func strict(body []byte, v any) error {
	err := json.Unmarshal(body, v, json.RejectUnknownMembers(true))
	if err == nil {
		if isNull(body) {
			return failure(codeMalformed, "the body is null; send what the request is about")
		}
		return nil
	}
	var (
		syntax   *jsontext.SyntacticError
		semantic *json.SemanticError
	)
	switch {
	case errors.As(err, &syntax) && errors.Is(err, jsontext.ErrDuplicateName):
		e := failure(document.CodeDuplicateKey, "the key %q occurs twice in one object", clip(syntax.JSONPointer.LastToken(), 80))
		e.Pointer = string(syntax.JSONPointer)
		return e
	case errors.As(err, &syntax):
		_, plain := document.CompactValue(body, document.Limits{Bytes: len(body), Depth: 10_000})
		e, _ := asError(plain) // says where in lines and columns
		if plain == nil {
			e = failure(codeMalformed, "%v", syntax.Err)
		}
		return &Error{Code: codeMalformed, Detail: e.Detail, Pointer: string(syntax.JSONPointer)}
	case errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName):
		e := failure(codeUnknownMember, "nothing is called %q here; names are matched by case", clip(semantic.JSONPointer.LastToken(), 80))
		e.Pointer = string(semantic.JSONPointer)
		return e
	case errors.As(err, &semantic):
		e := failure(codeMalformed, "a value of another kind is expected here, not %s", kindName(semantic.JSONKind))
		e.Pointer = string(semantic.JSONPointer)
		return e
	}
	return failure(codeMalformed, "the body is not the JSON that is expected: %v", err)
}

func isNull(body []byte) bool { return jsontext.Value(body).Kind() == 'n' }

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "this"
}

// clip shortens text for a message.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}

// answer encodes v: strings inside raw values, such as contents, stay as they
// were written.
func (c *call) answer(status int, v any) error {
	out, err := json.Marshal(v, jsontext.PreserveRawStrings(true), json.Deterministic(true))
	if err != nil {
		return err
	}
	return c.Blob(status, "application/json", append(out, '\n'))
}

func (c *call) ok(v any) error { return c.answer(http.StatusOK, v) }
