package document

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// InstanceVersion returns the version hash that a webhook instance reports for
// a configuration: the first 16 hex digits of the SHA-256 over what CPython
// prints for json.dumps(json.loads(text), sort_keys=True), that is: separators
// ", " and ": ", names sorted by code point, everything but ASCII escaped,
// integers as they are, other numbers as repr(float).
//
// It reads everything that Python's json.loads reads, also what Compact refuses:
// of two members with one name the last counts, NaN and Infinity are numbers, a
// lone surrogate is kept, 1e400 is Infinity. Integers of more than 4300 digits,
// which Python refuses, are an *Error, as is anything that is not JSON.
//
// The instance takes its hash after it has put in {$VAR} placeholders: where a
// text has them, the two differ.
func InstanceVersion(text []byte) (string, error) {
	canonical, err := pythonDump(text)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:8]), nil
}

// pythonDump returns json.dumps(json.loads(text), sort_keys=True).
func pythonDump(text []byte) ([]byte, error) {
	found, err := scan(text, true)
	if err != nil {
		return nil, err
	}
	d := dumper{src: &source{text, found.tape, found.depth}, out: make([]byte, 0, len(text)+len(text)/8)}
	d.value(0, 0)
	if d.err != nil {
		return nil, d.err
	}
	return d.out, nil
}

// Python gives up on deeper texts (its recursion limit is 1000 by default).
const maxPythonDepth = 1000

const maxPythonDigits = 4300

type dumper struct {
	src *source
	out []byte
	err error
}

func (d *dumper) fail(at int32, code, message string) {
	if d.err == nil {
		d.err = &Error{code, pointerTo(d.src.text, d.src.tape, int(at)), message}
	}
}

func (d *dumper) value(at int32, depth int) {
	if d.err != nil {
		return
	}
	if depth > maxPythonDepth {
		d.fail(at, CodeTooDeep, "nested too deep for a Python service")
		return
	}
	p := part{d.src, at}
	switch p.kind() {
	case kindObject:
		d.object(p, depth)
	case kindArray:
		d.out = append(d.out, '[')
		for i, element := range p.elements() {
			if i > 0 {
				d.out = append(d.out, ", "...)
			}
			d.value(element, depth+1)
		}
		d.out = append(d.out, ']')
	case kindString:
		raw, ok := pythonString(p.text())
		if !ok {
			d.fail(at, CodeNotJSON, "a string is not valid JSON")
		}
		d.out = appendPythonString(d.out, raw)
	case kindNumber:
		d.number(at, p.text())
	default:
		d.out = append(d.out, p.text()...)
	}
}

func (d *dumper) object(p part, depth int) {
	type entry struct {
		name  []byte
		value int32
	}
	entries := make([]entry, 0, p.node().count)
	for at, end := p.first(), p.node().next; at < end; at = d.src.tape[at].next {
		name, ok := pythonString(part{d.src, at}.text())
		at++
		if !ok {
			d.fail(p.at, CodeNotJSON, "the name of a member is not valid JSON")
		}
		entries = append(entries, entry{name, at})
	}
	// Bytes of UTF-8 sort like code points, surrogates included.
	slices.SortStableFunc(entries, func(a, b entry) int { return bytes.Compare(a.name, b.name) })
	d.out = append(d.out, '{')
	for i, e := range entries {
		if i+1 < len(entries) && bytes.Equal(e.name, entries[i+1].name) {
			continue // the last one of a name counts
		}
		if d.out[len(d.out)-1] != '{' {
			d.out = append(d.out, ", "...)
		}
		d.out = append(appendPythonString(d.out, e.name), ": "...)
		d.value(e.value, depth+1)
	}
	d.out = append(d.out, '}')
}

