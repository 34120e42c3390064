package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/droverhq/drover/cluster"
	"github.com/droverhq/drover/push"
)

// serverConfig is the file of `drover server`.
type serverConfig struct {
	cluster.Config `yaml:",inline"`
	TrustedProxies []string        `yaml:"trusted_proxies,omitempty"` // addresses or networks whose X-Forwarded-For is believed
	Instances      instancesConfig `yaml:"instances,omitempty"`
	Log            logConfig       `yaml:"log,omitempty"`
}

// instancesConfig is how this peer calls instances. It should be the same on
// all: any of them may have to call any instance.
type instancesConfig struct {
	Allow    []string      `yaml:"allow,omitempty"`    // addresses or networks that may be called although they are not public
	Timeout  time.Duration `yaml:"timeout,omitempty"`  // of one call; default 10s
	Interval time.Duration `yaml:"interval,omitempty"` // between two looks at an instance; default 10s
	Files    string        `yaml:"files,omitempty"`    // directory of the files that discoveries read; default: they read none
}

// Bounds of the durations in instancesConfig.
const (
	instanceTimeout  = 10 * time.Second
	instanceInterval = 10 * time.Second
	instanceLeast    = time.Second
	instanceMost     = 10 * time.Minute
)

func (c instancesConfig) withDefaults() instancesConfig {
	if c.Timeout == 0 {
		c.Timeout = instanceTimeout
	}
	if c.Interval == 0 {
		c.Interval = instanceInterval
	}
	return c
}

func (c instancesConfig) check() error {
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"timeout", c.Timeout}, {"interval", c.Interval}} {
		if d.value < instanceLeast || d.value > instanceMost {
			return fmt.Errorf("instances.%s: %s is not within %s and %s", d.key, d.value, instanceLeast, instanceMost)
		}
	}
	if c.Files != "" && !filepath.IsAbs(c.Files) {
		return fmt.Errorf("instances.files: %q is no absolute path", c.Files)
	}
	_, err := c.allow()
	return err
}

// push is the configuration in the words of package push.
func (c instancesConfig) push() (push.Instances, error) {
	allow, err := c.allow()
	return push.Instances{Allow: allow, Timeout: c.Timeout, Interval: c.Interval, Files: c.Files}, err
}

func (c instancesConfig) allow() ([]netip.Prefix, error) { return networks("instances.allow", c.Allow) }

type logConfig struct {
	Level  string `yaml:"level,omitempty"`  // debug, info, warn or error; default info
	Format string `yaml:"format,omitempty"` // text or json; default text
}

// readServerConfig reads, completes and checks a file. The error names every
// key that is wrong, with its line where the text itself is.
func readServerConfig(file string) (serverConfig, error) {
	var c serverConfig
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, fmt.Errorf("%w\nMake a cluster with drover cluster init, or join one with drover cluster join: both write this file", err)
	}
	if err != nil {
		return c, err
	}
	if c, err = parseServerConfig(text); err != nil {
		return c, fmt.Errorf("%s:\n  %s", file, strings.ReplaceAll(err.Error(), "\n", "\n  "))
	}
	return c, nil
}

func parseServerConfig(text []byte) (serverConfig, error) {
	var c serverConfig
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return c, readable(err)
	}
	host, err := os.Hostname()
	if err != nil {
		return c, err
	}
	c.Config = c.WithDefaults(host, cluster.LocalAddress())
	if _, err := c.Log.handler(io.Discard); err != nil {
		return c, err
	}
	if _, err := c.proxies(); err != nil {
		return c, err
	}
	c.Instances = c.Instances.withDefaults()
	if err := c.Instances.check(); err != nil {
		return c, err
	}
	return c, errors.Join(c.Validate(), c.checkPlain())
}

var unknownKey = regexp.MustCompile(`field (\S+) not found in type \S+`)

// readable turns the YAML library's complaints into a person's words.
func readable(err error) error {
	var many *yaml.TypeError
	if errors.As(err, &many) {
		return errors.New(unknownKey.ReplaceAllString(strings.Join(many.Errors, "\n"), `unknown key "$1"`))
	}
	return errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
}

// plain tells whether the API is served without TLS.
func (c serverConfig) plain() bool {
	u, err := url.Parse(c.API.URL)
	return err == nil && u.Scheme == "http"
}

// checkPlain keeps passwords and tokens off the network: without TLS the API
// serves this machine only.
func (c serverConfig) checkPlain() error {
	if !c.plain() {
		return nil
	}
	host, _, err := net.SplitHostPort(c.API.Listen)
	if ip := net.ParseIP(host); err == nil && (host == "localhost" || ip != nil && ip.IsLoopback()) {
		return nil
	}
	return fmt.Errorf("api.url: %s is plain HTTP, which is for a loopback address in api.listen only; use https", c.API.URL)
}

func (c serverConfig) proxies() ([]netip.Prefix, error) {
	return networks("trusted_proxies", c.TrustedProxies)
}

// networks reads addresses and networks; an error names the place.
func networks(key string, texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for i, text := range texts {
		p, err := netip.ParsePrefix(text)
		if a, aerr := netip.ParseAddr(text); err != nil && aerr == nil {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %q is neither an address nor a network such as 192.0.2.0/24", key, i, text)
		}
		out = append(out, p)
	}
	return out, nil
}

func (l logConfig) handler(w io.Writer) (slog.Handler, error) {
	level := slog.LevelInfo
	if l.Level != "" {
		if err := level.UnmarshalText([]byte(l.Level)); err != nil {
			return nil, fmt.Errorf("log.level: %q is none of debug, info, warn and error", l.Level)
		}
	}
	opts := &slog.HandlerOptions{Level: level}
	switch l.Format {
	case "", "text":
		return slog.NewTextHandler(w, opts), nil
	case "json":
		return slog.NewJSONHandler(w, opts), nil
	}
	return nil, fmt.Errorf("log.format: %q is neither text nor json", l.Format)
}
