package document

import (
	"bytes"
	"slices"
)

// value is a place in the tree that a patch works on. It stays a piece of text
// until an operation has to look inside; what no operation touches is never
// taken apart.
type value struct {
	part
	open *container
}

// container is an object or an array that was taken apart.
type container struct {
	kind    byte
	members []member       // of an object, in order; removed ones stay as gaps
	names   map[string]int // members by name; made when linear search has become dear
	lookups int
	blocks  [][]value // of an array, in order; none is empty
	count   int       // elements
}

type member struct {
	name  []byte // as written, with its quotes
	value value
	gone  bool
}

// An array is kept in blocks so that inserting and removing cost little even in
// an array of 100,000 elements.
const blockSize = 512

func rawValue(text []byte) value { return value{part: part{src: &source{text: text}}} }

// look takes the value apart, if that was not done yet. It is nil for anything
// but an object or an array.
func (v *value) look() *container {
	if v.open != nil {
		return v.open
	}
	kind := v.kind()
	if kind != kindObject && kind != kindArray {
		return nil
	}
	if v.src.tape == nil {
		found, err := scan(v.src.text, false)
		if err != nil {
			return nil // cannot be: the text was cut from a scanned one
		}
		v.src = &source{v.src.text, found.tape, found.depth}
	}
	n := v.node()
	v.open = &container{kind: kind, count: int(n.count)}
	if kind == kindObject {
		v.open.members = make([]member, 0, n.count+1)
		for at := v.first(); at < n.next; at = v.src.tape[at].next {
			name := part{v.src, at}.text()
			at++
			v.open.members = append(v.open.members, member{name: name, value: value{part: part{v.src, at}}})
		}
		return v.open
	}
	all := make([]value, 0, n.count)
	for at := v.first(); at < n.next; at = v.src.tape[at].next {
		all = append(all, value{part: part{v.src, at}})
	}
	for block := range slices.Chunk(all, blockSize) {
		v.open.blocks = append(v.open.blocks, block)
	}
	return v.open
}

// find returns the place of a member, or -1.
func (c *container) find(name string) int {
	if c.names == nil {
		if c.lookups++; c.lookups > 4 && len(c.members) > 16 {
			c.index()
		}
	}
	if c.names != nil {
		if i, ok := c.names[name]; ok {
			return i
		}
		return -1
	}
	for i := range c.members {
		if m := &c.members[i]; !m.gone && sameName(m.name, name) {
			return i
		}
	}
	return -1
}

func (c *container) index() {
	c.names = make(map[string]int, len(c.members))
	for i, m := range c.members {
		if !m.gone {
			c.names[string(unquote(m.name))] = i
		}
	}
}

func sameName(quoted []byte, name string) bool {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1:len(quoted)-1]) == name
	}
	return string(unquote(quoted)) == name
}

// set replaces a member, or adds it behind the others.
func (c *container) set(name string, v value) {
	if i := c.find(name); i >= 0 {
		c.members[i].value = v
		return
	}
	c.members = append(c.members, member{name: appendQuoted(nil, name), value: v})
	if c.names != nil {
		c.names[name] = len(c.members) - 1
	}
	c.count++
}

func (c *container) removeMember(i int) {
	m := &c.members[i]
	if c.names != nil {
		delete(c.names, string(unquote(m.name)))
	}
	*m = member{gone: true}
	c.count--
}

// block finds the block of element i, and its place there.
func (c *container) block(i int) (block, place int) {
	for b := range c.blocks {
		if i < len(c.blocks[b]) {
			return b, i
		}
		i -= len(c.blocks[b])
	}
	return len(c.blocks), i
}

// element returns element i, which must be there.
func (c *container) element(i int) *value {
	b, place := c.block(i)
	return &c.blocks[b][place]
}

// insert puts v before element i, or at the end.
func (c *container) insert(i int, v value) {
	c.count++
	b, place := c.block(i)
	if b == len(c.blocks) {
		if b == 0 {
			c.blocks = append(c.blocks, []value{v})
			return
		}
		b--
		place = len(c.blocks[b])
	}
	c.blocks[b] = slices.Insert(c.blocks[b], place, v)
	if block := c.blocks[b]; len(block) > 2*blockSize {
		c.blocks = slices.Insert(c.blocks, b+1, slices.Clone(block[blockSize:]))
		c.blocks[b] = block[:blockSize:blockSize]
	}
}

func (c *container) removeElement(i int) {
	c.count--
	b, place := c.block(i)
	c.blocks[b] = slices.Delete(c.blocks[b], place, place+1)
	if len(c.blocks[b]) == 0 {
		c.blocks = slices.Delete(c.blocks, b, b+1)
	}
}

// appendTo writes the value as compact text.
func (v *value) appendTo(dst []byte) []byte {
	c := v.open
	if c == nil {
		return append(dst, v.text()...)
	}
	dst = append(dst, c.kind)
	start := len(dst)
	for i := range c.members {
		m := &c.members[i]
		if m.gone {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(append(dst, m.name...), ':')
		dst = m.value.appendTo(dst)
	}
	for _, block := range c.blocks {
		for i := range block {
			if len(dst) > start {
				dst = append(dst, ',')
			}
			dst = block[i].appendTo(dst)
		}
	}
	return append(dst, c.kind+2)
}
