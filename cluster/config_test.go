package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func good() Config {
	return Config{Name: "ctl-1", DataDir: "data", Peer: PeerConfig{Listen: "10.0.0.1:8300"}}.WithDefaults("host", "")
}

func TestDefaultsFollowFromTheAdvertisedAddress(t *testing.T) {
	c := Config{DataDir: "data"}.WithDefaults("web1", "10.0.0.7")
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if c.Name != "web1" || c.Peer.Advertise != "10.0.0.7:8300" || c.API.URL != "https://10.0.0.7:8443" || c.gossipAddress() != "10.0.0.7:8301" {
		t.Errorf("%+v", c)
	}
	six := Config{DataDir: "data", Peer: PeerConfig{Listen: "[::]:8300"}}.WithDefaults("web1", "2001:db8::7")
	if err := six.Validate(); err != nil || six.Peer.Advertise != "[2001:db8::7]:8300" || six.API.URL != "https://[2001:db8::7]:8443" {
		t.Errorf("%+v, %v", six, err)
	}
	own := Config{DataDir: "data", API: APIConfig{URL: "http://127.0.0.1:8080"}, Peer: PeerConfig{Advertise: "a.example:1"}}.WithDefaults("x", "")
	if own.API.URL != "http://127.0.0.1:8080" || own.Peer.Advertise != "a.example:1" {
		t.Errorf("what was given is overwritten: %+v", own)
	}
}

func TestABadConfigurationIsRefusedWithItsKey(t *testing.T) {
	for key, change := range map[string]func(*Config){
		"name":           func(c *Config) { c.Name = "a b" },
		"data_dir":       func(c *Config) { c.DataDir = "" },
		"api.listen":     func(c *Config) { c.API.Listen = "8443" },
		"api.url":        func(c *Config) { c.API.URL = "ctl-1:8443" },
		"api.cert":       func(c *Config) { c.API.Cert = "x.pem" },
		"peer.listen":    func(c *Config) { c.Peer.Listen = ":0" },
		"peer.advertise": func(c *Config) { c.Peer.Advertise = "0.0.0.0:8300" },
		"gossip.listen":  func(c *Config) { c.Gossip.Listen = ":99999" },
		"raft.profile":   func(c *Config) { c.Raft.Profile = "quick" },
	} {
		c := good()
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), key+": ") {
			t.Errorf("%s: %v", key, err)
		}
	}
	c := good()
	c.Peer.Advertise = ""
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "peer.advertise") {
		t.Errorf("no address: %v", err)
	}
}

func TestTheConfigurationFileIsWhatInitWasGiven(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "one")
	cfg := testConfig(t, "ctl-1")
	if err := Init(dir, InitConfig{Config: cfg}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "drover.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var got Config
	if err := yaml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if err := got.Validate(); err != nil || got.Peer.Listen != cfg.Peer.Listen || got.DataDir != dir {
		t.Errorf("%+v, %v", got, err)
	}
	cfg.Raft.Profile = "quick"
	other := filepath.Join(t.TempDir(), "two")
	if err := Init(other, InitConfig{Config: cfg}); err == nil {
		t.Error("a bad configuration was taken")
	}
	if _, err := os.Stat(other); err == nil {
		t.Error("a refused Init left something behind")
	}
}
