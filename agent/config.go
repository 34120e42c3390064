package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/droverhq/drover/agent/hook"
	"github.com/droverhq/drover/agent/serve"
	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/document/schema"
)

// DefaultDir is where an agent keeps its things when its file does not say.
const DefaultDir = "/var/lib/drover-agent"

// defaultMode is the mode of a rendered file that no rule speaks of.
const defaultMode fs.FileMode = 0o640

// maxTimeout bounds what a rule may give its commands: while they run, nothing
// newer is applied.
const maxTimeout = 10 * time.Minute

// Config is the agent's own file. ReadConfig fills it and checks it.
type Config struct {
	Node      string        // name of this node; empty: as enrolled
	Dir       string        // where everything is kept
	Peers     []string      // controllers, https://host:port; http:// to loopback only
	CA        string        // PEM file of further CAs to trust; empty: those learnt at enrolment
	Proxy     string        // proxy for the channel; empty: HTTPS_PROXY and the like
	Documents []Rule        // in the order of the file: the first match counts
	Serve     *serve.Config // nil: the node is no instance
}

// Rule says what to do with the documents that match.
type Rule struct {
	Match   string        // glob over targets, "**" for any number of segments
	Check   hook.Action   // a command, run on the staged files; not 0 refuses the update
	Reload  hook.Action   // run after the switch, and after it was taken back
	Health  hook.Action   // run after Reload; a failure takes the switch back
	Timeout time.Duration // for each of the three
	Mode    fs.FileMode   // of the file
	Owner   string        // user or user:group of the file; empty: as the agent
	Schema  string        // local JSON Schema file that the content must satisfy

	uid, gid int // of Owner; -1 leaves it alone
	schema   *schema.Schema
	line     int
}

// ConfigError is a list of what is wrong with a file, each with its place.
type ConfigError struct {
	File     string
	Problems []string // "line 4: documents[0].timeout: …"
}

func (e *ConfigError) Error() string {
	if len(e.Problems) == 1 {
		return e.File + ": " + e.Problems[0]
	}
	return fmt.Sprintf("%s: %d problems:\n  %s", e.File, len(e.Problems), strings.Join(e.Problems, "\n  "))
}

// ReadConfig reads and checks a file. It changes nothing on the machine. The
// error is a *ConfigError when the file was read and is not valid.
func ReadConfig(file string) (Config, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, fmt.Errorf("%w: write it first, the smallest one is the line \"dir: %s\"", err, DefaultDir)
	}
	if err != nil {
		return Config{}, err
	}
	p := &parser{}
	c := p.parse(text)
	if len(p.problems) == 0 {
		p.check(&c, filepath.Dir(file))
	}
	if len(p.problems) > 0 {
		return Config{}, &ConfigError{File: file, Problems: p.problems}
	}
	return c, nil
}

// check looks at what single values cannot tell.
func (p *parser) check(c *Config, base string) {
	if c.Dir == "" {
		c.Dir = DefaultDir
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		p.add(0, "dir", err.Error())
	}
	c.Dir = dir
	if c.Node != "" {
		if err := validNode(c.Node); err != nil {
			p.add(0, "node", err.Error())
		}
	}
	for i, peer := range c.Peers {
		if err := CheckAddress(peer); err != nil {
			p.add(0, fmt.Sprintf("peers[%d]", i), err.Error())
		}
	}
	if c.Proxy != "" {
		u, err := url.Parse(c.Proxy)
		if err != nil || u.Host == "" || !slices.Contains([]string{"http", "socks5"}, u.Scheme) {
			p.add(0, "proxy", "is not of the form http://host:port or socks5://host:port")
		}
	}
	if c.CA != "" {
		c.CA = below(base, c.CA)
		if _, err := readPool(c.CA); err != nil {
			p.add(0, "ca", err.Error())
		}
	}
	for i := range c.Documents {
		p.checkRule(&c.Documents[i], fmt.Sprintf("documents[%d]", i), base)
	}
	if c.Serve != nil {
		p.checkServe(c, base)
	}
}

func (p *parser) checkRule(r *Rule, at, base string) {
	if r.Match == "" {
		p.add(r.line, at+".match", "is missing: a glob over targets such as routing/* or **")
	} else if err := checkGlob(r.Match); err != nil {
		p.add(r.line, at+".match", err.Error())
	}
	if r.Timeout == 0 {
		r.Timeout = hook.DefaultTimeout
	}
	if r.Timeout < 0 || r.Timeout > maxTimeout {
		p.add(r.line, at+".timeout", fmt.Sprintf("is not between 0s and %s", maxTimeout))
	}
	if r.Mode == 0 {
		r.Mode = defaultMode
	}
	p.checkAction(&r.Reload, r.line, at+".reload", base)
	p.checkAction(&r.Health, r.line, at+".health", base)
	var err error
	if r.uid, r.gid, err = lookupOwner(r.Owner); err != nil {
		p.add(r.line, at+".owner", err.Error())
	}
	if r.Schema != "" {
		r.Schema = below(base, r.Schema)
		text, err := os.ReadFile(r.Schema)
		if err == nil {
			r.schema, err = schema.Compile(text)
		}
		if err != nil {
			p.add(r.line, at+".schema", err.Error())
		}
	}
}

// below resolves a path of the file against the directory that the file is in.
func below(base, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(base, name)
}

// validNode checks the name of a node: 1–200 bytes of [a-z0-9][a-z0-9._-]*.
func validNode(name string) error {
	if strings.Contains(name, "/") || document.ValidName(name) != nil {
		return errors.New("has another form than [a-z0-9][a-z0-9._-]*, at most 200 bytes")
	}
	return nil
}

// CheckAddress tells whether a controller may be called at an address: https,
// or plain http to this machine itself.
func CheckAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q is not of the form https://host:port", address)
	}
	switch u.Scheme {
	case "https":
		return nil
	case "http":
		ip := net.ParseIP(u.Hostname())
		if u.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
			return nil
		}
		return fmt.Errorf("%q: plain http is for loopback addresses only, use https", address)
	}
	return fmt.Errorf("%q is not of the form https://host:port", address)
}

// lookupOwner reads "user", "user:group" or numbers.
func lookupOwner(owner string) (uid, gid int, err error) {
	if owner == "" {
		return -1, -1, nil
	}
	name, group, grouped := strings.Cut(owner, ":")
	gid = -1
	if uid, err = strconv.Atoi(name); err != nil {
		u, err := user.Lookup(name)
		if err != nil {
			return -1, -1, fmt.Errorf("no user %q on this machine", name)
		}
		uid, _ = strconv.Atoi(u.Uid)
		gid, _ = strconv.Atoi(u.Gid)
	}
	if !grouped {
		return uid, gid, nil
	}
	if gid, err = strconv.Atoi(group); err != nil {
		g, err := user.LookupGroup(group)
		if err != nil {
			return -1, -1, fmt.Errorf("no group %q on this machine", group)
		}
		gid, _ = strconv.Atoi(g.Gid)
	}
	return uid, gid, nil
}

// rule finds the rule of a target; where none matches, the file is written and
// nothing is run.
func (c *Config) rule(target string) *Rule {
	for i := range c.Documents {
		if matches(c.Documents[i].Match, target) {
			return &c.Documents[i]
		}
	}
	return &Rule{Match: "**", Mode: defaultMode, uid: -1, gid: -1, Timeout: hook.DefaultTimeout}
}
