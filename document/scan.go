package document

import (
	"bytes"
	"math"
	"strconv"
)

// The kinds of a node.
const (
	kindObject byte = '{'
	kindArray  byte = '['
	kindString byte = '"'
	kindNumber byte = '0'
	kindWord   byte = 't' // true, false, null
)

// node is a value, or the name of a member, at text[start:end].
type node struct {
	start, end int32
	next       int32 // where on the tape the node after this one's content is
	count      int32 // elements of an array, members of an object
	kind       byte
}

// scan finds where every value of a JSON text begins and ends. The tape has
// them in the order of the text: a container is followed by its content, in an
// object names and values alternate.
//
// It checks the grammar but for UTF-8, escapes and the uniqueness of names: texts
// have been through Compact once, and this has to be fast. With python it also
// reads the literals NaN, Infinity and -Infinity, as Python's json does.
func scan(text []byte, python bool) (scanned, error) {
	if len(text) >= math.MaxInt32 {
		return scanned{}, &Error{CodeTooLarge, "", "2 GiB or more"}
	}
	s := scanner{text: text, python: python}
	s.tape = make([]node, 0, len(text)/8+4)
	s.values()
	s.skip()
	if s.bad == "" && s.at < len(text) {
		s.bad = "text after the end of the JSON value"
	}
	if s.bad != "" {
		line, column := position(text, s.at)
		return scanned{}, &Error{CodeNotJSON, "", s.bad + ", line " + strconv.Itoa(line) + ", column " + strconv.Itoa(column)}
	}
	return s.scanned, nil
}

// scanned is what scan finds.
type scanned struct {
	tape   []node
	depth  int  // of the nesting, as Limits.Depth counts it
	spaced bool // there is white space between tokens
}

type scanner struct {
	scanned
	text   []byte
	at     int
	open   []int32 // the containers around, outermost first
	python bool
	bad    string // what is wrong at text[at], if anything
}

// values reads one value with all its content. It is a loop, so that depth
// costs no stack.
func (s *scanner) values() {
	for {
		s.skip()
		if s.at == len(s.text) {
			s.bad = "unexpected end"
			return
		}
		switch c := s.text[s.at]; c {
		case kindObject, kindArray:
			s.open = append(s.open, int32(len(s.tape)))
			s.depth = max(s.depth, len(s.open))
			s.push(c, s.at, s.at+1)
			s.at++
			s.skip()
			if s.at < len(s.text) && s.text[s.at] == c+2 { // '{'+2 is '}', '['+2 is ']'
				break
			}
			s.tape[s.open[len(s.open)-1]].count++
			if c == kindObject && !s.name() {
				return
			}
			continue
		case kindString:
			if !s.str() {
				return
			}
		default:
			if !s.scalar() {
				return
			}
		}
		if more := s.closeContainers(); !more {
			return
		}
	}
}

// closeContainers follows a value: it closes the containers that end here and
// tells whether another value is due.
func (s *scanner) closeContainers() bool {
	for len(s.open) > 0 {
		s.skip()
		if s.at == len(s.text) {
			s.bad = "unexpected end"
			return false
		}
		top := &s.tape[s.open[len(s.open)-1]]
		switch s.text[s.at] {
		case ',':
			s.at++
			top.count++
			if top.kind == kindArray {
				return true
			}
			s.skip()
			return s.name()
		case top.kind + 2:
			s.at++
			top.end, top.next = int32(s.at), int32(len(s.tape))
			s.open = s.open[:len(s.open)-1]
		default:
			s.bad = "a comma or the end of the object or array is missing"
			return false
		}
	}
	return false
}

// name reads the name of a member and its colon.
func (s *scanner) name() bool {
	if s.at == len(s.text) || s.text[s.at] != '"' {
		s.bad = "the name of a member is missing"
		return false
	}
	if !s.str() {
		return false
	}
	s.skip()
	if s.at == len(s.text) || s.text[s.at] != ':' {
		s.bad = "a colon is missing"
		return false
	}
	s.at++
	return true
}

func (s *scanner) str() bool {
	for i := s.at + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.push(kindString, s.at, i+1)
			s.at = i + 1
			return true
		case c == '\\':
			i++
		case c < ' ':
			s.at, s.bad = i, "a control character in a string"
			return false
		}
	}
	s.bad = "a string has no end"
	return false
}

func (s *scanner) scalar() bool {
	end := s.at
	for end < len(s.text) && !isDelimiter(s.text[end]) {
		end++
	}
	word := s.text[s.at:end]
	switch {
	case validNumber(word), s.python && isPythonNumber(word):
		s.push(kindNumber, s.at, end)
	case string(word) == "true", string(word) == "false", string(word) == "null":
		s.push(kindWord, s.at, end)
	default:
		s.bad = "a value is missing"
		return false
	}
	s.at = end
	return true
}

func (s *scanner) push(kind byte, start, end int) {
	s.tape = append(s.tape, node{start: int32(start), end: int32(end), next: int32(len(s.tape) + 1), kind: kind})
}

func (s *scanner) skip() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.spaced = true
			s.at++
		default:
			return
		}
	}
}

func isDelimiter(c byte) bool {
	switch c {
	case ',', ':', ']', '}', '[', '{', '"', ' ', '\t', '\n', '\r':
		return true
	}
	return false
}

// validNumber tells whether b is a number literal of RFC 8259.
func validNumber(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte{'-'})
	whole := digitRun(b)
	if whole == 0 || whole > 1 && b[0] == '0' {
		return false
	}
	b = b[whole:]
	if len(b) > 0 && b[0] == '.' {
		fraction := digitRun(b[1:])
		if fraction == 0 {
			return false
		}
		b = b[1+fraction:]
	}
	if len(b) > 0 && b[0]|0x20 == 'e' {
		b = b[1:]
		if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
			b = b[1:]
		}
		return len(b) > 0 && digitRun(b) == len(b)
	}
	return len(b) == 0
}

func digitRun(b []byte) int {
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	return n
}

func isPythonNumber(b []byte) bool {
	switch string(b) {
	case "NaN", "Infinity", "-Infinity":
		return true
	}
	return false
}
