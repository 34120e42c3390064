package document

import (
	"bytes"
	"fmt"
	"math"
	"strings"
)

// patchSlack is how much longer than a document a patch may be: one that
// replaces a whole document of the largest size must be possible.
const patchSlack = 1 << 10

// copyFactor bounds what copy and test operations move about, in multiples of
// the largest document: twenty copies that double each other make a million.
const copyFactor = 8

// Apply applies an RFC 6902 patch to a compact text and returns the new text,
// compact as well. It is all or nothing. Everything that no operation touches
// stays as it was written: number literals, string escapes, key order; a
// replaced member keeps its place, a new one goes behind the others, and values
// of the patch come out as the patch has them.
//
// text is what Compact or CompactValue returned (any other is made compact
// first, where that is noticed); patch may be any JSON text. lim bounds the
// result, and the patch, which may be 1 KiB longer. A test operation compares
// numbers by value (1 equals 1.0) and objects without regard to order.
//
// The result may be something else than an object, see IsObject. Errors are an
// *Error whose Message begins with the number of the operation, from 1, and
// whose Pointer is the place in the text that it failed at.
func Apply(text, patch []byte, lim Limits) ([]byte, error) {
	lim = lim.orDefault()
	src, err := newSource(text, lim)
	if err != nil {
		return nil, err
	}
	operations, depth, err := parsePatch(patch, lim)
	if err != nil {
		return nil, err
	}
	p := patcher{root: value{part: part{src: src}}, budget: copyFactor * (int64(lim.Bytes) + int64(len(text)))}
	for i, op := range operations {
		if err := p.apply(op); err != nil {
			return nil, inOperation(i, op.op, err)
		}
	}
	out := p.root.appendTo(make([]byte, 0, len(src.text)+len(patch)))
	if len(out) > lim.Bytes {
		return nil, &Error{CodeTooLarge, "", fmt.Sprintf("the result has %d bytes, the limit is %d", len(out), lim.Bytes)}
	}
	// Mostly the operations show that the result cannot be too deep.
	if max(depth, src.depth) > lim.Depth && depthOf(out) > lim.Depth {
		return nil, &Error{CodeTooDeep, "", fmt.Sprintf("the result is nested deeper than the limit of %d", lim.Depth)}
	}
	return out, nil
}

func inOperation(i int, op string, err error) error {
	e := asError(err)
	if op == "" {
		op = "?"
	}
	return &Error{e.Code, e.Pointer, fmt.Sprintf("operation %d (%s): %s", i+1, op, e.Message)}
}

// operation is one step of a patch.
type operation struct {
	op         string
	path, from string
	value      value
	hasValue   bool
}

// parsePatch returns the operations and a bound of the depth to which they can
// put something.
func parsePatch(patch []byte, lim Limits) (operations []operation, depth int, err error) {
	// An operation adds an array and an object around the value.
	compacted, err := CompactValue(patch, Limits{Bytes: lim.Bytes + patchSlack, Depth: lim.Depth + 2})
	if err != nil {
		e := asError(err)
		return nil, 0, &Error{e.Code, e.Pointer, "the patch: " + e.Message}
	}
	src, err := newSource(compacted, lim)
	if err != nil {
		return nil, 0, err
	}
	root := part{src: src}
	if root.kind() != kindArray {
		return nil, 0, &Error{CodeBadPatch, "", "the patch is not an array of operations"}
	}
	operations = make([]operation, 0, root.node().count)
	for _, at := range root.elements() {
		o, err := parseOperation(part{src, at})
		if err != nil {
			return nil, 0, inOperation(len(operations), o.op, err)
		}
		operations = append(operations, o)
		if o.op == "move" || o.op == "copy" {
			depth = math.MaxInt // depends on what is there
		}
		depth = max(depth, strings.Count(o.path, "/")+src.depth-2)
	}
	return operations, depth, nil
}

