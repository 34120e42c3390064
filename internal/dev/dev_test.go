package dev

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFlagsThatCannotBeAreNamed(t *testing.T) {
	good := Config{Peers: 3, Agents: 5, Instances: 2, HTTPPort: 8080}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for flag, c := range map[string]Config{
		"--peers 2":       {Peers: 2, HTTPPort: 8080},
		"--peers 0":       {Peers: 0, HTTPPort: 8080},
		"--peers 9":       {Peers: 9, HTTPPort: 8080},
		"--agents -1":     {Peers: 1, Agents: -1, HTTPPort: 8080},
		"--http-port 0":   {Peers: 1},
		"--http-port 655": {Peers: 3, HTTPPort: 65534},
		"--instances -1":  {Peers: 1, HTTPPort: 8080, Instances: -1},
		"--instances 101": {Peers: 1, HTTPPort: 8080, Instances: 101},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

func TestPortsAreFreeAndKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), fleetFile)
	f, err := loadFleet(path)
	if err != nil || !f.fresh() {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, name := range []string{"ctl-1", "ctl-2", "ctl-3"} {
		p, err := f.portsFor(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, port := range []int{p.Peer, p.Gossip} {
			if seen[port] || port < 20000 || port > 29999 {
				t.Errorf("port %d", port)
			}
			seen[port] = true
		}
	}
	again, err := loadFleet(path)
	if err != nil || again.fresh() || again.Ports["ctl-2"] != f.Ports["ctl-2"] || again.Admin != f.Admin {
		t.Errorf("%+v, %v", again, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestATakenPortIsNotChosen(t *testing.T) {
	port, err := freePort(nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenPacket("udp", net.JoinHostPort("127.0.0.1", itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if portFree(port) {
		t.Error("a port that UDP uses counts as free")
	}
}

func TestAnInstanceKeepsItsTokenAndItsPortWhileThatIsFree(t *testing.T) {
	path := filepath.Join(t.TempDir(), fleetFile)
	f, err := loadFleet(path)
	if err != nil {
		t.Fatal(err)
	}
	first, err := f.endpointFor("hook-1")
	if err != nil || len(first.Token) < 16 {
		t.Fatalf("%+v, %v", first, err)
	}
	other, err := f.endpointFor("hook-2")
	if err != nil || other.Port == first.Port || other.Token == first.Token {
		t.Fatalf("%+v, %+v, %v", first, other, err)
	}
	if f, err = loadFleet(path); err != nil {
		t.Fatal(err)
	}
	if again, err := f.endpointFor("hook-1"); err != nil || again != first {
		t.Fatalf("%+v, then %+v, %v", first, again, err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", itoa(first.Port)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	moved, err := f.endpointFor("hook-1")
	if err != nil || moved.Port == first.Port || moved.Port == other.Port || moved.Token != first.Token {
		t.Errorf("%+v, then %+v, %v", first, moved, err)
	}
	p, err := f.portsFor("ctl-1")
	if err != nil || f.taken()[moved.Port] != true || p.Peer == moved.Port || p.Gossip == moved.Port {
		t.Errorf("%+v, %+v, %v", p, moved, err)
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

func TestADirectoryBelongsToOneFleet(t *testing.T) {
	path := filepath.Join(t.TempDir(), lockFile)
	unlock, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(path); err == nil || !strings.Contains(err.Error(), "--dir") {
		t.Errorf("%v", err)
	}
	unlock()
	unlock, err = lock(path)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestKillNeedsAFleetThatRuns(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := Kill(t.Context(), dir, "ctl-1"); err == nil || !strings.Contains(err.Error(), "no fleet runs") {
		t.Errorf("%v", err)
	}
	// A dev.json that was left behind names processes that are others by now.
	if err := replace(filepath.Join(dir, FileName), File{Peers: []PeerEntry{{Name: "ctl-1", PID: os.Getpid()}}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Kill(t.Context(), dir, "ctl-1"); err == nil || !strings.Contains(err.Error(), "no fleet runs") {
		t.Errorf("%v", err)
	}
	unlock, err := lock(filepath.Join(dir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, _, err := Kill(t.Context(), dir, "edge-9"); err == nil || !strings.Contains(err.Error(), "ctl-1") {
		t.Errorf("%v", err)
	}
}

func TestTheEnvironmentIsQuotedForAShell(t *testing.T) {
	f := File{Peers: []PeerEntry{{URL: "https://a:1"}, {URL: "https://a:2"}}, Admin: Admin{Token: "t"}, CA: "it's here"}
	want := "export DROVER_ADDR=https://a:1,https://a:2\nexport DROVER_TOKEN=t\nexport DROVER_CA='it'\\''s here'\n"
	if got := Env(f); got != want {
		t.Errorf("%s", got)
	}
}
