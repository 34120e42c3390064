package discovery

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/droverhq/drover/document"
	"github.com/droverhq/drover/document/selector"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/push/instance"
)

// Kind is how a source is asked.
type Kind string

// Kinds of sources.
const (
	KindDNS    Kind = "dns"
	KindConsul Kind = "consul"
	KindFile   Kind = "file"
)

// Record types of a DNS source.
const (
	TypeA    = "A"
	TypeAAAA = "AAAA"
	TypeSRV  = "SRV"
)

const (
	defaultInterval = 30 * time.Second
	minInterval     = 5 * time.Second
	maxInterval     = 24 * time.Hour
	maxPrefix       = 60  // bytes
	maxName         = 255 // bytes of a name that is asked for
)

// Source is where instances are looked for. Of DNS, Consul and File the one that
// Kind names is used.
type Source struct {
	ID       string
	Kind     Kind
	Interval time.Duration // between two looks; 0: 30 s; at least 5 s
	DNS      DNS
	Consul   Consul
	File     File
	Template Template
}

// DNS is a name whose records are the instances: one per address, with Port, for
// A and AAAA (as a headless service of Kubernetes has them), or one per target
// and port for SRV (RFC 2782; weights and priorities mean nothing here).
type DNS struct {
	Name     string // ends in "." where the search list of the peer is not to be used
	Type     string // A (default), AAAA, SRV
	Port     int    // for A and AAAA
	Scheme   string // http (default) or https
	Resolver string // host or host:port; default: the peer's own resolvers
}

// Consul is a service in a catalogue.
type Consul struct {
	Address    string // host:port
	Scheme     string // of Consul: http (default) or https
	TLS        instance.TLS
	Service    string
	Tags       []string // all of them
	Datacenter string   // default: that of the agent that is asked
	Namespace  string   // of Consul Enterprise
	Passing    bool     // only instances whose checks pass; others are missing then
	// InstanceScheme is that of the instances: http (default) or https.
	InstanceScheme string
}

// File is a list of instances in JSON or YAML, below Config.Files of every peer
// that may lead:
//
//   - url: https://hooks-1.example.com
//     id: hooks-1                # optional
//     labels: {site: north}      # optional, beside those of the template
//     accepts: [webhooks]        # optional, instead of those of the template
type File struct {
	Path string // relative
}

// Template is what every instance of a source gets.
type Template struct {
	Prefix  string // of names; default: the ID of the source
	Path    string // of the base URL, for DNS and Consul; begins with "/"
	Labels  map[string]string
	Accepts []string
}

// Every is the interval, or its default.
func (s Source) Every() time.Duration {
	if s.Interval == 0 {
		return defaultInterval
	}
	return s.Interval
}

func (s Source) prefix() string { return or(s.Template.Prefix, s.ID) }

// asked names what an error is about.
func (s Source) asked() string {
	switch s.Kind {
	case KindDNS:
		by := ""
		if s.DNS.Resolver != "" {
			by = " at " + s.DNS.Resolver
		}
		return fmt.Sprintf("the name %q (%s)%s", s.DNS.Name, s.DNS.recordType(), by)
	case KindConsul:
		return fmt.Sprintf("the service %q in Consul at %s", s.Consul.Service, s.Consul.Address)
	}
	return fmt.Sprintf("the file %q", s.File.Path)
}

// Validate says what cannot be used; an error begins with the field.
func (s Source) Validate() error {
	if err := fsm.ValidNodeID(s.ID); err != nil || len(s.ID) > maxPrefix {
		return fmt.Errorf("id: %.80q is no name for a source: use 1 to %d letters, digits, '.', '_' or '-', beginning and ending with a letter or digit", s.ID, maxPrefix)
	}
	if s.Interval != 0 && (s.Interval < minInterval || s.Interval > maxInterval) {
		return fmt.Errorf("interval: %s is not within %s and %s", s.Interval, minInterval, maxInterval)
	}
	if err := s.Template.validate(); err != nil {
		return fmt.Errorf("template.%w", err)
	}
	var err error
	switch s.Kind {
	case KindDNS:
		err = s.DNS.validate()
	case KindConsul:
		err = s.Consul.validate()
	case KindFile:
		err = s.File.validate()
	default:
		return fmt.Errorf("kind: %.40q is none: use %s, %s or %s", s.Kind, KindDNS, KindConsul, KindFile)
	}
	if err != nil {
		return fmt.Errorf("%s.%w", s.Kind, err)
	}
	return nil
}

