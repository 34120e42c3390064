package document

import (
	"bytes"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// Placeholder is a place in a text where a webhook instance puts in the value
// of a variable of its own environment: {$NAME}, or {$NAME:default} for what to
// take where the instance has no such variable.
type Placeholder struct {
	Pointer    string // RFC 6901, the string; of one in a name, the member
	Name       string // of the variable
	Default    string // may be empty, also where there is one
	HasDefault bool
}

// Placeholders returns the placeholders in the strings of a compact text, values
// and names of members alike, in the order of the text. A name consists of
// letters, digits and "_", of any script, as in Python's \w; a default is
// everything up to the first "}". Anything else is no placeholder and stays as
// it is: {$}, {$A-B}, { $A}, {$A without an end.
//
// Some services leave names of members alone, and know further forms that begin
// like one with a default ({$vault:path#field}): whoever asks whether the
// instance may change a text is on the safe side. A text that is no JSON has
// none.
func Placeholders(text []byte) []Placeholder {
	var found []Placeholder
	eachPlaceholder(text, func(p placeholder) bool {
		found = append(found, Placeholder{string(p.pointer), string(p.name), string(p.fallback), p.fallback != nil})
		return true
	})
	return found
}

// HasPlaceholders tells whether Placeholders would return any; where there are
// none it mostly needs no more than a search.
func HasPlaceholders(text []byte) bool {
	found := false
	eachPlaceholder(text, func(placeholder) bool {
		found = true
		return false
	})
	return found
}

// placeholder is a Placeholder whose parts are only good until the next one.
type placeholder struct {
	pointer, name []byte
	fallback      []byte // nil: there is none
}

// eachPlaceholder calls visit until it returns false.
func eachPlaceholder(text []byte, visit func(placeholder) bool) {
	has := func(s string) bool { return bytes.Contains(text, []byte(s)) }
	if !has("{$") && !has(`\u007`) && !has(`\u0024`) { // \u007b is "{", \u0024 is "$"
		return
	}
	found, err := scan(text, false)
	if err != nil {
		return
	}
	f := placeholderFinder{src: &source{text, found.tape, found.depth}, visit: visit}
	f.value(0)
}

type placeholderFinder struct {
	src     *source
	pointer []byte
	visit   func(placeholder) bool
}

// value visits what is in the value at a place of the tape, and tells whether
// to go on.
func (f *placeholderFinder) value(at int32) bool {
	p, here := part{f.src, at}, len(f.pointer)
	switch p.kind() {
	case kindString:
		return f.str(p.text())
	case kindArray:
		for i, element := 0, p.first(); element < p.node().next; i++ {
			f.pointer = strconv.AppendInt(append(f.pointer, '/'), int64(i), 10)
			if !f.value(element) {
				return false
			}
			f.pointer = f.pointer[:here]
			element = f.src.tape[element].next
		}
	case kindObject:
		for member := p.first(); member < p.node().next; {
			name := part{f.src, member}.text()
			f.pointer = appendToken(f.pointer, unquote(name))
			if !f.str(name) || !f.value(member+1) {
				return false
			}
			f.pointer = f.pointer[:here]
			member = f.src.tape[member+1].next
		}
	}
	return true
}

func (f *placeholderFinder) str(quoted []byte) bool {
	// What follows the last "}" cannot be one, and must not be searched again and again.
	rest := unquote(quoted)
	for rest = rest[:bytes.LastIndexByte(rest, '}')+1]; ; {
		start := bytes.Index(rest, []byte("{$"))
		if start < 0 {
			return true
		}
		rest = rest[start+2:]
		name, fallback, after, ok := cutPlaceholder(rest)
		if !ok {
			continue // another one may begin before this one would have ended
		}
		if !f.visit(placeholder{f.pointer, name, fallback}) {
			return false
		}
		rest = after
	}
}

// cutPlaceholder reads what follows "{$".
func cutPlaceholder(s []byte) (name, fallback, after []byte, ok bool) {
	n := wordLength(s)
	switch {
	case n == 0 || n == len(s):
	case s[n] == '}':
		return s[:n], nil, s[n+1:], true
	case s[n] == ':':
		if fallback, after, ok = bytes.Cut(s[n+1:], []byte{'}'}); ok {
			return s[:n], fallback, after, true
		}
	}
	return nil, nil, nil, false
}

// wordLength is the length in bytes of the letters, digits and "_" that s
// begins with.
func wordLength(s []byte) int {
	n := 0
	for n < len(s) {
		r, size := utf8.DecodeRune(s[n:])
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) {
			break
		}
		n += size
	}
	return n
}
