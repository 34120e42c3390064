package proc

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Command is a line to a child: what it shall do.
type Command struct {
	Do     string   `json:"do"`
	Tokens []string `json:"tokens,omitempty"`
	Value  string   `json:"value,omitempty"`
	Count  int      `json:"count,omitempty"`
}

// Event is a line of a child: what has happened. At is the time by the wall
// clock, in nanoseconds: all processes run on one machine.
type Event struct {
	Kind      string         `json:"event"`
	Error     string         `json:"error,omitempty"`
	Address   string         `json:"address,omitempty"`
	Addresses []string       `json:"addresses,omitempty"`
	CA        string         `json:"ca,omitempty"`
	Revision  uint64         `json:"revision,omitempty"`
	Count     int            `json:"count,omitempty"`
	First     int64          `json:"first,omitempty"`
	Last      int64          `json:"last,omitempty"`
	Took      time.Duration  `json:"took,omitempty"`
	Frame     int            `json:"frame,omitempty"` // payload of the update frame, bytes
	Answer    int            `json:"answer,omitempty"`
	Wrong     int            `json:"wrong,omitempty"`   // documents whose checksum was not the expected one
	Again     int            `json:"again,omitempty"`   // connections made again
	Reasons   map[string]int `json:"reasons,omitempty"` // why
}

// Child is a process of the benchmark. It ends when its standard input does.
type Child struct {
	Name   string
	Events chan Event // closed when the process has ended

	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *json.Encoder
	over  chan struct{}
}

// Start runs this program again with other arguments; setup is its first line.
func Start(name string, log io.Writer, setup any, args ...string) (*Child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return StartCommand(name, log, setup, exec.Command(self, args...))
}

// StartCommand runs another program that speaks the same lines.
func StartCommand(name string, log io.Writer, setup any, cmd *exec.Cmd) (*Child, error) {
	c := &Child{Name: name, Events: make(chan Event, 256), cmd: cmd, over: make(chan struct{})}
	c.cmd.Stderr = log
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.lines = json.NewEncoder(c.in)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go c.read(out)
	return c, c.lines.Encode(setup)
}

func (c *Child) read(out io.Reader) {
	defer close(c.over)
	defer close(c.Events)
	d := json.NewDecoder(bufio.NewReader(out))
	for {
		var e Event
		if err := d.Decode(&e); err != nil {
			break
		}
		c.Events <- e
	}
	_ = c.cmd.Wait() // how it ended is known by the event before
}

// PID is the id of the process.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Tell writes one command.
func (c *Child) Tell(m Command) error { return c.lines.Encode(m) }

// Await reads events until one of a kind comes. Those of other kinds are
// dropped, but for errors.
func (c *Child) Await(kind string, limit time.Duration) (Event, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case e, more := <-c.Events:
			switch {
			case !more:
				return e, fmt.Errorf("%s has ended", c.Name)
			case e.Error != "":
				return e, fmt.Errorf("%s: %s", c.Name, e.Error)
			case e.Kind == kind:
				return e, nil
			}
		case <-timer.C:
			return Event{}, fmt.Errorf("%s: no %q within %s", c.Name, kind, limit)
		}
	}
}

// Stop ends the process: by the end of its input, and if that does not do, by
// its id.
func (c *Child) Stop() error {
	err := c.in.Close()
	go func() {
		for range c.Events { // nobody listens any more
		}
	}()
	select {
	case <-c.over:
		return err
	case <-time.After(5 * time.Second):
		err = errors.Join(err, c.cmd.Process.Kill())
		<-c.over
		return err
	}
}

// Parent is the other end of a Child: its setup, its commands, its events.
type Parent struct {
	in  *json.Decoder
	out *json.Encoder
}

// NewParent speaks over the standard files of this process.
func NewParent() *Parent {
	return &Parent{in: json.NewDecoder(os.Stdin), out: json.NewEncoder(os.Stdout)}
}

// Setup reads the first line.
func (p *Parent) Setup(into any) error { return p.in.Decode(into) }

// Next reads a command. io.EOF is the end.
func (p *Parent) Next() (Command, error) {
	var c Command
	err := p.in.Decode(&c)
	return c, err
}

// Say writes an event. It is used by one goroutine at a time.
func (p *Parent) Say(e Event) error { return p.out.Encode(e) }
