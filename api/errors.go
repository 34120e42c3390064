package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/droverhq/drover/api/credential"
	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/document/schema"
	"github.com/droverhq/drover/document/selector"
	"github.com/droverhq/drover/fsm"
)

// Error is the one error of the API: a code for programs, a detail for people
// that says what to do next, and the places that it is about.
//
// Pointer leads into the body of the request. The pointers of Problems lead
// into the content of the document that they are about.
type Error struct {
	Code       string
	Detail     string
	Pointer    string
	Problems   []Problem
	RetryAfter int // seconds; 0 = not told
}

// Problem is one thing that is wrong with a document.
type Problem struct {
	Document string `json:"document,omitzero"` // where a change has several
	Pointer  string `json:"pointer"`           // RFC 6901, into the content
	Message  string `json:"message"`
}

func (e *Error) Error() string {
	if e.Pointer != "" {
		return e.Code + ": " + e.Pointer + ": " + e.Detail
	}
	return e.Code + ": " + e.Detail
}

func failure(code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Codes of Error that other parts of this package use by name.
const (
	codeMalformed     = "malformed"
	codeBadRequest    = "bad_request"
	codeUnknownMember = "unknown_member"
	codeUnauthorized  = "unauthorized"
	codeForbidden     = "forbidden"
	codeNotFound      = "not_found"
	codeConflict      = "conflict"
	codeBaseMoved     = "base_moved"
	codeTooLarge      = "too_large"
	codeInvalid       = "invalid"
	codeSchemaInvalid = "schema_invalid"
	codeNotAvailable  = "not_available"
	codeSecretGone    = "secret_gone"
	codeRateLimited   = "rate_limited"
	codeNoQuorum      = "no_quorum"
	codeBehind        = "behind"
	codeNotReady      = "not_ready"
	codeUnknown       = "outcome_unknown"
	codeInternal      = "internal"
)

// statusTable is the one map from codes to HTTP statuses.
var statusTable = map[string]int{
	codeMalformed:              http.StatusBadRequest,
	codeBadRequest:             http.StatusBadRequest,
	codeUnknownMember:          http.StatusBadRequest,
	document.CodeNotJSON:       http.StatusBadRequest,
	document.CodeDuplicateKey:  http.StatusBadRequest,
	document.CodeTooDeep:       http.StatusBadRequest,
	codeUnauthorized:           http.StatusUnauthorized,
	codeForbidden:              http.StatusForbidden,
	"cross_origin":             http.StatusForbidden,
	fsm.CodeDenied:             http.StatusForbidden,
	codeNotFound:               http.StatusNotFound,
	"method_not_allowed":       http.StatusMethodNotAllowed,
	"unsupported_media_type":   http.StatusUnsupportedMediaType,
	codeConflict:               http.StatusConflict,
	codeSecretGone:             http.StatusConflict,
	fsm.CodeSchemaMoved:        http.StatusConflict,
	document.CodeTestFailed:    http.StatusConflict,
	codeBaseMoved:              http.StatusPreconditionFailed,
	codeTooLarge:               http.StatusRequestEntityTooLarge,
	codeInvalid:                http.StatusUnprocessableEntity,
	codeSchemaInvalid:          http.StatusUnprocessableEntity,
	codeNotAvailable:           http.StatusUnprocessableEntity,
	document.CodeNotObject:     http.StatusUnprocessableEntity,
	document.CodeInexactNumber: http.StatusUnprocessableEntity,
	document.CodeBadPatch:      http.StatusUnprocessableEntity,
	document.CodeBadPointer:    http.StatusUnprocessableEntity,
	document.CodeNoSuchPath:    http.StatusUnprocessableEntity,
	document.CodeBadName:       http.StatusUnprocessableEntity,
	schema.CodeBadSchema:       http.StatusUnprocessableEntity,
	selector.CodeBadLabel:      http.StatusUnprocessableEntity,
	selector.CodeBadSelector:   http.StatusUnprocessableEntity,
	fsm.CodeKeyMismatch:        http.StatusUnprocessableEntity,
	codeRateLimited:            http.StatusTooManyRequests,
	codeInternal:               http.StatusInternalServerError,
	codeNoQuorum:               http.StatusServiceUnavailable,
	codeBehind:                 http.StatusServiceUnavailable,
	codeNotReady:               http.StatusServiceUnavailable,
	"disk_full":                http.StatusServiceUnavailable,
	"too_many_streams":         http.StatusServiceUnavailable,
	fsm.CodeFenced:             http.StatusServiceUnavailable,
	fsm.CodeNoFeature:          http.StatusServiceUnavailable,
	codeUnknown:                http.StatusGatewayTimeout,
}

// asError finds the Error in what a handler returned. ours is false where the
// cause is a fault of this program, which people are told nothing more about.
func asError(err error) (e *Error, ours bool) {
	var (
		own   *Error
		state *fsm.Error
		doc   *document.Error
		web   *echo.HTTPError
		big   *http.MaxBytesError
	)
	switch {
	case errors.As(err, &own):
		return own, true
	case errors.As(err, &state):
		return &Error{Code: state.Code, Detail: state.Message, Pointer: state.Pointer}, true
	case errors.As(err, &doc):
		return &Error{Code: doc.Code, Detail: doc.Message, Pointer: doc.Pointer}, true
	case errors.As(err, &web):
		return webError(web), true
	case errors.As(err, &big):
		return failure(codeTooLarge, "the body is larger than %d bytes", big.Limit), true
	}
	if e := dependencyError(err); e != nil {
		return e, true
	}
	return failure(codeInternal, "something went wrong on this controller; its log has the request id"), false
}

// dependencyError translates what a Proposer or a Control answers.
func dependencyError(err error) *Error {
	for _, known := range []struct {
		err    error
		code   string
		detail string
		after  int
	}{
		{ErrNoQuorum, codeNoQuorum, "the cluster has no quorum, so nothing was changed; try again when a majority of the controllers is back", 1},
		{ErrOutcomeUnknown, codeUnknown, "the leader was lost before it answered: the change may or may not be made. Repeat the request with the same Idempotency-Key to find out", 0},
		{ErrDiskFull, "disk_full", "a controller's disk is nearly full, so nothing was changed; free some space", 0},
		{ErrNotReady, codeNotReady, "this controller is starting or stopping; use another one", 1},
		{ErrNoPeer, codeNotFound, "no peer has that name; `drover cluster status` lists them", 0},
		{credential.ErrBusy, codeRateLimited, "too many logins at once; try again in a moment", 1},
		{credential.ErrPassword, codeInvalid, credential.ErrPassword.Error(), 0},
		{fsm.ErrTooLarge, codeTooLarge, "the change is too large for one command; split it", 0},
		{context.DeadlineExceeded, codeUnknown, "no answer in time: the change may or may not be made. Repeat the request with the same Idempotency-Key to find out", 0},
		{context.Canceled, codeUnknown, "the request was given up before the answer came", 0},
	} {
		if errors.Is(err, known.err) {
			return &Error{Code: known.code, Detail: known.detail, RetryAfter: known.after}
		}
	}
	if errors.Is(err, ErrUnsafe) {
		return failure(codeConflict, "%s", err.Error())
	}
	return nil
}

func webError(e *echo.HTTPError) *Error {
	switch e.Code {
	case http.StatusNotFound:
		return failure(codeNotFound, "there is nothing at this path; /api/v1/openapi.json lists what there is")
	case http.StatusMethodNotAllowed:
		return failure("method_not_allowed", "this path does not take this method")
	case http.StatusRequestEntityTooLarge:
		return failure(codeTooLarge, "the body is too large")
	}
	return failure(codeBadRequest, "%v", e.Message)
}

func statusOf(code string) int {
	if status, found := statusTable[code]; found {
		return status
	}
	return http.StatusInternalServerError
}

// within moves the pointer of a document's error into the body of the request,
// and tells the place in the content as well.
func within(err error, at, name string) error {
	var doc *document.Error
	if !errors.As(err, &doc) {
		return err
	}
	return &Error{
		Code: doc.Code, Detail: doc.Message, Pointer: at + doc.Pointer,
		Problems: []Problem{{Document: name, Pointer: doc.Pointer, Message: doc.Message}},
	}
}

// at moves the pointer of an error into a member of the body.
func at(err error, pointer string) error {
	e, ours := asError(err)
	if !ours {
		return err
	}
	moved := *e
	moved.Pointer = pointer + e.Pointer
	return &moved
}
