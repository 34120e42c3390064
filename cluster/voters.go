package cluster

import (
	"cmp"
	"context"
	"errors"
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
	pilot := autopilot.New(promoter{c.raft, ctx, c}, autopilotDelegate{c},
		autopilot.WithLogger(newHclog(c.log, "autopilot")),
		autopilot.WithPromoter(pairs{autopilot.DefaultPromoter()}),
		autopilot.WithReconcileInterval(votersRefresh),
		autopilot.WithUpdateInterval(votersRefresh))
	pilot.Start(ctx)
	<-ctx.Done()
	<-pilot.Stop()
	return ctx.Err()
}

// promoter is Raft as autopilot sees it. Autopilot acts on what it saw up to
// half a second ago: a server that was removed since would come back as a voter.
type promoter struct {
	*raft.Raft
	ctx  context.Context // of the term: autopilot's interface passes none
	core *core
}

// AddVoter gives a vote to a server that is a non-voter just now, and to no other.
func (p promoter) AddVoter(id raft.ServerID, address raft.ServerAddress, prev uint64, _ time.Duration) raft.IndexFuture {
	err := p.core.exclusively(p.ctx, func() error {
		if !slices.Contains(p.core.members(), raft.Server{Suffrage: raft.Nonvoter, ID: id, Address: address}) {
			return errNoLearner
		}
		return settled(p.ctx, func() raft.Future { return p.Raft.AddVoter(id, address, prev, configTimeout) })
	})
	return settledFuture{err}
}

var errNoLearner = errors.New("it is no longer a non-voter")

type settledFuture struct{ err error }

func (f settledFuture) Error() error { return f.err }
func (settledFuture) Index() uint64  { return 0 } // autopilot does not ask

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
