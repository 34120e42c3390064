package document

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Canonical returns the RFC 8785 (JCS) form of any JSON text: names sorted by
// UTF-16 code units, numbers as ECMAScript writes the nearest double, the fewest
// escapes in strings, no white space. Duplicate names, lone surrogates and
// numbers beyond the range of a double are an *Error, as the RFC wants.
//
// It gives what jsontext's Value.Canonicalize gives, to which it leaves numbers
// and strings that are not canonical already; it exists because every node and
// peer takes checksums all the time, and it needs less than half as long.
func Canonical(text []byte) ([]byte, error) {
	found, err := scan(text, false)
	if err != nil || found.depth > maxCanonicalDepth || !utf8.Valid(text) {
		// The library's errors name the place.
		value := jsontext.Value(slices.Clone(text))
		if strict := value.Canonicalize(); strict != nil {
			return nil, textError(text, strict)
		}
		return value, err
	}
	c := canonicalizer{src: &source{text, found.tape, found.depth}, out: make([]byte, 0, len(text))}
	c.value(0)
	if c.err != nil {
		return nil, c.err
	}
	return c.out, nil
}

// maxCanonicalDepth bounds the recursion; deeper texts are left to the library,
// which refuses more than 10,000 levels.
const maxCanonicalDepth = 1000

type canonicalizer struct {
	src     *source
	out     []byte
	members []canonicalMember // a stack, shared by all objects being written
	err     error
}

type canonicalMember struct {
	name  []byte // without escapes
	raw   []byte // as written, where that is canonical
	value int32
}

func (c *canonicalizer) fail(at int32, code, message string) {
	if c.err == nil {
		c.err = &Error{code, pointerTo(c.src.text, c.src.tape, int(at)), message}
	}
}

func (c *canonicalizer) value(at int32) {
	p := part{c.src, at}
	switch p.kind() {
	case kindObject:
		c.object(p)
	case kindArray:
		c.out = append(c.out, '[')
		for at, end := p.first(), p.node().next; at < end && c.err == nil; at = c.src.tape[at].next {
			if at > p.first() {
				c.out = append(c.out, ',')
			}
			c.value(at)
		}
		c.out = append(c.out, ']')
	case kindString:
		// What is not escaped needs no escape: control characters are refused.
		if raw := p.text(); bytes.IndexByte(raw, '\\') < 0 {
			c.out = append(c.out, raw...)
		} else if s, err := jsontext.AppendUnquote(nil, raw); err != nil {
			c.fail(at, CodeNotJSON, "a string with a bad escape")
		} else {
			c.out = appendQuoted(c.out, s)
		}
	case kindNumber:
		c.number(at, p.text())
	default:
		c.out = append(c.out, p.text()...)
	}
}

func (c *canonicalizer) object(p part) {
	base := len(c.members)
	for at, end := p.first(), p.node().next; at < end; at = c.src.tape[at].next {
		raw := part{c.src, at}.text()
		at++
		name := raw[1 : len(raw)-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			var err error
			if name, err = jsontext.AppendUnquote(nil, raw); err != nil {
				c.fail(p.at, CodeNotJSON, "the name of a member has a bad escape")
				return
			}
			raw = nil
		}
		c.members = append(c.members, canonicalMember{name, raw, at})
	}
	members := c.members[base:]
	if !slices.IsSortedFunc(members, compareMembers) {
		slices.SortFunc(members, compareMembers)
	}
	c.out = append(c.out, '{')
	for i := range members {
		// The stack may move while values are written.
		m := c.members[base+i]
		if i > 0 {
			if bytes.Equal(m.name, c.members[base+i-1].name) {
				c.fail(m.value, CodeDuplicateKey, "the key occurs twice in one object")
			}
			c.out = append(c.out, ',')
		}
		if c.err != nil {
			return
		}
		if m.raw != nil {
			c.out = append(c.out, m.raw...)
		} else {
			c.out = appendQuoted(c.out, m.name)
		}
		c.out = append(c.out, ':')
		c.value(m.value)
	}
	c.out = append(c.out, '}')
	c.members = c.members[:base]
}

// compareMembers orders names by UTF-16 code units. That is the order of the
// bytes of UTF-8, but for characters beyond U+FFFF, which are surrogates in
// UTF-16 and so come before those from U+E000.
func compareMembers(a, b canonicalMember) int {
	n := min(len(a.name), len(b.name))
	for i := range n {
		x, y := a.name[i], b.name[i]
		if x == y {
			continue
		}
		if (x >= 0xF0) != (y >= 0xF0) && min(x, y) >= 0xEE {
			return int(y) - int(x)
		}
		return int(x) - int(y)
	}
	return len(a.name) - len(b.name)
}

func (c *canonicalizer) number(at int32, literal []byte) {
	if plainNumber(literal) {
		c.out = append(c.out, literal...)
		return
	}
	if overflows(literal) {
		c.fail(at, CodeInexactNumber, "the number is beyond the range of a double")
		return
	}
	number := jsontext.Value(slices.Clone(literal))
	if err := number.Canonicalize(); err != nil {
		c.fail(at, CodeNotJSON, err.Error())
	}
	c.out = append(c.out, number...)
}

// plainNumber tells that a number literal is surely canonical: an integer or a
// fraction of few digits, without exponent and needless zeros.
func plainNumber(literal []byte) bool {
	digits := bytes.TrimPrefix(literal, []byte{'-'})
	if len(digits) > 15 {
		return false
	}
	whole, fraction, isFraction := bytes.Cut(digits, []byte{'.'})
	if digitRun(whole) != len(whole) || digitRun(fraction) != len(fraction) {
		return false // an exponent
	}
	if !isFraction {
		return len(literal) == len(digits) || digits[0] != '0' // not -0
	}
	// 0.0000001 is 1e-7: leave small ones to the library.
	return fraction[len(fraction)-1] != '0' && (whole[0] != '0' || fraction[0] != '0')
}
