package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/api/credential"
	"github.com/droverhq/drover/cluster"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/output"
)

func (a *app) clusterCmd() *cobra.Command {
	return group("cluster", "Make a cluster, and manage its controllers", lines(
		"drover cluster init --name ctl-1                              # on the first machine",
		"drover cluster token > token                                  # for each further one",
		"drover cluster join ctl-1:8300 --token-file token --name ctl-2 # there",
		"drover cluster status",
	), a.clusterInitCmd(), a.clusterStatusCmd(), a.clusterTokenCmd(), a.clusterJoinCmd(),
		a.clusterLeaveCmd(), a.clusterRemoveCmd(), a.clusterTransferCmd())
}

// peerFlags are the keys of a new peer's configuration; a file may give them too.
type peerFlags struct {
	dir, file string
	conf      cluster.Config
}

func (p *peerFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&p.dir, "data-dir", "", "`directory` of the new peer (default /var/lib/drover)")
	f.StringVar(&p.file, "config", "", "`file` with the configuration, instead of the flags below")
	f.StringVar(&p.conf.Name, "name", "", "`name` of the peer (default: the host's)")
	f.StringVar(&p.conf.API.Listen, "api-listen", "", "`host:port` of the API (default :8443)")
	f.StringVar(&p.conf.API.URL, "api-url", "", "`URL` of the API as others reach it")
	f.StringVar(&p.conf.API.Cert, "api-cert", "", "PEM `file` with the API's certificate (default: one of the cluster's authority)")
	f.StringVar(&p.conf.API.Key, "api-key", "", "PEM `file` with its key")
	f.StringVar(&p.conf.Peer.Listen, "peer-listen", "", "`host:port` for other peers (default :8300)")
	f.StringVar(&p.conf.Peer.Advertise, "peer-advertise", "", "`host:port` at which other peers reach it")
	f.StringVar(&p.conf.Gossip.Listen, "gossip-listen", "", "`host:port` for gossip (default :8301)")
	f.StringVar(&p.conf.Raft.Profile, "raft-profile", "", "`timing`: default, fast or wan")
}

// resolve returns the directory and the configuration.
func (p *peerFlags) resolve() (dir string, conf cluster.Config, err error) {
	conf = p.conf
	if p.file != "" {
		if p.conf != (cluster.Config{}) {
			return "", conf, usage(errors.New("give --config or the single settings, not both"))
		}
		full, err := readServerConfig(p.file)
		if err != nil {
			return "", conf, &codedError{exitInvalid, err}
		}
		conf = full.Config
	}
	dir = orText(p.dir, orText(conf.DataDir, "/var/lib/drover"))
	return dir, conf, nil
}

func (a *app) clusterInitCmd() *cobra.Command {
	var p peerFlags
	var name, admin, passwordFile string
	c := &cobra.Command{
		Use: "init", Short: "Make a new cluster, with this machine as its first controller", Args: cobra.NoArgs,
		Example: lines("drover cluster init", "drover cluster init --name ctl-1 --cluster prod --peer-advertise 192.0.2.11:8300"),
		RunE: func(c *cobra.Command, _ []string) error {
			dir, conf, err := p.resolve()
			if err != nil {
				return err
			}
			password, made, err := initialPassword(passwordFile)
			if err != nil {
				return err
			}
			user, err := firstAdmin(c.Context(), admin, password)
			if err != nil {
				return err
			}
			if err := cluster.Init(dir, cluster.InitConfig{Cluster: name, Config: conf, Commands: []fsm.Command{{Body: user}}}); err != nil {
				return err
			}
			if made {
				fmt.Fprintf(a.stdout, "The administrator is %s, with the password %s\nIt is not shown again; change it with drover user set %s.\n\n", admin, password, admin)
			}
			fmt.Fprintf(a.stdout, "Next: drover server --config %s\n", filepath.Join(dir, "drover.yaml"))
			return nil
		},
	}
	p.add(c)
	f := c.Flags()
	f.StringVar(&name, "cluster", "drover", "`name` of the cluster")
	f.StringVar(&admin, "admin", "admin", "`name` of the first administrator")
	f.StringVar(&passwordFile, "admin-password-file", "", "`file` with the administrator's password (default: one is made and printed)")
	return c
}

func initialPassword(file string) (password string, made bool, err error) {
	if file == "" {
		return strings.ToLower(rand.Text()), true, nil
	}
	text, err := os.ReadFile(file)
	return strings.TrimRight(string(text), "\r\n"), false, err
}

func firstAdmin(ctx context.Context, name, password string) (fsm.PutUser, error) {
	hash, err := credential.NewHasher(credential.DefaultCost(), 1).Hash(ctx, password)
	if err != nil {
		return fsm.PutUser{}, &codedError{exitInvalid, err}
	}
	return fsm.PutUser{New: true, User: fsm.User{Name: name, Password: hash, Role: "admin", Created: time.Now().UnixMilli()}}, nil
}

