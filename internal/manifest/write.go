package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// Write puts entries into a directory: drover.yaml, the contents below
// content, the schemas below schemas. Files of the same names are replaced;
// nothing is removed. It returns the number of files written.
func Write(dir string, entries []Entry) (files int, err error) {
	var manifest bytes.Buffer
	manifest.WriteString("# Written by drover export; drover plan -f and drover apply -f read it.\n")
	enc := yaml.NewEncoder(&manifest)
	enc.SetIndent(2)
	put := func(name string, text []byte) error {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		files++
		return os.WriteFile(full, text, 0o644)
	}
	for _, e := range entries {
		m := struct {
			Document string     `yaml:"document"`
			Target   string     `yaml:"target,omitempty"`
			Selector string     `yaml:"selector,omitempty"`
			Schema   string     `yaml:"schema,omitempty"`
			Policy   *yaml.Node `yaml:"policy,omitempty"`
			Content  string     `yaml:"content"`
		}{Document: e.Document, Selector: e.Selector, Content: path.Join("content", e.Document+".json")}
		if e.Target != e.Document {
			m.Target = e.Target
		}
		if err := put(m.Content, pretty(e.Content)); err != nil {
			return files, err
		}
		if len(e.Schema) > 0 {
			m.Schema = path.Join("schemas", e.Document+".json")
			if err := put(m.Schema, pretty(e.Schema)); err != nil {
				return files, err
			}
		}
		if len(e.Policy) > 0 {
			var policy yaml.Node // JSON is YAML, but for escapes that no policy has
			if err := yaml.Unmarshal(e.Policy, &policy); err != nil {
				return files, fmt.Errorf("policy of %s: %w", e.Document, err)
			}
			m.Policy = policy.Content[0]
		}
		if err := enc.Encode(m); err != nil {
			return files, err
		}
	}
	if err := enc.Close(); err != nil {
		return files, err
	}
	return files, put(FileName, manifest.Bytes())
}

// pretty indents a JSON text; literals and the order of keys stay.
func pretty(text json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		return text
	}
	b.WriteByte('\n')
	return b.Bytes()
}
