package document_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/droverhq/drover/document"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

func sum(t reporter, text string) document.Checksum {
	t.Helper()
	c, err := document.Sum([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return c
}

func TestSumGoesByTheValue(t *testing.T) {
	// printf '{"a":1,"b":[1e+21,"é"]}' | sha256sum, in base64url
	const want = "xrxiYL4NX-EhdkkeCRqbtjjJhcONIdDrl6VsHWGLI_0"
	for _, text := range []string{`{"a":1,"b":[1e21,"é"]}`, `{"b":[1000000000000000000000,"\u00e9"],"a":1.0}`} {
		if got := sum(t, text).String(); got != want {
			t.Errorf("%s: got %s", text, got)
		}
	}
	if sum(t, `{"a":1}`) == sum(t, `{"a":2}`) {
		t.Error("two values have one checksum")
	}
}

func TestChecksumText(t *testing.T) {
	c := sum(t, `{}`)
	text, err := json.Marshal(map[string]document.Checksum{"c": c})
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]document.Checksum
	if err := json.Unmarshal(text, &back); err != nil || back["c"] != c {
		t.Errorf("%s was read as %v, %v", text, back, err)
	}
	if c.IsZero() || !(document.Checksum{}).IsZero() {
		t.Error("IsZero is wrong")
	}
	good := c.String()
	if len(good) != 43 {
		t.Errorf("the text has %d characters", len(good))
	}
	for _, bad := range []string{"", "a", good + "=", good[:42], good + "A", "+" + good[1:], good[:42] + "\n", good[:20] + "\n" + good[20:], good[:42] + "B"} {
		var e *document.Error
		if _, err := document.ParseChecksum(bad); !errors.As(err, &e) || e.Code != document.CodeBadChecksum {
			t.Errorf("%q: got %v", bad, err)
		}
	}
}

func TestManifestSumIsThatOfItsText(t *testing.T) {
	a, b := sum(t, `{"a":1}`), sum(t, `{"b":1}`)
	if got := document.ManifestSum(nil).String(); got != "T1PNoYwrqgwDVLtfmj7L5e0Sq02OEbqHPC8RFhICuUU" {
		t.Errorf("the empty manifest has %s", got)
	}
	entries := []document.Entry{{"webhooks", a}, {"routing/core", b}, {"routing", a}}
	before := slices.Clone(entries)
	got := document.ManifestSum(entries)
	text := `[["routing","` + a.String() + `"],["routing/core","` + b.String() + `"],["webhooks","` + a.String() + `"]]`
	if want := sum(t, text); got != want {
		t.Errorf("got %s, want that of %s", got, text)
	}
	if !slices.Equal(entries, before) {
		t.Error("the entries were changed")
	}
	slices.Reverse(entries)
	if document.ManifestSum(entries) != got {
		t.Error("the order of the entries counts")
	}
	odd := []document.Entry{{`a"\` + "\u00e9\x01", a}}
	quoted, err := json.Marshal(odd[0].Target)
	if err != nil {
		t.Fatal(err)
	}
	if want := sum(t, "[["+string(quoted)+`,"`+a.String()+`"]]`); document.ManifestSum(odd) != want {
		t.Error("the text of an odd target is not canonical")
	}
}

func TestCanonicalRefuses(t *testing.T) {
	cases := []struct{ text, code, pointer string }{
		{`{"a":{"b":1,"b":2}}`, document.CodeDuplicateKey, "/a/b"},
		{`{"a":[1e400]}`, document.CodeInexactNumber, "/a/0"},
		{`{"x/y":{"b":-1e999}}`, document.CodeInexactNumber, "/x~1y/b"},
		{`{"a":"\ud800"}`, document.CodeNotJSON, "/a"},
		{`{"\ud800":1}`, document.CodeNotJSON, ""},
		{`{"a":"\x"}`, document.CodeNotJSON, "/a"},
		{"{\"a\":\"\xff\"}", document.CodeNotJSON, "/a"},
		{"{\"a\":\"\x01\"}", document.CodeNotJSON, "/a"},
		{`{"a":}`, document.CodeNotJSON, "/a"},
		{`{} x`, document.CodeNotJSON, ""},
		{strings.Repeat("[", 20000) + strings.Repeat("]", 20000), document.CodeNotJSON, ""},
	}
	for _, c := range cases {
		_, err := document.Canonical([]byte(c.text))
		var e *document.Error
		if !errors.As(err, &e) || e.Code != c.code || len(c.text) < 100 && e.Pointer != c.pointer {
			t.Errorf("%.80s: got %v", c.text, err)
		}
	}
	// RFC 8785 takes numbers as doubles: only what is beyond them is refused.
	if got, err := document.Canonical([]byte(`[1.7976931348623157e308,9007199254740993,-0.0]`)); err != nil || string(got) != `[1.7976931348623157e+308,9007199254740992,0]` {
		t.Errorf("got %s, %v", got, err)
	}
}

// reference is RFC 8785 as jsontext does it.
func reference(text []byte) ([]byte, error) {
	value := jsontext.Value(slices.Clone(text))
	err := value.Canonicalize()
	return value, err
}

func TestCanonicalIsWhatTheLibraryGivesAndStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(anyJSON(4).Draw(t, "text"))
		got, err := document.Canonical(text)
		if err != nil {
			t.Fatal(err)
		}
		want, err := reference(text)
		if err != nil || string(got) != string(want) {
			t.Fatalf("%s: got %s, want %s, %v", text, got, want, err)
		}
		again, err := document.Canonical(got)
		if err != nil || string(again) != string(got) {
			t.Fatalf("%s became %s, %v", got, again, err)
		}
		compacted, err := document.CompactValue(text, document.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if after, err := document.Canonical(compacted); err != nil || string(after) != string(got) {
			t.Fatalf("compact, %s is another value: %s, %v", text, after, err)
		}
	})
}
