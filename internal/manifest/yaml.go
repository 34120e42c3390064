package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"regexp"

	"github.com/go-json-experiment/json/jsontext"
	"go.yaml.in/yaml/v3"
)

func keysOf[V any](m map[string]V) iter.Seq[string] { return maps.Keys(m) }

// number is a literal of RFC 8259, section 6.
var number = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// maxExpanded bounds what aliases may blow a text up to, in bytes.
const maxExpanded = 16 << 20

// toJSON writes a YAML value as JSON. Numbers stay as they are written, and
// keys keep their order; what JSON cannot say is refused.
func toJSON(n *yaml.Node) (json.RawMessage, error) {
	var b bytes.Buffer
	if err := writeNode(&b, n, 0); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func writeNode(b *bytes.Buffer, n *yaml.Node, depth int) error {
	if b.Len() > maxExpanded || depth > 1000 {
		return fmt.Errorf("line %d: this is too large or too deep", n.Line)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return writeNode(b, n.Alias, depth+1)
	case yaml.SequenceNode:
		b.WriteByte('[')
		for i, child := range n.Content {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := writeNode(b, child, depth+1); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	case yaml.MappingNode:
		return writeMapping(b, n, depth)
	}
	return writeScalar(b, n)
}

func writeMapping(b *bytes.Buffer, n *yaml.Node, depth int) error {
	b.WriteByte('{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			return fmt.Errorf("line %d: JSON has no such key; write the keys out as texts", key.Line)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		writeText(b, key.Value)
		b.WriteByte(':')
		if err := writeNode(b, n.Content[i+1], depth+1); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

func writeScalar(b *bytes.Buffer, n *yaml.Node) error {
	switch n.Tag {
	case "!!null":
		b.WriteString("null")
	case "!!bool":
		var v bool
		if err := n.Decode(&v); err != nil {
			return err
		}
		fmt.Fprint(b, v)
	case "!!int", "!!float":
		if !number.MatchString(n.Value) {
			return fmt.Errorf("line %d: JSON has no number %s; write it in decimal, or in quotes as a text", n.Line, n.Value)
		}
		b.WriteString(n.Value)
	case "!!str", "!!timestamp": // a date is a text to JSON
		writeText(b, n.Value)
	default:
		return fmt.Errorf("line %d: JSON has nothing for the tag %s", n.Line, n.Tag)
	}
	return nil
}

func writeText(b *bytes.Buffer, s string) {
	text, _ := jsontext.AppendQuote(b.AvailableBuffer(), s) // YAML is UTF-8: its reader has refused anything else
	b.Write(text)
}
