package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/hashicorp/memberlist"
)

// Timing of gossip.
const (
	gossipRejoin = 30 * time.Second // memberlist never calls again what it took for dead (trap 11)
	gossipLeave  = 200 * time.Millisecond
)

// gossip runs memberlist until ctx ends. It is a hint of liveness: what it says
// makes the leader look at once, and closes connections that are most likely
// stale. It grants nothing; who is a member is decided by Raft.
func (r *running) gossip(ctx context.Context, cfg Config) error {
	conf, err := r.gossipConfig(ctx, cfg)
	if err != nil {
		return err
	}
	list, err := memberlist.Create(conf)
	if err != nil {
		return fmt.Errorf("gossip.listen: %w", err)
	}
	defer func() {
		_ = list.Leave(gossipLeave)
		if err := list.Shutdown(); err != nil {
			r.log.Debug("gossip did not end well", "err", err)
		}
	}()
	for {
		known := r.book.contacts()
		r.join(list, known)
		wait := gossipRejoin
		if len(known) == 0 || list.NumMembers() < 2 {
			wait = announceInterval // nobody found yet
		}
		if pause(ctx, wait) != nil {
			return nil
		}
	}
}

// join contacts the peers that memberlist does not hold for alive.
func (r *running) join(list *memberlist.Memberlist, known []contact) {
	alive := map[string]bool{}
	for _, m := range list.Members() {
		alive[m.Name] = true
	}
	var lost []string
	for _, c := range known {
		if !alive[c.ID] && c.Gossip != "" {
			lost = append(lost, c.ID+"/"+c.Gossip)
		}
	}
	if len(lost) == 0 {
		return
	}
	if _, err := list.Join(lost); err != nil {
		r.log.Debug("gossip does not reach all peers", "err", err)
	}
}

func (r *running) gossipConfig(ctx context.Context, cfg Config) (*memberlist.Config, error) {
	key, err := os.ReadFile(r.home.path(fileGossip))
	if err != nil {
		return nil, fmt.Errorf("gossip key: %w", err)
	}
	conf := memberlist.DefaultLANConfig()
	switch cfg.Raft.Profile {
	case "wan":
		conf = memberlist.DefaultWANConfig()
	case "fast":
		conf = memberlist.DefaultLocalConfig()
	}
	conf.Name = r.id.Peer
	conf.SecretKey = key
	conf.Label = r.id.Cluster
	conf.Logger = newStdlog(r.log, "gossip")
	conf.Events = gossipEvents{r}
	host, port, err := net.SplitHostPort(cfg.Gossip.Listen)
	if err != nil {
		return nil, fmt.Errorf("gossip.listen: %w", err)
	}
	if host == "" {
		host = "::"
		if l, err := net.Listen("tcp6", "[::]:0"); err != nil { // a host without IPv6
			host = "0.0.0.0"
		} else {
			_ = l.Close()
		}
	}
	conf.BindAddr = host
	if conf.BindPort, err = strconv.Atoi(port); err != nil {
		return nil, fmt.Errorf("gossip.listen: %w", err)
	}
	conf.AdvertisePort = conf.BindPort
	advertised, _, _ := net.SplitHostPort(cfg.Peer.Advertise)
	if net.ParseIP(advertised) == nil {
		found, err := net.DefaultResolver.LookupHost(ctx, advertised)
		if err != nil {
			return nil, fmt.Errorf("peer.advertise: %w", err)
		}
		advertised = found[0]
	}
	conf.AdvertiseAddr = advertised
	return conf, nil
}

// gossipEvents turns what memberlist notices into hints.
type gossipEvents struct{ *running }

// NotifyJoin implements memberlist.EventDelegate.
func (e gossipEvents) NotifyJoin(*memberlist.Node) { e.core.alive.look() }

// NotifyLeave implements memberlist.EventDelegate: the connections to a peer
// that is gone would fail one call each (trap 12).
func (e gossipEvents) NotifyLeave(n *memberlist.Node) {
	e.core.drop(n.Name)
	e.core.alive.look()
}

// NotifyUpdate implements memberlist.EventDelegate.
func (gossipEvents) NotifyUpdate(*memberlist.Node) {}
