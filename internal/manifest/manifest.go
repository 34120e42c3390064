package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// FileName is what Write calls the manifest.
const FileName = "drover.yaml"

// Entry is one document. Schema and Policy are nil where there is none.
type Entry struct {
	Document string
	Target   string
	Selector string
	Schema   json.RawMessage
	Policy   json.RawMessage
	Content  json.RawMessage
	Place    string // file and line, for messages
}

// source is where files come from.
type source struct {
	read func(name string) ([]byte, error)
	join func(elem ...string) string
	dir  func(name string) string
}

// Read reads manifests: files, directories, or "-" for stdin. Every document
// may stand in them once.
func Read(paths []string, stdin io.Reader) ([]Entry, error) {
	disk := source{os.ReadFile, joinPath, filepath.Dir}
	var all []Entry
	for _, name := range paths {
		if name == "-" {
			text, err := io.ReadAll(stdin)
			if err != nil {
				return nil, fmt.Errorf("standard input: %w", err)
			}
			found, err := disk.parse("standard input", ".", text)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
			continue
		}
		files, err := manifests(name)
		if err != nil {
			return nil, err
		}
		found, err := disk.readAll(files)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, unique(all)
}

// ReadFS reads all manifests below a directory of a file system.
func ReadFS(fsys fs.FS, dir string) ([]Entry, error) {
	files, err := below(fsys, dir)
	if err != nil {
		return nil, err
	}
	s := source{func(name string) ([]byte, error) { return fs.ReadFile(fsys, name) }, path.Join, path.Dir}
	all, err := s.readAll(files)
	if err != nil {
		return nil, err
	}
	return all, unique(all)
}

func joinPath(elem ...string) string {
	if last := elem[len(elem)-1]; filepath.IsAbs(last) {
		return last
	}
	return filepath.Join(elem...)
}

// manifests are the files that a name of the command line stands for.
func manifests(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{name}, nil
	}
	files, err := below(os.DirFS(name), ".")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for i, f := range files {
		files[i] = filepath.Join(name, filepath.FromSlash(f))
	}
	return files, nil
}

func below(fsys fs.FS, dir string) ([]string, error) {
	var files []string
	err := fs.WalkDir(fsys, dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != dir && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir // .git and the like
		case !d.IsDir() && slices.Contains([]string{".yaml", ".yml"}, path.Ext(name)):
			files = append(files, name)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = errors.New("no .yaml or .yml file is in this directory; `drover export DIR` shows what a manifest looks like")
	}
	return files, err
}

func (s source) readAll(files []string) ([]Entry, error) {
	var all []Entry
	for _, f := range files {
		text, err := s.read(f)
		if err != nil {
			return nil, err
		}
		found, err := s.parse(f, s.dir(f), text)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func unique(all []Entry) error {
	seen := map[string]string{}
	for _, e := range all {
		if first := seen[e.Document]; first != "" {
			return fmt.Errorf("%s: document %q stands in %s already", e.Place, e.Document, first)
		}
		seen[e.Document] = e.Place
	}
	return nil
}

// CheckJSON tells where a text stops being one JSON value.
func CheckJSON(text []byte) error {
	var v any
	err := json.Unmarshal(text, &v)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line, column := position(text, syntax.Offset)
		return fmt.Errorf("line %d, column %d: this is not JSON: %w", line, column, err)
	}
	return err
}

func position(text []byte, offset int64) (line, column int) {
	before := text[:min(int(offset), len(text))]
	line = 1 + strings.Count(string(before), "\n")
	column = len(before) - strings.LastIndexByte(string(before), '\n') - 1
	return line, max(column, 1)
}
