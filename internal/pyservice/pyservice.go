package pyservice

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

//go:embed service.py
var program []byte

// startLimit bounds how long a service may take until it answers: a busy
// machine needs several seconds to import FastAPI.
const startLimit = 60 * time.Second

// Options of a service; the zero value is one that lets everybody in.
type Options struct {
	ID       string        // instance_id; hook-N by default
	Dir      string        // with webhooks.json and connections.json, either may be missing; a new one by default
	Token    string        // that the endpoints want, bare or behind Bearer
	OpenInfo bool          // instance-info and config-version want none
	Busy     time.Duration // how long "Reload already in progress" is answered after a refusal
	Modules  []string      // that are installed: webhooks with others are refused; none refuses none
	Env      []string      // NAME=value for placeholders; the test's own environment is not handed on
}

// Service is one running service.
type Service struct {
	Options
	URL string // http://127.0.0.1:PORT, the same after a restart

	python, script string
	port           int
	cmd            *exec.Cmd
	over           chan struct{} // closed when the process has ended
	log            log
}

// Start runs as many services with the same options. Each has a directory of
// its own, unless one is given, and is called ID-N where there are several. It
// fails the test when Python's packages are missing.
func Start(t testing.TB, count int, o Options) []*Service {
	t.Helper()
	python, err := Python()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "service.py")
	if err := os.WriteFile(script, program, 0o600); err != nil {
		t.Fatal(err)
	}
	var out []*Service
	for i := range count {
		s := &Service{Options: o, python: python, script: script}
		switch {
		case o.ID == "":
			s.ID = fmt.Sprintf("hook-%d", i+1)
		case count > 1:
			s.ID = fmt.Sprintf("%s-%d", o.ID, i+1)
		}
		if s.Dir == "" {
			s.Dir = t.TempDir()
		}
		t.Cleanup(s.kill)
		out = append(out, s)
	}
	failed := make(chan error, count) // they start beside each other: most of the time goes into imports
	for _, s := range out {
		go func() { failed <- s.start() }()
	}
	for range out {
		err = errors.Join(err, <-failed)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Stop ends the process at once, as a crash would. What the directory holds
// stays.
func (s *Service) Stop() { s.kill() }

// Restart ends the process if it runs and starts another one at the same
// address.
func (s *Service) Restart(t testing.TB) {
	t.Helper()
	s.kill()
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
}

// Pause stops the process without ending it: connections to it are accepted by
// the kernel, and nothing answers.
func (s *Service) Pause(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (s *Service) Resume(t testing.TB) { s.signal(t, syscall.SIGCONT) }

// PID is the id of the process that runs or ran last.
func (s *Service) PID() int { return s.cmd.Process.Pid }

// File is what the file of a target holds, "" when there is none.
func (s *Service) File(t testing.TB, target string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.Dir, target+".json"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// Log is what the process has written to standard error so far.
func (s *Service) Log() string { return s.log.String() }

func (s *Service) signal(t testing.TB, sig os.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatalf("%s: %v", s.ID, err)
	}
}

func (s *Service) args() []string {
	out := []string{"-u", s.script, "--dir=" + s.Dir, "--id=" + s.ID, "--port=" + strconv.Itoa(s.port),
		"--token=" + s.Token, "--busy=" + strconv.FormatFloat(s.Busy.Seconds(), 'f', -1, 64)}
	if len(s.Modules) > 0 {
		out = append(out, "--modules="+strings.Join(s.Modules, ","))
	}
	if s.OpenInfo {
		out = append(out, "--open-info")
	}
	return out
}

func (s *Service) start() error {
	s.cmd = exec.Command(s.python, s.args()...)
	s.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "PYTHONDONTWRITEBYTECODE=1"}, s.Env...)
	s.cmd.Stderr = &s.log
	in, err := s.cmd.StdinPipe() // stays open as long as this process lives
	if err != nil {
		return err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return errors.Join(err, in.Close())
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	lines := make(chan string, 1)
	s.over = make(chan struct{})
	go func() {
		defer close(s.over)
		scan := bufio.NewScanner(out)
		if scan.Scan() {
			lines <- scan.Text()
		}
		for scan.Scan() { // a full pipe would stop the service
		}
		_ = s.cmd.Wait() // why it ended is in its log
	}()
	return s.answers(lines)
}

// answers waits for the address, and then until instance-info is served there.
func (s *Service) answers(lines <-chan string) error {
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	select {
	case line := <-lines:
		var said struct {
			URL string `json:"url"`
		}
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			return fmt.Errorf("%s said %q: %w", s.ID, line, err)
		}
		s.URL = said.URL
		_, port, _ := strings.Cut(strings.TrimPrefix(said.URL, "http://"), ":")
		s.port, _ = strconv.Atoi(port) // a free one is asked for if it is none
	case <-s.over:
		return fmt.Errorf("%s did not start: %s", s.ID, s.Log())
	case <-limit.C:
		return fmt.Errorf("%s did not start within %s: %s", s.ID, startLimit, s.Log())
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.probe()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.over:
			return fmt.Errorf("%s ended: %s", s.ID, s.Log())
		case <-limit.C:
			return fmt.Errorf("%s does not answer after %s: %w; %s", s.ID, startLimit, err, s.Log())
		}
	}
}

func (s *Service) probe() error {
	req, err := http.NewRequest(http.MethodGet, s.URL+"/admin/instance-info", nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.Token)
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("instance-info answers %s", resp.Status)
	}
	return nil
}

// kill ends the process by its id and waits for its end. A process that has
// ended is left alone.
func (s *Service) kill() {
	if s.over == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.over
}

// log keeps what a process writes, and can be read meanwhile.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
