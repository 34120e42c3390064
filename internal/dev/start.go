package dev

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/manifest"
)

// start brings the fleet up: what is there already at once, what is not one
// after the other.
func (s *Supervisor) start(ctx context.Context) error {
	if err := s.resume(); err != nil {
		return err
	}
	if err := s.startPeers(ctx); err != nil {
		return err
	}
	if err := s.commitExamples(ctx); err != nil {
		return err
	}
	if err := s.startAgents(ctx); err != nil {
		return err
	}
	if err := s.startInstances(ctx); err != nil {
		return err
	}
	return s.wait(ctx, s.nodesReady)
}

// resume reconciles the flags with what the directory was made with.
func (s *Supervisor) resume() error {
	f := s.fleet
	if f.fresh() {
		f.TLS, f.Examples = s.cfg.TLS, s.cfg.Empty
	}
	if f.TLS != s.cfg.TLS {
		return fmt.Errorf("%s was made with TLS %s: say the same again, or choose another --dir", s.cfg.Dir, onOff(f.TLS))
	}
	if n := len(f.Ports); n > s.cfg.Peers {
		s.say("%s has %d peers, and all of them are started", s.cfg.Dir, n)
		s.cfg.Peers = n
	}
	for i := 1; i <= s.cfg.Peers; i++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.cfg.HTTPPort+i-1))
		if err != nil {
			return fmt.Errorf("%w: choose other ports with --http-port", err)
		}
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// startPeers starts the peers that were there before; where there is none, the
// first one founds the cluster and the others join it.
func (s *Supervisor) startPeers(ctx context.Context) error {
	var joining []*child
	var addrs []string
	for i := 1; i <= s.cfg.Peers; i++ {
		c, made, err := s.peer(i)
		if err != nil {
			return err
		}
		if c.left() {
			s.say("%s has left the cluster, and is not started", c.name)
			continue
		}
		addrs = append(addrs, c.peer.URL)
		if !made && i > 1 {
			joining = append(joining, c)
			continue
		}
		if !made {
			s.say("making the cluster on %s", c.name)
			if err := s.found(ctx, c); err != nil {
				return err
			}
		}
		s.say("starting %s at %s", c.name, c.peer.URL)
		if err := s.add(c); err != nil {
			return err
		}
	}
	if err := s.logIn(ctx, addrs); err != nil {
		return err
	}
	for _, c := range joining {
		s.say("%s joins and is started at %s", c.name, c.peer.URL)
		if err := s.join(ctx, c); err != nil {
			return err
		}
		if err := s.add(c); err != nil {
			return err
		}
	}
	s.say("waiting for %d voters", len(s.peers()))
	return s.wait(ctx, s.peersReady)
}

func (s *Supervisor) add(c *child) error {
	s.children = append(s.children, c)
	return s.run(c)
}

// peer describes a peer; made tells whether its directory has one already.
func (s *Supervisor) peer(i int) (c *child, made bool, err error) {
	name := "ctl-" + strconv.Itoa(i)
	dir := s.path(name)
	p, err := s.fleet.portsFor(name)
	if err != nil {
		return nil, false, err
	}
	scheme := "http"
	if s.fleet.TLS {
		scheme = "https"
	}
	api := fmt.Sprintf("127.0.0.1:%d", s.cfg.HTTPPort+i-1)
	c = &child{
		name: name, log: s.path(name + ".log"),
		args: []string{s.cfg.Drover, "server", "--config", s.path(name + ".yaml")},
		peer: &PeerEntry{Name: name, URL: scheme + "://" + api, DataDir: dir},
	}
	// The configuration is written at each start: ports of the API may change.
	conf := fmt.Sprintf("name: %s\ndata_dir: %s\napi: {listen: %q, url: %q}\npeer: {listen: \"127.0.0.1:%d\", advertise: \"127.0.0.1:%d\"}\n"+
		"gossip: {listen: \"127.0.0.1:%d\"}\nraft: {profile: fast}\n%s", name, strconv.Quote(dir), api, c.peer.URL, p.Peer, p.Peer, p.Gossip, s.callsInstances())
	if err := replaceText(s.path(name+".yaml"), []byte(conf)); err != nil {
		return nil, false, err
	}
	_, err = os.Stat(filepath.Join(dir, "identity.json"))
	return c, err == nil, nil
}

// found makes the cluster in the directory of the first peer.
func (s *Supervisor) found(ctx context.Context, c *child) error {
	return s.secretFile(s.fleet.Admin.Password, func(file string) error {
		return s.once(ctx, nil, s.cfg.Drover, "cluster", "init", "--config", s.path(c.name+".yaml"), "--cluster", "dev",
			"--admin", s.fleet.Admin.User, "--admin-password-file", file)
	})
}

