package fleet

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"github.com/droverhq/drover/bench/load"
	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/wire"
)

// controller makes updates as a controller does.
type controller struct {
	t   *testing.T
	key ed25519.PrivateKey
	now uint64
}

func (c *controller) pinned() []ed25519.PublicKey {
	return []ed25519.PublicKey{c.key.Public().(ed25519.PublicKey)}
}

func (c *controller) frame(base, manifest string, documents ...wire.Document) []byte {
	c.t.Helper()
	c.now++
	h := wire.Header{Purpose: wire.PurposeUpdate, Cluster: "c", Epoch: 1, Index: c.now, Revision: c.now, Base: base, Manifest: manifest}
	u := wire.Update{Update: "u", Header: h.Text(), Documents: documents}
	u.Signature = wire.Sign(c.key, u.Header)
	frame, err := wire.Encode(u)
	if err != nil {
		c.t.Fatal(err)
	}
	return frame
}

func manifestOf(t *testing.T, text []byte) (manifest, sum string) {
	t.Helper()
	checksum, err := document.Sum(text)
	if err != nil {
		t.Fatal(err)
	}
	return document.ManifestSum([]document.Entry{{Target: "d", Checksum: checksum}}).String(), checksum.String()
}

func TestAnUpdateIsVerifiedOnceAndSplicedByEach(t *testing.T) {
	c := &controller{t: t, key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	one, two := load.Document(2048, load.Value(1)), load.Document(2048, load.Value(2))
	manifest1, sum1 := manifestOf(t, one)
	manifest2, _ := manifestOf(t, two)
	empty := nothing().manifest
	full := c.frame(empty, manifest1, wire.Document{Target: "d", Version: 1, Content: one})
	delta := c.frame(manifest1, manifest2, wire.Document{Target: "d", Version: 2, Base: sum1, Patch: load.Patch(load.Value(2))})

	f := &fleet{}
	nodes := []*node{{fleet: f, holds: nothing()}, {fleet: f, holds: nothing()}}
	for _, frame := range [][]byte{full, delta} {
		u, err := f.known.update(frame)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := f.known.update(frame); err != nil || again != u {
			t.Errorf("the same frame is verified again (%v)", err)
		}
		for _, n := range nodes {
			if problem := n.refuses(u); problem != nil {
				t.Fatalf("%+v", problem)
			}
			for _, e := range u.edits {
				n.edit(e)
			}
			n.holds, n.epoch, n.index = u.to, u.epoch, u.index
		}
	}
	for i, n := range nodes {
		if string(n.copies[0].text) != string(two) || n.holds.manifest != manifest2 {
			t.Errorf("node %d holds something else", i)
		}
	}
	if wrong := f.wrong.Load(); wrong != 0 {
		t.Errorf("%d checksums were wrong", wrong)
	}
	u, err := f.known.update(full)
	if err != nil {
		t.Fatal(err)
	}
	if problem := nodes[0].refuses(u); problem == nil || problem.Code != wire.CodeStaleIndex {
		t.Errorf("an older update is not refused: %+v", problem)
	}
	nodes[0].copies[0].text[0] = '?'
	nodes[0].edit(edit{target: "d", splice: load.Splice{}, crc: load.CRC(two)})
	if f.wrong.Load() != 1 {
		t.Error("a damaged document is not noticed")
	}
}

func TestUpdatesThatAreNoneAreFound(t *testing.T) {
	c := &controller{t: t, key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
	one := load.Document(1024, load.Value(1))
	manifest, _ := manifestOf(t, one)
	empty := nothing().manifest
	l := &library{}
	good := c.frame(empty, manifest, wire.Document{Target: "d", Version: 1, Content: one})
	other := &controller{t: t, key: ed25519.NewKeyFromSeed([]byte(strings.Repeat("x", ed25519.SeedSize)))}
	if _, err := l.update(good); err != nil {
		t.Fatal(err)
	}
	if wrong := l.checkSignatures(c.pinned()); wrong != 0 {
		t.Errorf("%d signatures of the controller are none", wrong)
	}
	if _, err := l.update(other.frame(empty, manifest, wire.Document{Target: "d", Version: 1, Content: one})); err != nil {
		t.Fatal(err)
	}
	if wrong := l.checkSignatures(c.pinned()); wrong != 1 {
		t.Errorf("%d foreign signatures were found, want 1", wrong)
	}
	if _, err := l.update(c.frame(empty, empty, wire.Document{Target: "d", Version: 1, Content: one})); err == nil {
		t.Error("a manifest that does not come out is taken")
	}
	unknown, _ := manifestOf(t, load.Document(1024, load.Value(2)))
	u, err := l.update(c.frame(unknown, manifest))
	if err != nil || u.problem == nil || u.problem.Code != wire.CodeBaseMismatch {
		t.Errorf("an unknown base: %+v %v", u, err)
	}
}

func TestTheLastConfirmationIsTold(t *testing.T) {
	tr := &tracker{all: 2}
	if _, last := tr.confirmed(5, 1, 1); last {
		t.Error("one of two is not the last")
	}
	if _, last := tr.confirmed(4, 1, 1); last {
		t.Error("an older change counts")
	}
	if e, last := tr.confirmed(5, 600, 120); !last || e.Revision != 5 || e.Count != 2 || e.Frame != 600 || e.Last < e.First {
		t.Errorf("%+v %v", e, last)
	}
	if _, last := tr.confirmed(6, 1, 1); last {
		t.Error("a new change begins with the count of the old one")
	}
}
