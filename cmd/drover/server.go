package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/droverhq/drover/api"
	"github.com/droverhq/drover/cluster"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/internal/lifeline"
	"github.com/droverhq/drover/internal/version"
	"github.com/droverhq/drover/push"
	"github.com/droverhq/drover/push/socket"
	"github.com/droverhq/drover/ui"
)

func (a *app) serverCmd() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "server --config FILE", Short: "Run a controller", Args: cobra.NoArgs,
		Example: lines("drover server --config /var/lib/drover/drover.yaml", "drover server check-config --config /var/lib/drover/drover.yaml"),
		RunE: func(c *cobra.Command, _ []string) error {
			conf, err := readServerConfig(file)
			if err != nil {
				return err
			}
			handler, err := conf.Log.handler(a.stderr)
			if err != nil {
				return err
			}
			a.release()
			return serve(context.WithoutCancel(c.Context()), conf, slog.New(handler))
		},
	}
	c.PersistentFlags().StringVar(&file, "config", "/var/lib/drover/drover.yaml", "`file`, as drover cluster init or join wrote it")
	c.AddCommand(&cobra.Command{
		Use: "check-config", Short: "Check a configuration and change nothing", Args: cobra.NoArgs,
		Example: lines("drover server check-config --config drover.yaml"),
		RunE: func(*cobra.Command, []string) error {
			if _, err := readServerConfig(file); err != nil {
				return &codedError{exitInvalid, err}
			}
			fmt.Fprintln(a.stdout, file+": ok")
			return nil
		},
	})
	return c
}

// Time that each step of a planned stop may take. Together they stay below
// the minute that the systemd unit gives.
const (
	moveAgents  = 15 * time.Second
	handOver    = 5 * time.Second
	endRequests = 5 * time.Second
	stopPeer    = 15 * time.Second
)

// serve runs one controller until a signal, a fatal error, or its leaving the
// cluster. It is one story, from top to bottom.
func serve(ctx context.Context, conf serverConfig, log *slog.Logger) error {
	if err := lifeline.Watch(); err != nil { // a child of `drover dev` ends with it
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	id, err := cluster.PeerID(conf.DataDir)
	if errors.Is(err, cluster.ErrLeft) {
		log.Error("this peer has left the cluster and does not start again", "err", err)
		return nil // a clean end: nothing is gained by a restart
	}
	if err != nil {
		return err
	}
	log = log.With("name", conf.Name)
	log.Info("starting", "version", version.Version, "api", conf.API.URL, "peer", conf.Peer.Advertise)

	// The API's port is taken first: a second server on this machine fails
	// before it touches anything.
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", conf.API.Listen)
	if err != nil {
		return fmt.Errorf("api.listen: %w", err)
	}
	defer listener.Close()
	listener = socket.Listen(listener)

	s, err := newServer(conf, id, log)
	if err != nil {
		return err
	}
	err = s.run(ctx, listener, signals)
	switch {
	case errors.Is(err, cluster.ErrLeft):
		log.Info("this peer has left the cluster", "err", err)
		return nil
	case err != nil:
		return fmt.Errorf("this peer cannot go on: %w", err)
	}
	log.Info("stopped")
	return nil
}

// server is what a controller consists of.
type server struct {
	id        string
	encrypted bool
	log       *slog.Logger
	node      *cluster.Node
	keys      *signer
	delivery  *push.Server
	front     *api.Server
	web       *http.Server
}

// newServer puts the parts together, from the bottom up: state, cluster,
// delivery, API. Nothing runs yet.
func newServer(conf serverConfig, id string, log *slog.Logger) (*server, error) {
	s := &server{id: id, encrypted: !conf.plain(), log: log, keys: &signer{}}
	store := fsm.NewStore()
	var err error
	if s.node, err = cluster.New(conf.Config, cluster.Deps{Store: store, Logger: log}); err != nil {
		return nil, err
	}
	instances, err := conf.Instances.push()
	if err != nil {
		return nil, err
	}
	s.delivery = push.New(push.Config{Peer: id, Instances: instances}, push.Deps{
		Store: store, Cluster: s.node, Sign: s.keys.Sign, Open: proposer{s.node}.open, Log: log,
	})
	s.node.Duty("end pushes", s.delivery.EndPushes)
	s.node.Duty("discovery of instances", s.delivery.Discover)
	s.node.Duty("retention", s.delivery.Prune)
	proxies, err := conf.proxies()
	if err != nil {
		return nil, err
	}
	s.front, err = api.New(api.Config{TrustedProxies: proxies}, api.Deps{
		Store: store, Proposer: proposer{s.node},
		Control: &control{node: s.node, store: store, name: conf.Name, address: conf.Peer.Advertise},
		Seal:    proposer{s.node}.seal, Digest: proposer{s.node}.digest, Verifier: verifier{s.delivery},
		Log: log, Agents: s.keys.gate(s.delivery.Handler()), UI: ui.Handler(), Ready: s.notReady,
	})
	if err != nil {
		return nil, err
	}
	s.web = s.front.HTTPServer(nil)
	if s.encrypted {
		s.web = s.front.HTTPServer(&tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.node.APICertificate})
	}
	return s, nil
}

