package discovery

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"

	"github.com/droverhq/drover/document/selector"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/instance"
)

// parseFile reads a list of instances. JSON is read as the YAML that it is, which
// gives both the same errors with lines.
func parseFile(s Source, text []byte) ([]Found, error) {
	if strings.EqualFold(path.Ext(s.File.Path), ".json") {
		if err := checkJSON(text); err != nil {
			return nil, err
		}
	}
	list, err := parseList(text)
	if list == nil || err != nil {
		return nil, err
	}
	if len(list.Content) > maxFound {
		return nil, fmt.Errorf("has %d entries, %d are allowed", len(list.Content), maxFound)
	}
	lines := map[string]int{}
	found := make([]Found, 0, len(list.Content))
	for _, n := range list.Content {
		entry, err := parseEntry(s, n)
		if err != nil {
			return nil, err
		}
		for _, unique := range []string{"id " + entry.Key, "url " + entry.URL} {
			if line, twice := lines[unique]; twice {
				return nil, fmt.Errorf("line %d: the %s is in line %d already", n.Line, unique, line)
			}
			lines[unique] = n.Line
		}
		found = append(found, entry)
	}
	return found, nil
}

// checkJSON gives an error of syntax its line.
func checkJSON(text []byte) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	var any json.RawMessage
	err := json.Unmarshal(text, &any)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at := min(int(syntax.Offset), len(text))
		return &lineError{1 + bytes.Count(text[:at], []byte("\n")), errors.New(instance.Clean(syntax.Error(), maxText))}
	}
	return err
}

// parseList is nil for a file without anything in it.
func parseList(text []byte) (*yaml.Node, error) {
	var doc, next yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(portable(text)))
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, errors.New(instance.Clean(strings.TrimPrefix(err.Error(), "yaml: "), maxText))
	}
	if err := d.Decode(&next); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: there is more behind the list", max(next.Line, 1))
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	list := doc.Content[0]
	if list.Kind == yaml.ScalarNode && list.Tag == "!!null" {
		return nil, nil
	}
	if list.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("line %d: this is no list: write one entry with url for each instance", list.Line)
	}
	return list, nil
}

// portable writes the texts of JSON anew, each where it is: YAML lacks a few of
// the escapes. Lines stay, since a text of JSON has none in it.
func portable(text []byte) []byte {
	if !json.Valid(text) {
		return text
	}
	var out []byte
	for len(text) > 0 {
		begin := bytes.IndexByte(text, '"')
		if begin < 0 {
			break
		}
		end := begin + 1
		for ; text[end] != '"'; end++ {
			if text[end] == '\\' {
				end++
			}
		}
		end++
		out = append(out, text[:begin]...)
		var plain string
		// Valid, so it neither fails to be read nor to be written.
		_ = json.Unmarshal(text[begin:end], &plain)
		out, _ = jsontext.AppendQuote(out, plain)
		text = text[end:]
	}
	return append(out, text...)
}

func parseEntry(s Source, n *yaml.Node) (Found, error) {
	f := Found{Labels: maps.Clone(s.Template.Labels), Accepts: slices.Clone(s.Template.Accepts)}
	err := eachField(n, "an entry", func(name string, value *yaml.Node) error {
		switch name {
		case "id":
			id, err := parseText(value, "id")
			if err == nil {
				err = fsm.ValidNodeID(id)
			}
			f.Key = id
			return err
		case "url":
			text, err := parseText(value, "url")
			if err == nil {
				f.URL, err = instance.ParseURL(text)
			}
			return err
		case "labels":
			return parseLabels(value, &f)
		case "accepts":
			return parseAccepts(value, &f)
		}
		return fmt.Errorf("the field %q is not known: there are id, url, labels and accepts", clip(name))
	})
	if err != nil {
		return Found{}, err
	}
	if f.URL == "" {
		return Found{}, fmt.Errorf("line %d: the entry has no url", n.Line)
	}
	if f.Key == "" {
		f.Key = keyOf(s.prefix(), f.URL)
	}
	return f, nil
}

// eachField walks a mapping; an error gets the line of the field.
func eachField(n *yaml.Node, what string, use func(name string, value *yaml.Node) error) error {
	if n.Kind != yaml.MappingNode {
		return fmt.Errorf("line %d: this is no mapping, as %s is", n.Line, what)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			return fmt.Errorf("line %d: the name of a field is a text; write merged ones out", key.Line)
		}
		if seen[key.Value] {
			return fmt.Errorf("line %d: the field %q is there twice", key.Line, clip(key.Value))
		}
		seen[key.Value] = true
		if err := use(key.Value, value); err != nil {
			var placed *lineError
			if errors.As(err, &placed) {
				return err
			}
			return &lineError{key.Line, err}
		}
	}
	return nil
}

// lineError is an error that knows its line.
type lineError struct {
	line int
	err  error
}

func (e *lineError) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.err) }
func (e *lineError) Unwrap() error { return e.err }

func parseText(n *yaml.Node, field string) (string, error) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		return "", fmt.Errorf("%s is no text: put quotes around it", field)
	}
	return n.Value, nil
}

func parseLabels(n *yaml.Node, f *Found) error {
	own := map[string]string{}
	err := eachField(n, "labels", func(name string, value *yaml.Node) error {
		text, err := parseText(value, fmt.Sprintf("the label %q", clip(name)))
		own[name] = text
		return err
	})
	if err != nil {
		return err
	}
	if f.Labels == nil {
		f.Labels = map[string]string{}
	}
	maps.Copy(f.Labels, own)
	return selector.ValidLabels(own)
}

func parseAccepts(n *yaml.Node, f *Found) error {
	if n.Kind != yaml.SequenceNode {
		return errors.New("accepts is no list of targets")
	}
	f.Accepts = nil
	for i, item := range n.Content {
		target, err := parseText(item, fmt.Sprintf("accepts[%d]", i))
		if err != nil {
			return &lineError{item.Line, err}
		}
		f.Accepts = append(f.Accepts, target)
	}
	return validAccepts(f.Accepts)
}
