package dev

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/droverhq/drover/internal/client"
)

// startAgents enrols the agents that are new, and starts all.
func (s *Supervisor) startAgents(ctx context.Context) error {
	if s.cfg.Agents == 0 {
		return nil
	}
	s.say("starting %d agents", s.cfg.Agents)
	for i := 1; i <= s.cfg.Agents; i++ {
		c, made, err := s.agent(i)
		if err != nil {
			return err
		}
		if !made {
			if err := s.enroll(ctx, c, i); err != nil {
				return err
			}
		}
		if err := s.add(c); err != nil {
			return err
		}
	}
	return nil
}

func (s *Supervisor) agent(i int) (c *child, made bool, err error) {
	name := "edge-" + strconv.Itoa(i)
	dir := s.path(name)
	conf := s.path(name + ".yaml")
	var b strings.Builder
	fmt.Fprintf(&b, "node: %s\ndir: %s\npeers:\n", name, strconv.Quote(dir))
	for _, p := range s.peers() {
		fmt.Fprintf(&b, "  - %s\n", p.URL)
	}
	if err := replaceText(conf, []byte(b.String())); err != nil {
		return nil, false, err
	}
	_, err = os.Stat(filepath.Join(dir, "identity", "identity.json"))
	return &child{
		name: name, log: s.path(name + ".log"),
		args:  []string{s.cfg.Agent, "run", "--config", conf},
		agent: &AgentEntry{Node: name, Dir: dir},
	}, err == nil, nil
}

func (s *Supervisor) enroll(ctx context.Context, c *child, i int) error {
	var t struct {
		Token string `json:"token"`
	}
	body := map[string]any{
		"node": c.name, "uses": 1, "expires": "1h",
		"labels": map[string]string{"site": "site-" + strconv.Itoa(i), "role": "edge"},
	}
	if _, err := s.api.Send(ctx, http.MethodPost, client.Path("nodes", "enroll"), body, &t); err != nil {
		return err
	}
	args := []string{s.cfg.Agent, "enroll", "--config", s.path(c.name + ".yaml")}
	if s.fleet.TLS {
		args = append(args, "--ca", s.caFile())
	}
	return s.once(ctx, []string{"DROVER_ENROLL_TOKEN=" + t.Token}, args...)
}
