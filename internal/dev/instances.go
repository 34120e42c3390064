package dev

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/droverhq/drover/internal/client"
)

// instanceInterval is how often a controller looks at an instance: more often
// than by default, so that a person sees drift being healed.
const instanceInterval = "2s"

// callsInstances is what a controller's configuration says of instances. They
// are on this machine, which controllers refuse to call unless they are told.
func (s *Supervisor) callsInstances() string {
	const allow = "instances: {allow: [127.0.0.0/8, \"::1/128\"]"
	if s.cfg.Instances == 0 {
		return allow + "}\n" // those that a script adds, perhaps many
	}
	return allow + ", interval: " + instanceInterval + "}\n"
}

// startInstances starts the instances, and registers those that are new or
// have moved.
func (s *Supervisor) startInstances(ctx context.Context) error {
	if s.cfg.Instances == 0 {
		return nil
	}
	s.say("starting %d instances", s.cfg.Instances)
	for i := 1; i <= s.cfg.Instances; i++ {
		c, at, err := s.instance(i)
		if err != nil {
			return err
		}
		if err := s.add(c); err != nil {
			return err
		}
		if err := s.register(ctx, c, at.Token); err != nil {
			return err
		}
	}
	return nil
}

// instance describes an instance: an agent that serves the admin endpoints and
// has no channel. It is called over plain HTTP, with TLS as without: nothing
// leaves this machine.
func (s *Supervisor) instance(i int) (*child, endpoint, error) {
	name := "hook-" + strconv.Itoa(i)
	at, err := s.fleet.endpointFor(name)
	if err != nil {
		return nil, at, err
	}
	listen := fmt.Sprintf("127.0.0.1:%d", at.Port)
	dir, conf := s.path(name), s.path(name+".yaml")
	text := fmt.Sprintf("node: %s\ndir: %s\nserve: {listen: %q, token: %s}\n", name, strconv.Quote(dir), listen, at.Token)
	if err := replaceText(conf, []byte(text)); err != nil {
		return nil, at, err
	}
	return &child{
		name: name, log: s.path(name + ".log"),
		args:     []string{s.cfg.Agent, "run", "--config", conf},
		instance: &InstanceEntry{Node: name, URL: "http://" + listen, Dir: dir},
	}, at, nil
}

// register adds an instance where the controllers do not know it, and tells
// them its address where they know another one.
func (s *Supervisor) register(ctx context.Context, c *child, token string) error {
	var known client.Instance
	_, err := s.api.Get(ctx, client.Path("instances", c.name), nil, &known)
	switch {
	case client.Status(err) == http.StatusNotFound:
		_, err = s.api.Send(ctx, http.MethodPost, client.Path("instances"), map[string]any{
			"id": c.name, "url": c.instance.URL, "token": token, "labels": map[string]string{"role": "webhook"},
		}, nil)
	case err == nil && known.URL != c.instance.URL:
		body := map[string]string{"url": c.instance.URL, "token": token}
		_, err = s.api.Send(ctx, http.MethodPatch, client.Path("instances", c.name), body, nil)
	}
	if err != nil {
		return fmt.Errorf("register %s: %w", c.name, err)
	}
	return nil
}
