package document

import "encoding/json"

// patchWriter writes the differences as a JSON Patch.
type patchWriter struct {
	out   []byte
	limit int // beyond this length replacing an enclosing container is shorter
}

func (w *patchWriter) full() bool { return len(w.out) > w.limit }

func (w *patchWriter) begin(op string, path []byte) {
	if w.out[len(w.out)-1] != '[' || len(w.out) > 1 {
		w.out = append(w.out, ',')
	}
	w.out = append(w.out, `{"op":"`...)
	w.out = append(w.out, op...)
	w.out = append(w.out, `","path":`...)
	w.out = appendQuoted(w.out, path)
}

func (w *patchWriter) withValue(op string, path []byte, v part) {
	w.begin(op, path)
	w.out = append(w.out, `,"value":`...)
	w.out = append(w.out, v.text()...)
	w.out = append(w.out, '}')
}

func (w *patchWriter) add(at place, v part)        { w.withValue("add", at.now, v) }
func (w *patchWriter) replace(at place, _, v part) { w.withValue("replace", at.now, v) }

func (w *patchWriter) remove(at place, _ part) {
	w.begin("remove", at.now)
	w.out = append(w.out, '}')
}

// within keeps what inside wrote if that is shorter than one replace.
func (w *patchWriter) within(at place, old, v part, inside func()) {
	start, outer := len(w.out), w.limit
	whole := len(`,{"op":"replace","path":"","value":}`) + len(at.now) + len(v.text())
	w.limit = min(outer, start+whole)
	inside()
	w.limit = outer
	if len(w.out) > start+whole {
		w.out = w.out[:start]
		w.replace(at, old, v)
	}
}

// changeList collects the differences for people.
type changeList []Change

func (l *changeList) full() bool { return false }

func (l *changeList) add(at place, v part) {
	*l = append(*l, Change{Op: "add", Path: string(at.new), Value: json.RawMessage(v.text())})
}

func (l *changeList) remove(at place, old part) {
	*l = append(*l, Change{Op: "remove", Path: string(at.old), Old: json.RawMessage(old.text())})
}

func (l *changeList) replace(at place, old, v part) {
	*l = append(*l, Change{Op: "replace", Path: string(at.new), Value: json.RawMessage(v.text()), Old: json.RawMessage(old.text())})
}

func (l *changeList) within(_ place, _, _ part, inside func()) { inside() }
