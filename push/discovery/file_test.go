package discovery

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/droverhq/drover/document/selector"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/instance"
)

func fileSource() Source {
	return Source{ID: "list", Kind: KindFile, File: File{Path: "hooks.yaml"},
		Template: Template{Labels: map[string]string{"site": "eu", "role": "webhook"}, Accepts: []string{"webhooks"}}}
}

func lookAt(t *testing.T, text string) ([]Found, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hooks.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return newFinder(t, Config{Files: dir}).Find(t.Context(), fileSource(), Secrets{})
}

func TestAFileInYAMLAndJSON(t *testing.T) {
	want := []Found{
		{"hook-1", "https://hooks-1.example.com", map[string]string{"site": "north", "role": "webhook"}, []string{"webhooks", "routing/core"}},
		{"list-10.0.0.2-8000-gate", "http://10.0.0.2:8000/gate", map[string]string{"site": "eu", "role": "webhook"}, []string{"webhooks"}},
	}
	for name, text := range map[string]string{
		"YAML": `# the fleet
- url: HTTPS://hooks-1.example.com/
  id: hook-1
  labels: {site: north}
  accepts:
    - webhooks
    - routing/core
- url: "http://10.0.0.2:8000/gate"
`,
		"JSON": `[{"id": "hook-1", "url": "https:\/\/hooks-1.example.com", "labels": {"\u0073ite": "north"}, "accepts": ["webhooks", "routing\/core"]},
			{"url": "http://10.0.0.2:8000/gate"}]`,
		"JSON with tabs": "[\n\t{\n\t\t\"id\":\t\"hook-1\",\n\t\t\"url\":\t\"https://hooks-1.example.com\",\n\t\t\"labels\":\t{\"site\":\t\"north\"},\n" +
			"\t\t\"accepts\": [\"webhooks\", \"routing/core\"]\n\t},\n\t{\n\t\t\"url\": \"http://10.0.0.2:8000/gate\"\n\t}\n]\n",
	} {
		found, err := lookAt(t, text)
		if err != nil || !reflect.DeepEqual(found, want) {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
}

func TestAnEmptyFileChangesNothing(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# nothing\n", "[]", "null", "---\n", "~"} {
		found, err := lookAt(t, text)
		if !errors.Is(err, ErrEmpty) || found != nil {
			t.Errorf("%q: %v, %v", text, found, err)
		}
	}
}

func TestAFileWithAnErrorNamesTheLine(t *testing.T) {
	for _, c := range []struct{ text, says string }{
		{"- url: http://a\n- urk: http://b\n", `line 2: the field "urk" is not known`},
		{"- url: http://a\n- id: b\n", "line 2: the entry has no url"},
		{"- url: http://a\n\n- url: ftp://b\n", "line 3: the scheme of the URL"},
		{"- url: http://u:secret@a\n", "line 1: the URL holds a user or password"},
		{"- url: 5\n", "line 1: url is no text: put quotes around it"},
		{"- url:\n", "line 1: url is no text"},
		{"- url: http://a\n  id: 12\n", "line 2: id is no text"},
		{"- url: http://a\n  id: -x-\n", `line 2: "-x-" is no name for a node`},
		{"- url: http://a\n  url: http://b\n", `line 2: the field "url" is there twice`},
		{"- url: http://a\n- url: http://A/\n  id: x\n", "line 2: the url http://a is in line 1 already"},
		{"- url: http://a\n  id: x\n- url: http://b\n  id: x\n", "line 3: the id x is in line 1 already"},
		{"- url: http://a/b-c\n- url: http://a/b/c\n", "line 2: the id list-a-80-b-c is in line 1 already"},
		{"- url: http://a\n  labels:\n    site: 5\n", `line 3: the label "site" is no text`},
		{"- url: http://a\n  labels:\n    site: north\n    site: south\n", `line 4: the field "site" is there twice`},
		{"- url: http://a\n  labels:\n    site: no spaces\n", "line 2: "},
		{"- url: http://a\n  labels: [a]\n", "line 2: this is no mapping, as labels is"},
		{"- url: http://a\n  accepts: webhooks\n", "line 2: accepts is no list"},
		{"- url: http://a\n  accepts:\n    - webhooks\n    - 5\n", "line 4: accepts[1] is no text"},
		{"- url: http://a\n  accepts: [UPPER]\n", "line 2: accepts[0]: "},
		{"url: http://a\n", "line 1: this is no list"},
		{"http://a\n", "line 1: this is no list"},
		{"- http://a\n", "line 1: this is no mapping"},
		{"- url: http://a\n---\n- url: http://b\n", "there is more behind the list"},
		{"- &a {url: http://a}\n- *a\n", "line 2: this is no mapping"},
		{"- url: &a http://a\n- url: *a\n", "line 2: url is no text"},
		{"- {<<: {url: http://a}}\n", "line 1: the name of a field"},
		{"- {[a]: b}\n", "line 1: the name of a field"},
		{"- url: http://a\n bad\n", "did not find expected"},
		{"[{\"url\": \"http://a\"},\n{\"url\": \"http:\\/\\/b\",\n\"x\": 1}]", `line 3: the field "x"`},
		{"- url: \xff\n", "invalid"},
		{"[" + strings.Repeat("{\"url\": \"http://a\"},", maxFound) + "{}]", "entries"},
		{strings.Repeat("[", 20000), "depth"},
		{strings.Repeat("#", maxFile+1), "larger than 4 MiB"},
	} {
		found, err := lookAt(t, c.text)
		if err == nil || errors.Is(err, ErrEmpty) || !strings.Contains(err.Error(), c.says) || found != nil {
			t.Errorf("%.80q: %v, %.300v; want %q", c.text, found, err, c.says)
		}
		if err != nil && (strings.Contains(err.Error(), "secret@") || !strings.Contains(err.Error(), `"hooks.yaml"`)) {
			t.Errorf("%.80q: %.300v", c.text, err)
		}
	}
}

func TestAFileOfJSONNamesTheLineOfItsSyntax(t *testing.T) {
	dir, s := t.TempDir(), fileSource()
	s.File.Path = "hooks.json"
	for text, says := range map[string]string{
		"[{\"url\": \"http://a\"},\n{\"url\": \"http://b\"\n": "line 3: unexpected end of JSON input",
		"[{\"url\": \"http://a\"},\n- url\n]":                 "line 2: invalid character",
		"[{\"url\": \"http://a\"},\n{\"url\": \"x://b\"}]":    "line 2: the scheme",
		" \n": "no entry",
	} {
		if err := os.WriteFile(filepath.Join(dir, s.File.Path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := newFinder(t, Config{Files: dir}).Find(t.Context(), s, Secrets{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v; want %q", text, err, says)
		}
	}
}

func TestAFileStaysBelowItsDirectory(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "lists")
	if err := os.MkdirAll(filepath.Join(dir, "sub", "folder.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(top, "outside.yaml"), filepath.Join(dir, "sub", "inside.yaml")} {
		if err := os.WriteFile(path, []byte("- url: http://a\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"out.yaml": "../outside.yaml", "absolute.yaml": filepath.Join(top, "outside.yaml"), "in.yaml": "sub/inside.yaml"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := newFinder(t, Config{Files: dir})
	for path, works := range map[string]bool{
		"sub/inside.yaml": true, "in.yaml": true,
		"out.yaml": false, "absolute.yaml": false, "../outside.yaml": false, filepath.Join(top, "outside.yaml"): false,
		"sub/folder.yaml": false, "pipe.yaml": false, "missing.yaml": false, "": false,
	} {
		s := fileSource()
		s.File.Path = path
		found, err := f.Find(t.Context(), s, Secrets{})
		if (err == nil) != works || works != (len(found) == 1) || errors.Is(err, ErrEmpty) {
			t.Errorf("%q: %v, %v", path, found, err)
		}
	}
	if _, err := newFinder(t, Config{}).Find(t.Context(), fileSource(), Secrets{}); err == nil || !strings.Contains(err.Error(), "instances.files") {
		t.Errorf("without a directory: %v", err)
	}
}

func FuzzParseFile(f *testing.F) {
	for _, text := range []string{
		"- url: http://a\n", `[{"url":"http:\/\/a","id":"\u0061","labels":{"a":"b"},"accepts":["x"]}]`, "- &a {url: x}\n- *a", "[", "a: b", `["\\/"]`, "- url: \"http://\\u00e4\"",
	} {
		f.Add(text)
	}
	source := fileSource()
	f.Fuzz(func(t *testing.T, text string) {
		found, err := parseFile(source, []byte(text))
		if err != nil && (found != nil || err.Error() == "") {
			t.Errorf("%q: %v with %v", text, found, err)
		}
		for _, one := range found {
			again, err := instance.ParseURL(one.URL)
			if err != nil || again != one.URL || fsm.ValidNodeID(one.Key) != nil || selector.ValidLabels(one.Labels) != nil || validAccepts(one.Accepts) != nil {
				t.Errorf("%q gives %+v", text, one)
			}
		}
	})
}