func parseOperation(p part) (operation, error) {
	var o operation
	if p.kind() != kindObject {
		return o, &Error{CodeBadPatch, "", "it is not an object"}
	}
	var hasPath, hasFrom bool
	tape := p.src.tape
	for at := p.first(); at < p.node().next; at = tape[at].next {
		name := string(unquote(part{p.src, at}.text()))
		at++
		v := part{p.src, at}
		switch name {
		case "value":
			o.value, o.hasValue = value{part: v}, true
			continue
		case "op", "path", "from":
		default:
			continue // RFC 6902: other members are ignored
		}
		if v.kind() != kindString {
			return o, &Error{CodeBadPatch, "", "its " + name + " is not a string"}
		}
		s := string(unquote(v.text()))
		switch name {
		case "op":
			o.op = s
		case "path":
			o.path, hasPath = s, true
		case "from":
			o.from, hasFrom = s, true
		}
	}
	return o, o.check(hasPath, hasFrom)
}

func (o *operation) check(hasPath, hasFrom bool) error {
	switch o.op {
	case "add", "replace", "test":
		if !o.hasValue {
			return &Error{CodeBadPatch, "", "it has no value"}
		}
	case "move", "copy":
		if !hasFrom {
			return &Error{CodeBadPatch, "", "it has no from"}
		}
	case "remove":
	case "":
		return &Error{CodeBadPatch, "", "it has no op"}
	default:
		return &Error{CodeBadPatch, "", "its op is none of add, remove, replace, move, copy, test"}
	}
	if !hasPath {
		return &Error{CodeBadPatch, "", "it has no path"}
	}
	return nil
}

// patcher applies operations to a tree of its own.
type patcher struct {
	root   value
	budget int64 // bytes that copy and test may still write out
}

func (p *patcher) apply(o operation) error {
	switch o.op {
	case "add":
		return p.add(o.path, o.value)
	case "remove":
		_, err := p.remove(o.path)
		return err
	case "replace":
		at, err := p.get(o.path)
		if err != nil {
			return err
		}
		*at = o.value
		return nil
	case "move":
		return p.move(o.from, o.path)
	case "copy":
		at, err := p.get(o.from)
		if err != nil {
			return err
		}
		copied, err := p.copy(at)
		if err != nil {
			return err
		}
		return p.add(o.path, copied)
	}
	return p.test(o)
}

func (p *patcher) move(from, path string) error {
	if strings.HasPrefix(path, from) && len(path) > len(from) && path[len(from)] == '/' {
		return &Error{CodeBadPatch, from, "a value cannot be moved into itself"}
	}
	if from == path {
		_, err := p.get(from)
		return err
	}
	moved, err := p.remove(from)
	if err != nil {
		return err
	}
	return p.add(path, moved)
}

func (p *patcher) test(o operation) error {
	at, err := p.get(o.path)
	if err != nil {
		return err
	}
	copied, err := p.copy(at)
	if err != nil {
		return err
	}
	found := copied.text()
	same, err := equalValues(found, o.value.text())
	if err != nil {
		return err
	}
	if !same {
		return &Error{CodeTestFailed, o.path, "the value there is " + clip(string(found), 80)}
	}
	return nil
}

// equalValues compares two compact texts as RFC 6902 wants: by JSON value.
func equalValues(a, b []byte) (bool, error) {
	if bytes.Equal(a, b) {
		return true, nil
	}
	if kindOf(a) != kindOf(b) {
		return false, nil
	}
	a, err := Canonical(a)
	if err != nil {
		return false, err
	}
	if b, err = Canonical(b); err != nil {
		return false, err
	}
	return bytes.Equal(a, b), nil
}

// copy returns the value as one piece of text and takes its length from the
// budget. A patch of 1 MiB could otherwise make gigabytes.
func (p *patcher) copy(v *value) (value, error) {
	copied := value{part: v.part}
	if v.open != nil {
		copied = rawValue(v.appendTo(nil))
	}
	if p.budget -= int64(len(copied.text())); p.budget < 0 {
		return value{}, &Error{CodeTooLarge, "", "the patch copies and tests too much"}
	}
	return copied, nil
}

