package cluster

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/raft"
	"go.yaml.in/yaml/v3"

	"github.com/droverhq/drover/cluster/ca"
	"github.com/droverhq/drover/cluster/logstore"
	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/internal/version"
)

// InitConfig describes a new cluster.
type InitConfig struct {
	Cluster  string // its name; default "drover"
	Config   Config // of the first peer; DataDir is set by Init
	Commands []fsm.Command
}

// newClusterID makes 40 random bits: enough to tell the clusters of the world
// that may ever meet apart, where keys and certificates tell who is who. It is
// short because every update that a node is sent names the cluster.
func newClusterID() string { return strings.ToLower(rand.Text()[:8]) }

// Init makes the first peer of a new cluster in dir: authority, keys,
// certificate, configuration file, and a Raft log that has this peer as its one
// voter and begins with the creation of the cluster and the given commands (the
// administrator, say). They are committed when the peer first leads: nothing is
// left to be done at a first start. A directory that is in use is refused.
func Init(dir string, conf InitConfig) error {
	cfg, err := finish(dir, conf.Config)
	if err != nil {
		return err
	}
	if conf.Cluster == "" {
		conf.Cluster = "drover"
	}
	now := time.Now()
	id := identity{Peer: uuid.NewString(), Name: cfg.Name, Cluster: newClusterID(), Epoch: 1}
	h := home(cfg.DataDir)
	if err := h.prepare(id.Peer); err != nil {
		return err
	}
	authority, err := ca.NewAuthority(id.Cluster, now)
	if err != nil {
		return err
	}
	key, err := ca.NewSealKey()
	if err != nil {
		return fmt.Errorf("make the key file: %w", err)
	}
	create, gossip, err := newSecrets(key, authority, id.Cluster, conf.Cluster)
	if err != nil {
		return err
	}
	private, err := ca.NewKey()
	if err != nil {
		return err
	}
	csr, err := ca.NewRequest(private)
	if err != nil {
		return err
	}
	cert, err := authority.IssuePeer(csr, id.of(), now)
	if err != nil {
		return err
	}
	keyPEM, err := ca.EncodeKey(private)
	if err != nil {
		return err
	}
	commands := append([]fsm.Command{
		{Body: create},
		{Body: fsm.PutPeer{Peer: cfg.row(id.Peer)}},
	}, conf.Commands...)
	if err := bootstrap(h, id.Peer, cfg.Peer.Advertise, commands, now); err != nil {
		return err
	}
	return h.settle(id, cfg, papers{Cert: cert, Key: keyPEM, CA: authority.Certificate(), SealKey: key.File(), Gossip: gossip})
}

// finish completes and checks the configuration of a new peer.
func finish(dir string, cfg Config) (Config, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return cfg, fmt.Errorf("data_dir: %w", err)
	}
	cfg.DataDir = abs
	host, err := hostname()
	if err != nil {
		return cfg, err
	}
	cfg = cfg.WithDefaults(host, LocalAddress())
	return cfg, cfg.Validate()
}

// row is this peer as the state shall know it.
func (c Config) row(id string) fsm.Peer {
	return fsm.Peer{
		ID: id, Name: c.Name, Address: c.Peer.Advertise, Gossip: c.gossipAddress(), URL: c.API.URL,
		Version: version.Version, Feature: fsm.FeatureLevel, Alive: true,
	}
}

// bootstrap makes the Raft log of a new cluster.
func bootstrap(h home, id, address string, commands []fsm.Command, now time.Time) (err error) {
	logs, err := logstore.Create(h.peerPath(id, fileLog), id)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := logs.Close(); err == nil {
			err = cerr
		}
	}()
	entries, err := firstEntries([]raft.Server{{ID: raft.ServerID(id), Address: raft.ServerAddress(address)}}, commands, now)
	if err != nil {
		return err
	}
	if err := logs.SetUint64([]byte("CurrentTerm"), firstTerm); err != nil {
		return fmt.Errorf("write the first term: %w", err)
	}
	if err := logs.StoreLogs(entries); err != nil {
		return fmt.Errorf("write the first log entries: %w", err)
	}
	return nil
}

const firstTerm = 1

// firstEntries are the log of a new cluster: its voters, then the commands.
func firstEntries(voters []raft.Server, commands []fsm.Command, now time.Time) ([]*raft.Log, error) {
	entries := []*raft.Log{{
		Index: 1, Term: firstTerm, Type: raft.LogConfiguration, AppendedAt: now,
		Data: raft.EncodeConfiguration(raft.Configuration{Servers: voters}),
	}}
	for _, c := range commands {
		if c.ID == "" {
			c.ID = rand.Text()
		}
		if c.Time == 0 {
			c.Time = now.UnixMilli()
		}
		if c.Actor == (fsm.Actor{}) {
			c.Actor = peerActor(string(voters[0].ID))
		}
		data, err := fsm.Encode(c)
		if err != nil {
			return nil, err
		}
		entries = append(entries, &raft.Log{Index: uint64(len(entries)) + 1, Term: firstTerm, Type: raft.LogCommand, Data: data, AppendedAt: now})
	}
	return entries, nil
}

// papers are what makes a directory that of a peer.
type papers struct {
	Cert, Key []byte
	CA        []byte
	SealKey   []byte
	Gossip    []byte
	Contacts  []contact
}

// settle writes the papers, the configuration, and at last the identity: before
// that the directory counts as empty.
func (h home) settle(id identity, cfg Config, p papers) error {
	text, err := yaml.Marshal(cfg)
	if err != nil {
		return fmt.Errorf("encode %s: %w", fileConfig, err)
	}
	peer := filepath.Join("peer", id.Peer)
	for _, f := range []struct {
		name string
		data []byte
	}{
		{filepath.Join(peer, fileCert), p.Cert},
		{filepath.Join(peer, fileKey), p.Key},
		{fileCA, p.CA},
		{fileSealKey, p.SealKey},
		{fileGossip, p.Gossip},
		{fileConfig, text},
	} {
		if err := h.write(f.name, f.data); err != nil {
			return err
		}
	}
	if err := h.writeJSON(fileContacts, p.Contacts); err != nil {
		return err
	}
	return h.writeJSON(fileIdentity, id)
}
