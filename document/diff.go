package document

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// maxDiffDepth is where Diff and Changes stop to look inside: below it a
// difference is one replaced value. Documents end well above it.
const maxDiffDepth = 200

// Diff returns an RFC 6902 patch (compact JSON, "[]" where nothing differs) that
// turns the text from into the text to. It compares texts, not values: 1 and
// 1.0, or "é" and "\u00e9", differ and give a replace. Both are what Compact or
// CompactValue returned.
//
// Apply(from, Diff(from, to)) is to, byte for byte, but for the order of members
// in objects, which JSON Patch cannot express (new members go behind the
// others), and for escapes within the names of members that both have. So the
// two have one checksum and the same number literals.
//
// Elements of arrays that were inserted or removed are found, also in long
// arrays. Where the single steps would be longer than replacing the object or
// array as a whole, that is what the patch does; it is never longer than to by
// more than a few bytes. The result depends on the two texts alone.
func Diff(from, to []byte) ([]byte, error) {
	a, b, err := twoSources(from, to)
	if err != nil {
		return nil, err
	}
	w := &patchWriter{out: []byte{'['}, limit: math.MaxInt}
	d := differ{sink: w}
	d.value(part{src: a}, part{src: b}, 0)
	return append(w.out, ']'), nil
}

// Change is one difference, for people.
type Change struct {
	Op    string          `json:"op"`              // add, remove or replace
	Path  string          `json:"path"`            // RFC 6901; for a removed value where it was, else where it is now
	Value json.RawMessage `json:"value,omitempty"` // what is there now, unless removed
	Old   json.RawMessage `json:"old,omitempty"`   // what was there, unless added
}

// Changes lists what differs between two compact texts, in the order of the
// texts, each difference where it is: it never replaces a whole object to save
// bytes, as Diff does. Unlike those of a patch, the paths do not build on each
// other. The RawMessages share the memory of the texts.
func Changes(from, to []byte) ([]Change, error) {
	a, b, err := twoSources(from, to)
	if err != nil {
		return nil, err
	}
	var list changeList
	d := differ{sink: &list}
	d.value(part{src: a}, part{src: b}, 0)
	return list, nil
}

func twoSources(from, to []byte) (a, b *source, err error) {
	wide := Limits{Bytes: math.MaxInt32, Depth: 9999}
	if a, err = newSource(from, wide); err != nil {
		return nil, nil, err
	}
	b, err = newSource(to, wide)
	return a, b, err
}

// sink takes the differences that a differ finds, in an order in which they can
// be applied. Paths are only valid during the call.
type sink interface {
	add(at place, v part)
	remove(at place, old part)
	replace(at place, old, v part)
	// within calls inside, which reports the differences of two containers.
	within(at place, old, v part, inside func())
	// full tells that there is no point in looking further in this container.
	full() bool
}

// place is a pointer in three spellings, as the indexes of an array's elements
// differ: in the text so far, in the text before and in the text after.
type place struct{ now, old, new []byte }

func (p *place) cut(to [3]int) {
	p.now, p.old, p.new = p.now[:to[0]], p.old[:to[1]], p.new[:to[2]]
}

func (p *place) lengths() [3]int { return [3]int{len(p.now), len(p.old), len(p.new)} }

func (p *place) name(name []byte) {
	p.now, p.old, p.new = appendToken(p.now, name), appendToken(p.old, name), appendToken(p.new, name)
}

func (p *place) indexes(now, old, new int) {
	p.now = strconv.AppendInt(append(p.now, '/'), int64(now), 10)
	p.old = strconv.AppendInt(append(p.old, '/'), int64(old), 10)
	p.new = strconv.AppendInt(append(p.new, '/'), int64(new), 10)
}

// differ walks two texts in step.
type differ struct {
	at   place
	sink sink
}

func (d *differ) value(a, b part, depth int) {
	if bytes.Equal(a.text(), b.text()) {
		return
	}
	kind := a.kind()
	if kind != b.kind() || kind != kindObject && kind != kindArray || depth == maxDiffDepth {
		d.sink.replace(d.at, a, b)
		return
	}
	d.sink.within(d.at, a, b, func() {
		if kind == kindObject {
			d.object(a, b, depth)
		} else {
			d.array(a, b, depth)
		}
	})
}

func (d *differ) object(a, b part, depth int) {
	before, after := d.at.lengths(), newLookup(b)
	for at, end := a.first(), a.node().next; at < end && !d.sink.full(); at = a.src.tape[at].next {
		name := unquote(part{a.src, at}.text())
		at++
		d.at.name(name)
		if v, ok := after.take(name); ok {
			d.value(part{a.src, at}, v, depth+1)
		} else {
			d.sink.remove(d.at, part{a.src, at})
		}
		d.at.cut(before)
	}
	for i := range after.names {
		if d.sink.full() {
			return
		}
		if !after.taken[i] {
			d.at.name(after.names[i])
			d.sink.add(d.at, after.values[i])
			d.at.cut(before)
		}
	}
}

// lookup finds members of an object by name.
type lookup struct {
	names  [][]byte
	values []part
	taken  []bool
	byName map[string]int
	next   int // where the last one was found: mostly both texts have one order
}

func newLookup(p part) *lookup {
	n := p.node().count
	l := &lookup{names: make([][]byte, 0, n), values: make([]part, 0, n), taken: make([]bool, n)}
	for at, end := p.first(), p.node().next; at < end; at = p.src.tape[at].next {
		l.names = append(l.names, unquote(part{p.src, at}.text()))
		at++
		l.values = append(l.values, part{p.src, at})
	}
	return l
}

func (l *lookup) take(name []byte) (part, bool) {
	i, ok := l.find(name)
	if !ok || l.taken[i] {
		return part{}, false
	}
	l.taken[i], l.next = true, i+1
	return l.values[i], true
}

func (l *lookup) find(name []byte) (int, bool) {
	if l.next < len(l.names) && bytes.Equal(l.names[l.next], name) {
		return l.next, true
	}
	if len(l.names) <= 8 {
		for i := range l.names {
			if bytes.Equal(l.names[i], name) {
				return i, true
			}
		}
		return 0, false
	}
	if l.byName == nil {
		l.byName = make(map[string]int, len(l.names))
		for i := range l.names {
			l.byName[string(l.names[i])] = i
		}
	}
	i, ok := l.byName[string(name)]
	return i, ok
}

// array reports the differences of two arrays: what the alignment of their
// elements leaves over is removed, added, or compared in pairs.
func (d *differ) array(a, b part, depth int) {
	old, now := a.elements(), b.elements()
	before := d.at.lengths()
	shift := 0 // elements added less elements removed so far
	remove := func(i int) {
		d.at.indexes(i+shift, i, i)
		d.sink.remove(d.at, part{a.src, old[i]})
		shift--
		d.at.cut(before)
	}
	add := func(j int) {
		d.at.indexes(j, j, j)
		d.sink.add(d.at, part{b.src, now[j]})
		shift++
		d.at.cut(before)
	}
	i, j := 0, 0
	until := func(pi, pj int) {
		for ; i < pi && !d.sink.full(); i++ {
			remove(i)
		}
		for ; j < pj && !d.sink.full(); j++ {
			add(j)
		}
	}
	for _, p := range alignArrays(a, b, old, now) {
		if d.sink.full() {
			return
		}
		until(int(p.a), int(p.b))
		d.at.indexes(j, i, j)
		d.value(part{a.src, old[i]}, part{b.src, now[j]}, depth+1)
		d.at.cut(before)
		i, j = i+1, j+1
	}
	until(len(old), len(now))
}
