package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/droverhq/drover/cluster/ca"
)

// home is the data directory of a peer.
//
//	identity.json       who this peer is; written last, so that it is there only when the rest is
//	drover.yaml         the configuration, for `drover server --config`
//	ca.crt              the trust bundle
//	cluster.key         opens what is sealed in the state
//	gossip.key          encrypts memberlist's messages
//	peers.json          addresses of peers, for the first contact
//	api.crt, api.key    of the API port
//	left                written when the peer has left or was removed: it must not start again
//	peer/ID/            what belongs to one identity: peer.crt, peer.key, raft.db, snapshots
type home string

// identity says which of the folders below peer is in use. A peer that has to
// start again with an empty log gets a new id, and so a new folder.
type identity struct {
	Peer    string `json:"peer"`
	Name    string `json:"name"`
	Cluster string `json:"cluster"`
	Epoch   uint64 `json:"epoch"`
}

// contact is where a peer was when this one last heard of it.
type contact struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	Gossip  string `json:"gossip"`
}

const (
	fileIdentity = "identity.json"
	fileConfig   = "drover.yaml"
	fileCA       = "ca.crt"
	fileSealKey  = "cluster.key"
	fileGossip   = "gossip.key"
	fileContacts = "peers.json"
	fileAPICert  = "api.crt"
	fileAPIKey   = "api.key"
	fileLeft     = "left"
	fileCert     = "peer.crt" // these below peer/ID
	fileKey      = "peer.key"
	fileLog      = "raft.db"
)

// ErrNotInitialized is a data directory without a peer in it.
var ErrNotInitialized = errors.New("there is no peer in this directory; run `drover cluster init` on the first machine, `drover cluster join` on each further one")

// ErrInUse is a data directory that has a peer already.
var ErrInUse = errors.New("this directory already belongs to a peer; remove it first if that peer is gone for good")

func (h home) path(elem ...string) string {
	return filepath.Join(append([]string{string(h)}, elem...)...)
}

func (h home) peerPath(id string, elem ...string) string {
	return h.path(append([]string{"peer", id}, elem...)...)
}

// prepare makes the directory and refuses one that is in use.
func (h home) prepare(id string) error {
	if _, err := os.Stat(h.path(fileIdentity)); err == nil {
		return fmt.Errorf("%s: %w", h, ErrInUse)
	}
	if err := os.MkdirAll(h.peerPath(id), 0o700); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	return nil
}

// PeerID is the id of the peer whose data directory this is. Errors:
// ErrNotInitialized, ErrLeft.
func PeerID(dir string) (string, error) {
	id, err := home(dir).identity()
	return id.Peer, err
}

func (h home) identity() (identity, error) {
	var id identity
	if reason, err := os.ReadFile(h.path(fileLeft)); err == nil {
		return id, fmt.Errorf("%s: %w: %s", h, ErrLeft, reason)
	}
	err := h.readJSON(fileIdentity, &id)
	if errors.Is(err, fs.ErrNotExist) {
		return id, fmt.Errorf("%s: %w", h, ErrNotInitialized)
	}
	return id, err
}

func (i identity) of() ca.Identity {
	return ca.Identity{Cluster: i.Cluster, Epoch: i.Epoch, Peer: i.Peer}
}

// contacts returns what is known of other peers; a missing file is none.
func (h home) contacts() ([]contact, error) {
	var list []contact
	err := h.readJSON(fileContacts, &list)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return list, err
}

func (h home) sealKey() (ca.SealKey, error) {
	text, err := os.ReadFile(h.path(fileSealKey))
	if err != nil {
		return ca.SealKey{}, fmt.Errorf("key file: %w", err)
	}
	return ca.ParseSealKey(text)
}

func (h home) readJSON(name string, v any) error {
	text, err := os.ReadFile(h.path(name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", h.path(name), err)
	}
	return nil
}

func (h home) writeJSON(name string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	return h.write(name, append(text, '\n'))
}

// write replaces a file as a whole, readable by its owner only, and makes it
// durable.
func (h home) write(name string, data []byte) (err error) {
	path := h.path(name)
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(f.Name())))
		}
	}()
	if _, err = f.Write(data); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func hostname() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("name: the name of this host is not known (%w); give one", err)
	}
	return host, nil
}