func (d *dumper) number(at int32, literal []byte) {
	switch string(literal) {
	case "NaN", "Infinity", "-Infinity":
		d.out = append(d.out, literal...)
		return
	case "-0":
		d.out = append(d.out, '0')
		return
	}
	if bytes.ContainsAny(literal, ".eE") {
		f, _ := strconv.ParseFloat(string(literal), 64) // ±Inf beyond the range, as in Python
		d.out = appendPythonFloat(d.out, f)
		return
	}
	if digitRun(bytes.TrimPrefix(literal, []byte{'-'})) > maxPythonDigits {
		d.fail(at, CodeInexactNumber, "an integer of more than 4300 digits, which Python refuses")
	}
	d.out = append(d.out, literal...)
}

// appendPythonFloat writes a float as Python's repr and json do.
func appendPythonFloat(dst []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	abs := math.Abs(f)
	if abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		return strconv.AppendFloat(dst, f, 'e', -1, 64) // both write at least two digits of exponent
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	if bytes.IndexByte(dst[start:], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	return dst
}

// pythonString reads a JSON string into UTF-8 in which a lone surrogate is
// written like any other code point of its size, so that it survives.
func pythonString(quoted []byte) ([]byte, bool) {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, utf8.Valid(inner)
	}
	out := make([]byte, 0, len(inner))
	for i := 0; i < len(inner); i++ {
		c := inner[i]
		if c != '\\' {
			out = append(out, c)
			continue
		}
		i++ // a quote does not end the string after a backslash, so there is a byte
		if c = inner[i]; c != 'u' {
			plain, ok := plainEscape(c)
			if !ok {
				return nil, false
			}
			out = append(out, plain)
			continue
		}
		r, ok := hex4(inner, i+1)
		if !ok {
			return nil, false
		}
		i += 4
		if low, ok := hex4(inner, i+3); utf16.IsSurrogate(r) && ok && inner[i+1] == '\\' && inner[i+2] == 'u' {
			if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
				r, i = full, i+6
			}
		}
		out = appendRune(out, r)
	}
	return out, utf8.Valid(inner)
}

func plainEscape(c byte) (byte, bool) {
	switch c {
	case '"', '\\', '/':
		return c, true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	}
	return 0, false
}

// hex4 reads four hex digits at s[at:].
func hex4(s []byte, at int) (rune, bool) {
	if at+4 > len(s) {
		return 0, false
	}
	var b [2]byte
	if _, err := hex.Decode(b[:], s[at:at+4]); err != nil {
		return 0, false
	}
	return rune(b[0])<<8 | rune(b[1]), true
}

// appendRune is utf8.AppendRune that keeps surrogates.
func appendRune(dst []byte, r rune) []byte {
	if utf16.IsSurrogate(r) {
		return append(dst, 0xE0|byte(r>>12), 0x80|byte(r>>6)&0x3F, 0x80|byte(r)&0x3F)
	}
	return utf8.AppendRune(dst, r)
}

// appendPythonString writes s with everything but printable ASCII escaped.
func appendPythonString(dst, s []byte) []byte {
	dst = append(dst, '"')
	for len(s) > 0 {
		c := s[0]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ' && c < 0x7f:
			dst = append(dst, c)
		case c < utf8.RuneSelf:
			dst = appendControl(dst, c)
		default:
			r, size := decodeRune(s)
			if r > 0xFFFF {
				high, low := utf16.EncodeRune(r)
				dst = appendEscape(dst, high)
				r = low
			}
			dst = appendEscape(dst, r)
			s = s[size:]
			continue
		}
		s = s[1:]
	}
	return append(dst, '"')
}

func appendControl(dst []byte, c byte) []byte {
	switch c {
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return appendEscape(dst, rune(c))
}

func appendEscape(dst []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

// decodeRune is utf8.DecodeRune that keeps surrogates.
func decodeRune(s []byte) (rune, int) {
	if len(s) >= 3 && s[0] == 0xED && s[1] >= 0xA0 {
		return rune(s[0]&0x0F)<<12 | rune(s[1]&0x3F)<<6 | rune(s[2]&0x3F), 3
	}
	return utf8.DecodeRune(s)
}
