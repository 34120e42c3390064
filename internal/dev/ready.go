package dev

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/droverhq/drover/internal/client"
)

// peerReady asks one peer, and no other, whether it is ready.
func peerReady(ctx context.Context, api *client.Client, url string) string {
	status, err := api.Probe(ctx, url, "/readyz")
	if err != nil {
		return fmt.Sprintf("%s: %v", url, err)
	}
	if status != http.StatusOK {
		return fmt.Sprintf("%s is not ready", url)
	}
	return ""
}

// peersReady tells what keeps the peers from being as many ready voters.
func (s *Supervisor) peersReady(ctx context.Context) string {
	var c client.Cluster
	if _, err := s.api.Get(ctx, client.Path("cluster"), nil, &c); err != nil {
		return err.Error()
	}
	voters := 0
	for _, p := range c.Peers {
		if p.Alive && (p.Role == "voter" || p.Role == "leader") {
			voters++
		}
	}
	peers := s.peers()
	if voters < len(peers) {
		return fmt.Sprintf("%d of %d peers are voters", voters, len(peers))
	}
	for _, p := range peers {
		if what := peerReady(ctx, s.api, p.URL); what != "" {
			return what
		}
	}
	return ""
}

func nodeReady(n client.Node) string {
	switch {
	case !n.Connected:
		return n.ID + " is not connected"
	case !n.InSync && n.LastError != nil:
		return fmt.Sprintf("%s is not in sync: %s", n.ID, n.LastError.Message)
	case !n.InSync:
		return n.ID + " is not in sync"
	}
	return ""
}

// nodesReady tells which agent or instance is not connected and in sync.
func (s *Supervisor) nodesReady(ctx context.Context) string {
	found, err := client.List[client.Node](ctx, s.api, client.Path("nodes"), nil, 0)
	if err != nil {
		return err.Error()
	}
	nodes := map[string]client.Node{}
	for _, n := range found {
		nodes[n.Value.ID] = n.Value
	}
	for _, c := range s.children {
		if c.peer != nil {
			continue
		}
		n, ok := nodes[c.name]
		if !ok {
			return c.name + " is not known to the controllers"
		}
		if what := nodeReady(n); what != "" {
			return what
		}
	}
	return ""
}

func (s *Supervisor) peers() []PeerEntry {
	var out []PeerEntry
	for _, c := range s.children {
		if c.peer != nil {
			out = append(out, *c.peer)
		}
	}
	return out
}

// file is what runs now.
func (s *Supervisor) file() File {
	f := File{Peers: s.peers(), Agents: []AgentEntry{}, Instances: []InstanceEntry{}, Admin: s.fleet.Admin}
	for _, c := range s.children {
		if c.agent != nil {
			f.Agents = append(f.Agents, *c.agent)
		}
		if c.instance != nil {
			f.Instances = append(f.Instances, *c.instance)
		}
	}
	if s.fleet.TLS {
		f.CA = s.caFile()
	}
	return f
}

// write replaces dev.json and the file for shells.
func (s *Supervisor) write() error {
	f := s.file()
	if err := replaceText(s.path(envFile), []byte(Env(f))); err != nil {
		return err
	}
	return replace(s.path(FileName), f)
}

// Env is what a shell needs to use the fleet.
func Env(f File) string {
	var urls []string
	for _, p := range f.Peers {
		urls = append(urls, p.URL)
	}
	text := fmt.Sprintf("export DROVER_ADDR=%s\nexport DROVER_TOKEN=%s\n", strings.Join(urls, ","), f.Admin.Token)
	if f.CA != "" {
		text += "export DROVER_CA='" + strings.ReplaceAll(f.CA, "'", `'\''`) + "'\n"
	}
	return text
}

// Kill kills one process of the fleet that runs in dir: a peer, an agent
// or an instance by its name, or the leader. It returns the name.
func Kill(ctx context.Context, dir, target string) (name string, pid int, err error) {
	unlock, err := lock(filepath.Join(dir, lockFile))
	if err == nil {
		unlock()
		return "", 0, fmt.Errorf("no fleet runs in %s: start one with drover dev --dir %s", dir, dir)
	}
	f, err := Read(dir)
	if err != nil {
		return "", 0, err
	}
	if target == "leader" {
		if target, err = leader(ctx, f); err != nil {
			return "", 0, err
		}
	}
	var names []string
	for _, p := range f.Peers {
		names = append(names, p.Name)
		if p.Name == target {
			pid = p.PID
		}
	}
	for _, a := range f.Agents {
		names = append(names, a.Node)
		if a.Node == target {
			pid = a.PID
		}
	}
	for _, i := range f.Instances {
		names = append(names, i.Node)
		if i.Node == target {
			pid = i.PID
		}
	}
	if pid <= 0 {
		return "", 0, fmt.Errorf("%q is not of this fleet; there are leader, %s", target, strings.Join(names, ", "))
	}
	process, err := os.FindProcess(pid)
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		return "", 0, fmt.Errorf("%s does not run at the moment: %w", target, err)
	}
	return target, pid, nil
}

// leader asks every peer whether it leads.
func leader(ctx context.Context, f File) (string, error) {
	cfg := client.Config{}
	for _, p := range f.Peers {
		cfg.Addrs = append(cfg.Addrs, p.URL)
	}
	if f.CA != "" {
		ca, err := os.ReadFile(f.CA)
		if err != nil {
			return "", err
		}
		cfg.CA = ca
	}
	api, err := client.New(cfg)
	if err != nil {
		return "", err
	}
	defer api.Close()
	for _, p := range f.Peers {
		if status, err := api.Probe(ctx, p.URL, "/leaderz"); err == nil && status == http.StatusOK {
			return p.Name, nil
		}
	}
	return "", fmt.Errorf("there is no leader at the moment: name a peer")
}