// get returns the value at a pointer, which must be there.
func (p *patcher) get(pointer string) (*value, error) {
	tokens, err := parsePointer(pointer)
	if err != nil {
		return nil, err
	}
	return p.walk(pointer, tokens)
}

// walk follows tokens, the reference tokens of pointer or the first ones.
func (p *patcher) walk(pointer string, tokens []string) (*value, error) {
	at := &p.root
	for i, token := range tokens {
		c := at.look()
		if c == nil {
			return nil, missing(pointer, i, "is neither an object nor an array")
		}
		if c.kind == kindObject {
			place := c.find(token)
			if place < 0 {
				return nil, missing(pointer, i, "has no member "+quoteClip(token))
			}
			at = &c.members[place].value
			continue
		}
		index, err := c.place(pointer, i, token, c.count-1)
		if err != nil {
			return nil, err
		}
		at = c.element(index)
	}
	return at, nil
}

// place reads the index of an array element.
func (c *container) place(pointer string, i int, token string, last int) (int, error) {
	index, ok := arrayIndex(token)
	if !ok {
		return 0, missing(pointer, i, "is an array and "+quoteClip(token)+" no index of it")
	}
	if index > last {
		return 0, missing(pointer, i, fmt.Sprintf("has %d elements and none at %d", c.count, index))
	}
	return index, nil
}

// missing says that the value at the first i tokens of pointer will not do.
func missing(pointer string, i int, what string) error {
	container := "the whole text"
	if i > 0 {
		end := 0
		for ; i > 0; i-- {
			end += 1 + strings.IndexByte(pointer[end+1:], '/')
		}
		container = quoteClip(pointer[:end])
	}
	return &Error{CodeNoSuchPath, pointer, container + " " + what}
}

// parent returns the container that the last token of a pointer is about.
func (p *patcher) parent(pointer string) (c *container, last string, depth int, err error) {
	tokens, err := parsePointer(pointer)
	if err != nil {
		return nil, "", 0, err
	}
	depth = len(tokens) - 1
	at, err := p.walk(pointer, tokens[:depth])
	if err != nil {
		return nil, "", 0, err
	}
	if c = at.look(); c == nil {
		return nil, "", 0, missing(pointer, depth, "is neither an object nor an array")
	}
	return c, tokens[depth], depth, nil
}

func (p *patcher) add(pointer string, v value) error {
	if pointer == "" {
		p.root = v
		return nil
	}
	c, last, depth, err := p.parent(pointer)
	if err != nil {
		return err
	}
	if c.kind == kindObject {
		c.set(last, v)
		return nil
	}
	index := c.count
	if last != "-" {
		if index, err = c.place(pointer, depth, last, c.count); err != nil {
			return err
		}
	}
	c.insert(index, v)
	return nil
}

// remove takes a value out of the tree and returns it.
func (p *patcher) remove(pointer string) (value, error) {
	if pointer == "" {
		return value{}, &Error{CodeBadPatch, "", "the whole text cannot be removed"}
	}
	c, last, depth, err := p.parent(pointer)
	if err != nil {
		return value{}, err
	}
	if c.kind == kindObject {
		place := c.find(last)
		if place < 0 {
			return value{}, missing(pointer, depth, "has no member "+quoteClip(last))
		}
		v := c.members[place].value
		c.removeMember(place)
		return v, nil
	}
	index, err := c.place(pointer, depth, last, c.count-1)
	if err != nil {
		return value{}, err
	}
	v := *c.element(index)
	c.removeElement(index)
	return v, nil
}

// depthOf returns how deep a compact text is nested.
func depthOf(text []byte) int {
	deepest, depth := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			for i++; text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			deepest = max(deepest, depth)
		case '}', ']':
			depth--
		}
	}
	return deepest
}
