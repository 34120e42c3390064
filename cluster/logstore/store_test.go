package logstore

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func create(t *testing.T) (*Store, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "raft.db")
	s, err := Create(path, "peer-1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, path
}

func entry(i uint64, data string) *raft.Log {
	return &raft.Log{Index: i, Term: 3, Type: raft.LogCommand, Data: []byte(data), Extensions: []byte("x")}
}

func TestEntriesComeBackAsTheyWere(t *testing.T) {
	s, _ := create(t)
	for i := uint64(1); i <= 5; i++ {
		if err := s.StoreLog(entry(i, "data")); err != nil {
			t.Fatal(err)
		}
	}
	var got raft.Log
	if err := s.GetLog(4, &got); err != nil {
		t.Fatal(err)
	}
	if got.Index != 4 || got.Term != 3 || string(got.Data) != "data" || string(got.Extensions) != "x" {
		t.Fatalf("got %+v", got)
	}
	if err := s.GetLog(6, &got); !errors.Is(err, raft.ErrLogNotFound) {
		t.Fatalf("got %v for an entry that is not there", err)
	}
	if err := s.Verify(0); err != nil {
		t.Fatal(err)
	}
	if s.Grown() != 25 {
		t.Fatalf("grown by %d bytes", s.Grown())
	}
}

// Every bit of an entry's data on disk is flipped in turn; none goes unseen.
func TestTrap6EveryFlippedBitOfAnEntryIsDetected(t *testing.T) {
	s, path := create(t)
	data := []byte("the whole entry!")
	for i := uint64(1); i <= 3; i++ {
		if err := s.StoreLog(entry(i, string(data))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DeleteRange(1, 1); err != nil {
		t.Fatal(err)
	}
	s.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.LastIndex(whole, data)
	for bit := range len(data) * 8 {
		bad := bytes.Clone(whole)
		for off := 0; ; { // bolt may keep older copies of the page
			i := bytes.Index(bad[off:], data)
			if i < 0 {
				break
			}
			bad[off+i+bit/8] ^= 1 << (bit % 8)
			off += i + len(data)
		}
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path, "peer-1")
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Verify(1); !errors.Is(err, ErrDamaged) {
			t.Fatalf("bit %d at %d: got %v", bit, at, err)
		}
		r.Close()
	}
}

func TestTrap6BoltAloneServesAnAlteredEntry(t *testing.T) {
	s, path := create(t)
	if err := s.StoreLog(entry(1, "altered-here")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	whole, _ := os.ReadFile(path)
	if err := os.WriteFile(path, bytes.ReplaceAll(whole, []byte("altered-here"), []byte("altered-hero")), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := raftboltdb.NewBoltStore(path)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var l raft.Log
	if err := b.GetLog(1, &l); err != nil || string(l.Data) != "altered-hero" {
		t.Fatalf("the store below now detects damage by itself (%v): is the wrapper still needed?", err)
	}
}

func TestTrap6AReaderOfADamagedEntryIsParkedAndTheStoreFails(t *testing.T) {
	s, _ := create(t)
	bad := *seal(entry(1, "data"))
	bad.Data = []byte("dbta")
	if err := s.bolt.StoreLog(&bad); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	returned := false
	go func() {
		defer close(done)
		var l raft.Log
		_ = s.GetLog(1, &l)
		returned = true
	}()
	if err := <-s.Failed(); !errors.Is(err, ErrDamaged) {
		t.Fatalf("got %v", err)
	}
	s.Release()
	<-done
	if returned {
		t.Fatal("the reader went on with a damaged entry: raft would panic")
	}
}

func TestTrap7AVoteIsWrittenAsOne(t *testing.T) {
	s, path := create(t)
	if _, err := s.GetUint64([]byte(keyVoteTerm)); err == nil || err.Error() != "not found" {
		t.Fatalf("raft compares this text: %v", err)
	}
	vote := func(s *Store, term uint64, who string) {
		t.Helper()
		if err := errors.Join(s.SetUint64([]byte(keyVoteTerm), term), s.Set([]byte(keyVoteCandidate), []byte(who))); err != nil {
			t.Fatal(err)
		}
	}
	vote(s, 7, "a")
	// The crash between raft's two writes: the term of the next vote, without its candidate.
	if err := s.SetUint64([]byte(keyVoteTerm), 8); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s, err := Open(path, "peer-1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	term, err := s.GetUint64([]byte(keyVoteTerm))
	who, err2 := s.Get([]byte(keyVoteCandidate))
	if err != nil || err2 != nil || term != 7 || string(who) != "a" {
		t.Fatalf("term %d, candidate %q, %v, %v: want the old vote, whole", term, who, err, err2)
	}
}

func TestADamagedValueIsDetected(t *testing.T) {
	s, _ := create(t)
	if err := s.SetUint64([]byte("CurrentTerm"), 9); err != nil {
		t.Fatal(err)
	}
	raw, _ := s.bolt.Get([]byte("CurrentTerm"))
	raw[7] ^= 1
	if err := s.bolt.Set([]byte("CurrentTerm"), raw); err != nil {
		t.Fatal(err)
	}
	if v, err := s.GetUint64([]byte("CurrentTerm")); !errors.Is(err, ErrDamaged) {
		t.Fatalf("got %d, %v", v, err)
	}
}

func TestAnIdIsNeverUsedOnAnotherLog(t *testing.T) {
	s, path := create(t)
	s.Close()
	if _, err := Create(path, "peer-2"); err == nil {
		t.Error("a log was taken over")
	}
	if _, err := Open(path, "peer-2"); !errors.Is(err, ErrDamaged) {
		t.Errorf("another peer's log was opened: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, "peer-1"); !errors.Is(err, ErrDamaged) {
		t.Errorf("an empty disk was taken for a log: %v", err)
	}
	if err := os.WriteFile(path, make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, "peer-1"); !errors.Is(err, ErrDamaged) {
		t.Errorf("a file of zeros was opened: %v", err)
	}
}

func TestAMissingEntryIsDetected(t *testing.T) {
	s, _ := create(t)
	for i := uint64(1); i <= 5; i++ {
		if err := s.StoreLog(entry(i, "data")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DeleteRange(1, 2); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(2); err != nil {
		t.Errorf("a compacted log: %v", err)
	}
	if err := s.Verify(1); !errors.Is(err, ErrDamaged) {
		t.Errorf("a hole before the log: %v", err)
	}
	if err := s.DeleteRange(4, 4); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(2); !errors.Is(err, ErrDamaged) {
		t.Errorf("a hole in the log: %v", err)
	}
}

// held is a log store whose writes wait.
type held struct {
	raft.LogStore
	begun, free chan struct{}
}

func (h held) StoreLogs([]*raft.Log) error {
	close(h.begun)
	<-h.free
	return nil
}

func TestTrap4TheTimeOfAWriteInFlightIsKnown(t *testing.T) {
	h := held{begun: make(chan struct{}), free: make(chan struct{})}
	s := NewStopwatch(h)
	if s.Writing(time.Now()) != 0 {
		t.Error("nothing is being written")
	}
	done := make(chan error)
	go func() { done <- s.StoreLog(entry(1, "data")) }()
	<-h.begun
	if d := s.Writing(time.Now().Add(time.Minute)); d < time.Minute || d > 2*time.Minute {
		t.Errorf("in flight for %v", d)
	}
	close(h.free)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if s.Writing(time.Now()) != 0 {
		t.Error("the write has ended")
	}
}
