package manifest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		full := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADirectoryOfManifestsIsRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"b.yaml":            "document: vpn\ncontent: {b: 1.0, a: 0.10, big: 12345678901234567890, 'true': yes, s: 1e3, list: [1, ~, 2020-01-02]}\n",
		"sub/a.yml":         "# a comment\n---\ndocument: site-1/vpn\ntarget: vpn\nselector: site=site-1\nschema: ../schemas/s.json\npolicy: {drift: report}\ncontent: ../content/c.json\n---\ndocument: other\ncontent: {}\n",
		"content/c.json":    "{\n  \"n\": 1.50\n}\n",
		"schemas/s.json":    `{"type":"object"}`,
		".git/x.yaml":       "not: a manifest\n",
		"content/readme.md": "no manifest",
	})
	got, err := Read([]string{dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []Entry{
		{Document: "vpn", Target: "vpn", Content: json.RawMessage(`{"b":1.0,"a":0.10,"big":12345678901234567890,"true":"yes","s":1e3,"list":[1,null,"2020-01-02"]}`)},
		{
			Document: "site-1/vpn", Target: "vpn", Selector: "site=site-1", Schema: json.RawMessage(`{"type":"object"}`),
			Policy: json.RawMessage(`{"drift":"report"}`), Content: json.RawMessage("{\n  \"n\": 1.50\n}\n"),
		},
		{Document: "other", Target: "other", Content: json.RawMessage(`{}`)},
	}
	for i := range got {
		if !strings.Contains(got[i].Place, ".y") {
			t.Errorf("place %q", got[i].Place)
		}
		got[i].Place = ""
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", show(got), show(want))
	}
}

func show(entries []Entry) string {
	text, _ := json.MarshalIndent(entries, "", " ")
	return string(text)
}

func TestJSONManifestsKeepTheirText(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"m.json": `{"document":"a","content":{"z":1.0,"e":"\ud83d\ude00","z2":1E2}}` + "\n" + `{"document":"b","content":"c.json","schema":null}`, "c.json": `{"x":1}`})
	got, err := Read([]string{filepath.Join(dir, "m.json")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || string(got[0].Content) != `{"z":1.0,"e":"\ud83d\ude00","z2":1E2}` || string(got[1].Content) != `{"x":1}` || got[1].Schema != nil {
		t.Errorf("%s", show(got))
	}
}

func TestStandardInputIsAManifest(t *testing.T) {
	got, err := Read([]string{"-"}, strings.NewReader("document: a\ncontent: {x: 1}\n"))
	if err != nil || len(got) != 1 || string(got[0].Content) != `{"x":1}` {
		t.Errorf("%s, %v", show(got), err)
	}
}

func TestWhatIsWrongIsNamedWithItsPlace(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"m.yaml", "document: a\ncontents: {}\n", `m.yaml:2: unknown key "contents"`},
		{"m.yaml", "document: a\ncontent: {}\ncontent: {}\n", "m.yaml:3: content stands here twice"},
		{"m.yaml", "content: {}\n", "m.yaml:1: the key document is missing"},
		{"m.yaml", "document: a\n", `document "a" has no content`},
		{"m.yaml", "document: a\ncontent: gone.json\n", "gone.json"},
		{"m.yaml", "document: a\ncontent: bad.json\n", "bad.json: line 2, column 8"},
		{"m.yaml", "document: a\ncontent: {x: 0x10}\n", "JSON has no number 0x10"},
		{"m.yaml", "document: a\ncontent: {x: .inf}\n", "JSON has no number .inf"},
		{"m.yaml", "document: a\ncontent: {<<: {a: 1}}\n", "JSON has no such key"},
		{"m.yaml", "document: a\ncontent: {x: !!binary aGk=}\n", "JSON has nothing for the tag"},
		{"m.yaml", "document: [a]\ncontent: {}\n", "m.yaml:1: document is not a text"},
		{"m.yaml", "document: a\npolicy: p.json\ncontent: {}\n", "policy is a set of keys"},
		{"m.yaml", "- a\n", "m.yaml:1: a document is a set of keys"},
		{"m.yaml", "# nothing\n", "there is no document in this file"},
		{"m.yaml", "a: [\n", "m.yaml: line 1"},
		{"m.yaml", "document: a\ncontent: {}\n---\ndocument: a\ncontent: {}\n", "m.yaml:4: document \"a\" stands in"},
		{"m.json", `{"document":"a","content":{},"x":1}`, "m.json:1"},
		{"m.json", "{\"document\":\"a\",\n\"content\":{}", "this is not JSON"},
		{"m.json", "{\"document\":\"a\",\n\"content\":[1,]}", "line 2, column"},
		{"m.json", `{"document":"a","document":"b","content":{}}`, "m.json:1"},
		{"m.json", ``, "the file is empty"},
	} {
		dir := t.TempDir()
		write(t, dir, map[string]string{c.name: c.text, "bad.json": "{\n  \"a\": }\n"})
		_, err := Read([]string{filepath.Join(dir, c.name)}, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n  %v\n  want %q", c.text, err, c.want)
		}
	}
	if _, err := Read([]string{t.TempDir()}, nil); err == nil || !strings.Contains(err.Error(), "drover export") {
		t.Errorf("an empty directory: %v", err)
	}
}

func TestAliasesCannotBlowAManifestUp(t *testing.T) {
	var b strings.Builder
	b.WriteString("document: a\ncontent:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 10; i++ {
		prev := "*a" + string(rune('0'+i-1))
		b.WriteString("  a" + string(rune('0'+i)) + ": &a" + string(rune('0'+i)) + " [" + strings.TrimSuffix(strings.Repeat(prev+", ", 10), ", ") + "]\n")
	}
	if _, err := Read([]string{"-"}, strings.NewReader(b.String())); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("%v", err)
	}
}

func TestWhatIsExportedIsReadBackAsItWas(t *testing.T) {
	entries := []Entry{
		{Document: "a", Target: "a", Content: json.RawMessage(`{"z":1.0,"b":[1,2.50,1e3],"u":"ä\n"}`)},
		{Document: "a/b", Target: "vpn", Selector: "site in (x, y), role!=z", Content: json.RawMessage(`{}`), Schema: json.RawMessage(`{"type":"object"}`)},
		{Document: "schemas/a", Target: "schemas/a", Content: json.RawMessage(`{"k":"v"}`), Policy: json.RawMessage(`{"drift":"report"}`)},
	}
	dir := t.TempDir()
	files, err := Write(dir, entries)
	if err != nil || files != 5 {
		t.Fatalf("%d files, %v", files, err)
	}
	got, err := Read([]string{dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i].Place = ""
		for _, text := range []*json.RawMessage{&got[i].Content, &got[i].Schema} {
			if *text == nil {
				continue
			}
			var b bytes.Buffer
			if err := json.Compact(&b, *text); err != nil {
				t.Fatal(err)
			}
			*text = b.Bytes()
		}
	}
	if !reflect.DeepEqual(got, entries) {
		t.Errorf("got  %s\nwant %s", show(got), show(entries))
	}
}

func TestAFileSystemIsReadLikeADisk(t *testing.T) {
	fsys := fstest.MapFS{"x/m.yaml": {Data: []byte("document: a\ncontent: ../c.json\n")}, "c.json": {Data: []byte(`{"a":1}`)}}
	got, err := ReadFS(fsys, ".")
	if err != nil || len(got) != 1 || string(got[0].Content) != `{"a":1}` {
		t.Errorf("%s, %v", show(got), err)
	}
}
