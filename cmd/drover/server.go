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
	moveAgents     = 15 * time.Second
	handOver       = 5 * time.Second
	endRequests    = 5 * time.Second
	stopPeer       = 15 * time.Second
	untilPeerOpens = time.Minute
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

	store := fsm.NewStore()
	node, err := cluster.New(conf.Config, cluster.Deps{Store: store, Logger: log})
	if err != nil {
		return err
	}
	keys := &signer{}
	delivery := push.New(push.Config{Peer: id}, push.Deps{Store: store, Cluster: node, Sign: keys.Sign, Log: log})
	node.Duty("end pushes", delivery.EndPushes)
	node.Duty("retention", delivery.Prune)

	proxies, err := conf.proxies()
	if err != nil {
		return err
	}
	front, err := api.New(api.Config{TrustedProxies: proxies}, api.Deps{
		Store: store, Proposer: proposer{node}, Control: &control{node: node, store: store, name: conf.Name, address: conf.Peer.Advertise},
		Log: log, Agents: keys.gate(delivery.Handler()), UI: ui.Handler(), Ready: notReady(node),
	})
	if err != nil {
		return err
	}
	web := front.HTTPServer(nil)
	if !conf.plain() {
		web = front.HTTPServer(&tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: node.APICertificate})
	}

	g, gctx := errgroup.WithContext(ctx)
	work, endWork := context.WithCancel(gctx)
	defer endWork()
	g.Go(func() error {
		err := node.Run(gctx)
		if err == nil && work.Err() == nil && gctx.Err() == nil {
			err = errors.New("the peer has ended")
		}
		return err
	})
	g.Go(func() error { return samePeer(work, node, id) })
	g.Go(func() error { return keys.Run(work, node) })
	g.Go(func() error { return delivery.Run(work) })
	g.Go(func() error { return front.Run(work) })
	g.Go(func() error { return listen(web, listener, !conf.plain()) })
	g.Go(func() error {
		select {
		case s := <-signals:
			log.Info("stopping", "signal", s.String())
			go force(signals, log)
		case <-gctx.Done(): // something cannot go on
		}
		shutDown(log, gctx.Err() == nil, front, delivery, node, web, endWork)
		return nil
	})
	err = g.Wait()
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

// shutDown takes the server apart, in the order in which nobody notices:
//
//  1. /readyz says 503, so that load balancers and clients go elsewhere, and
//     event streams end: their clients resume at another peer.
//  2. Agents are told to go, each at a moment of its own, and do, while this
//     peer still serves: what they report on the way is not lost.
//  3. Another voter leads. This peer goes on as a follower and forwards what
//     still arrives, so no request meets a gap.
//  4. The API stops listening and ends the requests that it has.
//  5. Delivery ends, and its last reports are proposed.
//  6. The peer takes a snapshot, so that the next start is quick, and stops.
//
// After a failure there is nobody to be polite to: only 4 to 6.
func shutDown(log *slog.Logger, planned bool, front *api.Server, delivery *push.Server, node *cluster.Node, web *http.Server, endWork context.CancelFunc) {
	step := func(name string, limit time.Duration, do func(context.Context) error) {
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := do(ctx); err != nil {
			log.Warn("a step of the stop failed", "step", name, "err", err)
			return
		}
		log.Debug("stopping", "step", name, "took", time.Since(began).String())
	}
	front.Drain()
	if planned {
		step("agents move", moveAgents, func(ctx context.Context) error { delivery.Drain(ctx); return nil })
		step("another peer leads", handOver, func(ctx context.Context) error {
			if v, _ := node.View(); !v.Self {
				return nil
			}
			err := node.LeadershipTransfer(ctx)
			if errors.Is(err, cluster.ErrNoTarget) {
				return nil // it is the last one
			}
			return err
		})
	}
	step("requests end", endRequests, func(ctx context.Context) error {
		if err := web.Shutdown(ctx); err != nil {
			return errors.Join(err, web.Close())
		}
		return nil
	})
	endWork()
	step("the peer stops", stopPeer, node.Stop)
}

// force ends the process at once when a second signal says so. Nothing that was
// acknowledged is lost by it.
func force(signals <-chan os.Signal, log *slog.Logger) {
	s := <-signals
	log.Warn("ending at once", "signal", s.String())
	os.Exit(exitError)
}

func listen(web *http.Server, l net.Listener, encrypted bool) error {
	var err error
	if encrypted {
		err = web.ServeTLS(l, "", "")
	} else {
		err = web.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("api.listen: %w", err)
}

// samePeer ends the server when the peer has joined anew with another id, which
// it does by itself when its log is damaged: everything else here was made for
// the old one, and a restart makes it new.
func samePeer(ctx context.Context, node *cluster.Node, id string) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if now := node.ID(); now != "" && now != id {
			return fmt.Errorf("its log was damaged and it has joined anew as %s: start it again", now)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func notReady(node *cluster.Node) func() []string {
	return func() []string {
		if err := node.Ready(); err != nil {
			return []string{err.Error()}
		}
		return nil
	}
}
