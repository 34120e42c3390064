package dev

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Files below the directory, beside one directory, one log and one
// configuration for each child.
const (
	FileName  = "dev.json"   // what runs; see File
	fleetFile = "fleet.json" // what has to be the same at the next start
	envFile   = "env"        // for a shell
	lockFile  = "lock"
)

// File is dev.json: written by rename when the whole fleet is ready.
type File struct {
	Peers     []PeerEntry     `json:"peers"`
	Agents    []AgentEntry    `json:"agents"`
	Instances []InstanceEntry `json:"instances"`
	Admin     Admin           `json:"admin"`
	CA        string          `json:"ca"` // path, "" without TLS
}

// PeerEntry is a controller.
type PeerEntry struct {
	Name    string `json:"name"`
	URL     string `json:"url"`
	PID     int    `json:"pid"`
	DataDir string `json:"data_dir"`
}

// AgentEntry is a node.
type AgentEntry struct {
	Node string `json:"node"`
	PID  int    `json:"pid"`
	Dir  string `json:"dir"`
}

// InstanceEntry is a webhook instance.
type InstanceEntry struct {
	Node string `json:"node"`
	URL  string `json:"url"`
	PID  int    `json:"pid"`
	Dir  string `json:"dir"`
}

// Admin is who may do everything in this fleet.
type Admin struct {
	User     string `json:"user"`
	Password string `json:"password"`
	Token    string `json:"token"`
}

// Read reads the dev.json of a directory.
func Read(dir string) (File, error) {
	var f File
	text, err := os.ReadFile(filepath.Join(dir, FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return f, fmt.Errorf("no fleet is ready in %s: start one with drover dev --dir %s", dir, dir)
	}
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(text, &f)
}

// fleet is what a directory was made with.
type fleet struct {
	TLS      bool             `json:"tls"`
	Ports    map[string]ports `json:"ports"` // by peer
	Admin    Admin            `json:"admin"`
	Examples bool             `json:"examples"` // the example documents were committed, or not wanted
	// Endpoints are those of the instances, by name.
	Endpoints map[string]endpoint `json:"endpoints,omitempty"`

	path string
}

// endpoint is where an instance is called, and what it wants to be told.
type endpoint struct {
	Port  int    `json:"port"`
	Token string `json:"token"`
}

type ports struct {
	Peer   int `json:"peer"`
	Gossip int `json:"gossip"`
}

func loadFleet(path string) (*fleet, error) {
	f := &fleet{path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		f.Ports = map[string]ports{}
		f.Admin = Admin{User: "admin", Password: strings.ToLower(rand.Text()[:20])}
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, f); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// fresh tells whether the directory was empty.
func (f *fleet) fresh() bool { return len(f.Ports) == 0 }

func (f *fleet) save() error { return replace(f.path, f) }

// replace writes JSON by rename, for the owner alone.
func replace(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return replaceText(path, append(text, '\n'))
}

func replaceText(path string, text []byte) error {
	t, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = t.Write(text)
	if err = errors.Join(err, t.Close()); err == nil {
		err = os.Rename(t.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(t.Name()))
	}
	return nil
}

// portsFor returns the ports of a peer: those of the last time, or free ones.
func (f *fleet) portsFor(name string) (ports, error) {
	if p, ok := f.Ports[name]; ok {
		return p, nil
	}
	taken := f.taken()
	var p ports
	var err error
	if p.Peer, err = freePort(taken); err != nil {
		return p, err
	}
	taken[p.Peer] = true
	if p.Gossip, err = freePort(taken); err != nil {
		return p, err
	}
	f.Ports[name] = p
	return p, f.save()
}

// endpointFor returns the endpoint of an instance: that of the last time, but
// for a port that somebody else uses by now.
func (f *fleet) endpointFor(name string) (endpoint, error) {
	at, ok := f.Endpoints[name]
	if ok && portFree(at.Port) {
		return at, nil
	}
	if !ok {
		at.Token = rand.Text()
	}
	var err error
	if at.Port, err = freePort(f.taken()); err != nil {
		return at, err
	}
	if f.Endpoints == nil {
		f.Endpoints = map[string]endpoint{}
	}
	f.Endpoints[name] = at
	return at, f.save()
}

// taken are the ports that are kept for somebody.
func (f *fleet) taken() map[int]bool {
	taken := map[int]bool{}
	for _, p := range f.Ports {
		taken[p.Peer], taken[p.Gossip] = true, true
	}
	for _, at := range f.Endpoints {
		taken[at.Port] = true
	}
	return taken
}

// freePort finds a port that nobody uses, by TCP or UDP. It stays below the
// range from which systems take the local ports of outgoing connections: one
// of those may be in use at the next start.
func freePort(taken map[int]bool) (int, error) {
	const lowest, count = 20000, 10000
	start, err := rand.Int(rand.Reader, big.NewInt(count))
	if err != nil {
		return 0, err
	}
	for i := range count {
		port := lowest + (int(start.Int64())+i)%count
		if !taken[port] && portFree(port) {
			return port, nil
		}
	}
	return 0, errors.New("no free port was found between 20000 and 29999")
}

func portFree(port int) bool {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	t, err := net.Listen("tcp", address)
	if err != nil {
		return false
	}
	defer t.Close()
	u, err := net.ListenPacket("udp", address)
	if err != nil {
		return false
	}
	return u.Close() == nil
}
