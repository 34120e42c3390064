package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/droverhq/drover/cluster/ca"
	"github.com/droverhq/drover/cluster/rpc"
	"github.com/droverhq/drover/fsm"
)

// ended waits until a peer has ended by itself.
func (p *peer) ended(want error) {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(testTime):
		p.t.Fatal("the peer goes on")
	}
	if !errors.Is(p.err, want) {
		p.t.Errorf("ended with %v, want %v", p.err, want)
	}
}

func TestALeaderLeavesAndItsDirectoryDoesNotStartAgain(t *testing.T) {
	t.Parallel()
	peers := three(t)
	old := leader(t, peers...)
	rest := others(peers, old)
	if err := old.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	old.ended(ErrLeft)
	eventually(t, "two voters", func() bool { return voters(t, leader(t, rest...)) == 2 })
	rest[0].commit(putUser("after"))
	same(t, rest...)
	if rest[0].core().row(old.peerID) != nil {
		t.Error("the state still has the peer")
	}
	again := start(t, old.net, old.dir, old.cfg)
	again.ended(ErrLeft)
	// A new learner makes three again, although it comes alone.
	fresh := rest[0].join("ctl-4").ready()
	eventually(t, "three voters", func() bool { return voters(t, fresh) == 3 })
}

func TestALeaveThatEndsTheQuorumIsRefused(t *testing.T) {
	t.Parallel()
	one := initPeer(t).ready()
	if err := one.Leave(within(t)); !errors.Is(err, ErrUnsafe) && !errors.Is(err, ErrNoTarget) {
		t.Errorf("the only peer left: %v", err)
	}
	peers := three(t)
	rest := others(peers, leader(t, peers...))
	rest[0].kill()
	if err := rest[1].Leave(within(t)); !errors.Is(err, ErrUnsafe) {
		t.Errorf("one of the two healthy voters left: %v", err)
	}
	if _, err := rest[1].Propose(within(t), putUser("still")); err != nil {
		t.Errorf("after the refusal: %v", err)
	}
	if err := rest[1].RemovePeer(within(t), rest[0].cfg.Name); err != nil {
		t.Errorf("the dead one could not be removed: %v", err)
	}
	if err := rest[1].RemovePeer(within(t), "nobody"); !errors.Is(err, ErrNoSuchPeer) {
		t.Errorf("got %v", err)
	}
}

func TestTrap10ARemovedPeerLearnsItFromAConfirmedLeaderOnly(t *testing.T) {
	t.Parallel()
	peers := three(t)
	l := leader(t, peers...)
	gone := others(peers, l)[0]
	stays := others(others(peers, l), gone)[0]
	gone.net.isolate(gone.cfg.Name)
	if err := l.RemovePeer(within(t), gone.cfg.Name); err != nil {
		t.Fatal(err)
	}
	// A follower does not answer, whatever it knows. (On a busy machine the
	// other one may lead by now.)
	eventually(t, "a follower that does not answer", func() bool {
		follower := stays
		if v, _ := stays.View(); v.Self {
			follower = l
		}
		_, err := follower.core().handleMember(within(t), gone.peerID, empty{})
		return rpc.Code(err) == codeNotLeader
	})
	select {
	case <-gone.done:
		t.Fatal("the peer took silence for a removal")
	default:
	}
	gone.net.heal()
	gone.ended(ErrLeft)
	gone.restart().ended(ErrLeft)
}

func TestTrap10ALeaderWithoutAMajoritySaysNothingOfMembership(t *testing.T) {
	t.Parallel()
	peers := three(t)
	old := leader(t, peers...)
	rest := others(peers, old)
	old.net.isolate(old.cfg.Name)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if member, err := old.core().handleMember(ctx, rest[0].ID(), empty{}); err == nil {
		t.Errorf("it said %v", member)
	}
	old.net.heal()
}

// Trap 3: a voter that cannot be reached would end the quorum of a single peer for good.
func TestTrap3AnUnreachableLearnerNeverGetsAVote(t *testing.T) {
	t.Parallel()
	one := initPeer(t).ready()
	row := testConfig(t, "ghost").WithDefaults("host", "").row("6d1a1c5e-9d6c-4c36-9c39-0f3d6f2a7b11")
	one.commit(fsm.Command{Body: fsm.PutPeer{Peer: row}})
	if _, err := one.core().handleAnnounce(within(t), row.ID, announcement{row}); err != nil {
		t.Fatal(err)
	}
	two := one.join("ctl-2").ready()
	eventually(t, "a look at the ghost", func() bool { r := one.core().row(row.ID); return !r.Alive })
	// One healthy learner alone would make two voters: it waits for a second.
	eventually(t, "the learner has caught up", func() bool {
		s, _ := two.Status(within(t))
		for _, p := range s.Peers {
			if p.ID == two.ID() {
				return p.CaughtUp && p.Role == "non-voter"
			}
		}
		return false
	})
	if n := voters(t, one); n != 1 {
		t.Errorf("%d voters", n)
	}
	three := one.join("ctl-3").ready()
	eventually(t, "three voters", func() bool { return voters(t, three) == 3 })
	for _, s := range one.core().members() {
		if string(s.ID) == row.ID && s.Suffrage == raft.Voter {
			t.Error("the ghost votes")
		}
	}
}

