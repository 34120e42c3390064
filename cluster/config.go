package cluster

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"time"
)

// Config is what a peer is told: the part of the server's configuration file
// that concerns the cluster. Relative paths are taken from the working folder.
type Config struct {
	Name    string       `yaml:"name"`     // of this peer, unique in the cluster; default: the host's name
	DataDir string       `yaml:"data_dir"` // made by `drover cluster init` or `join`
	API     APIConfig    `yaml:"api"`
	Peer    PeerConfig   `yaml:"peer"`
	Gossip  GossipConfig `yaml:"gossip"`
	Raft    RaftConfig   `yaml:"raft"`
}

// APIConfig is where people, scripts and agents reach this peer.
type APIConfig struct {
	Listen string `yaml:"listen"`         // host:port, default :8443
	URL    string `yaml:"url"`            // under which others reach it; default https:// and the advertised host
	Cert   string `yaml:"cert,omitempty"` // PEM files; default: a certificate of the cluster's own authority
	Key    string `yaml:"key,omitempty"`
}

// PeerConfig is where the other peers reach this one.
type PeerConfig struct {
	Listen    string `yaml:"listen"`    // host:port, default :8300
	Advertise string `yaml:"advertise"` // host:port; default: listen, with an address of this host if it names none
}

// GossipConfig is where memberlist listens, by TCP and UDP.
type GossipConfig struct {
	Listen string `yaml:"listen"` // host:port, default :8301
}

// RaftConfig chooses Raft's timing.
type RaftConfig struct {
	Profile string `yaml:"profile"` // default, fast or wan
}

// timing of a profile: see DESIGN.md for what was measured.
type timing struct {
	heartbeat, election, lease, commit time.Duration
}

func profile(name string) (timing, bool) {
	const ms = time.Millisecond
	switch name {
	case "default":
		return timing{500 * ms, 500 * ms, 250 * ms, 10 * ms}, true
	case "fast":
		return timing{300 * ms, 300 * ms, 300 * ms, 5 * ms}, true
	case "wan":
		return timing{1500 * ms, 1500 * ms, 750 * ms, 50 * ms}, true
	}
	return timing{}, false
}

// WithDefaults fills in what is empty. host is the host's name, address one of
// its addresses that others can reach.
func (c Config) WithDefaults(host, address string) Config {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	set(&c.Name, host)
	set(&c.API.Listen, ":8443")
	set(&c.Peer.Listen, ":8300")
	set(&c.Gossip.Listen, ":8301")
	set(&c.Raft.Profile, "default")
	set(&c.Peer.Advertise, reachable(c.Peer.Listen, address))
	if advertised, _, err := net.SplitHostPort(c.Peer.Advertise); err == nil && c.API.URL == "" {
		if u := reachable(c.API.Listen, advertised); u != "" {
			c.API.URL = "https://" + u
		}
	}
	return c
}

// reachable puts an address into a host:port that has none, or an unspecified
// one.
func reachable(listen, address string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = address
	}
	if host == "" {
		return ""
	}
	return net.JoinHostPort(host, port)
}

// LocalAddress is an address of this host that others can most likely reach:
// the first one that is not loopback, IPv4 before IPv6; "" when there is none.
func LocalAddress() string {
	found := ""
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return ""
	}
	for _, a := range addresses {
		n, ok := a.(*net.IPNet)
		if !ok || !n.IP.IsGlobalUnicast() {
			continue
		}
		if n.IP.To4() != nil {
			return n.IP.String()
		}
		if found == "" {
			found = n.IP.String()
		}
	}
	return found
}

// Validate tells everything that is wrong, each with its key.
func (c Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if !validName(c.Name) {
		bad("name", "%q is not a name: letters, digits, '.', '_' and '-', at most 64", c.Name)
	}
	if c.DataDir == "" {
		bad("data_dir", "is missing")
	}
	for _, l := range []struct{ key, value string }{
		{"api.listen", c.API.Listen}, {"peer.listen", c.Peer.Listen}, {"gossip.listen", c.Gossip.Listen},
	} {
		if _, err := splitHostPort(l.value); err != nil {
			bad(l.key, "%v", err)
		}
	}
	host, err := splitHostPort(c.Peer.Advertise)
	switch {
	case c.Peer.Advertise == "":
		bad("peer.advertise", "is missing, and this host has no address that others can reach; give host:port")
	case err != nil:
		bad("peer.advertise", "%v", err)
	case host == "" || unspecified(host):
		bad("peer.advertise", "%q is not an address that others can reach", c.Peer.Advertise)
	}
	if u, err := url.Parse(c.API.URL); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		bad("api.url", "%q is not an http or https URL", c.API.URL)
	}
	if (c.API.Cert == "") != (c.API.Key == "") {
		bad("api.cert", "and api.key are given together or not at all")
	}
	if _, ok := profile(c.Raft.Profile); !ok {
		bad("raft.profile", "%q is not default, fast or wan", c.Raft.Profile)
	}
	return errors.Join(errs...)
}

// gossipAddress is what the others use for memberlist: the advertised host with
// the port of gossip.listen.
func (c Config) gossipAddress() string {
	host, _, _ := net.SplitHostPort(c.Peer.Advertise)
	_, port, _ := net.SplitHostPort(c.Gossip.Listen)
	return net.JoinHostPort(host, port)
}

func validName(s string) bool {
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`).MatchString(s)
}

func splitHostPort(s string) (host string, err error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return "", fmt.Errorf("%q is not host:port", s)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("%q has no port from 1 to 65535", s)
	}
	return host, nil
}

func unspecified(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsUnspecified()
}
