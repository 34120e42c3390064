package instances

import (
	"errors"
	"fmt"
	"io"

	"github.com/droverhq/drover/bench/proc"
)

// Setup is the first line to the process.
type Setup struct {
	Count  int    `json:"count"`
	Subnet int    `json:"subnet"` // their addresses are 127.SUBNET.x.y
	Prefix string `json:"prefix"` // of their names
	Token  string `json:"token"`  // that all of them want
}

// Commands to the process.
const (
	DoExpect = "expect" // Value in the content of Count instances: an event "all" tells when it is there
	DoHang   = "hang"   // the first Count instances accept and never answer
	DoDie    = "die"    // the first Count instances refuse connections
	DoGood   = "good"   // all of them are well again
)

// Run serves until the parent's commands end.
func Run(parent *proc.Parent) error {
	var setup Setup
	if err := parent.Setup(&setup); err != nil {
		return err
	}
	files, err := proc.RaiseFiles()
	if err != nil {
		return err
	}
	if need := uint64(8*setup.Count + 64); files < need { // a listener, and connections of several controllers
		return fmt.Errorf("%d instances need %d open files, and this process may have %d", setup.Count, need, files)
	}
	s, err := listen(setup)
	if err != nil {
		return err
	}
	if err := parent.Say(proc.Event{Kind: "serving", Count: setup.Count, Addresses: s.addresses()}); err != nil {
		return err
	}
	commands := make(chan proc.Command)
	ended := make(chan error, 1)
	go func() {
		for {
			c, err := parent.Next()
			if err != nil {
				ended <- err
				return
			}
			commands <- c
		}
	}()
	for {
		var e proc.Event
		select {
		case c := <-commands:
			if e, err = s.obey(c); err != nil {
				e.Error = err.Error()
			}
		case e = <-s.events:
		case err := <-ended:
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if err := parent.Say(e); err != nil {
			return err
		}
	}
}

// obey does one command; the answer is an event of its name.
func (s *service) obey(c proc.Command) (proc.Event, error) {
	e := proc.Event{Kind: c.Do}
	switch c.Do {
	case DoExpect:
		s.expect(c.Value, c.Count)
	case DoHang:
		s.hang(c.Count)
	case DoDie:
		return e, s.die(c.Count)
	case DoGood:
		return e, s.good()
	default:
		return e, fmt.Errorf("%q is no command", c.Do)
	}
	return e, nil
}