func (t Template) validate() error {
	if t.Prefix != "" && (fsm.ValidNodeID(t.Prefix) != nil || len(t.Prefix) > maxPrefix) {
		return fmt.Errorf("prefix: %.80q does not begin the name of a node: use at most %d letters, digits, '.', '_' or '-'", t.Prefix, maxPrefix)
	}
	if t.Path != "" {
		if _, err := instance.ParseURL("http://host" + t.Path); err != nil || t.Path[0] != '/' {
			return fmt.Errorf("path: %.80q is no path of a base URL: write it as /path", t.Path)
		}
	}
	if err := selector.ValidLabels(t.Labels); err != nil {
		return fmt.Errorf("labels: %w", err)
	}
	return validAccepts(t.Accepts)
}

func validAccepts(accepts []string) error {
	for i, target := range accepts {
		if err := document.ValidName(target); err != nil {
			return fmt.Errorf("accepts[%d]: %w", i, err)
		}
	}
	return nil
}

func (d DNS) recordType() string { return or(d.Type, TypeA) }

func (d DNS) validate() error {
	if err := validHost(d.Name); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	switch d.recordType() {
	case TypeA, TypeAAAA:
		if d.Port < 1 || d.Port > 65535 {
			return fmt.Errorf("port: %d is none: an address alone does not tell where an instance listens; use 1 to 65535", d.Port)
		}
	case TypeSRV:
		if d.Port != 0 {
			return errors.New("port: SRV records bring their own: leave it out")
		}
	default:
		return fmt.Errorf("type: %.40q is none: use %s, %s or %s", d.Type, TypeA, TypeAAAA, TypeSRV)
	}
	if err := validScheme(d.Scheme); err != nil {
		return fmt.Errorf("scheme: %w", err)
	}
	if d.Resolver != "" {
		if _, err := d.resolver(); err != nil {
			return fmt.Errorf("resolver: %w", err)
		}
	}
	return nil
}

// resolver is host:port.
func (d DNS) resolver() (string, error) {
	host, port, err := net.SplitHostPort(d.Resolver)
	if err != nil {
		host, port = strings.Trim(d.Resolver, "[]"), "53"
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("the port %.20q is none", port)
	}
	address := net.JoinHostPort(host, port)
	if _, err := instance.ParseURL("http://" + address); err != nil || strings.Contains(address, "/") {
		return "", fmt.Errorf("%.80q is neither host nor host:port", d.Resolver)
	}
	return address, nil
}

func (c Consul) validate() error {
	if err := validScheme(c.Scheme); err != nil {
		return fmt.Errorf("scheme: %w", err)
	}
	if _, err := instance.ParseURL("http://" + c.Address); err != nil || strings.Contains(c.Address, "/") {
		return fmt.Errorf("address: %.80q is no host:port", c.Address)
	}
	if err := c.TLS.Validate(); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	for field, text := range map[string]string{"service": c.Service, "datacenter": c.Datacenter, "namespace": c.Namespace} {
		if strings.ContainsFunc(text, notOfName) || len(text) > maxName || strings.Trim(text, ".") == "" && text != "" {
			return fmt.Errorf("%s: %.80q is no name in Consul", field, text)
		}
	}
	if c.Service == "" {
		return errors.New("service: there is none")
	}
	for i, tag := range c.Tags {
		if tag == "" || len(tag) > maxName {
			return fmt.Errorf("tags[%d]: a tag has 1 to %d bytes", i, maxName)
		}
	}
	if err := validScheme(c.InstanceScheme); err != nil {
		return fmt.Errorf("instance_scheme: %w", err)
	}
	return nil
}

// notOfName refuses what would change the path of a request to Consul.
func notOfName(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune(`/\?#%&"<>`, r)
}

func (f File) validate() error {
	if f.Path == "" || !filepath.IsLocal(f.Path) {
		return fmt.Errorf("path: %.200q does not stay below the directory for such files: give a relative path without ..", f.Path)
	}
	return nil
}

func validScheme(scheme string) error {
	switch scheme {
	case "", "http", "https":
		return nil
	}
	return fmt.Errorf("%.20q is none: use http or https", scheme)
}

// validHost takes a name, not an address.
func validHost(name string) error {
	u, err := instance.ParseURL("http://" + name)
	if err != nil || len(name) > maxName {
		return fmt.Errorf("%.80q is no name for DNS", name)
	}
	parsed, err := url.Parse(u)
	if err != nil || parsed.Host != strings.ToLower(name) || net.ParseIP(name) != nil {
		return fmt.Errorf("%.80q is no name for DNS: give the name alone", name)
	}
	return nil
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