// run runs the parts until a signal comes or one of them cannot go on.
func (s *server) run(ctx context.Context, listener net.Listener, signals <-chan os.Signal) error {
	g, ctx := errgroup.WithContext(ctx)
	work, endWork := context.WithCancel(ctx) // ends before the peer does
	defer endWork()
	g.Go(func() error {
		err := s.node.Run(ctx)
		if err == nil && work.Err() == nil {
			err = errors.New("the peer has ended")
		}
		return err
	})
	g.Go(func() error { return s.samePeer(work) })
	g.Go(func() error { return s.keys.Run(work, s.node) })
	g.Go(func() error { return s.delivery.Run(work) })
	g.Go(func() error { return s.front.Run(work) })
	g.Go(func() error { return s.listen(listener) })
	g.Go(func() error {
		select {
		case sig := <-signals:
			s.log.Info("stopping", "signal", sig.String())
			go force(signals, s.log)
			s.shutDown(true, endWork)
		case <-ctx.Done(): // something cannot go on
			s.shutDown(false, endWork)
		}
		return nil
	})
	return g.Wait()
}

// shutDown takes the server apart, in the order in which nobody notices:
//
//  1. /readyz says 503, so that load balancers and clients go elsewhere, and
//     event streams end: their clients resume at another peer.
//  2. Agents are told to go, each at a moment of its own, and do, while this
//     peer still serves: what they report on the way is not lost.
//  3. Another voter leads. This peer goes on as a follower and forwards what
//     still arrives, so no request meets a gap.
//  4. The API stops listening and ends the requests that it has.
//  5. Delivery ends. What an agent has not been able to report here it says
//     again at the next peer.
//  6. The peer takes a snapshot, so that the next start is quick, and stops.
//
// After a failure there is nobody to be polite to: only 4 to 6.
func (s *server) shutDown(planned bool, endWork context.CancelFunc) {
	step := func(name string, limit time.Duration, do func(context.Context) error) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := do(ctx); err != nil {
			s.log.Warn("a step of the stop failed", "step", name, "err", err)
			return
		}
		s.log.Debug("stopping", "step", name, "took", time.Since(began).String())
	}
	s.front.Drain()
	if planned {
		step("agents move", moveAgents, func(ctx context.Context) error { s.delivery.Drain(ctx); return nil })
		step("another peer leads", handOver, s.handOver)
	}
	step("requests end", endRequests, func(ctx context.Context) error {
		if err := s.web.Shutdown(ctx); err != nil {
			return errors.Join(err, s.web.Close())
		}
		return nil
	})
	endWork()
	step("the peer stops", stopPeer, s.node.Stop)
}

// handOver makes another peer the leader, if this one leads and there is one.
func (s *server) handOver(ctx context.Context) error {
	if v, _ := s.node.View(); !v.Self {
		return nil
	}
	err := s.node.LeadershipTransfer(ctx)
	if errors.Is(err, cluster.ErrNoTarget) {
		return nil
	}
	return err
}

// force ends the process at once when a second signal says so. Nothing that was
// acknowledged is lost by it.
func force(signals <-chan os.Signal, log *slog.Logger) {
	s := <-signals
	log.Warn("ending at once", "signal", s.String())
	os.Exit(exitError)
}

func (s *server) listen(l net.Listener) error {
	var err error
	if s.encrypted {
		err = s.web.ServeTLS(l, "", "")
	} else {
		err = s.web.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("api.listen: %w", err)
}

// samePeer ends the server when the peer has joined anew with another id, which
// it does by itself when its log is damaged: everything else here was made for
// the old one, and a restart makes it new.
func (s *server) samePeer(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if now := s.node.ID(); now != "" && now != s.id {
			return fmt.Errorf("its log was damaged and it has joined anew as %s: start it again", now)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (s *server) notReady() []string {
	if err := s.node.Ready(); err != nil {
		return []string{err.Error()}
	}
	return nil
}
