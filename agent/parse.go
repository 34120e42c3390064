package agent

import (
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// parser walks the YAML tree itself, so that every complaint names the key and
// the line, and an unknown key is one.
type parser struct{ problems []string }

func (p *parser) add(line int, key, message string) {
	at := ""
	if line > 0 {
		at = fmt.Sprintf("line %d: ", line)
	}
	if key != "" {
		at += key + ": "
	}
	p.problems = append(p.problems, at+message)
}

func (p *parser) parse(text []byte) Config {
	var c Config
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		p.add(0, "", strings.TrimPrefix(err.Error(), "yaml: "))
		return c
	}
	if len(doc.Content) == 0 { // empty, or comments alone
		return c
	}
	p.mapping(doc.Content[0], "", map[string]func(*yaml.Node, string){
		"node":  func(n *yaml.Node, at string) { c.Node = p.text(n, at) },
		"dir":   func(n *yaml.Node, at string) { c.Dir = p.text(n, at) },
		"peers": func(n *yaml.Node, at string) { c.Peers = p.texts(n, at) },
		"ca":    func(n *yaml.Node, at string) { c.CA = p.text(n, at) },
		"proxy": func(n *yaml.Node, at string) { c.Proxy = p.text(n, at) },
		"serve": func(n *yaml.Node, at string) { c.Serve = p.serving(n, at) },
		"documents": func(n *yaml.Node, at string) {
			for i, item := range p.list(n, at) {
				c.Documents = append(c.Documents, p.rule(item, fmt.Sprintf("%s[%d]", at, i)))
			}
		},
	})
	return c
}

func (p *parser) rule(n *yaml.Node, at string) Rule {
	r := Rule{line: n.Line}
	p.mapping(n, at, map[string]func(*yaml.Node, string){
		"match":   func(n *yaml.Node, at string) { r.Match = p.text(n, at) },
		"check":   func(n *yaml.Node, at string) { r.Check.Argv = p.argv(n, at) },
		"reload":  func(n *yaml.Node, at string) { r.Reload = p.action(n, at, http.MethodPost) },
		"health":  func(n *yaml.Node, at string) { r.Health = p.action(n, at, http.MethodGet) },
		"timeout": func(n *yaml.Node, at string) { r.Timeout = p.duration(n, at) },
		"mode":    func(n *yaml.Node, at string) { r.Mode = p.mode(n, at) },
		"owner":   func(n *yaml.Node, at string) { r.Owner = p.text(n, at) },
		"schema":  func(n *yaml.Node, at string) { r.Schema = p.text(n, at) },
	})
	return r
}

// mapping hands each value to the reader of its key.
func (p *parser) mapping(n *yaml.Node, at string, known map[string]func(*yaml.Node, string)) {
	if n.Kind != yaml.MappingNode {
		p.add(n.Line, at, "is not a set of keys and values")
		return
	}
	prefix := at
	if prefix != "" {
		prefix += "."
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		read, ok := known[key.Value]
		switch {
		case !ok:
			p.add(key.Line, prefix+key.Value, "unknown key, known here are "+strings.Join(sorted(known), ", "))
		case seen[key.Value]:
			p.add(key.Line, prefix+key.Value, "occurs twice")
		default:
			seen[key.Value] = true
			read(n.Content[i+1], prefix+key.Value)
		}
	}
}

func (p *parser) text(n *yaml.Node, at string) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		p.add(n.Line, at, "is not a text")
		return ""
	}
	return n.Value
}

func (p *parser) list(n *yaml.Node, at string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		p.add(n.Line, at, "is not a list")
		return nil
	}
	return n.Content
}

func (p *parser) texts(n *yaml.Node, at string) []string {
	var out []string
	for i, item := range p.list(n, at) {
		out = append(out, p.text(item, fmt.Sprintf("%s[%d]", at, i)))
	}
	return out
}

// argv reads a command: no shell takes a text apart, so a text is not one.
func (p *parser) argv(n *yaml.Node, at string) []string {
	if n.Kind == yaml.ScalarNode {
		p.add(n.Line, at, `is a text: write the command as a list, such as ["/usr/sbin/service", "app", "reload"]; no shell is run`)
		return nil
	}
	argv := p.texts(n, at)
	if len(argv) == 0 || argv[0] == "" {
		p.add(n.Line, at, "names no command")
	}
	return argv
}

func (p *parser) duration(n *yaml.Node, at string) time.Duration {
	d, err := time.ParseDuration(p.text(n, at))
	if err != nil || d <= 0 {
		p.add(n.Line, at, "is not a time such as 30s or 2m")
	}
	return d
}

func (p *parser) mode(n *yaml.Node, at string) fs.FileMode {
	text := strings.TrimPrefix(p.text(n, at), "0o")
	mode, err := strconv.ParseUint(text, 8, 32)
	if err != nil || mode == 0 || mode > 0o777 {
		p.add(n.Line, at, "is not a mode in octal such as 0640")
		return 0
	}
	return fs.FileMode(mode)
}
