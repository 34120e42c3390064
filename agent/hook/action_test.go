package hook

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const patience = 20 * time.Second

func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTheZeroActionDoesNothing(t *testing.T) {
	a := Action{}
	if tail, err := a.Run(t.Context(), Setting{}); err != nil || tail != "" || !a.IsZero() || a.Name() != "nothing" {
		t.Errorf("%q %v", tail, err)
	}
}

func TestACommandAsAnAction(t *testing.T) {
	a := Action{Argv: []string{"/bin/sh", "-c", `echo "$A"; exit 3`}}
	if tail, err := a.Run(t.Context(), Setting{Env: []string{"A=1"}}); !errors.Is(err, ErrFailed) || tail != "1" || a.Name() != "/bin/sh" {
		t.Errorf("%q %v", tail, err)
	}
}

func TestASignalReachesTheProcessOfThePIDFile(t *testing.T) {
	dir := t.TempDir()
	app := exec.Command("/bin/sh", "-c", `trap 'exit 7' USR1; echo; while :; do sleep 0.02; done`)
	ready, err := app.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Process.Kill() })
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	number, err := ParseSignal("sigusr1")
	if err != nil {
		t.Fatal(err)
	}
	a := Action{Signal: &Signal{Number: number, PIDFile: write(t, filepath.Join(dir, "pid"), fmt.Sprintf(" %d \nmore\n", app.Process.Pid))}}
	if _, err := a.Run(t.Context(), Setting{}); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := app.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("%v", err)
	}
	if _, err := a.Run(t.Context(), Setting{}); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "no such process: "+strconv.Itoa(app.Process.Pid)) {
		t.Errorf("%v", err)
	}
}

func TestPIDFilesThatAreNotTrusted(t *testing.T) {
	dir := t.TempDir()
	good := strconv.Itoa(os.Getpid())
	loose := write(t, filepath.Join(dir, "loose"), good)
	if err := os.Chmod(loose, 0o666); err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		filepath.Join(dir, "none"):                    "no such file",
		write(t, filepath.Join(dir, "empty"), ""):     "no process id",
		write(t, filepath.Join(dir, "init"), "1"):     "no process id",
		write(t, filepath.Join(dir, "group"), "-5"):   "no process id",
		write(t, filepath.Join(dir, "word"), "12x"):   "no process id",
		write(t, filepath.Join(dir, "all"), "0\n123"): "no process id",
		loose: "only its owner",
		dir:   "not a regular file",
	}
	if os.Geteuid() == 0 { // only root can give a file away
		foreign := write(t, filepath.Join(dir, "foreign"), good)
		if err := os.Chown(foreign, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		cases[foreign] = "does not own the process"
	}
	for name, want := range cases {
		s := &Signal{Number: syscall.SIGURG, PIDFile: name} // which Go ignores, should it be sent
		if err := s.send(); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	s := &Signal{Number: syscall.SIGURG, PIDFile: write(t, filepath.Join(dir, "good"), good)}
	if err := s.send(); err != nil {
		t.Error(err)
	}
}

func TestSignalNames(t *testing.T) {
	for name, want := range map[string]syscall.Signal{"HUP": syscall.SIGHUP, "SIGHUP": syscall.SIGHUP, "usr2": syscall.SIGUSR2, "TERM": syscall.SIGTERM,
		"INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "USR1": syscall.SIGUSR1, "WINCH": syscall.SIGWINCH} {
		if got, err := ParseSignal(name); err != nil || got != want {
			t.Errorf("%s: %v %v", name, got, err)
		}
	}
	for _, name := range []string{"", "KILL", "STOP", "1", "SIGSIGHUP"} {
		if got, err := ParseSignal(name); err == nil {
			t.Errorf("%q: %v", name, got)
		}
	}
}

// ask runs a request against a handler.
func ask(t *testing.T, r Request, timeout time.Duration, h http.HandlerFunc) (string, error) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	r.URL = server.URL + "/path?key=hidden"
	return Action{HTTP: &r}.Run(t.Context(), Setting{Timeout: timeout})
}

