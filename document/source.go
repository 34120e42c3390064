package document

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

// source is a compact text and where its values are.
type source struct {
	text  []byte
	tape  []node // nil until somebody looks inside
	depth int
}

// newSource scans a text. What Compact did not make is made compact first.
func newSource(text []byte, lim Limits) (*source, error) {
	found, err := scan(text, false)
	if err == nil && !found.spaced {
		return &source{text, found.tape, found.depth}, nil
	}
	if text, err = CompactValue(text, lim); err != nil {
		return nil, err
	}
	if found, err = scan(text, false); err != nil {
		return nil, err
	}
	return &source{text, found.tape, found.depth}, nil
}

// part is one value of a source.
type part struct {
	src *source
	at  int32
}

func (p part) node() *node { return &p.src.tape[p.at] }

func (p part) kind() byte {
	if p.src.tape == nil {
		return kindOf(p.src.text)
	}
	return p.node().kind
}

func (p part) text() []byte {
	if p.src.tape == nil {
		return p.src.text
	}
	n := p.node()
	return p.src.text[n.start:n.end:n.end]
}

// first is the tape's place of the first element, or of the first name.
func (p part) first() int32 { return p.at + 1 }

// elements returns the places of an array's elements.
func (p part) elements() []int32 {
	out := make([]int32, 0, p.node().count)
	for at, end := p.first(), p.node().next; at < end; at = p.src.tape[at].next {
		out = append(out, at)
	}
	return out
}

// kindOf is the kind of the value that a compact text holds.
func kindOf(text []byte) byte {
	switch c := text[0]; c {
	case kindObject, kindArray, kindString:
		return c
	case 't', 'f', 'n':
		return kindWord
	}
	return kindNumber
}

// unquote returns the characters of a JSON string, which is the text itself
// where nothing is escaped.
func unquote(quoted []byte) []byte {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	// The text was checked by Compact; should it not have been, what can be
	// read of the string will do.
	out, _ := jsontext.AppendUnquote(nil, quoted)
	return out
}

// appendQuoted writes s as a JSON string with the fewest escapes, as RFC 8785
// has it; bytes that are not UTF-8 become U+FFFD.
func appendQuoted[S []byte | string](dst []byte, s S) []byte {
	dst, _ = jsontext.AppendQuote(dst, s)
	return dst
}

// asError gives err as an *Error.
func asError(err error) *Error {
	if own := (*Error)(nil); errors.As(err, &own) {
		return own
	}
	return &Error{CodeNotJSON, "", err.Error()}
}
