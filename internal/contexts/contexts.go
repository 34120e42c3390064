package contexts

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// DefaultAddr is where a controller of this machine listens.
const DefaultAddr = "https://localhost:8443"

// Context is one cluster and who one is there.
type Context struct {
	Addr    []string `yaml:"addr,omitempty" json:"addr,omitempty"`
	CA      string   `yaml:"ca,omitempty" json:"ca,omitempty"` // PEM file
	User    string   `yaml:"user,omitempty" json:"user,omitempty"`
	Token   string   `yaml:"token,omitempty" json:"-"`
	Session string   `yaml:"session,omitempty" json:"-"` // of drover login
}

// File is the configuration file.
type File struct {
	Current  string              `yaml:"current,omitempty"`
	Contexts map[string]*Context `yaml:"contexts,omitempty"`

	path string
}

// Path is where the file is: $XDG_CONFIG_HOME/drover/config.yaml.
func Path(env func(string) string) string {
	if dir := env("XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "drover", "config.yaml")
	}
	return filepath.Join(env("HOME"), ".config", "drover", "config.yaml")
}

// Load reads the file; one that is not there is empty.
func Load(path string) (*File, error) {
	f := &File{path: path, Contexts: map[string]*Context{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if f.Contexts == nil {
		f.Contexts = map[string]*Context{}
	}
	for name, c := range f.Contexts {
		if c == nil {
			f.Contexts[name] = &Context{}
		}
	}
	return f, nil
}

// Save replaces the file as a whole.
func (f *File) Save() (err error) {
	text, err := yaml.Marshal(f)
	if err != nil {
		return err
	}
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	t, err := os.CreateTemp(dir, ".config-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = t.Write(text)
	if err = errors.Join(err, t.Close()); err == nil {
		err = os.Rename(t.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(t.Name()))
	}
	return nil
}

// Names lists the contexts, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.Contexts)) }

// Flags are what the command line says; empty is nothing said.
type Flags struct {
	Addr      []string
	Context   string
	Token     string
	TokenFile string
	CA        string
}

// Target is the cluster to speak to, and as whom.
type Target struct {
	Name    string // of the context; "" where none is in use
	Addrs   []string
	CA      string // file; "" = the system's
	Token   string
	Session string
}

// Resolve applies the precedence.
func (f *File) Resolve(flags Flags, env func(string) string) (Target, error) {
	var t Target
	t.Name = first(flags.Context, env("DROVER_CONTEXT"), f.Current)
	c := f.Contexts[t.Name]
	if c == nil && t.Name != "" {
		return t, fmt.Errorf("there is no context %q; `drover context list` shows them, `drover context set %s --addr URL` makes one", t.Name, t.Name)
	}
	if c == nil {
		c = &Context{}
	}
	t.Addrs = split(flags.Addr)
	if len(t.Addrs) == 0 {
		t.Addrs = split([]string{env("DROVER_ADDR")})
	}
	own := len(t.Addrs) == 0 || within(t.Addrs, c.Addr) // the context's credentials may go there
	if len(t.Addrs) == 0 {
		t.Addrs = c.Addr
	}
	if len(t.Addrs) == 0 {
		t.Addrs = []string{DefaultAddr}
	}
	t.CA = first(flags.CA, env("DROVER_CA"))
	if t.CA == "" && own {
		t.CA = c.CA
	}
	token, err := readToken(flags, env)
	if err != nil {
		return t, err
	}
	t.Token = token
	if t.Token == "" && own {
		t.Token, t.Session = c.Token, c.Session
	}
	return t, nil
}

// readToken takes the credential of the flags or the environment. A flag of
// either form goes before both forms in the environment.
func readToken(flags Flags, env func(string) string) (string, error) {
	if flags.Token != "" && flags.TokenFile != "" {
		return "", errors.New("give --token or --token-file, not both")
	}
	if flags.Token != "" {
		return flags.Token, nil
	}
	file := flags.TokenFile
	if file == "" {
		if t := env("DROVER_TOKEN"); t != "" {
			return t, nil
		}
		file = env("DROVER_TOKEN_FILE")
	}
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	return strings.TrimSpace(string(text)), err
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// split takes lists apart at commas.
func split(values []string) []string {
	var out []string
	for _, v := range values {
		for _, a := range strings.Split(v, ",") {
			if a = strings.TrimRight(strings.TrimSpace(a), "/"); a != "" {
				out = append(out, a)
			}
		}
	}
	return out
}

func within(some, all []string) bool {
	all = split(all)
	for _, s := range some {
		if !slices.Contains(all, s) {
			return false
		}
	}
	return true
}
