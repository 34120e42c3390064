package serve

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/droverhq/drover/document"
)

// Whatever is sent, the answer is a refusal with a status of its own, or a
// content that a controller would have taken as well, with a target that is a
// file below current.
func FuzzParse(f *testing.F) {
	f.Add([]byte(pushOf("webhooks", `{"a":[1.0,"\u00e9",{"b":null}]}`)))
	f.Add([]byte(pushOf("a/b", `{ }`)))
	f.Add([]byte(`{"type":"a","config":{"config":{"type":"b"}},"version":null,"type2":[{}]}`))
	f.Add([]byte(`{"type":"a","config":{"a":1},"config":{"a":2}}`))
	f.Add([]byte(`{"config":{"a":9007199254740993},"type":"a"}`))
	f.Add([]byte("{\"type\":\"a\",\"config\":{\"\xff\":1}}"))
	f.Add([]byte(strings.Repeat(`{"config":`, 40)))
	s := New(Config{MaxBytes: 4096}, Deps{})
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := s.parse(text)
		var refused *refusal
		if err != nil {
			if !errors.As(err, &refused) || refused.status != 400 && refused.status != 413 || refused.code == "" || refused.message == "" {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := document.Compact(p.content, document.Limits{Bytes: 4096})
		if err != nil || !bytes.Equal(again, p.content) || string(again) == "{}" {
			t.Fatalf("%q was let through: %v", p.content, err)
		}
		if target, known := targetOf(currentFile(p.target)); !known || target != p.target {
			t.Fatalf("the target %q was let through", p.target)
		}
		if _, err := document.InstanceVersion(p.content); err != nil {
			t.Fatalf("%q has no version: %v", p.content, err)
		}
	})
}
