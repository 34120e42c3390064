package fsm

import (
	"bytes"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden logs anew")

// story drives a fleet through commands of every kind, by a seeded chance.
func story(f *testFleet, random *rand.Rand, steps int) {
	f.must(PutUser{User: User{Name: "root", Role: "admin", Password: "$argon2id$"}})
	f.must(PutPeer{Peer: Peer{ID: "p", Name: "ctl-1", Address: "127.0.0.1:1"}})
	f.must(CreateJoinToken{JoinToken{ID: "j", Hash: []byte("s"), Expires: 1 << 60}})
	for i := range 4 {
		f.enroll(fmt.Sprintf("n%d", i), "site", fmt.Sprint(i%2))
	}
	session := uint64(0)
	for range steps {
		n := uint32(random.IntN(4))
		if f.row(n) == nil {
			continue
		}
		switch random.IntN(14) {
		case 0, 1, 2:
			f.put(numbered(fmt.Sprintf("d%d", random.IntN(3)), random.IntN(9)), withSelector(numbered("s", random.IntN(9)), "site=0"))
		case 3:
			f.label(f.at(n).ID, "site", fmt.Sprint(random.IntN(3)))
		case 4, 5:
			session++
			f.hello(n, session, f.row(n).Reported, 0)
		case 6, 7, 8:
			f.ack(n, f.row(n).Session.ID)
		case 9:
			f.fails(n, f.row(n).Session.ID, named(refusal, "s"))
		case 10:
			f.fails(n, f.row(n).Session.ID, failing)
		case 11:
			f.must(RetryNodes{Nodes: []string{f.at(n).ID}, Resync: random.IntN(2) == 0})
		case 12:
			f.do(EndPush{Revision: uint64(random.IntN(9))})
			f.must(SetLiveness{Alive: []string{"p"}[:random.IntN(2)]})
		case 13:
			f.odds(random)
		}
	}
}

func (f *testFleet) at(ord uint32) (n *Node) {
	f.store.View(func(s *State) { n = s.NodeAt(ord) })
	return n
}

// odds are the rarer commands.
func (f *testFleet) odds(random *rand.Rand) {
	id := fmt.Sprint("x", random.IntN(5))
	switch random.IntN(6) {
	case 0:
		f.do(CreateToken{Token{ID: id, Hash: []byte(id), Owner: "root", Role: "viewer"}})
	case 1:
		f.do(OpenLogin{Login{ID: id, User: "root", Expires: 5}})
	case 2:
		f.must(Prune{})
	case 3:
		f.do(Commit{Edits: []Edit{{Document: "d1", Delete: true}}})
	case 4:
		e := numbered("big", random.IntN(100))
		f.must(StoreBlob{Sum: e.Blob, Size: e.Inline.Size, Total: len(e.Inline.Data), Data: e.Inline.Data[:3]})
	case 5:
		f.apply(Command{ID: id, Once: Once{Key: id, Hash: []byte(id)}, Body: Note{Action: "note", Outcome: "denied"}})
	}
}

func image(t testing.TB, s *Store) []byte {
	t.Helper()
	var out bytes.Buffer
	n, err := s.Snapshot().WriteTo(&out)
	if err != nil || n != int64(out.Len()) {
		t.Fatalf("snapshot: %d bytes told, %d written, %v", n, out.Len(), err)
	}
	return out.Bytes()
}

func replay(t testing.TB, s *Store, log [][]byte, from int) {
	t.Helper()
	for i, entry := range log[from:] {
		s.Apply(uint64(from+i+1), 1, entry)
	}
}

func TestSnapshotPlusLogIsTheFullReplay(t *testing.T) {
	for seed := range uint64(12) {
		f := newFleet(t)
		random := rand.New(rand.NewPCG(seed, 2))
		story(f, random, 150)
		want := image(t, f.store)
		again := NewStore()
		replay(t, again, f.log, 0)
		if !bytes.Equal(want, image(t, again)) {
			t.Fatalf("seed %d: a second replay of the log gives another state", seed)
		}
		for range 6 {
			at := 1 + random.IntN(len(f.log)-1)
			part, restored := NewStore(), NewStore()
			replay(t, part, f.log[:at], 0)
			if err := restored.Restore(bytes.NewReader(image(t, part))); err != nil {
				t.Fatal(err)
			}
			replay(t, restored, f.log, at)
			if !bytes.Equal(want, image(t, restored)) {
				t.Fatalf("seed %d: snapshot at %d plus the log is not the full replay", seed, at)
			}
		}
	}
}

func TestADamagedSnapshotIsRefusedAndChangesNothing(t *testing.T) {
	f := newFleet(t)
	story(f, rand.New(rand.NewPCG(1, 2)), 60)
	whole := image(t, f.store)
	for _, cut := range []int{0, 1, len(whole) / 2, len(whole) - 1} {
		if err := f.store.Restore(bytes.NewReader(whole[:cut])); !errors.Is(err, ErrSnapshot) {
			t.Errorf("a snapshot cut at %d of %d bytes: %v", cut, len(whole), err)
		}
	}
	if !bytes.Equal(whole, image(t, f.store)) {
		t.Error("a refused snapshot changed the state")
	}
}

// A golden log was written by the first version that knew its commands; it must
// replay for ever to the same state. -update writes those that are missing.
func TestGoldenLogsReplay(t *testing.T) {
	for path, tell := range map[string]func(*testFleet){
		"testdata/golden-1.log": func(f *testFleet) { story(f, rand.New(rand.NewPCG(42, 2)), 200) },
		"testdata/golden-2.log": instanceStory,
	} {
		t.Run(path, func(t *testing.T) {
			if _, err := os.Stat(path); *update && errors.Is(err, fs.ErrNotExist) {
				writeGolden(t, path, tell)
			}
			replayGolden(t, path)
		})
	}
}

func writeGolden(t *testing.T, path string, tell func(*testFleet)) {
	f := newFleet(t)
	tell(f)
	var out strings.Builder
	for _, entry := range f.log {
		fmt.Fprintln(&out, base64.StdEncoding.EncodeToString(entry))
	}
	f.store.View(func(s *State) { fmt.Fprintf(&out, "hash %016x revision %d\n", s.Hash(), s.LastRevision()) })
	if err := os.WriteFile(path, []byte(out.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// instanceStory has every command and field that instances brought.
func instanceStory(f *testFleet) {
	f.must(RaiseFeature{Level: featureInstances})
	f.must(PutPeer{Peer{ID: "p1", Name: "ctl-1"}})
	n := f.instance("hook-1", "role", "webhook")
	f.must(PutInstance{ID: "hook-1", Token: &[]byte{1}, TLS: &InstanceTLS{CA: "ca", ServerName: "a"}, Accepts: &[]string{"webhooks"},
		Relabel: map[string]*string{"site": ptr("x")}})
	f.put(numbered("webhooks", 1))
	f.must(PutDiscovery{Discovery{ID: "eu", Type: "dns", Config: "{}", Interval: 5000, Secret: []byte{2}}})
	f.must(Discovered{ID: "eu", Found: []Found{{Node: "eu-1", URL: "http://a", Accepts: []string{"webhooks"}}}})
	f.must(Discovered{ID: "eu", Error: "no such host"})
	f.must(Discovered{ID: "eu"})
	f.must(Reports{Peer: "p1", Unreachable: []Unreachable{{Node: n, Code: "timeout", Message: "no answer"}}})
	f.hello(n, 1, emptyManifest, 0)
	f.ack(n, 1)
	drifts(f, n, 100)
	f.must(RetryNodes{Nodes: []string{"hook-1"}, Resync: true, Documents: []string{"webhooks"}})
	f.put(numbered("webhooks", 2))
	f.must(Reports{Peer: "p1", Single: []Report{{Node: n, Session: 1, Seq: 101, Manifest: emptyManifest, Confirmed: true,
		Tried: &Position{1, uint64(len(f.log))}, Problems: []Problem{{Code: "refused"}},
		Observed: &Observed{Baselines: []Baseline{{"webhooks", 1, "ab"}}, Unmanaged: []string{"x"}, Warnings: []string{WarnNoAuth}}}}})
	f.must(DiscardDeadLetters{Nodes: []string{"hook-1"}})
	f.must(RemoveDiscovery{ID: "eu"})
}

func replayGolden(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, index := NewStore(), uint64(0)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if want, last := strings.CutPrefix(line, "hash "); last {
			s.View(func(state *State) {
				if got := fmt.Sprintf("%016x revision %d", state.Hash(), state.LastRevision()); got != want {
					t.Errorf("the log replays to %s, want %s", got, want)
				}
			})
			continue
		}
		entry, err := base64.StdEncoding.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		index++
		s.Apply(index, 1, entry)
	}
	select {
	case err := <-s.Failed():
		t.Fatal(err)
	default:
	}
}

func FuzzApply(f *testing.F) {
	seed := newFleet(f)
	story(seed, rand.New(rand.NewPCG(7, 2)), 40)
	for _, entry := range seed.log {
		f.Add(entry)
	}
	f.Fuzz(func(t *testing.T, entry []byte) {
		s := NewStore()
		replay(t, s, seed.log, 0)
		before := image(t, s)
		res := s.Apply(uint64(len(seed.log)+1), 1, entry)
		if errors.Is(res.Err, ErrUnknownCommand) && len(entry) > 0 {
			if _, err := Decode(entry); err != nil && !bytes.Equal(before, image(t, s)) {
				t.Fatal("an entry that cannot be read changed the state")
			}
		}
	})
}

func BenchmarkSnapshot(b *testing.B) {
	f := newFleet(b)
	for i := range 5000 {
		f.must(CreateEnrollToken{EnrollToken{ID: fmt.Sprint(i), Hash: []byte("h"), Uses: 1, Expires: 1 << 60}})
		f.must(EnrollNode{TokenID: fmt.Sprint(i), TokenHash: []byte("h"), Node: fmt.Sprint("n", i), PublicKey: []byte("k")})
	}
	f.put(numbered("a", 1))
	b.ReportAllocs()
	for b.Loop() {
		f.store.Snapshot()
	}
}

// BenchmarkCommit is one small change to a document of 10,000 nodes.
func BenchmarkCommit(b *testing.B) {
	f := newFleet(b)
	f.must(CreateEnrollToken{EnrollToken{ID: "many", Hash: []byte("h"), Uses: 1 << 20, Expires: 1 << 60}})
	for i := range 10_000 {
		f.must(EnrollNode{TokenID: "many", TokenHash: []byte("h"), Node: fmt.Sprint("n", i), PublicKey: []byte("k")})
	}
	f.put(numbered("a", -1))
	entries := make([][]byte, 512)
	for i := range entries {
		entries[i], _ = Encode(Command{Time: int64(i), Body: Commit{Edits: []Edit{numbered("a", i)}}})
	}
	index := uint64(len(f.log))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		index++
		f.store.Apply(index, 1, entries[i%len(entries)])
	}
}

// BenchmarkAcks is the confirmations of 10,000 nodes, in entries of 1,000.
func BenchmarkAcks(b *testing.B) {
	f := newFleet(b)
	f.must(CreateEnrollToken{EnrollToken{ID: "many", Hash: []byte("h"), Uses: 1 << 20, Expires: 1 << 60}})
	const nodes = 10_000
	for i := range nodes {
		f.must(EnrollNode{TokenID: "many", TokenHash: []byte("h"), Node: fmt.Sprint("n", i), PublicKey: []byte("k")})
		f.hello(uint32(i), uint64(i+1), emptyManifest, 0)
	}
	f.put(numbered("a", 1))
	var m *Manifest
	f.store.View(func(s *State) { m = s.Wanted(0) })
	index, seq := uint64(len(f.log)), uint64(1)
	b.ReportAllocs()
	for b.Loop() {
		seq++
		for start := 0; start < nodes; start += 1000 {
			g := AckGroup{Manifest: m.Sum, At: Position{1, index}, Versions: m.Versions.List}
			for i := start; i < start+1000; i++ {
				g.PackAck(uint32(i), uint64(i+1), seq)
			}
			entry, err := Encode(Command{Time: 1, Body: Reports{Peer: "p", Acks: []AckGroup{g}}})
			if err != nil {
				b.Fatal(err)
			}
			index++
			f.store.Apply(index, 1, entry)
		}
	}
	b.ReportMetric(float64(nodes)*float64(b.N)/b.Elapsed().Seconds(), "acks/s")
}
