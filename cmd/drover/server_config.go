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
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/droverhq/drover/cluster"
)

// serverConfig is the file of `drover server`.
type serverConfig struct {
	cluster.Config `yaml:",inline"`
	TrustedProxies []string  `yaml:"trusted_proxies,omitempty"` // addresses or networks whose X-Forwarded-For is believed
	Log            logConfig `yaml:"log,omitempty"`
}

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
	var out []netip.Prefix
	for i, text := range c.TrustedProxies {
		p, err := netip.ParsePrefix(text)
		if a, aerr := netip.ParseAddr(text); err != nil && aerr == nil {
			p, err = a.Prefix(a.BitLen())
		}
		if err != nil {
			return nil, fmt.Errorf("trusted_proxies[%d]: %q is neither an address nor a network such as 192.0.2.0/24", i, text)
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
