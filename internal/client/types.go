package client

import "time"

// Counts is how many nodes have each status.
type Counts struct {
	Acked      int `json:"acked"`
	Pending    int `json:"pending"`
	InFlight   int `json:"in_flight"`
	Retrying   int `json:"retrying"`
	DeadLetter int `json:"dead_letter"`
	Reverted   int `json:"reverted"`
	Offline    int `json:"offline"`
}

// Document is a row of the list of documents.
type Document struct {
	Name      string    `json:"document"`
	Target    string    `json:"target"`
	Selector  string    `json:"selector"`
	Version   uint64    `json:"version"`
	Revision  uint64    `json:"revision"`
	Checksum  string    `json:"checksum"`
	Bytes     int       `json:"bytes"`
	Updated   time.Time `json:"updated"`
	Author    string    `json:"author"`
	Message   string    `json:"message"`
	Nodes     int       `json:"nodes"`
	HasSchema bool      `json:"has_schema"`
	Deleted   bool      `json:"deleted"`
}

// Version is one version of a document.
type Version struct {
	Version  uint64    `json:"version"`
	Revision uint64    `json:"revision"`
	Time     time.Time `json:"time"`
	Author   string    `json:"author"`
	Message  string    `json:"message"`
	Checksum string    `json:"checksum"`
	Bytes    int       `json:"bytes"`
}

// Written is the answer to a write of one document.
type Written struct {
	Document  string    `json:"document"`
	Version   uint64    `json:"version"`
	Revision  uint64    `json:"revision"`
	Checksum  string    `json:"checksum"`
	Push      string    `json:"push"`
	Unchanged bool      `json:"unchanged,omitempty"`
	Warnings  []Problem `json:"warnings,omitempty"` // without a document: about this one
}

// Push is the delivery of a revision.
type Push struct {
	ID           string     `json:"id"`
	Revision     uint64     `json:"revision"`
	State        string     `json:"state"`
	Counts       Counts     `json:"counts"`
	Total        int        `json:"total"`
	Documents    []string   `json:"documents"`
	Message      string     `json:"message"`
	Author       string     `json:"author"`
	Started      time.Time  `json:"started"`
	Finished     *time.Time `json:"finished"`
	SupersededBy any        `json:"superseded_by"`
}

// Running tells whether the push has not ended.
func (p Push) Running() bool {
	return p.State == "running" || p.State == "scheduled" || p.State == "paused"
}

// NodeError is why a node did not take an update.
type NodeError struct {
	Target  string `json:"target"`
	Stage   string `json:"stage"`
	Code    string `json:"code"`
	Pointer string `json:"pointer"`
	Message string `json:"message"`
	LogTail string `json:"log_tail"`
}

// Target is one node of a push.
type Target struct {
	Node      string     `json:"node"`
	Status    string     `json:"status"`
	Connected bool       `json:"connected"`
	Peer      string     `json:"peer"`
	Attempts  int        `json:"attempts"`
	Error     *NodeError `json:"error"`
	Updated   *time.Time `json:"updated"`
}

// Node is a row of the list of nodes.
type Node struct {
	ID        string            `json:"id"`
	Kind      string            `json:"kind"`
	Labels    map[string]string `json:"labels"`
	Facts     map[string]string `json:"facts"`
	Connected bool              `json:"connected"`
	Peer      string            `json:"peer"`
	Desired   Manifest          `json:"desired"`
	Reported  Manifest          `json:"reported"`
	InSync    bool              `json:"in_sync"`
	Status    string            `json:"status"`
	Attempts  int               `json:"attempts"`
	LastError *NodeError        `json:"last_error"`
	Enrolled  time.Time         `json:"enrolled"`
}

// Instance is a row of the registry of instances.
type Instance struct {
	ID        string            `json:"id"`
	URL       string            `json:"url"`
	Labels    map[string]string `json:"labels"`
	Accepts   []string          `json:"accepts"`
	Source    string            `json:"source"`
	Gone      *time.Time        `json:"gone"`
	HasToken  bool              `json:"has_token"`
	Added     time.Time         `json:"added"`
	Owner     string            `json:"owner"`
	Status    string            `json:"status"`
	InSync    bool              `json:"in_sync"`
	LastError *NodeError        `json:"last_error"`
	Facts     map[string]string `json:"facts"`
	Observed
}

// Observed is what was seen of an instance by calling it.
type Observed struct {
	Unmanaged []string           `json:"unmanaged"`
	Warnings  []Warning          `json:"warnings"`
	Documents []InstanceDocument `json:"documents"`
}

// Warning is something about an instance that a person should know.
type Warning struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// InstanceDocument is a document that an instance should hold.
type InstanceDocument struct {
	Document   string `json:"document"`
	Target     string `json:"target"`
	Version    uint64 `json:"version"`
	Wanted     uint64 `json:"wanted_version"`
	Accepted   uint64 `json:"accepted_version"`
	Refused    uint64 `json:"refused_version"`
	Unverified bool   `json:"unverified"`
}

// Manifest is what a node holds or should hold.
type Manifest struct {
	Revision uint64 `json:"revision"`
	Manifest string `json:"manifest"`
	Epoch    uint64 `json:"epoch"`
	Index    uint64 `json:"index"`
}

// Cluster is the state of the controllers.
type Cluster struct {
	Name     string `json:"name"`
	ID       string `json:"id"`
	Epoch    uint64 `json:"epoch"`
	Leader   string `json:"leader"`
	Term     uint64 `json:"term"`
	Index    any    `json:"index"`
	Quorum   bool   `json:"quorum"`
	Voters   int    `json:"voters"`
	Tolerate int    `json:"tolerates"`
	Peers    []Peer `json:"peers"`
}

// Peer is one controller.
type Peer struct {
	Name      string  `json:"name"`
	ID        string  `json:"id"`
	Role      string  `json:"role"`
	Alive     bool    `json:"alive"`
	URL       string  `json:"url"`
	Address   string  `json:"address"`
	Lag       *uint64 `json:"lag"`
	StateHash string  `json:"state_hash"`
	Version   string  `json:"version"`
	Sessions  *int    `json:"sessions"`
}