func (a *app) clusterJoinCmd() *cobra.Command {
	var p peerFlags
	var tokenFile string
	var wait bool
	c := &cobra.Command{
		Use: "join ADDR --token-file FILE", Short: "Make this machine a further controller of a cluster", Args: cobra.ExactArgs(1),
		Long: "Make this machine a further controller. ADDR is the peer port (8300) of any controller of the cluster.\n" +
			"With --wait, start the server meanwhile: it shows how the newcomer catches up and gets its vote.",
		Example: lines("drover cluster join ctl-1:8300 --token-file token", "drover cluster join 192.0.2.11:8300 --token-file token --name ctl-2 --wait"),
		RunE: func(c *cobra.Command, args []string) error {
			dir, conf, err := p.resolve()
			if err != nil {
				return err
			}
			if tokenFile == "" {
				return usage(errors.New("--token-file FILE is needed: drover cluster token on a member makes the token"))
			}
			text, err := os.ReadFile(tokenFile)
			if err != nil {
				return err
			}
			err = cluster.Join(c.Context(), dir, cluster.JoinConfig{Address: args[0], Token: strings.TrimSpace(string(text)), Config: conf})
			if errors.Is(err, cluster.ErrRefused) {
				return &codedError{exitDenied, err}
			}
			if err != nil {
				return err
			}
			file := filepath.Join(dir, "drover.yaml")
			fmt.Fprintf(a.stdout, "Next: drover server --config %s\n", file)
			if !wait {
				return nil
			}
			return a.waitForVote(c.Context(), dir, file)
		},
	}
	p.add(c)
	c.Flags().StringVar(&tokenFile, "token-file", "", "`file` with the token")
	c.Flags().BoolVar(&wait, "wait", false, "wait until the peer has its vote (the server has to be started)")
	return c
}

// waitForVote follows a newcomer. It ends when it votes, or when it has caught
// up and a second learner is awaited: a cluster of two voters tolerates nothing.
func (a *app) waitForVote(ctx context.Context, dir, file string) error {
	conf, err := readServerConfig(file)
	if err != nil {
		return err
	}
	id, err := cluster.PeerID(dir)
	if err != nil {
		return err
	}
	last := ""
	tell := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); text != last {
			a.note("%s", text)
			last = text
		}
	}
	for {
		p, s, err := a.standing(ctx, id)
		switch {
		case err != nil:
			tell("%s: waiting (%v)", conf.Name, err)
		case p.Role == "voter" || p.Role == "leader":
			tell("%s: voter", conf.Name)
			return nil
		case p.Lag == nil || !p.Alive:
			tell("%s: learner, not running yet", conf.Name)
		case *p.Lag > 0:
			tell("%s: learner, %d entries behind", conf.Name, *p.Lag)
		default:
			tell("%s: caught up", conf.Name)
			if s.Voters%2 == 1 && learners(s) == 1 {
				a.note("One more controller is awaited: two get their votes together.")
				return nil
			}
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

func learners(s client.Cluster) int {
	n := 0
	for _, p := range s.Peers {
		if p.Role == "non-voter" {
			n++
		}
	}
	return n
}

// standing asks the cluster about one peer.
func (a *app) standing(ctx context.Context, id string) (client.Peer, client.Cluster, error) {
	cl, err := a.client()
	if err != nil {
		return client.Peer{}, client.Cluster{}, err
	}
	defer cl.Close()
	item, err := client.One[client.Cluster](ctx, cl, client.Path("cluster"), nil)
	if err != nil {
		return client.Peer{}, client.Cluster{}, err
	}
	for _, p := range item.Value.Peers {
		if p.ID == id {
			return p, item.Value, nil
		}
	}
	return client.Peer{}, item.Value, errors.New("the cluster does not know it yet")
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *app) clusterStatusCmd() *cobra.Command {
	c := &cobra.Command{
		Use: "status", Short: "Show the controllers: role, lag, state, quorum", Args: cobra.NoArgs,
		Long:    "Show the controllers. Ends with 9 when there is no quorum.",
		Example: lines("drover cluster status", "drover cluster status -o json"),
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			item, err := client.One[client.Cluster](c.Context(), cl, client.Path("cluster"), nil)
			if err != nil {
				return err
			}
			s := item.Value
			if output.Format(a.format).Structured() {
				err = output.Raw(a.printer(), item.Raw)
			} else {
				if output.Format(a.format) != output.Name {
					fmt.Fprintf(a.stdout, "%s: epoch %d, term %d, index %v, %d voters, tolerates %d, quorum %s\n\n",
						output.Clean(s.Name), s.Epoch, s.Term, s.Index, s.Voters, s.Tolerate, yesNo(s.Quorum))
				}
				err = output.List(a.printer(), peerView(), s.Peers, make([]rawMessage, len(s.Peers)))
			}
			if err == nil && !s.Quorum {
				return coded(exitNoLeader, "there is no quorum: writes are refused until a majority of the peers is back")
			}
			return err
		},
	}
	return c
}

func peerView() output.View[client.Peer] {
	type p = client.Peer
	return output.View[p]{
		Name: func(x p) string { return x.Name },
		Columns: []output.Column[p]{
			{Title: "PEER", Text: func(x p) string { return x.Name }},
			{Title: "ROLE", Text: func(x p) string { return x.Role }, Color: output.Status},
			{Title: "ALIVE", Text: func(x p) string { return yesNo(x.Alive) }, Color: output.Status},
			{Title: "LAG", Text: func(x p) string {
				if x.Lag == nil {
					return ""
				}
				return strconv.FormatUint(*x.Lag, 10)
			}},
			{Title: "SESSIONS", Text: func(x p) string {
				if x.Sessions == nil {
					return ""
				}
				return strconv.Itoa(*x.Sessions)
			}},
			{Title: "STATE", Text: func(x p) string { return x.StateHash }},
			{Title: "VERSION", Text: func(x p) string { return x.Version }},
			{Title: "URL", Text: func(x p) string { return x.URL }},
			{Title: "ADDRESS", Wide: true, Text: func(x p) string { return x.Address }},
			{Title: "ID", Wide: true, Text: func(x p) string { return x.ID }},
		},
	}
}

func (a *app) clusterTokenCmd() *cobra.Command {
	return &cobra.Command{
		Use: "token", Short: "Make a token with which one more controller can join", Args: cobra.NoArgs,
		Long:    "Make a token: it is good once, and for an hour. It is printed once; the file that keeps it should be 0600.",
		Example: lines("(umask 077; drover cluster token > token)", "drover cluster token -o json"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.secretOf(c.Context(), client.Path("cluster", "tokens"), map[string]any{}, "command", "expires")
		},
	}
}

// membership posts an action on the membership.
func (a *app) membership(ctx context.Context, action string, body map[string]string, done string) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	if _, err := cl.Send(ctx, http.MethodPost, client.Path("cluster", action), body, nil); err != nil {
		return err
	}
	a.note("%s", done)
	return nil
}

