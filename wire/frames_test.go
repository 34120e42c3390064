package wire

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// golden is for a deliberate change of the contract; the difference belongs in
// the review.
var golden = flag.Bool("golden", false, "write the golden frames anew")

// frames has every message with every field, so that the golden files show the
// whole contract.
func frames() []Message {
	sum := "T1PNoYwrqgwDVLtfmj7L5e0Sq02OEbqHPC8RFhICuUU"
	header := Header{Purpose: PurposeUpdate, Cluster: "c-1", Epoch: 2, Index: 57, Revision: 9, Audience: "aud", Base: sum, Manifest: sum}
	return []Message{
		Challenge{Nonce: "bm9uY2U", Cluster: "c-1", Peer: "ctl-1"},
		Hello{Node: "edge-1", Proof: "cHJvb2Y", Process: "cHJvYw", Connection: 1<<53 - 1, AgentVersion: "1.0.0", Capabilities: []string{"x"},
			Facts: map[string]string{"os": "linux"}, Epoch: 2, Index: 56, Manifest: sum, Nonce: "bm9uY2U"},
		Ack{Seq: 1, Update: "u-1", Manifest: sum, Millis: 12, Confirmed: true},
		Error{Seq: 2, Update: "u-1", Epoch: 2, Index: 57, Manifest: sum, Errors: []Problem{
			{Target: "routing/core", Stage: StageValidate, Code: CodeCheckFailed, Pointer: "/a/0", Message: "no", LogTail: "line\nline", Retryable: true},
			{Stage: StageHook, Code: CodeInterrupted},
		}},
		Status{Seq: 3, Epoch: 2, Index: 57, Manifest: sum, Have: map[string]string{"routing/core": sum}, Reason: "report"},
		Welcome{Peer: "ctl-1", Peers: []string{"https://ctl-1:8443", "https://[::1]:8443"}, Quorum: true, HeartbeatS: 20,
			Capabilities: []string{"x"}, Audience: "aud", Signature: "c2ln"},
		Report{},
		Update{Update: "u-1", Header: header.Text(), Signature: "c2ln", Documents: []Document{
			{Target: "a", Version: 3, Content: []byte(`{"n":1.0,"s":"ä<"}`)},
			{Target: "b", Version: 4, Base: sum, Patch: []byte(`[{"op":"remove","path":"/x"}]`)},
			{Target: "c", Removed: true},
		}},
		Keys{Keys: `{"purpose":"keys","cluster":"c-1","keys":["a2V5"]}`, Signature: "c2ln"},
		Peers{Peers: []string{"https://ctl-1:8443"}, Quorum: true},
		Goaway{Reason: GoawayDuplicate, RetryAfterMS: 1500, Peers: []string{"https://ctl-2:8443"}, Connection: 41},
		Fault{Code: "unknown_type", Message: "unknown message type \"x\""},
	}
}

func TestFramesAreThoseOfTheContract(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range frames() {
		t.Run(m.Kind(), func(t *testing.T) {
			seen[m.Kind()] = true
			frame, err := Encode(m)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.Join("testdata", "frames", m.Kind()+".json")
			if *golden {
				if err := os.WriteFile(name, append(frame, '\n'), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if want = bytes.TrimSuffix(want, []byte("\n")); !bytes.Equal(frame, want) {
				t.Errorf("is now\n%s\nand was\n%s", frame, want)
			}
			if !bytes.HasPrefix(frame, []byte(`{"type":"`+m.Kind()+`"`)) {
				t.Errorf("type is not the first member: %s", frame)
			}
			back, err := Decode(want)
			if err != nil || !reflect.DeepEqual(back, m) {
				t.Errorf("reads as %+v (%v)", back, err)
			}
			// A newer sender's members are ignored, wherever they stand.
			newer := append([]byte(`{"later":{"a":[1]},`), want[1:]...)
			if back, err := Decode(newer); err != nil || !reflect.DeepEqual(back, m) {
				t.Errorf("with an unknown member: %+v (%v)", back, err)
			}
			// Names are matched exactly.
			if back, err := Decode(bytes.Replace(want, []byte(`"type"`), []byte(`"Type"`), 1)); err == nil {
				t.Errorf("Type counts as type: %+v", back)
			}
		})
	}
	entries, err := os.ReadDir(filepath.Join("testdata", "frames"))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != len(seen) {
		t.Errorf("%d golden frames for %d messages", len(entries), len(seen))
	}
}

func TestFramesThatAreNone(t *testing.T) {
	unknown := []string{`{"type":"config_check"}`, `{"type":""}`, `{"x":1,"type":"` + strings.Repeat("y", 1000) + `"}`}
	malformed := []string{``, `null`, `[]`, `{}`, `"x"`, `{"type":1}`, `{"type":null}`, `{"type":"report"`, `{"type":"report"}x`,
		`{"type":"report","type":"report"}`, `{"type":"hello","node":"a","node":"b"}`, `{"type":"hello","connection":-1}`,
		`{"type":"hello","connection":"1"}`, `{"type":"hello","epoch":1.5}`, `{"type":"status","have":{"a":"x","a":"y"}}`,
		`{"type":"config_update","documents":[{"target":"a","content":{"x":1,"x":2}}]}`, "{\"type\":\"error\",\"message\":\"\xff\"}"}
	for _, frame := range unknown {
		if m, err := Decode([]byte(frame)); !errors.Is(err, ErrUnknownType) {
			t.Errorf("%.80s: %+v %v", frame, m, err)
		} else if len(err.Error()) > 200 {
			t.Errorf("an error repeats %d bytes of a stranger's", len(err.Error()))
		}
	}
	for _, frame := range malformed {
		if m, err := Decode([]byte(frame)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%.80s: %+v %v", frame, m, err)
		}
	}
}

func TestContentTravelsAsItWasWritten(t *testing.T) {
	text := `{"b":1.0,"a":-0,"e":1E+2,"s":"\u00e4</script>ä"}`
	frame, err := Encode(Update{Documents: []Document{{Target: "a", Content: []byte(text)}}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := Decode(frame)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(m.(Update).Documents[0].Content); got != text {
		t.Errorf("%s became %s", text, got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range frames() {
		frame, err := Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
	}
	f.Add([]byte(`{"type":"\u0072eport"}`))
	f.Add([]byte(`{"type":"report","type":"hello"}`))
	f.Add([]byte(` {"documents":[{"content":{"a":[[[]]]}}],"type":"config_update"}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := Decode(frame)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrUnknownType) {
				t.Fatalf("an error of neither kind: %v", err)
			}
			return
		}
		again, err := Encode(m)
		if err != nil {
			t.Fatalf("%+v was read and cannot be written: %v", m, err)
		}
		back, err := Decode(again)
		if err != nil || back.Kind() != m.Kind() {
			t.Fatalf("%s was written and cannot be read: %v", again, err)
		}
		twice, err := Encode(back)
		if err != nil || !bytes.Equal(again, twice) {
			t.Fatalf("%s became %s", again, twice)
		}
	})
}
