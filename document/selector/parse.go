package selector

import (
	"fmt"
	"slices"
	"strings"

	"github.com/droverhq/drover/document"
)

// The codes of the errors of this package, which are all *document.Error.
const (
	CodeBadSelector = "bad_selector"
	CodeBadLabel    = "bad_label" // Pointer names the label
)

// MaxBytes is the length of the longest selector.
const MaxBytes = 4096

// Parse reads a selector. Keys and values must be valid labels (see
// ValidLabels). Errors are a *document.Error that quotes the place.
func Parse(s string) (Selector, error) {
	if len(s) > MaxBytes {
		return Selector{}, tooLong(len(s))
	}
	p := &parser{text: s}
	p.next()
	var out Selector
	for first := true; p.token != tokenEnd; first = false {
		if !first {
			if p.token != tokenComma {
				return Selector{}, p.errorf("a comma is missing before %s", p)
			}
			p.next()
		}
		r, err := p.requirement()
		if err != nil {
			return Selector{}, err
		}
		out.requirements = append(out.requirements, r)
	}
	slices.SortFunc(out.requirements, compareRequirements)
	out.requirements = slices.CompactFunc(out.requirements, func(a, b requirement) bool { return compareRequirements(a, b) == 0 })
	if n := len(out.String()); n > MaxBytes { // "a in(b)" gains a space
		return Selector{}, tooLong(n)
	}
	return out, nil
}

func tooLong(n int) error {
	return &document.Error{Code: CodeBadSelector, Message: fmt.Sprintf("the selector has %d bytes, %d are allowed", n, MaxBytes)}
}

type token byte

const (
	tokenEnd token = iota
	tokenWord
	tokenComma
	tokenOpen
	tokenClose
	tokenNot
	tokenEquals // = and ==
	tokenNotEquals
	tokenOther
)

type parser struct {
	text  string
	at    int // behind the current token
	start int
	token token
	word  string
}

// String names the current token for a message.
func (p *parser) String() string {
	if p.token == tokenEnd {
		return "the end"
	}
	return fmt.Sprintf("%q", p.text[p.start:p.at])
}

func (p *parser) errorf(format string, args ...any) error {
	return &document.Error{Code: CodeBadSelector, Message: fmt.Sprintf("selector %q, column %d: ", clip(p.text), p.start+1) + fmt.Sprintf(format, args...)}
}

// next moves to the next token.
func (p *parser) next() {
	for p.at < len(p.text) && isSpace(p.text[p.at]) {
		p.at++
	}
	p.start, p.word = p.at, ""
	if p.at == len(p.text) {
		p.token = tokenEnd
		return
	}
	rest := p.text[p.at:]
	switch {
	case strings.HasPrefix(rest, "=="):
		p.token, p.at = tokenEquals, p.at+2
	case strings.HasPrefix(rest, "!="):
		p.token, p.at = tokenNotEquals, p.at+2
	case isSymbol(rest[0]):
		p.token, p.at = symbol(rest[0]), p.at+1
	default:
		end := 0
		for end < len(rest) && !isSpace(rest[end]) && !isSymbol(rest[end]) {
			end++
		}
		p.token, p.word, p.at = tokenWord, rest[:end], p.at+end
	}
}

func isSpace(c byte) bool  { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }
func isSymbol(c byte) bool { return strings.IndexByte("=!(),<>", c) >= 0 }

func symbol(c byte) token {
	switch c {
	case '=':
		return tokenEquals
	case '!':
		return tokenNot
	case '(':
		return tokenOpen
	case ')':
		return tokenClose
	case ',':
		return tokenComma
	}
	return tokenOther
}

func (p *parser) requirement() (requirement, error) {
	r := requirement{op: opExists}
	if p.token == tokenNot {
		r.op = opAbsent
		p.next()
	}
	if p.token != tokenWord {
		return r, p.errorf("the key of a label is expected, not %s", p)
	}
	if problem := keyProblem(p.word); problem != "" {
		return r, p.errorf("the key %q %s", clip(p.word), problem)
	}
	r.key = p.word
	p.next()
	if r.op == opAbsent || p.token == tokenEnd || p.token == tokenComma {
		return r, nil
	}
	var err error
	switch {
	case p.token == tokenEquals, p.token == tokenNotEquals:
		r.op = opEquals
		if p.token == tokenNotEquals {
			r.op = opNotEquals
		}
		p.next()
		r.values, err = p.oneValue()
	case p.token == tokenWord && p.word == "in", p.token == tokenWord && p.word == "notin":
		r.op = opIn
		if p.word == "notin" {
			r.op = opNotIn
		}
		p.next()
		r.values, err = p.valueList()
	case p.token == tokenOther:
		return r, p.errorf("%s is not supported: use =, !=, in (…), notin (…), a key alone or !key", p)
	default:
		return r, p.errorf("one of =, ==, !=, in and notin is expected, not %s", p)
	}
	return r, err
}

// oneValue reads the value behind = or !=; nothing is the empty value.
func (p *parser) oneValue() ([]string, error) {
	if p.token == tokenEnd || p.token == tokenComma {
		return []string{""}, nil
	}
	value, err := p.value()
	return []string{value}, err
}

func (p *parser) value() (string, error) {
	if p.token != tokenWord {
		return "", p.errorf("a value is expected, not %s", p)
	}
	if problem := valueProblem(p.word); problem != "" {
		return "", p.errorf("the value %q %s", clip(p.word), problem)
	}
	value := p.word
	p.next()
	return value, nil
}

// valueList reads "(a, b)"; where nothing stands between two commas, that is
// the empty value, but "()" has none and is refused.
func (p *parser) valueList() ([]string, error) {
	if p.token != tokenOpen {
		return nil, p.errorf(`"(" is expected, not %s`, p)
	}
	p.next()
	if p.token == tokenClose {
		return nil, p.errorf("the list of values is empty")
	}
	var values []string
	for {
		value := ""
		if p.token != tokenComma && p.token != tokenClose {
			var err error
			if value, err = p.value(); err != nil {
				return nil, err
			}
		}
		values = append(values, value)
		if p.token == tokenClose {
			p.next()
			slices.Sort(values)
			return slices.Compact(values), nil
		}
		if p.token != tokenComma {
			return nil, p.errorf(`"," or ")" is expected, not %s`, p)
		}
		p.next()
	}
}

func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
