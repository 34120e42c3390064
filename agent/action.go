package agent

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/droverhq/drover/agent/hook"
)

// action reads a hook: a list is a command, a set of keys a signal or an HTTP
// request. method is that of a request which names none.
func (p *parser) action(n *yaml.Node, at, method string) (a hook.Action) {
	if n.Kind != yaml.MappingNode {
		a.Argv = p.argv(n, at)
		return a
	}
	s := hook.Signal{}
	before := len(p.problems)
	p.mapping(n, at, map[string]func(*yaml.Node, string){
		"signal": func(n *yaml.Node, at string) {
			number, err := hook.ParseSignal(p.text(n, at))
			if err != nil {
				p.add(n.Line, at, err.Error())
			}
			s.Number = number
		},
		"pid_file": func(n *yaml.Node, at string) { s.PIDFile = p.text(n, at) },
		"http":     func(n *yaml.Node, at string) { a.HTTP = p.request(n, at, method) },
	})
	switch {
	case len(p.problems) > before:
	case (s.Number != 0) != (s.PIDFile != ""):
		p.add(n.Line, at, "a signal needs both keys, such as {signal: HUP, pid_file: /run/app.pid}")
	case (s.Number != 0) == (a.HTTP != nil):
		p.add(n.Line, at, "is either a command, as a list, or {signal, pid_file}, or {http: {url}}")
	case s.Number != 0 && method == http.MethodGet:
		p.add(n.Line, at, "a signal has no answer: give a command or {http: {url}}")
	case s.Number != 0:
		a.Signal = &s
	}
	return a
}

func (p *parser) request(n *yaml.Node, at, method string) *hook.Request {
	r := &hook.Request{Method: method}
	p.mapping(n, at, map[string]func(*yaml.Node, string){
		"url":        func(n *yaml.Node, at string) { r.URL = p.text(n, at) },
		"method":     func(n *yaml.Node, at string) { r.Method = strings.ToUpper(p.text(n, at)) },
		"token":      func(n *yaml.Node, at string) { r.Token = hook.Secret(p.text(n, at)) },
		"token_file": func(n *yaml.Node, at string) { r.TokenFile = p.text(n, at) },
		"ca":         func(n *yaml.Node, at string) { r.CAFile = p.text(n, at) },
	})
	if err := checkURL(r.URL); err != nil {
		p.add(n.Line, at+".url", err.Error())
	}
	if !slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodPut}, r.Method) {
		p.add(n.Line, at+".method", "is none of GET, POST, PUT")
	}
	if r.Token != "" && r.TokenFile != "" {
		p.add(n.Line, at, "has both token and token_file: one is enough")
	}
	return r
}

// checkAction resolves the files of a hook against the directory of the
// configuration and looks at those that must be there before an application
// runs.
func (p *parser) checkAction(a *hook.Action, line int, at, base string) {
	if a.Signal != nil {
		a.Signal.PIDFile = below(base, a.Signal.PIDFile)
	}
	if a.HTTP == nil {
		return
	}
	if a.HTTP.TokenFile != "" {
		a.HTTP.TokenFile = below(base, a.HTTP.TokenFile)
	}
	if a.HTTP.CAFile != "" {
		text, err := readPool(below(base, a.HTTP.CAFile))
		if err == nil {
			a.HTTP.Roots, err = poolOf(text)
		}
		if err != nil {
			p.add(line, at+".http.ca", err.Error())
		}
	}
}

// checkURL tells whether an application may be called at a URL: https, or plain
// http on this machine itself, as a token goes with the call.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return errors.New("is not of the form https://host:port/path")
	}
	return CheckAddress(u.Scheme + "://" + u.Host)
}
