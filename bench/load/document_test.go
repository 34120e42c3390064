package load

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/droverhq/drover/document"
)

func TestTheDocumentIsWhatThePatchMakesOfIt(t *testing.T) {
	for _, size := range []int{1 << 10, 10 << 10, 1 << 20} {
		from, want := Document(size, Value(1)), Document(size, Value(2))
		if len(from) < size-100 || len(from) > size {
			t.Errorf("asked for %d bytes, got %d", size, len(from))
		}
		got, err := document.Apply(from, Patch(Value(2)), document.Limits{Bytes: 2 << 20, Depth: 32})
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("the patch makes something else (%v)", err)
		}
		if got := Between(from, want).Apply(bytes.Clone(from)); !bytes.Equal(got, want) {
			t.Errorf("the splice makes something else")
		}
	}
}

func TestSplices(t *testing.T) {
	texts := []string{"", "a", "aa", "aaa", "abc", "abcabc", "xabcabcy", "abdabc"}
	for _, from := range texts {
		for _, to := range texts {
			if got := Between([]byte(from), []byte(to)).Apply([]byte(from)); string(got) != to {
				t.Errorf("%q to %q gives %q", from, to, got)
			}
		}
	}
}

func TestTheFloorTellsTheSameChange(t *testing.T) {
	text := Document(10<<10, Value(0))
	frame, err := FloorMessage(7, text)
	if err != nil {
		t.Fatal(err)
	}
	if len(frame) != FloorFrame {
		t.Errorf("the frame has %d bytes: %s", len(frame), frame)
	}
	if want := Document(10<<10, Value(7)); !bytes.Equal(text, want) {
		t.Error("the document is another one")
	}
	var f Floor
	if err := json.Unmarshal(frame, &f); err != nil || f.CRC != CRC(text) || f.Value != Value(7) {
		t.Errorf("%+v %v", f, err)
	}
}
