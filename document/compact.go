package document

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Compact checks that text is a document and returns it without white space;
// number literals, string escapes and key order stay exactly as written.
//
// It refuses, with an *Error that names the place: what is not JSON in UTF-8
// (lone surrogates included), anything but an object at the top, a name that
// occurs twice in an object (the pointer names the key), deeper nesting or more
// bytes than lim allows, and numbers that would not survive a float64: those
// where the shortest text of the nearest double has another decimal value
// (2^53+1, 1e400, 0.1000000000000000055; 0.1, 1.0, 1e2 and -0 are fine).
//
// The size that counts is that of the result. Bounding what is read from a
// client is the caller's business.
func Compact(text []byte, lim Limits) ([]byte, error) {
	return compact(text, lim, true)
}

// CompactValue does what Compact does for any JSON value: a schema, a patch.
func CompactValue(text []byte, lim Limits) ([]byte, error) {
	return compact(text, lim, false)
}

// IsObject tells whether a compact text is an object: Apply may turn a document
// into something else, which is valid JSON Patch but no document.
func IsObject(text []byte) bool { return len(text) > 0 && text[0] == '{' }

func compact(text []byte, lim Limits, object bool) ([]byte, error) {
	lim = lim.orDefault()
	dec := jsontext.NewDecoder(bytes.NewBuffer(text))
	if kind := dec.PeekKind(); object && kind != '{' && kind != 0 {
		return nil, &Error{CodeNotObject, "", "a document is a JSON object, this is " + kindName(kind)}
	}
	out := make([]byte, 0, min(len(text), lim.Bytes))
	for {
		var err error
		if out, err = compactToken(dec, out, lim.Depth); err != nil {
			return nil, textError(text, err)
		}
		if len(out) > lim.Bytes {
			return nil, &Error{CodeTooLarge, "", fmt.Sprintf("larger than the limit of %d bytes", lim.Bytes)}
		}
		if dec.StackDepth() == 0 {
			break
		}
	}
	if _, err := dec.ReadToken(); err == nil {
		return nil, &Error{CodeNotJSON, "", "text after the end of the JSON value"}
	} else if !errors.Is(err, io.EOF) {
		return nil, textError(text, err)
	}
	return out, nil
}

// compactToken moves one token from dec to out, with the comma or colon that
// belongs to it.
func compactToken(dec *jsontext.Decoder, out []byte, maxDepth int) ([]byte, error) {
	kind := dec.PeekKind()
	if kind == '}' || kind == ']' {
		if _, err := dec.ReadToken(); err != nil {
			return nil, err
		}
		return append(out, byte(kind)), nil
	}
	if n := len(out); n > 0 {
		// Strings end in a quote, so these bytes can only be punctuation.
		if last := out[n-1]; last != '{' && last != '[' && last != ':' {
			out = append(out, ',')
		}
	}
	if kind == '{' || kind == '[' {
		if _, err := dec.ReadToken(); err != nil {
			return nil, err
		}
		if dec.StackDepth() > maxDepth {
			return nil, &Error{CodeTooDeep, string(dec.StackPointer()), fmt.Sprintf("nested deeper than the limit of %d", maxDepth)}
		}
		return append(out, byte(kind)), nil
	}
	parent, n := dec.StackIndex(dec.StackDepth())
	raw, err := dec.ReadValue()
	if err != nil {
		return nil, err
	}
	if kind == '0' && !exact(raw) {
		return nil, &Error{CodeInexactNumber, string(dec.StackPointer()),
			"the number " + clip(string(raw), 40) + " cannot be kept exactly as a double: give it fewer digits, or write it as a string"}
	}
	out = append(out, raw...)
	if parent == '{' && n%2 == 0 {
		out = append(out, ':')
	}
	return out, nil
}

// textError turns an error of the decoder into ours.
func textError(text []byte, err error) error {
	if own := (*Error)(nil); errors.As(err, &own) {
		return own
	}
	syntax := (*jsontext.SyntacticError)(nil)
	if !errors.As(err, &syntax) {
		if errors.Is(err, io.EOF) {
			return &Error{CodeNotJSON, "", "the text is empty"}
		}
		return &Error{CodeNotJSON, "", err.Error()}
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		name := syntax.JSONPointer.LastToken()
		return &Error{CodeDuplicateKey, string(syntax.JSONPointer), fmt.Sprintf("the key %q occurs twice in one object", clip(name, 80))}
	}
	cause := "not JSON"
	if syntax.Err != nil {
		cause = strings.TrimPrefix(syntax.Err.Error(), "jsontext: ")
	}
	line, column := position(text, int(syntax.ByteOffset))
	return &Error{CodeNotJSON, string(syntax.JSONPointer), fmt.Sprintf("%s, line %d, column %d", cause, line, column)}
}

// position counts lines and bytes in a line, both from 1, as editors do.
func position(text []byte, offset int) (line, column int) {
	before := text[:max(0, min(offset, len(text)))]
	return bytes.Count(before, []byte{'\n'}) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

func kindName(kind jsontext.Kind) string {
	switch kind {
	case '[':
		return "an array"
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 'n':
		return "null"
	case 't', 'f':
		return "a boolean"
	case '{':
		return "an object"
	}
	return "not JSON"
}

// clip shortens s for a message, at a rune's start.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}
