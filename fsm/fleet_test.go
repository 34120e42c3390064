package fsm

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/droverhq/drover/document"
)

// testFleet is a store with a cluster, driven by commands as the log would.
type testFleet struct {
	t     testing.TB
	store *Store
	log   [][]byte
	seq   uint64
}

func newFleet(t testing.TB) *testFleet {
	t.Helper()
	f := &testFleet{t: t, store: NewStore()}
	f.must(CreateCluster{ID: "c1", Name: "test"})
	f.must(CreateEnrollToken{Token: EnrollToken{ID: "t", Hash: []byte("h"), Uses: 100, Expires: 1 << 60}})
	return f
}

func (f *testFleet) apply(c Command) Result {
	f.t.Helper()
	if c.Time == 0 {
		c.Time = int64(len(f.log)+1) * 1000
	}
	if c.Actor.Name == "" {
		c.Actor = Actor{Name: "ann", Kind: "user"}
	}
	entry, err := Encode(c)
	if err != nil {
		f.t.Fatal(err)
	}
	f.log = append(f.log, entry)
	return f.store.Apply(uint64(len(f.log)), 1, entry)
}

func (f *testFleet) do(b Body) Result {
	f.t.Helper()
	return f.apply(Command{Body: b})
}

func (f *testFleet) must(b Body) Result {
	f.t.Helper()
	res := f.do(b)
	if res.Err != nil {
		f.t.Fatalf("%T: %v", b, res.Err)
	}
	return res
}

// refused applies a command that must change nothing.
func (f *testFleet) refused(code string, b Body) {
	f.t.Helper()
	before := f.tables()
	res := f.do(b)
	if Code(res.Err) != code {
		f.t.Fatalf("%T: got %v (code %q), want code %q", b, res.Err, Code(res.Err), code)
	}
	if !bytes.Equal(before, f.tables()) {
		f.t.Fatalf("%T was refused and changed the state", b)
	}
}

// tables is the state without what every command changes: position, audit.
func (f *testFleet) tables() []byte {
	snap := f.store.Snapshot()
	s := snap.state
	s.index, s.hash, s.now, s.audit, s.auditSeq, s.requests = 0, 0, 0, AuditLog{}, 0, requestLog{}
	var out bytes.Buffer
	if _, err := snap.WriteTo(&out); err != nil {
		f.t.Fatal(err)
	}
	return out.Bytes()
}

func (f *testFleet) enroll(id string, labels ...string) uint32 {
	f.t.Helper()
	f.must(EnrollNode{TokenID: "t", TokenHash: []byte("h"), Node: id, PublicKey: []byte(id)})
	if len(labels) > 0 {
		f.label(id, labels...)
	}
	return f.node(id).Ordinal
}

func (f *testFleet) label(id string, labels ...string) {
	f.t.Helper()
	set := map[string]*string{}
	for i := 0; i < len(labels); i += 2 {
		set[labels[i]] = &labels[i+1]
	}
	f.must(LabelNode{Node: id, Labels: set})
}

func (f *testFleet) node(id string) (n *Node) {
	f.store.View(func(s *State) { n = s.Node(id) })
	return n
}

// content makes an edit with a JSON text.
func content(name, text string) Edit {
	sum, blob := Compress([]byte(text))
	checksum, err := document.Sum([]byte(text))
	if err != nil {
		panic(err)
	}
	return Edit{Document: name, Blob: sum, Checksum: checksum, Inline: blob}
}

func numbered(name string, n int) Edit { return content(name, fmt.Sprintf(`{"n":%d}`, n)) }

func (f *testFleet) put(edits ...Edit) Result {
	f.t.Helper()
	return f.must(Commit{Edits: edits})
}

// versions is what a node is wanted to hold, as "document@version …".
func (f *testFleet) wanted(ord uint32) string {
	var out string
	f.store.View(func(s *State) { out = list(s.Wanted(ord)) })
	return out
}

func list(m *Manifest) string {
	out := ""
	for _, e := range m.Entries {
		if out != "" {
			out += " "
		}
		out += fmt.Sprintf("%s@%d", e.Target, e.Version.Number)
	}
	return out
}

// hello begins a session of a node that reports what sum says.
func (f *testFleet) hello(ord uint32, session uint64, sum Sum, at uint64) {
	f.t.Helper()
	f.must(Reports{Peer: "p", Single: []Report{{
		Node: ord, Session: session, Seq: 1, Manifest: sum, At: Position{1, at}, Confirmed: true,
		Open: &Open{Connection: session, Process: "x"},
	}}})
	f.seq = 1
}

// ack confirms what the node is wanted to hold now.
func (f *testFleet) ack(ord uint32, session uint64) {
	f.t.Helper()
	var m *Manifest
	f.store.View(func(s *State) { m = s.Wanted(ord) })
	f.seq++
	g := AckGroup{Manifest: m.Sum, At: Position{1, uint64(len(f.log))}, Versions: m.Versions.List}
	g.PackAck(ord, session, f.seq)
	f.must(Reports{Peer: "p", Acks: []AckGroup{g}})
}

// fails reports an error of the update to what is wanted now.
func (f *testFleet) fails(ord uint32, session uint64, problems ...Problem) {
	f.t.Helper()
	row := f.row(ord)
	tried := Position{1, uint64(len(f.log))}
	f.seq++
	f.must(Reports{Peer: "p", Single: []Report{{
		Node: ord, Session: session, Seq: f.seq, Manifest: row.Reported, At: tried, Confirmed: true,
		Tried: &tried, Problems: problems,
	}}})
}

func (f *testFleet) row(ord uint32) (row *Row) {
	f.store.View(func(s *State) { row = s.Row(ord) })
	return row
}

func (f *testFleet) status(ord uint32) (status Status) {
	f.store.View(func(s *State) { status = s.Status(ord) })
	return status
}

func (f *testFleet) expectStatus(ord uint32, want Status) {
	f.t.Helper()
	if got := f.status(ord); got != want {
		f.t.Fatalf("status of node %d is %s, want %s", ord, got, want)
	}
}

func (f *testFleet) expectWanted(ord uint32, want string) {
	f.t.Helper()
	if got := f.wanted(ord); got != want {
		f.t.Fatalf("node %d is wanted to hold %q, want %q", ord, got, want)
	}
}
