package cluster

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"

	"github.com/droverhq/drover/fsm"
)

// When a learner is fit to vote.
const (
	maxLag        = 250 // entries of the log
	stableFor     = 2 * time.Second
	votersRefresh = 500 * time.Millisecond
)

// manageVoters makes voters of learners that have caught up. It is autopilot
// with a rule of its own; autopilot asks each server how it is, and promotes
// only those that answer and are close to the end of the log (trap 3).
func (c *core) manageVoters(ctx context.Context, _ uint64) error {
	pilot := autopilot.New(c.raft, autopilotDelegate{c},
		autopilot.WithLogger(newHclog(c.log, "autopilot")),
		autopilot.WithPromoter(pairs{autopilot.DefaultPromoter()}),
		autopilot.WithReconcileInterval(votersRefresh),
		autopilot.WithUpdateInterval(votersRefresh))
	pilot.Start(ctx)
	<-ctx.Done()
	<-pilot.Stop()
	return ctx.Err()
}

// pairs promotes only as many learners as make the number of voters odd: a
// fourth voter tolerates no more failures than three, and needs one more to
// agree. So one becomes three, and a lost one of three is replaced by one.
type pairs struct{ autopilot.Promoter }

func (p pairs) CalculatePromotionsAndDemotions(conf *autopilot.Config, s *autopilot.State) autopilot.RaftChanges {
	changes := p.Promoter.CalculatePromotionsAndDemotions(conf, s)
	changes.Promotions = promotable(changes.Promotions, len(s.Voters))
	return changes
}

// promotable cuts a list of learners to what makes the number of voters odd.
func promotable(learners []raft.ServerID, voters int) []raft.ServerID {
	slices.SortFunc(learners, func(a, b raft.ServerID) int { return cmp.Compare(a, b) })
	if (voters+len(learners))%2 == 0 && len(learners) > 0 {
		learners = learners[:len(learners)-1]
	}
	return learners
}

// autopilotDelegate tells autopilot what this package knows of the servers.
type autopilotDelegate struct{ *core }

// AutopilotConfig implements autopilot.ApplicationIntegration. Dead servers are
// never removed without a person.
func (d autopilotDelegate) AutopilotConfig() *autopilot.Config {
	return &autopilot.Config{
		LastContactThreshold:    deadAfter,
		MaxTrailingLogs:         maxLag,
		ServerStabilizationTime: stableFor,
	}
}

// NotifyState implements autopilot.ApplicationIntegration.
func (autopilotDelegate) NotifyState(*autopilot.State) {}

// RemoveFailedServer implements autopilot.ApplicationIntegration.
func (autopilotDelegate) RemoveFailedServer(*autopilot.Server) {}

// KnownServers implements autopilot.ApplicationIntegration.
func (d autopilotDelegate) KnownServers() map[raft.ServerID]*autopilot.Server {
	known := map[raft.ServerID]*autopilot.Server{}
	d.store.View(func(s *fsm.State) {
		for _, p := range s.Peers() {
			status := autopilot.NodeFailed
			if p.Alive {
				status = autopilot.NodeAlive
			}
			known[raft.ServerID(p.ID)] = &autopilot.Server{
				ID: raft.ServerID(p.ID), Name: p.Name, Address: raft.ServerAddress(p.Address),
				NodeStatus: status, NodeType: autopilot.NodeVoter, Version: p.Version,
				RaftVersion: int(raft.ProtocolVersionMax), IsLeader: p.ID == d.id,
			}
		}
	})
	return known
}

// FetchServerStats implements autopilot.ApplicationIntegration.
func (d autopilotDelegate) FetchServerStats(ctx context.Context, servers map[raft.ServerID]*autopilot.Server) map[raft.ServerID]*autopilot.ServerStats {
	stats := map[raft.ServerID]*autopilot.ServerStats{}
	for id, a := range d.askAll(ctx) {
		if servers[raft.ServerID(id)] != nil && a.Sick == "" {
			stats[raft.ServerID(id)] = &autopilot.ServerStats{LastContact: a.LastContact, LastTerm: a.LastTerm, LastIndex: a.LastIndex}
		}
	}
	return stats
}
