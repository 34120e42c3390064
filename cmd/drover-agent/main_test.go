package main

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/droverhq/drover/agent"
)

// maxBytes is the largest that the stripped program may be on amd64.
const maxBytes = 14 << 20

// The program must run on routers: static, small, and on their processors.
func TestTheProgramIsSmallStaticAndBuildsForRouters(t *testing.T) {
	cases := []struct {
		arch    string
		env     []string
		machine elf.Machine
	}{
		{"amd64", nil, elf.EM_X86_64},
		{"arm", []string{"GOARM=5"}, elf.EM_ARM},
		{"mipsle", []string{"GOMIPS=softfloat"}, elf.EM_MIPS},
	}
	for _, c := range cases {
		t.Run(c.arch, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "drover-agent")
			build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", out, ".")
			build.Env = append(append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+c.arch), c.env...)
			if text, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			info, err := os.Stat(out)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %.1f MB", c.arch, float64(info.Size())/(1<<20))
			if info.Size() > maxBytes {
				t.Errorf("%d bytes, at most %d", info.Size(), maxBytes)
			}
			program, err := elf.Open(out)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = program.Close() }()
			if program.Machine != c.machine {
				t.Errorf("built for %v", program.Machine)
			}
			for _, p := range program.Progs {
				if p.Type == elf.PT_INTERP {
					t.Error("is not static")
				}
			}
		})
	}
}

// call runs the program's main part.
func call(args ...string) (code int, out, message string) {
	var stdout, stderr bytes.Buffer
	err := run(context.Background(), args, &stdout, &stderr)
	if err != nil {
		message = err.Error()
	}
	return exitCode(err), stdout.String(), message + stderr.String()
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	good := write("good.yaml", "dir: "+filepath.Join(dir, "state"))
	bad := write("bad.yaml", "dir: x\nnonsense: 1\n")
	serves := write("serves.yaml", "node: hook-1\ndir: "+filepath.Join(dir, "served")+"\nserve: {listen: '127.0.0.1:0', token: a-token-of-some-length}\n")
	open := write("open.yaml", "serve: {listen: ':9443', token: a-token-of-some-length}\n")
	cases := []struct {
		args []string
		code int
		says string
	}{
		{nil, exitUsage, "a command is missing"},
		{[]string{"frobnicate"}, exitUsage, `unknown command "frobnicate"`},
		{[]string{"run", "--frobnicate"}, exitUsage, "frobnicate"},
		{[]string{"run", "extra"}, exitUsage, `unexpected argument "extra"`},
		{[]string{"run", "--config", good, "--log-format", "xml"}, exitUsage, "neither text nor json"},
		{[]string{"run", "--config", good, "--log-level", "loud"}, exitUsage, "loud"},
		{[]string{"status", "--config", good, "-o", "xml"}, exitError, "state"},
		{[]string{"check-config", "--config", good}, exitOK, "is valid"},
		{[]string{"check-config", "--config", bad}, exitInvalid, "line 2: nonsense: unknown key"},
		{[]string{"check-config", "--config", filepath.Join(dir, "none")}, exitError, "write it first"},
		{[]string{"run", "--config", bad}, exitInvalid, "nonsense"},
		{[]string{"check-config", "--config", serves}, exitOK, "is valid"},
		{[]string{"check-config", "--config", open}, exitInvalid, "in the clear"},
		{[]string{"status", "--config", serves}, exitOK, "not running"},
		{[]string{"status", "--config", serves, "-o", "json"}, exitOK, `"instance_id": "hook-1"`},
		{[]string{"run", "--config", good}, exitError, "not enrolled"},
		{[]string{"enroll", "--config", good, "--addr", "https://127.0.0.1:1", "--token", "t"}, exitUnreachable, "127.0.0.1:1"},
		{[]string{"enroll", "--config", good, "--addr", "https://127.0.0.1:1"}, exitError, "token"},
		{[]string{"version"}, exitOK, "drover-agent"},
		{[]string{"--help"}, exitOK, "Examples:"},
		{[]string{"run", "--help"}, exitOK, "Example:"},
	}
	for _, c := range cases {
		code, out, message := call(c.args...)
		if code != c.code || !strings.Contains(out+message, c.says) {
			t.Errorf("%v: exit code %d, %q %q; want %d and %q", c.args, code, out, message, c.code, c.says)
		}
	}
	for _, name := range []string{"x", "served"} {
		if _, err := os.Stat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Error("a look at the configuration left something behind")
		}
	}
}

func TestHelpShowsExamplesFirst(t *testing.T) {
	if !strings.HasPrefix(usage, "Examples:\n") {
		t.Error(usage)
	}
	for _, command := range []string{"enroll", "run", "status", "check-config"} {
		var stderr bytes.Buffer
		err := run(t.Context(), []string{command, "--help"}, &stderr, &stderr)
		if !errors.Is(err, flag.ErrHelp) || !strings.HasPrefix(stderr.String(), "Example:\n  drover-agent "+command) {
			t.Errorf("%s: %v\n%s", command, err, stderr.String())
		}
		if !strings.Contains(usage, "\n  "+command) {
			t.Errorf("the overview lacks %s", command)
		}
	}
}

// The program as a whole: it serves by its configuration alone, and its status
// is seen from beside.
func TestTheProgramServes(t *testing.T) {
	dir := t.TempDir()
	config := filepath.Join(dir, "agent.yaml")
	l, err := net.Listen("tcp", "127.0.0.1:0") // for a port that is free
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := errors.Join(l.Close(), os.WriteFile(config, []byte("node: hook-1\ndir: "+dir+"\nserve: {listen: '"+address+"', token: a-token-of-some-length}\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	serving := make(lines, 100)
	go func() {
		ended <- run(ctx, []string{"run", "--config", config, "--log-format", "json"}, io.Discard, serving)
	}()
	for line := range serving {
		if strings.Contains(line, "serving as an instance") {
			break
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/admin/config-update", strings.NewReader(`{"type":"webhooks","config":{"a":1.0},"version":"9"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer a-token-of-some-length")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != 200 {
		t.Errorf("%d %v", resp.StatusCode, err)
	}
	code, out, _ := call("status", "--config", config)
	for _, want := range []string{"hook-1", "serving on " + address, "version      9", "742609b207f0900a", "accepted"} {
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("%d, the table lacks %q:\n%s", code, want, out)
		}
	}
	if strings.Contains(out, "controller") {
		t.Errorf("there is no channel:\n%s", out)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// lines passes on what is logged.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	select {
	case l <- string(p):
	default:
	}
	return len(p), nil
}

func TestStatusForPeopleAndScripts(t *testing.T) {
	st := agent.Status{Node: "edge-1", Revision: 7, Documents: []agent.DocumentStatus{
		{Target: "a", Version: 3, Checksum: "x"}, {Target: "b", Version: 1}, {Target: "c", Checksum: "y", Drifted: true},
	}}
	var out bytes.Buffer
	if err := table(&out, st); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"edge-1", "not running", "as sent", "missing", "changed on this node"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, out.String())
		}
	}
	text, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"node", "cluster", "running", "contact", "revision", "epoch", "index", "manifest", "drifted", "documents"} {
		if !strings.Contains(string(text), fmt.Sprintf("%q:", key)) {
			t.Errorf("the JSON lacks %s: %s", key, text)
		}
	}
}
