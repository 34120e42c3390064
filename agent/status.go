package agent

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/droverhq/drover/agent/serve"
	"github.com/droverhq/drover/agent/store"
)

const sessionFile = "state/session.json"

// contact is what the running process says of its session. It is for people
// and not synced.
type contact struct {
	Connected bool      `json:"connected"`
	Peer      string    `json:"peer,omitempty"`
	Since     time.Time `json:"since,omitzero"`
	Leaving   string    `json:"leaving,omitempty"`
	LastError string    `json:"last_error,omitempty"`
}

// Status is what `drover-agent status` shows.
type Status struct {
	Node      string           `json:"node"`
	Cluster   string           `json:"cluster"`
	Running   bool             `json:"running"` // a drover-agent process has the directory
	Contact   contact          `json:"contact"`
	Revision  uint64           `json:"revision"`
	Epoch     uint64           `json:"epoch"` // highest accepted
	Index     uint64           `json:"index"`
	Manifest  string           `json:"manifest"` // of what is on the disk now
	Drifted   []string         `json:"drifted"`
	Documents []DocumentStatus `json:"documents"`
	Serve     *serve.Status    `json:"serve,omitempty"` // where the node is an instance, too or only
}

// DocumentStatus is one document on the disk.
type DocumentStatus struct {
	Target   string `json:"target"`
	Version  uint64 `json:"version"`
	Checksum string `json:"checksum"` // of what is there; empty: the file is gone
	Drifted  bool   `json:"drifted"`
}

// ReadStatus looks at an agent's directory without disturbing the process that
// may be running on it.
func ReadStatus(c Config) (st Status, err error) {
	st = Status{Node: c.Node, Documents: []DocumentStatus{}, Drifted: []string{}}
	if c.Serve != nil {
		s, err := serve.ReadStatus(*c.Serve)
		if err != nil {
			return st, err
		}
		st.Serve = &s
	}
	channel, err := c.hasChannel()
	if err != nil || !channel {
		return st, err
	}
	return st, st.channel(c.Dir)
}

// channel reads what the WebSocket channel left and keeps.
func (st *Status) channel(dir string) (err error) {
	view, err := store.View(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, view.Close()) }()
	id, err := loadIdentity(view.Root())
	if err != nil {
		return err
	}
	accepted, held := view.Accepted(id.Cluster), view.Read(view.Running())
	st.Node, st.Cluster, st.Running = id.Node, id.Cluster, view.InUse
	st.Epoch, st.Index, st.Manifest = accepted.Epoch, accepted.Index, held.Manifest().String()
	if g := view.Running(); g != nil {
		st.Revision = g.Revision
		if accepted.Manifest == g.Manifest {
			st.Revision = accepted.Revision
		}
		st.documents(g, held)
	}
	text, err := view.Root().ReadFile(sessionFile)
	if err == nil {
		err = json.Unmarshal(text, &st.Contact)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		st.Contact = contact{LastError: sessionFile + ": " + err.Error()}
	}
	st.Contact.Connected = st.Contact.Connected && st.Running
	return nil
}

func (st *Status) documents(g *store.Generation, h store.Held) {
	there := map[string]string{}
	for _, e := range h.Entries {
		there[e.Target] = e.Checksum.String()
	}
	for _, d := range g.Documents {
		st.Documents = append(st.Documents, DocumentStatus{
			Target: d.Target, Version: d.Version, Checksum: there[d.Target], Drifted: there[d.Target] != d.Checksum,
		})
	}
	st.Drifted = append(st.Drifted, h.Drifted...)
}

// writeStatus notes the state of the session when it changed.
func (k *keeper) writeStatus() {
	now := contact{Leaving: k.leaving, LastError: k.lastErr}
	if k.current != nil {
		now.Connected, now.Peer, now.Since = true, k.current.address, k.current.started
	}
	if now == k.shown {
		return
	}
	k.shown = now
	text, err := json.Marshal(now)
	if err == nil {
		err = replaceUnsynced(k.agent.root, sessionFile, text)
	}
	if err != nil {
		k.log.Warn("the state of the session could not be noted", "error", err)
	}
}

func replaceUnsynced(root *os.Root, name string, text []byte) error {
	if err := root.WriteFile(name+".new", text, 0o600); err != nil {
		return err
	}
	return root.Rename(name+".new", name)
}
