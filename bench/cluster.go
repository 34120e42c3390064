package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/droverhq/drover/bench/proc"
)

// cluster is three controllers as they are shipped, run by `drover dev`.
type cluster struct {
	dir  string
	cmd  *exec.Cmd
	keep *os.File // while it is open, `drover dev` goes on
	over chan struct{}
	api  *api
	file devFile
}

// devFile is what `drover dev` writes for scripts.
type devFile struct {
	Peers []struct {
		Name string `json:"name"`
		URL  string `json:"url"`
		PID  int    `json:"pid"`
	} `json:"peers"`
	Agents []struct {
		PID int `json:"pid"`
	} `json:"agents"`
	Admin struct {
		Token string `json:"token"`
	} `json:"admin"`
	CA string `json:"ca"`
}

// devName is the name of that file.
const devName = "dev.json"

// startLimit bounds the start of a cluster.
const startLimit = 2 * time.Minute

// startCluster runs three controllers below a folder of the run.
func startCluster(ctx context.Context, o options, name string, more ...string) (*cluster, error) {
	c := &cluster{dir: filepath.Join(o.dir, name), over: make(chan struct{})}
	// What an earlier start has written must not count for this one.
	if err := os.Remove(filepath.Join(c.dir, devName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	port, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	args := append([]string{"dev", "--dir", c.dir, "--peers", "3", "--instances", "0", "--empty", "--http-port", strconv.Itoa(port)}, more...)
	c.cmd = exec.Command(filepath.Join(o.bin, "drover"), args...)
	give, keep, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer give.Close()
	log, err := os.OpenFile(c.dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// Should this process be killed, the pipe closes and the fleet ends.
	c.keep, c.cmd.ExtraFiles = keep, []*os.File{give}
	c.cmd.Env = append(os.Environ(), "DROVER_LIFELINE=3")
	c.cmd.Stdout, c.cmd.Stderr = log, log
	if err := c.cmd.Start(); err != nil {
		return nil, errors.Join(err, keep.Close())
	}
	go func() {
		_ = c.cmd.Wait() // why it ended is in its log
		close(c.over)
	}()
	if err := c.ready(ctx); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// ready waits for dev.json.
func (c *cluster) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	err := until(ctx, 50*time.Millisecond, func() (bool, error) {
		select {
		case <-c.over:
			cancel()
			return false, fmt.Errorf("the controllers did not start: see %s.log", c.dir)
		default:
			return c.reread() == nil, nil
		}
	})
	if err != nil {
		return err
	}
	c.api, err = newAPI(c.file.Admin.Token, c.file.CA)
	return err
}

func (c *cluster) reread() error {
	text, err := os.ReadFile(filepath.Join(c.dir, devName))
	if err != nil {
		return err
	}
	var f devFile
	if err := json.Unmarshal(text, &f); err != nil {
		return err
	}
	c.file = f
	return nil
}

func (c *cluster) urls() []string {
	var out []string
	for _, p := range c.file.Peers {
		out = append(out, p.URL)
	}
	return out
}

func (c *cluster) pids() []int {
	var out []int
	for _, p := range c.file.Peers {
		out = append(out, p.PID)
	}
	return out
}

// ca is the certificate that clients trust, "" without TLS.
func (c *cluster) ca() (string, error) {
	if c.file.CA == "" {
		return "", nil
	}
	text, err := os.ReadFile(c.file.CA)
	return string(text), err
}

// leader is the position of the leader among the peers.
func (c *cluster) leader(ctx context.Context) (int, status, error) {
	var last error
	for _, p := range c.file.Peers {
		s, err := c.api.status(ctx, p.URL)
		if err != nil || s.Leader == "" {
			last = errors.Join(err, errors.New("no leader"))
			continue
		}
		for i := range c.file.Peers {
			if c.file.Peers[i].Name == s.Leader {
				return i, s, nil
			}
		}
	}
	return 0, status{}, last
}

// stop ends the controllers: with a signal, and if that does not do, by id.
func (c *cluster) stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGINT) // it may have ended
	defer c.keep.Close()
	select {
	case <-c.over:
		return nil
	case <-time.After(15 * time.Second):
		err := c.cmd.Process.Kill()
		<-c.over
		return err
	}
}

// freePorts finds ports in a row that nobody listens on, below the range of
// outgoing connections.
func freePorts(count int) (int, error) {
	for port := 21000; port < 30000; port += count {
		free := true
		for i := range count {
			l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+i)))
			if err != nil {
				free = false
				break
			}
			free = l.Close() == nil && free
		}
		if free {
			return port, nil
		}
	}
	return 0, errors.New("no free ports were found between 21000 and 29999")
}

// cpuOf sums the processor time of processes.
func cpuOf(pids []int) (time.Duration, error) {
	var sum time.Duration
	for _, pid := range pids {
		d, err := proc.CPU(pid)
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}

// memoryOf sums the memory of processes.
func memoryOf(pids []int) (proc.Memory, error) {
	var sum proc.Memory
	for _, pid := range pids {
		m, err := proc.MemoryOf(pid)
		if err != nil {
			return sum, err
		}
		sum.RSS += m.RSS
		sum.PSS += m.PSS
	}
	return sum, nil
}

func short(err error) string {
	if err == nil {
		return ""
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	return text
}
