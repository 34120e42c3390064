package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// part is a content, schema or policy: a file's name, or the JSON itself.
type part struct {
	file string
	text json.RawMessage
}

func (s source) parse(name, dir string, text []byte) ([]Entry, error) {
	if strings.EqualFold(filepath.Ext(name), ".json") {
		return s.parseJSON(name, dir, text)
	}
	return s.parseYAML(name, dir, text)
}

func (s source) parseJSON(name, dir string, text []byte) ([]Entry, error) {
	if err := firstJSON(text); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var all []Entry
	d := jsontext.NewDecoder(bytes.NewReader(text))
	for {
		var m struct {
			Document string         `json:"document"`
			Target   string         `json:"target"`
			Selector string         `json:"selector"`
			Schema   jsontext.Value `json:"schema"`
			Policy   jsontext.Value `json:"policy"`
			Content  jsontext.Value `json:"content"`
		}
		line, _ := position(text, d.InputOffset()+1)
		place := fmt.Sprintf("%s:%d", name, line)
		err := jsonv2.UnmarshalDecode(d, &m, jsonv2.RejectUnknownMembers(true))
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
		e := Entry{Document: m.Document, Target: m.Target, Selector: m.Selector, Place: place}
		parts := map[string]part{}
		for key, v := range map[string]jsontext.Value{"schema": m.Schema, "policy": m.Policy, "content": m.Content} {
			p := part{text: json.RawMessage(v)}
			if v.Kind() == '"' {
				p = part{}
				if err := json.Unmarshal(v, &p.file); err != nil {
					return nil, fmt.Errorf("%s: %s: %w", place, key, err)
				}
			}
			if v.Kind() != 'n' {
				parts[key] = p
			}
		}
		if err := s.fill(&e, parts, dir); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
}

// firstJSON complains about a text whose first value is broken with its line,
// which jsontext does not tell.
func firstJSON(text []byte) error {
	var raw json.RawMessage
	err := json.NewDecoder(bytes.NewReader(text)).Decode(&raw)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line, column := position(text, syntax.Offset)
		return fmt.Errorf("line %d, column %d: this is not JSON: %w", line, column, err)
	}
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the file is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("this is not JSON: the text ends in the middle of a value")
	}
	return err
}

func (s source) parseYAML(name, dir string, text []byte) ([]Entry, error) {
	var all []Entry
	d := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var doc yaml.Node
		err := d.Decode(&doc)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s", name, strings.TrimPrefix(err.Error(), "yaml: "))
		}
		if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" { // comments alone
			continue
		}
		e, err := s.entry(name, dir, doc.Content[0])
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: there is no document in this file", name)
	}
	return all, nil
}

func (s source) entry(name, dir string, n *yaml.Node) (Entry, error) {
	e := Entry{Place: fmt.Sprintf("%s:%d", name, n.Line)}
	fail := func(at *yaml.Node, format string, args ...any) (Entry, error) {
		return e, fmt.Errorf("%s:%d: %s", name, at.Line, fmt.Sprintf(format, args...))
	}
	if n.Kind != yaml.MappingNode {
		return fail(n, "a document is a set of keys and values: document, target, selector, schema, policy, content")
	}
	parts, seen := map[string]part{}, map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, v := n.Content[i], n.Content[i+1]
		if seen[key.Value] {
			return fail(key, "%s stands here twice", key.Value)
		}
		seen[key.Value] = true
		switch key.Value {
		case "document", "target", "selector":
			if v.Kind != yaml.ScalarNode {
				return fail(v, "%s is not a text", key.Value)
			}
			*map[string]*string{"document": &e.Document, "target": &e.Target, "selector": &e.Selector}[key.Value] = plain(v)
		case "schema", "policy", "content":
			if v.Tag == "!!null" {
				continue
			}
			if v.Kind == yaml.ScalarNode && v.Tag == "!!str" {
				parts[key.Value] = part{file: v.Value}
				continue
			}
			text, err := toJSON(v)
			if err != nil {
				return fail(v, "%s: %v", key.Value, err)
			}
			parts[key.Value] = part{text: text}
		default:
			return fail(key, "unknown key %q; known are document, target, selector, schema, policy, content", key.Value)
		}
	}
	return e, s.fill(&e, parts, dir)
}

func plain(n *yaml.Node) string {
	if n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// fill reads the files that an entry names, and puts the defaults.
func (s source) fill(e *Entry, parts map[string]part, dir string) error {
	if e.Document == "" {
		return fmt.Errorf("%s: the key document is missing: the name of the document", e.Place)
	}
	if e.Target == "" {
		e.Target = e.Document
	}
	for _, key := range slices.Sorted(keysOf(parts)) {
		p := parts[key]
		if p.file != "" {
			if key == "policy" {
				return fmt.Errorf("%s: policy is a set of keys and values", e.Place)
			}
			text, err := s.read(s.join(dir, p.file))
			if err != nil {
				return fmt.Errorf("%s: %s: %w", e.Place, key, err)
			}
			if err := CheckJSON(text); err != nil {
				return fmt.Errorf("%s: %w", s.join(dir, p.file), err)
			}
			p.text = text
		}
		*map[string]*json.RawMessage{"schema": &e.Schema, "policy": &e.Policy, "content": &e.Content}[key] = p.text
	}
	if len(e.Content) == 0 {
		return fmt.Errorf("%s: document %q has no content: give a file or the content itself", e.Place, e.Document)
	}
	return nil
}
