package serve

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/droverhq/drover/agent/hook"
	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/document/schema"
)

const (
	// DefaultRate is how many requests a second are answered.
	DefaultRate = 20
	// MinToken is the length that a token has at least: guessing one must be
	// hopeless, whatever the rate.
	MinToken = 16

	maxTokens    = 4
	maxTokenFile = 4 << 10
	maxRate      = 10_000
	maxMaxBytes  = 64 << 20
	maxMaxDepth  = 256
)

// Config is the part of the agent's file that is about serving.
type Config struct {
	ID        string      // instance_id; empty: the host's name
	Listen    string      // host:port; without Cert a loopback address
	Token     hook.Secret // that callers have to bear
	TokenFile string      // in place of Token: a token a line, each of which will do; read at each request
	Cert, Key string      // PEM files; read again when they change
	Dir       string      // files are at <Dir>/current/<target>.json
	Accepts   []string    // targets that may be pushed; empty: every one
	Rate      int         // requests a second; 0: DefaultRate
	MaxBytes  int         // of a content without white space; 0: 1 MiB
	MaxDepth  int         // of a content; 0: 32

	// Rule tells what to do with a target; two targets with the same pointer
	// share their hooks. Nil stands for a rule that runs nothing.
	Rule func(target string) *Rule
}

// Rule says what to do with the targets it is for.
type Rule struct {
	Check   hook.Action // runs before the switch
	Reload  hook.Action // runs after the switch, and after it was taken back
	Health  hook.Action // runs after Reload
	Timeout time.Duration
	Mode    fs.FileMode
	UID     int // below zero: as the agent
	GID     int
	Schema  *schema.Schema // nil: none
}

func (c Config) withDefaults() Config {
	if c.Rate == 0 {
		c.Rate = DefaultRate
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = document.DefaultLimits().Bytes
	}
	if c.MaxDepth == 0 {
		c.MaxDepth = document.DefaultLimits().Depth
	}
	if c.Rule == nil {
		plain := &Rule{Mode: 0o640, UID: -1, GID: -1}
		c.Rule = func(string) *Rule { return plain }
	}
	return c
}

// Check calls add with the name and the reason of everything that is wrong.
func (c Config) Check(add func(key, message string)) {
	c.checkListen(add)
	switch {
	case c.Token == "" && c.TokenFile == "":
		add("token", "is missing, and so is token_file: nobody may push without one")
	case c.Token != "" && c.TokenFile != "":
		add("token", "is given beside token_file: one is enough")
	default:
		if _, err := c.tokens(); err != nil {
			add("token", err.Error())
		}
	}
	for i, target := range c.Accepts {
		if err := document.ValidName(target); err != nil {
			add(fmt.Sprintf("accepts[%d]", i), err.Error())
		}
	}
	bounds := func(key string, value, limit int) {
		if value < 0 || value > limit {
			add(key, fmt.Sprintf("is not between 1 and %d", limit))
		}
	}
	bounds("rate", c.Rate, maxRate)
	bounds("max_bytes", c.MaxBytes, maxMaxBytes)
	bounds("max_depth", c.MaxDepth, maxMaxDepth)
}

func (c Config) checkListen(add func(key, message string)) {
	if c.Listen == "" {
		add("listen", "is missing, such as 127.0.0.1:9443")
		return
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
		add("listen", fmt.Sprintf("%q is not of the form address:port", c.Listen))
		return
	}
	if (c.Cert == "") != (c.Key == "") {
		add("cert", "cert and key belong together")
		return
	}
	if c.Cert != "" {
		if _, err := tls.LoadX509KeyPair(c.Cert, c.Key); err != nil {
			add("cert", err.Error())
		}
		return
	}
	ip := net.ParseIP(host)
	if host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		add("listen", fmt.Sprintf("%q: without cert and key the token would cross the network in the clear: give both, or listen on a loopback address", c.Listen))
	}
}

// tokens are the tokens of which a caller has to bear one. The file is read
// each time, so that a token can be changed under a running process.
func (c Config) tokens() ([][]byte, error) {
	text := []byte(c.Token)
	if c.TokenFile != "" {
		var err error
		if text, err = os.ReadFile(c.TokenFile); err != nil {
			return nil, err
		}
	}
	if len(text) > maxTokenFile {
		return nil, errors.New("is no token: it is too long")
	}
	var all [][]byte
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			all = append(all, line)
		}
	}
	if len(all) == 0 || len(all) > maxTokens {
		return nil, fmt.Errorf("holds %d tokens, 1 to %d are allowed, each on its line", len(all), maxTokens)
	}
	for _, token := range all {
		if len(token) < MinToken {
			return nil, fmt.Errorf("a token has %d characters, at least %d are needed", len(token), MinToken)
		}
		if bytes.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, errors.New("a token has characters that no HTTP header carries")
		}
	}
	return all, nil
}

// readable tells a file that everybody on the machine may read.
func readable(file string) bool {
	info, err := os.Stat(file)
	return file != "" && err == nil && info.Mode().Perm()&0o004 != 0
}

func (c Config) tls(log *slog.Logger) (*tls.Config, error) {
	for _, file := range []string{c.TokenFile, c.Key} {
		if readable(file) {
			log.Warn("every user of this machine may read a secret: make it 0600", "file", file)
		}
	}
	if c.Cert == "" {
		return nil, nil
	}
	certs := &certs{cert: c.Cert, key: c.Key, log: log}
	if _, err := certs.get(nil); err != nil {
		return nil, fmt.Errorf("serve.cert: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certs.get, NextProtos: []string{"http/1.1"}}, nil
}

// accepts tells whether a target may be pushed.
func (c Config) accepts(target string) error {
	if len(c.Accepts) == 0 {
		return nil
	}
	for _, known := range c.Accepts {
		if known == target {
			return nil
		}
	}
	return fmt.Errorf("the type %q is not accepted here, only %s", target, strings.Join(c.Accepts, ", "))
}
