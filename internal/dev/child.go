package dev

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/lifeline"
)

// child is one process of the fleet, started anew when it dies.
type child struct {
	name string
	args []string // program first
	log  string   // file
	// One of these tells what it is.
	peer     *PeerEntry
	agent    *AgentEntry
	instance *InstanceEntry

	cmd  *exec.Cmd     // the process that runs or ran last
	over chan struct{} // closed when that has ended
}

func (c *child) pid() int {
	if c.cmd == nil || c.cmd.Process == nil {
		return 0
	}
	return c.cmd.Process.Pid
}

func (c *child) running() bool {
	if c.over == nil {
		return false
	}
	select {
	case <-c.over:
		return false
	default:
		return true
	}
}

// left tells whether a child is a peer that has left the cluster for good.
func (c *child) left() bool {
	if c.peer == nil {
		return false
	}
	_, err := os.Stat(filepath.Join(c.peer.DataDir, "left"))
	return err == nil
}

// ready tells what a child that was started again still lacks; "" is nothing.
func (c *child) ready(ctx context.Context, api *client.Client) string {
	if c.peer != nil {
		return peerReady(ctx, api, c.peer.URL)
	}
	var n client.Node
	if _, err := api.Get(ctx, client.Path("nodes", c.name), nil, &n); err != nil {
		return err.Error()
	}
	return nodeReady(n)
}

// run starts a child and has its end reported.
func (s *Supervisor) run(c *child) error {
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := s.spawn.start(cmd); err != nil {
		return err
	}
	over := make(chan struct{})
	c.cmd, c.over = cmd, over
	switch {
	case c.peer != nil:
		c.peer.PID = c.pid()
	case c.agent != nil:
		c.agent.PID = c.pid()
	default:
		c.instance.PID = c.pid()
	}
	go func() {
		err := cmd.Wait()
		if err == nil {
			err = errors.New("exit status 0")
		}
		close(over)
		select {
		case s.events <- event{child: c, kind: ended, err: err}:
		case <-s.spawn.done: // nobody listens any more
		}
	}()
	return nil
}

// once runs a program to its end, and returns what it said when it failed.
func (s *Supervisor) once(ctx context.Context, env []string, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(args[:min(3, len(args))], " "), err, strings.TrimSpace(string(text)))
	}
	return nil
}

// end ends every child: agents first, so that peers need not move them, then
// the peers, then the instances that those call; what is left is killed.
func (s *Supervisor) end() {
	deadline := time.Now().Add(allEnd)
	drain := make(chan struct{})
	defer close(drain)
	go func() { // children report their end to nobody now
		for {
			select {
			case <-s.events:
			case <-drain:
				return
			}
		}
	}()
	var peers, agents, instances []*child
	for _, c := range s.children {
		switch {
		case c.peer != nil:
			peers = append(peers, c)
		case c.agent != nil:
			agents = append(agents, c)
		default:
			instances = append(instances, c)
		}
	}
	stop(agents, time.Now().Add(agentsEnd))
	stop(peers, deadline.Add(-instancesEnd))
	stop(instances, deadline)
	for _, c := range s.children {
		if c.running() {
			_ = c.cmd.Process.Kill() // it may have ended just now
			<-c.over
		}
	}
}

func stop(children []*child, deadline time.Time) {
	for _, c := range children {
		if c.running() {
			_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may have ended just now
		}
	}
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for _, c := range children {
		if c.over == nil {
			continue
		}
		select {
		case <-c.over:
		case <-timer.C:
			return
		}
	}
}

// spawner starts processes from one thread that lives as long as they do.
type spawner struct {
	work chan func()
	done chan struct{}
	keep *os.File // closed by the kernel when this process ends: see package lifeline
	give *os.File
}

func newSpawner() (*spawner, error) {
	give, keep, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s := &spawner{work: make(chan func()), done: make(chan struct{}), keep: keep, give: give}
	go func() {
		runtime.LockOSThread() // and never unlocked: see system_linux.go
		for {
			select {
			case f := <-s.work:
				f()
			case <-s.done:
				return
			}
		}
	}()
	return s, nil
}

func (s *spawner) start(cmd *exec.Cmd) error {
	cmd.ExtraFiles = []*os.File{s.give} // descriptor 3
	cmd.Env = append(os.Environ(), lifeline.Variable+"=3")
	cmd.SysProcAttr = processAttributes()
	result := make(chan error)
	s.work <- func() { result <- cmd.Start() }
	return <-result
}

func (s *spawner) close() {
	close(s.done)
	_ = s.keep.Close()
	_ = s.give.Close()
}