func (a *app) clusterLeaveCmd() *cobra.Command {
	var yes bool
	var file string
	c := &cobra.Command{
		Use: "leave [NAME]", Short: "Take a controller that runs out of the cluster for good", Args: cobra.MaximumNArgs(1),
		Long: "Take a controller out for good: the one on this machine, or the one that is named. It is refused where\n" +
			"the rest would have no healthy majority. The data directory is marked and does not start again. To stop\n" +
			"a controller for a while, stop its server.",
		Example: lines("drover cluster leave", "drover cluster leave ctl-3"),
		RunE: func(c *cobra.Command, args []string) error {
			name := ""
			if len(args) > 0 {
				name = args[0]
			} else {
				conf, err := readServerConfig(file)
				if err != nil {
					return usage(fmt.Errorf("say which controller leaves, or give the --config of the one on this machine: %w", err))
				}
				name = conf.Name
			}
			if err := a.confirm(yes, "taking %s out of the cluster for good", name); err != nil {
				return err
			}
			return a.membership(c.Context(), "leave", map[string]string{"name": name}, name+" has left the cluster")
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	c.Flags().StringVar(&file, "config", "/var/lib/drover/drover.yaml", "`file` of the controller on this machine")
	return c
}

func (a *app) clusterRemoveCmd() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "remove NAME", Short: "Take a controller that is lost out of the cluster", Args: cobra.ExactArgs(1),
		Example: lines("drover cluster remove ctl-3"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.confirm(yes, "removing %s from the cluster", args[0]); err != nil {
				return err
			}
			return a.membership(c.Context(), "remove", map[string]string{"name": args[0]}, args[0]+" is removed")
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (a *app) clusterTransferCmd() *cobra.Command {
	return &cobra.Command{
		Use: "transfer-leader [NAME]", Short: "Make another controller the leader", Args: cobra.MaximumNArgs(1),
		Example: lines("drover cluster transfer-leader", "drover cluster transfer-leader ctl-2"),
		RunE: func(c *cobra.Command, args []string) error {
			body, done := map[string]string{}, "another controller leads"
			if len(args) > 0 {
				body["name"], done = args[0], args[0]+" leads"
			}
			return a.membership(c.Context(), "transfer-leader", body, done)
		},
	}
}
