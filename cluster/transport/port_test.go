package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.uber.org/goleak"

	"github.com/droverhq/drover/cluster/ca"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func authority(t *testing.T) *ca.Authority {
	t.Helper()
	a, err := ca.NewAuthority("one", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// papers issues a certificate at the given time.
func papers(t *testing.T, a *ca.Authority, id ca.Identity, at time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ca.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	csr, err := ca.NewRequest(private)
	if err != nil {
		t.Fatal(err)
	}
	if cert, err = a.IssuePeer(csr, id, at); err != nil {
		t.Fatal(err)
	}
	if key, err = ca.EncodeKey(private); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func credentials(t *testing.T, a *ca.Authority, id ca.Identity, at time.Time) *Credentials {
	t.Helper()
	cert, key := papers(t, a, id, at)
	c, err := NewCredentials(a.Certificate(), cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func peer(name string) ca.Identity { return ca.Identity{Cluster: "one", Epoch: 1, Peer: name} }

// open starts a port that echoes what comes over rpc, and tells the caller's id first.
func open(t *testing.T, creds *Credentials, patience ...time.Duration) (*Port, string) {
	t.Helper()
	p := New(Config{Listen: "127.0.0.1:0"}, Deps{Credentials: creds, Logger: slog.New(slog.DiscardHandler)})
	for _, d := range patience {
		p.patience = d
	}
	if err := p.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.cfg.Advertise = p.listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	echo := func(_ context.Context, c net.Conn, from string) {
		defer c.Close()
		fmt.Fprintf(c, "%s:", from)
		_, _ = io.Copy(c, c)
	}
	go func() {
		done <- p.Run(ctx, Handlers{RPC: echo, Join: func(ctx context.Context, c net.Conn) { echo(ctx, c, "joiner") }})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return p, p.cfg.Advertise
}

// hello sends over a connection and returns what came back.
func hello(c net.Conn, want int) (string, error) {
	if _, err := c.Write([]byte("hello")); err != nil {
		return "", err
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	b := make([]byte, want)
	_, err := io.ReadFull(c, b)
	return string(b), err
}

func TestOnlyPeersOfThisClusterAndEpochGetIn(t *testing.T) {
	a, other := authority(t), authority(t)
	_, address := open(t, credentials(t, a, peer("a"), time.Now()))
	for _, c := range []struct {
		name  string
		creds *Credentials
		ok    bool
	}{
		{"a peer", credentials(t, a, peer("b"), time.Now()), true},
		{"another cluster", credentials(t, a, ca.Identity{Cluster: "two", Epoch: 1, Peer: "b"}, time.Now()), false},
		{"another epoch", credentials(t, a, ca.Identity{Cluster: "one", Epoch: 2, Peer: "b"}, time.Now()), false},
		{"another authority", credentials(t, other, peer("b"), time.Now()), false},
		{"an expired certificate", credentials(t, a, peer("b"), time.Now().Add(-ca.LeafLife-time.Hour)), false},
	} {
		// The client side is lax here: what counts is that the listener refuses.
		conf := c.creds.client(ProtoRPC, "")
		conf.VerifyConnection = nil
		conn, err := tls.Dial("tcp", address, conf)
		got := ""
		if err == nil {
			got, err = hello(conn, 7)
			conn.Close()
		}
		if (err == nil) != c.ok || c.ok && got != "b:hello" {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
	conf := credentials(t, a, peer("b"), time.Now()).client(ProtoRPC, "")
	conf.GetClientCertificate = nil
	if conn, err := tls.Dial("tcp", address, conf); err == nil {
		if got, err := hello(conn, 7); err == nil {
			t.Errorf("without a certificate: %q", got)
		}
		conn.Close()
	}
}

func TestADialReachesThePeerItMeansOrNone(t *testing.T) {
	a := authority(t)
	_, address := open(t, credentials(t, a, peer("a"), time.Now()))
	from, _ := open(t, credentials(t, a, peer("b"), time.Now()))
	if c, err := from.Dial(t.Context(), address, ProtoRPC, "a"); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	if _, err := from.Dial(t.Context(), address, ProtoRPC, "c"); err == nil {
		t.Error("an address that another peer has taken over was used")
	}
	if _, err := from.Raft().Dial(Target("c", address), time.Second); err == nil {
		t.Error("Raft reached another peer than it meant")
	}
	stranger, where := open(t, credentials(t, authority(t), peer("a"), time.Now()))
	if _, err := from.Dial(t.Context(), where, ProtoRPC, "a"); err == nil {
		t.Error("a peer of another authority was accepted")
	}
	_ = stranger
}

func TestAJoinerNeedsNoCertificateAndGetsNothingElse(t *testing.T) {
	a := authority(t)
	_, address := open(t, credentials(t, a, peer("a"), time.Now()))
	conf := func(protos ...string) *tls.Config {
		return &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: protos, InsecureSkipVerify: true}
	}
	c, err := tls.Dial("tcp", address, conf(ProtoJoin))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := hello(c, 12); err != nil || got != "joiner:hello" {
		t.Errorf("%q, %v", got, err)
	}
	if chain := c.ConnectionState().PeerCertificates; len(chain) != 2 {
		t.Errorf("%d certificates: the joiner cannot pin the root", len(chain))
	}
	for _, protos := range [][]string{{ProtoJoin, ProtoRPC}, {ProtoRPC, ProtoJoin}, {ProtoRaft}, {"h2"}, nil} {
		c, err := tls.Dial("tcp", address, conf(protos...))
		if err != nil {
			continue
		}
		if got, err := hello(c, 5); err == nil {
			t.Errorf("%v got %q without a certificate", protos, got)
		}
		c.Close()
	}
	old := conf(ProtoJoin)
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if _, err := tls.Dial("tcp", address, old); err == nil {
		t.Error("TLS 1.2 was accepted")
	}
}

func TestACertificateIsRenewedWithOpenConnections(t *testing.T) {
	a := authority(t)
	creds := credentials(t, a, peer("a"), time.Now())
	_, address := open(t, creds)
	from, _ := open(t, credentials(t, a, peer("b"), time.Now()))
	c, err := from.Dial(t.Context(), address, ProtoRPC, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	before := creds.Leaf().SerialNumber
	cert, key := papers(t, a, peer("a"), time.Now())
	if err := creds.Replace(cert, key); err != nil {
		t.Fatal(err)
	}
	if got, err := hello(c, 7); err != nil || got != "b:hello" {
		t.Errorf("the old connection: %q, %v", got, err)
	}
	d, err := from.Dial(t.Context(), address, ProtoRPC, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Cmp(before) == 0 {
		t.Error("a new connection shows the old certificate")
	}
	cert, key = papers(t, a, peer("c"), time.Now())
	if err := creds.Replace(cert, key); err == nil {
		t.Error("another peer's certificate was taken")
	}
}

func TestTrap4ARefusingPortEndsAndStartsNoConnection(t *testing.T) {
	a := authority(t)
	p, address := open(t, credentials(t, a, peer("a"), time.Now()))
	from, back := open(t, credentials(t, a, peer("b"), time.Now()))
	c, err := from.Dial(t.Context(), address, ProtoRPC, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := hello(c, 7); err != nil {
		t.Fatal(err)
	}
	p.Refuse()
	if _, err := hello(c, 5); err == nil {
		t.Error("an open connection goes on")
	}
	if _, err := p.Dial(t.Context(), back, ProtoRPC, "b"); !errors.Is(err, ErrRefusing) {
		t.Errorf("a dial: %v", err)
	}
	if d, err := from.Dial(t.Context(), address, ProtoRPC, "a"); err == nil {
		if _, err := hello(d, 7); err == nil {
			t.Error("a new connection is served")
		}
		d.Close()
	}
}

func TestASlowHandshakeIsCutOff(t *testing.T) {
	a := authority(t)
	_, address := open(t, credentials(t, a, peer("a"), time.Now()), 100*time.Millisecond)
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the connection is held open: %v", err)
	}
}

type fixed struct{ address raft.ServerAddress }

func (f fixed) ServerAddr(raft.ServerID) (raft.ServerAddress, error) { return f.address, nil }

// answering runs Raft's transport of one side, answering votes.
func answering(t *testing.T, trans *Raft) {
	t.Helper()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case r := <-trans.Consumer():
				switch r.Command.(type) {
				case *raft.AppendEntriesRequest:
					r.Respond(&raft.AppendEntriesResponse{}, nil)
				case *raft.RequestVoteRequest:
					r.Respond(&raft.RequestVoteResponse{Granted: true}, nil)
				default:
					r.Respond(&raft.RequestPreVoteResponse{Granted: true}, nil)
				}
			case <-stop:
				return
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		wg.Wait()
		trans.Close()
	})
}

func TestTrap12AVoteIsNotLostToStaleConnections(t *testing.T) {
	a := authority(t)
	to, address := open(t, credentials(t, a, peer("a"), time.Now()))
	from, _ := open(t, credentials(t, a, peer("b"), time.Now()))
	target := fixed{Target("a", address)}
	remote := NewRaft(to.Raft(), target, hclog.NewNullLogger())
	answering(t, remote)
	local := NewRaft(from.Raft(), target, hclog.NewNullLogger())
	answering(t, local)
	if _, ok := any(local).(raft.WithPreVote); !ok {
		t.Fatal("without this Raft silently has no pre-vote")
	}
	vote := func() error {
		var resp raft.RequestVoteResponse
		err := local.RequestVote("a", "", &raft.RequestVoteRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: 3}}, &resp)
		if err == nil && !resp.Granted {
			err = errors.New("not granted")
		}
		return err
	}
	var wg sync.WaitGroup // fills the pool of connections
	var failed atomic.Int64
	for range 2 * raftMaxPool {
		wg.Go(func() {
			if vote() != nil {
				failed.Add(1)
			}
		})
	}
	wg.Wait()
	if failed.Load() > 0 {
		t.Fatal("votes failed before anything happened")
	}
	to.closeConns(func(*tracked) bool { return true }) // as when the other peer restarts
	if err := vote(); err != nil {
		t.Errorf("the first vote after it: %v", err)
	}
	from.Drop("a") // as when it was reported dead
	if err := vote(); err != nil {
		t.Errorf("the first vote after a drop: %v", err)
	}
	var resp raft.RequestPreVoteResponse
	if err := local.RequestPreVote("a", "", &raft.RequestPreVoteRequest{}, &resp); err != nil || !resp.Granted {
		t.Errorf("a pre-vote: %v", err)
	}
}

// Raft's own pipeline stops for good when nobody reads an answer: its reader ends at the first refused
// entry, while the sender may be in the middle of a send.
func TestAPipelineWhoseReaderHasEndedDoesNotBlockItsSender(t *testing.T) {
	a := authority(t)
	to, address := open(t, credentials(t, a, peer("a"), time.Now()))
	from, _ := open(t, credentials(t, a, peer("b"), time.Now()))
	target := fixed{Target("a", address)}
	answering(t, NewRaft(to.Raft(), target, hclog.NewNullLogger()))
	local := NewRaft(from.Raft(), target, hclog.NewNullLogger())
	answering(t, local)
	p, err := local.AppendEntriesPipeline("a", "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	done := make(chan error)
	go func() {
		for range 20 {
			if _, err := p.AppendEntries(&raft.AppendEntriesRequest{}, new(raft.AppendEntriesResponse)); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the sender is blocked")
	}
}
