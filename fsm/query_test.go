package fsm

import (
	"crypto/sha256"
	"testing"

	"github.com/droverhq/drover/document"
)

// queryStore is a store with a cluster and three nodes of two sites.
func queryStore(t *testing.T) (*Store, func(Body) Result) {
	t.Helper()
	store, index := NewStore(), uint64(0)
	apply := func(b Body) Result {
		t.Helper()
		entry, err := Encode(Command{Time: 1, Body: b})
		if err != nil {
			t.Fatal(err)
		}
		index++
		return store.Apply(index, 1, entry)
	}
	apply(CreateCluster{ID: "c", Name: "c"})
	for node, site := range map[string]string{"a": "one", "b": "one", "c": "two"} {
		apply(CreateEnrollToken{EnrollToken{ID: node, Hash: []byte(node), Labels: map[string]string{"site": site}, Uses: 1, Expires: 2}})
		if res := apply(EnrollNode{TokenID: node, TokenHash: []byte(node), Node: node, PublicKey: []byte(node)}); res.Err != nil {
			t.Fatal(res.Err)
		}
	}
	return store, apply
}

func queryEdit(t *testing.T, name, text string, selector *string) Edit {
	t.Helper()
	sum, err := document.Sum([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	blob, data := Compress([]byte(text))
	return Edit{Document: name, Blob: blob, Checksum: sum, Inline: data, Selector: selector}
}

func TestAPreviewTellsWhatACommitWouldDoAndChangesNothing(t *testing.T) {
	store, apply := queryStore(t)
	one, two := "site=one", "site=two"
	if res := apply(Commit{Edits: []Edit{queryEdit(t, "x", `{"v":1}`, &one)}}); res.Err != nil {
		t.Fatal(res.Err)
	}
	for _, c := range []struct {
		name   string
		edits  []Edit
		nodes  int
		byX    int
		refuse string
	}{
		{"a new content reaches who holds it", []Edit{queryEdit(t, "x", `{"v":2}`, nil)}, 2, 2, ""},
		{"a new selector reaches who loses and who gains it", []Edit{{Document: "x", Selector: &two}}, 3, 3, ""},
		{"the same again reaches nobody", []Edit{queryEdit(t, "x", `{"v":1}`, nil)}, 0, 0, ""},
		{"a deletion reaches who held it", []Edit{{Document: "x", Delete: true}}, 2, 2, ""},
		{"two documents count a node once", []Edit{queryEdit(t, "x", `{"v":2}`, nil), queryEdit(t, "y", `{}`, &one)}, 2, 2, ""},
		{"a clash of targets is told", []Edit{{Document: "y", Blob: Sum{1}, Inline: &Blob{Size: 2}, Target: new("x")}}, 0, 0, CodeConflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			var (
				p      Preview
				err    error
				before uint64
			)
			store.View(func(s *State) {
				before = s.Hash()
				p, err = s.Preview(Command{}, Commit{Edits: c.edits})
			})
			if Code(err) != c.refuse || p.Nodes != c.nodes || p.ByDocument["x"] != c.byX {
				t.Errorf("preview %+v, error %v", p, err)
			}
			store.View(func(s *State) {
				if s.Hash() != before || s.Document("y") != nil || s.Document("x").Current().Number != 1 {
					t.Error("the preview changed the state")
				}
			})
		})
	}
}

func TestAContentThatWasCheckedAgainstAnotherSchemaIsRefused(t *testing.T) {
	_, apply := queryStore(t)
	schema, none := `{"type":"object"}`, Sum(sha256.Sum256(nil))
	first := queryEdit(t, "x", `{"v":1}`, nil)
	first.Schema = &schema
	second := queryEdit(t, "x", `{"v":2}`, nil)
	second.Against = &none
	if res := apply(Commit{Edits: []Edit{first}}); res.Err != nil {
		t.Fatal(res.Err)
	}
	if res := apply(Commit{Edits: []Edit{second}}); Code(res.Err) != CodeSchemaMoved {
		t.Fatalf("error %v", res.Err)
	}
	against := Sum(sha256.Sum256([]byte(schema)))
	second.Against = &against
	if res := apply(Commit{Edits: []Edit{second}}); res.Err != nil {
		t.Fatal(res.Err)
	}
}
