package cluster

import (
	"log/slog"
	"time"

	"github.com/hashicorp/raft"
)

// Raft's settings: why each has its value stands in DESIGN.md.
const (
	maxAppendEntries  = 512
	snapshotThreshold = 16384
	trailingLogs      = 20480
	snapshotInterval  = 30 * time.Second
	snapshotRetain    = 3
	snapshotGrowth    = 256 << 20 // bytes of log after which a snapshot is taken
	logCacheEntries   = 512
)

func raftConfig(id string, t timing, log *slog.Logger, notify chan<- bool) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(id)
	c.HeartbeatTimeout = t.heartbeat
	c.ElectionTimeout = t.election
	c.LeaderLeaseTimeout = t.lease
	c.CommitTimeout = t.commit
	c.MaxAppendEntries = maxAppendEntries
	c.BatchApplyCh = false
	c.SnapshotThreshold = snapshotThreshold
	c.SnapshotInterval = snapshotInterval
	c.TrailingLogs = trailingLogs
	c.ShutdownOnRemove = false // a removed peer stops in order, see membership.go
	c.NoLegacyTelemetry = true
	c.NotifyCh = notify
	c.Logger = newHclog(log, "raft")
	return c
}
