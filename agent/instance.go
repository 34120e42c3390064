package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/droverhq/drover/agent/hook"
	"github.com/droverhq/drover/agent/serve"
)

// serving reads the keys of the instance that this program can be.
func (p *parser) serving(n *yaml.Node, at string) *serve.Config {
	c := &serve.Config{}
	p.mapping(n, at, map[string]func(*yaml.Node, string){
		"listen":     func(n *yaml.Node, at string) { c.Listen = p.text(n, at) },
		"token":      func(n *yaml.Node, at string) { c.Token = hook.Secret(p.text(n, at)) },
		"token_file": func(n *yaml.Node, at string) { c.TokenFile = p.text(n, at) },
		"cert":       func(n *yaml.Node, at string) { c.Cert = p.text(n, at) },
		"key":        func(n *yaml.Node, at string) { c.Key = p.text(n, at) },
		"dir":        func(n *yaml.Node, at string) { c.Dir = p.text(n, at) },
		"accepts":    func(n *yaml.Node, at string) { c.Accepts = p.texts(n, at) },
		"rate":       func(n *yaml.Node, at string) { c.Rate = p.number(n, at) },
		"max_bytes":  func(n *yaml.Node, at string) { c.MaxBytes = p.number(n, at) },
		"max_depth":  func(n *yaml.Node, at string) { c.MaxDepth = p.number(n, at) },
	})
	return c
}

// number reads one that is above zero.
func (p *parser) number(n *yaml.Node, at string) int {
	value, err := strconv.Atoi(p.text(n, at))
	if err != nil || value < 1 {
		p.add(n.Line, at, "is not a whole number above 0")
		return 0
	}
	return value
}

// checkServe looks at the keys together. It comes after the rules were checked.
func (p *parser) checkServe(c *Config, base string) {
	s := c.Serve
	for _, file := range []*string{&s.TokenFile, &s.Cert, &s.Key} {
		if *file != "" {
			*file = below(base, *file)
		}
	}
	if s.Dir == "" {
		s.Dir = c.Dir
	}
	if dir, err := filepath.Abs(s.Dir); err == nil { // like dir, not beside the configuration
		s.Dir = dir
	}
	s.ID = c.Node
	s.Rule = c.serveRules()
	s.Check(func(key, message string) { p.add(0, "serve."+key, message) })
	if len(c.Peers) > 0 && s.Dir == c.Dir {
		p.add(0, "serve.dir", "has to differ from dir where this node has peers too: both keep files in current")
	}
}

// serveRules hands out the rules of the file: an instance's targets fall under
// them as documents do.
func (c *Config) serveRules() func(target string) *serve.Rule {
	of := func(r *Rule) *serve.Rule {
		return &serve.Rule{Check: r.Check, Reload: r.Reload, Health: r.Health, Timeout: r.Timeout,
			Mode: r.Mode, UID: r.uid, GID: r.gid, Schema: r.schema}
	}
	rules := make([]*serve.Rule, len(c.Documents))
	for i := range c.Documents {
		rules[i] = of(&c.Documents[i])
	}
	globs, rest := c.Documents, of((&Config{}).rule(""))
	return func(target string) *serve.Rule {
		for i := range globs {
			if matches(globs[i].Match, target) {
				return rules[i]
			}
		}
		return rest
	}
}

// hasChannel tells whether the node is, or should be, enrolled: only a node
// that serves may do without.
func (c *Config) hasChannel() (bool, error) {
	if c.Serve == nil || len(c.Peers) > 0 {
		return true, nil
	}
	_, err := os.Stat(filepath.Join(c.Dir, identityFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil && c.Serve.Dir == c.Dir {
		err = fmt.Errorf("this node is enrolled: give serve.dir a directory of its own, as both keep files in current, or remove %s", filepath.Join(c.Dir, identityDir))
	}
	return true, err
}

// serveRetry is how long a node that has a channel too waits before it tries to
// serve again: an address that is taken must not cut it off from its
// controllers.
const serveRetry = 10 * time.Second

// serve answers as an instance until ctx ends.
func (a *Agent) serve(ctx context.Context, channel bool) error {
	for {
		err := serve.New(*a.config.Serve, serve.Deps{
			Log: a.log, Version: a.version, Now: a.now, Listen: a.netListen, Step: a.step,
		}).Run(ctx)
		if err == nil || !channel {
			return err
		}
		a.log.Error("the instance cannot be served, it is tried again", "error", err, "in", serveRetry)
		wait := time.NewTimer(serveRetry)
		select {
		case <-ctx.Done():
			wait.Stop()
			return nil
		case <-wait.C:
		}
	}
}