func TestWhatAnAnswerMeans(t *testing.T) {
	cases := []struct {
		status int
		body   string
		err    error
		says   string
	}{
		{200, "", nil, ""},
		{204, "", nil, ""},
		{200, `{"status":"success"}`, nil, ""},
		{200, `error`, nil, ""},
		{200, `{"status":"error"}`, ErrFailed, "answered 200"},
		{301, "", ErrFailed, "redirects are not followed"},
		{400, "no", ErrFailed, "answered 400"},
		{401, "", ErrFailed, "the token is missing"},
		{403, "", ErrFailed, "the token is missing"},
		{500, "", ErrFailed, "answered 500"},
		{503, "", ErrBusy, "is busy"},
		{429, "", ErrBusy, "is busy"},
		{400, `{"error":"Reload ALREADY in progress"}`, ErrBusy, "is busy"},
	}
	for _, c := range cases {
		timeout := patience
		if errors.Is(c.err, ErrBusy) { // it is asked again until time is up
			timeout = time.Second
		}
		tail, err := ask(t, Request{Method: "POST"}, timeout, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		})
		if !errors.Is(err, c.err) || err != nil && (!strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hidden")) {
			t.Errorf("%d %q: %v", c.status, c.body, err)
		}
		if c.status != 204 && tail != c.body {
			t.Errorf("%d: %q was kept of %q", c.status, tail, c.body)
		}
	}
}

func TestARequestBearsItsTokenAndItsMethod(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "token"), "from-the-file\n")
	for _, r := range []Request{{Method: "PUT", Token: "from-the-file"}, {Method: "PUT", TokenFile: file}} {
		tail, err := ask(t, r, patience, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != "PUT" || r.Header.Get("Authorization") != "Bearer from-the-file" || r.URL.RawQuery != "key=hidden" {
				w.WriteHeader(400)
			}
			_, _ = w.Write([]byte("I was sent " + r.Header.Get("Authorization")))
		})
		if err != nil || tail != "I was sent Bearer [redacted]" {
			t.Errorf("%q %v", tail, err)
		}
	}
	r := Request{Method: "GET", TokenFile: file + "x"}
	if _, err := ask(t, r, patience, func(http.ResponseWriter, *http.Request) {}); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("%v", err)
	}
}

func TestABusyApplicationIsAskedAgain(t *testing.T) {
	var calls atomic.Int64
	_, err := ask(t, Request{Method: "POST"}, patience, func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) < 3 {
			w.WriteHeader(503)
		}
	})
	if err != nil || calls.Load() != 3 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}

func TestTheBodyIsBounded(t *testing.T) {
	tail, err := ask(t, Request{Method: "GET"}, patience, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), maxAnswer+1000))
	})
	if err != nil || len(tail) != TailBytes {
		t.Errorf("%d bytes, %v", len(tail), err)
	}
}

func TestARequestThatHangsTimesOutAndIsCancelled(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	if _, err := ask(t, Request{Method: "GET"}, 50*time.Millisecond, hang); !errors.Is(err, ErrTimeout) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { cancel(); hang(nil, r) }))
	defer server.Close()
	if _, err := (Action{HTTP: &Request{Method: "GET", URL: server.URL}}).Run(ctx, Setting{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestTLSIsVerified(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	a := Action{HTTP: &Request{Method: "GET", URL: server.URL}}
	if _, err := a.Run(t.Context(), Setting{}); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v", err)
	}
	a.HTTP.Roots = x509.NewCertPool()
	a.HTTP.Roots.AddCert(server.Certificate())
	if _, err := a.Run(t.Context(), Setting{}); err != nil {
		t.Error(err)
	}
}

func TestNoProxyIsUsed(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	if _, err := ask(t, Request{Method: "GET"}, patience, func(http.ResponseWriter, *http.Request) {}); err != nil {
		t.Error(err)
	}
}

func TestASecretDoesNotPrintItself(t *testing.T) {
	var out bytes.Buffer
	r := Request{Token: "the-token", URL: "http://127.0.0.1/x?key=hidden", Method: "POST"}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "token", r.Token, "name", Action{HTTP: &r}.Name())
	fmt.Fprintf(&out, "%v %+v %#v %s", r, r, r.Token, text)
	if strings.Contains(out.String(), "the-token") || !strings.Contains(out.String(), "POST http://127.0.0.1/x\"") {
		t.Error(out.String())
	}
}