func (s *Supervisor) join(ctx context.Context, c *child) error {
	var t struct {
		Token string `json:"token"`
	}
	if _, err := s.api.Send(ctx, http.MethodPost, client.Path("cluster", "tokens"), nil, &t); err != nil {
		return err
	}
	to := fmt.Sprintf("127.0.0.1:%d", s.fleet.Ports["ctl-1"].Peer)
	return s.secretFile(t.Token, func(file string) error {
		return s.once(ctx, nil, s.cfg.Drover, "cluster", "join", to, "--config", s.path(c.name+".yaml"), "--token-file", file)
	})
}

// secretFile lends a secret as a file: on a command line everybody could see it.
func (s *Supervisor) secretFile(secret string, use func(file string) error) error {
	file := s.path("secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		return err
	}
	return errors.Join(use(file), os.Remove(file))
}

// logIn gets an API token, once for a directory.
func (s *Supervisor) logIn(ctx context.Context, addrs []string) error {
	cfg := client.Config{Addrs: addrs, Token: s.fleet.Admin.Token, UserAgent: "drover-dev"}
	if s.fleet.TLS {
		ca, err := os.ReadFile(s.caFile())
		if err != nil {
			return err
		}
		cfg.CA = ca
	}
	var err error
	if s.api, err = client.New(cfg); err != nil {
		return err
	}
	err = s.wait(ctx, func(ctx context.Context) string { return peerReady(ctx, s.api, addrs[0]) })
	if err != nil {
		return err
	}
	if s.fleet.Admin.Token != "" {
		_, err := s.api.Get(ctx, client.Path("me"), nil, nil)
		if client.Status(err) != http.StatusUnauthorized {
			return err
		}
		cfg.Token = ""
		if s.api, err = client.New(cfg); err != nil {
			return err
		}
	}
	login := map[string]string{"user": s.fleet.Admin.User, "password": s.fleet.Admin.Password}
	session, err := s.api.Login(ctx, login["user"], login["password"])
	if err != nil {
		return err
	}
	cfg.Session = session
	if s.api, err = client.New(cfg); err != nil {
		return err
	}
	var t struct {
		Token string `json:"token"`
	}
	body := map[string]string{"name": "drover-dev", "role": "admin"}
	if _, err := s.api.Send(ctx, http.MethodPost, client.Path("tokens"), body, &t); err != nil {
		return err
	}
	s.fleet.Admin.Token, cfg.Token, cfg.Session = t.Token, t.Token, ""
	if s.api, err = client.New(cfg); err != nil {
		return err
	}
	return s.fleet.save()
}

func (s *Supervisor) caFile() string { return filepath.Join(s.path("ctl-1"), "ca.crt") }

// commitExamples commits the example documents, once for a directory: who
// deleted them does not get them back.
func (s *Supervisor) commitExamples(ctx context.Context) error {
	if s.fleet.Examples {
		return nil
	}
	sets := []fs.FS{s.deps.Examples}
	if s.cfg.Instances > 0 {
		sets = append(sets, s.deps.Webhooks)
	}
	var entries []manifest.Entry
	for _, set := range sets {
		found, err := manifest.ReadFS(set, ".")
		if err != nil {
			return err
		}
		entries = append(entries, found...)
	}
	type edit struct {
		Document string `json:"document"`
		Op       string `json:"op"`
		Content  any    `json:"content"`
		Target   string `json:"target"`
		Selector string `json:"selector"`
		Schema   any    `json:"schema,omitempty"`
	}
	var edits []edit
	for _, e := range entries {
		x := edit{Document: e.Document, Op: "put", Content: e.Content, Target: e.Target, Selector: e.Selector}
		if len(e.Schema) > 0 {
			x.Schema = e.Schema
		}
		edits = append(edits, x)
	}
	s.say("committing %d example documents", len(edits))
	body := map[string]any{"message": "Example documents", "edits": edits, "commit": true}
	if _, err := s.api.Send(ctx, http.MethodPost, client.Path("changes"), body, nil); err != nil {
		return fmt.Errorf("example documents: %w", err)
	}
	s.fleet.Examples = true
	return s.fleet.save()
}

// wait waits for a condition, and gives up as soon as a child has died.
func (s *Supervisor) wait(ctx context.Context, missing func(context.Context) string) error {
	var dead *child
	err := s.until(ctx, func(ctx context.Context) string {
		if i := slices.IndexFunc(s.children, func(c *child) bool { return !c.running() }); i >= 0 {
			if dead = s.children[i]; !dead.left() {
				return ""
			}
			s.say("%s has left the cluster", dead.name) // it was removed while it did not run
			s.children, dead = slices.Delete(s.children, i, i+1), nil
		}
		return missing(ctx)
	})
	switch {
	case dead != nil:
		return fmt.Errorf("%s ended while the fleet was started; the end of %s:\n%s", dead.name, dead.log, tail(dead.log, 15))
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the fleet is not ready after %d s: %w; the logs are in %s", int(startLimit/time.Second), err, s.cfg.Dir)
	}
	return err
}

// tail is the last lines of a file.
func tail(file string, lines int) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	all := bytes.Split(bytes.TrimRight(text, "\n"), []byte("\n"))
	return "  " + string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n  ")))
}
