package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Problem is one thing that is wrong with a content, and where.
type Problem struct {
	Document string `json:"document,omitempty"`
	Pointer  string `json:"pointer"`
	Message  string `json:"message"`
}

func (p Problem) String() string {
	at := p.Document
	if p.Pointer != "" {
		at += " " + p.Pointer
	}
	if at = strings.TrimSpace(at); at == "" {
		return p.Message
	}
	return at + ": " + p.Message
}

// Error is an answer that says no (RFC 9457). Code is for programs.
type Error struct {
	Status    int       `json:"status"`
	Code      string    `json:"code"`
	Title     string    `json:"title"`
	Detail    string    `json:"detail"`
	Pointer   string    `json:"pointer"`
	RequestID string    `json:"request_id"`
	Problems  []Problem `json:"problems"`
}

func (e *Error) Error() string {
	text := e.Detail
	if text == "" {
		text = e.Title
	}
	if text == "" {
		text = fmt.Sprintf("the controller answered %d %s", e.Status, http.StatusText(e.Status))
	}
	if e.Pointer != "" && !strings.Contains(text, e.Pointer) {
		text = e.Pointer + ": " + text
	}
	var b strings.Builder
	b.WriteString(text)
	for i, p := range e.Problems {
		if i == 20 {
			fmt.Fprintf(&b, "\n  and %d more", len(e.Problems)-i)
			break
		}
		b.WriteString("\n  " + p.String())
	}
	if e.Status >= 500 && e.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", e.RequestID)
	}
	return b.String()
}

// ErrUnreachable is returned when no address answered.
var ErrUnreachable = errors.New("no controller could be reached")

// Status returns the HTTP status of an error, 0 where it is not an *Error.
func Status(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return 0
}

// Code returns the code of an error, "" where it is not an *Error.
func Code(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// problem reads an error answer; a proxy in between may have written anything.
func problem(status int, header http.Header, body []byte) *Error {
	e := &Error{}
	if strings.Contains(header.Get("Content-Type"), "json") {
		_ = json.Unmarshal(body, e) // what is not there stays empty
	}
	e.Status = status
	if e.Code == "" {
		e.Code = fmt.Sprintf("http_%d", status)
	}
	if e.RequestID == "" {
		e.RequestID = header.Get("X-Request-Id")
	}
	return e
}