func TestLearnersArePromotedToAnOddNumberOfVoters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ voters, learners, promoted int }{
		{1, 1, 0}, {1, 2, 2}, {1, 3, 2}, {2, 1, 1}, {2, 2, 1}, {3, 1, 0}, {3, 2, 2}, {3, 0, 0}, {1, 0, 0},
	} {
		list := make([]raft.ServerID, c.learners)
		if got := len(promotable(list, c.voters)); got != c.promoted {
			t.Errorf("%d voters, %d learners: %d promoted, want %d", c.voters, c.learners, got, c.promoted)
		}
	}
}

func TestAJoinIsRefusedWithoutAGoodToken(t *testing.T) {
	t.Parallel()
	one := initPeer(t).ready()
	other := initPeer(t).ready()
	token := func(p *peer, ttl time.Duration) string {
		text, err := p.CreateJoinToken(within(t), ttl, fsm.Actor{})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := token(one, 0)
	try := func(token, name string) error {
		return Join(within(t), filepath.Join(t.TempDir(), "x"), JoinConfig{
			Address: one.cfg.Peer.Advertise, Token: token, Config: testConfig(t, name),
		})
	}
	part := strings.Split(good, ".")
	for _, c := range []struct {
		name, token, peer string
		want              error
		text              string
	}{
		{"not a token", "hello", "a", ca.ErrToken, ""},
		{"another cluster's token", token(other, 0), "a", nil, "not of the cluster"},
		{"a wrong secret", strings.Join(append(part[:4:4], "AAAA"), "."), "a", ErrRefused, "not known"},
		{"a wrong root", strings.Join([]string{part[0], part[1], "AAAA", part[3], part[4]}, "."), "a", nil, "not of the cluster"},
		{"a name that is taken", good, "ctl-1", ErrRefused, "already called"},
		{"an expired token", token(one, time.Millisecond), "a", ErrRefused, "expired"},
	} {
		err := try(c.token, c.peer)
		if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && strings.Contains(err.Error(), part[4]) {
			t.Errorf("%s: the error shows the secret", c.name)
		}
	}
	if err := try(good, "ctl-2"); err != nil { // the refusals above did not use it up
		t.Fatal(err)
	}
	if err := try(good, "ctl-3"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "used") {
		t.Errorf("a second use: %v", err)
	}
}

// Whoever reaches the port could otherwise fill the log, and push what counts out
// of the audit.
func TestAJoinWithATokenThatNobodyMadeReachesNeitherLogNorAudit(t *testing.T) {
	t.Parallel()
	one := initPeer(t).ready()
	good, err := one.CreateJoinToken(within(t), 0, fsm.Actor{})
	if err != nil {
		t.Fatal(err)
	}
	part := strings.Split(good, ".")
	for _, c := range []struct{ id, secret, name string }{
		{part[3], "AAAA", "a"}, {"AAAA", part[4], "a"}, {part[3], "AAAA", one.cfg.Name},
	} {
		err := Join(within(t), filepath.Join(t.TempDir(), "x"), JoinConfig{
			Address: one.cfg.Peer.Advertise, Config: testConfig(t, c.name),
			Token: strings.Join([]string{part[0], part[1], part[2], c.id, c.secret}, "."),
		})
		if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "not known") {
			t.Errorf("%s: %v", c.id, err)
		}
	}
	one.store.View(func(s *fsm.State) {
		for e := range s.Audit().All() {
			if e.Action == "cluster.join" {
				t.Errorf("in the audit: %+v", e)
			}
		}
	})
}

func TestTheSecretsOfAPeerAreForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	one := initPeer(t).ready()
	err := filepath.WalkDir(one.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && strings.HasSuffix(path, ".key") && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(one.dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info.Mode(), err)
	}
}

// The certificate of a removed peer is good until it expires.
func TestAPeerThatWasRemovedCannotMoveTheLeadership(t *testing.T) {
	t.Parallel()
	peers := three(t)
	l := leader(t, peers...)
	gone := others(peers, l)[0]
	if err := gone.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	_, err := l.core().handleTransferTo(within(t), gone.peerID, transferRequest{})
	if rpc.Code(err) != codeRemoved {
		t.Errorf("got %v", err)
	}
	if v, _ := l.View(); !v.Self {
		t.Error("the leadership moved")
	}
}

// Autopilot decides on what it saw up to half a second ago.
func TestTrap3APromotionDecidedBeforeARemovalDoesNotBringThePeerBack(t *testing.T) {
	t.Parallel()
	peers := three(t)
	l := leader(t, peers...)
	gone := others(peers, l)[0]
	address := raft.ServerAddress(gone.cfg.Peer.Advertise)
	if err := gone.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	late := promoter{l.core().raft, within(t), l.core()}
	if err := late.AddVoter(raft.ServerID(gone.peerID), address, 0, 0).Error(); err == nil {
		t.Error("promoted")
	}
	if l.core().isMember(gone.peerID) {
		t.Error("the removed peer is back")
	}
}
