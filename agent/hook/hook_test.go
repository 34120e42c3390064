package hook

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func sh(text string) Command { return Command{Argv: []string{"/bin/sh", "-c", text}} }

func TestOutputAndEnvironment(t *testing.T) {
	c := sh(`echo "$A $PWD"; echo err >&2`)
	c.Dir, c.Env = t.TempDir(), []string{"A=1"}
	tail, err := Run(t.Context(), c)
	if want := "1 " + c.Dir + "\nerr"; err != nil || tail != want {
		t.Errorf("%q %v, want %q", tail, err, want)
	}
}

func TestFailures(t *testing.T) {
	if tail, err := Run(t.Context(), sh("echo why; exit 3")); !errors.Is(err, ErrFailed) || tail != "why" || !strings.Contains(err.Error(), "status 3") {
		t.Errorf("%q %v", tail, err)
	}
	if _, err := Run(t.Context(), Command{Argv: []string{"/no/such/program"}}); !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("%v", err)
	}
	if _, err := Run(t.Context(), Command{}); !errors.Is(err, ErrFailed) {
		t.Errorf("%v", err)
	}
}

func TestOnlyTheEndOfTheOutputIsKeptAsText(t *testing.T) {
	tail, err := Run(t.Context(), sh(`i=0; while [ $i -lt 2000 ]; do echo "ääää $i"; i=$((i+1)); done; printf '\377'`))
	if err != nil || len(tail) > TailBytes+3 || !strings.Contains(tail, "ääää 1999") || !utf8.ValidString(tail) || strings.Contains(tail, "ääää 1 ") {
		t.Errorf("%d bytes, %v: …%q", len(tail), err, tail[max(0, len(tail)-40):])
	}
}

func TestTheWholeGroupIsKilledWhenTimeIsUp(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	c := sh(`echo started; sleep 600 & echo $! > ` + pid + `; wait`)
	c.Timeout = 300 * time.Millisecond
	begin := time.Now()
	tail, err := Run(t.Context(), c)
	if !errors.Is(err, ErrTimeout) || tail != "started" || time.Since(begin) > 20*time.Second {
		t.Fatalf("%q %v after %s", tail, err, time.Since(begin))
	}
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	// It is gone, or a zombie that nobody has waited for yet.
	for deadline := time.Now().Add(20 * time.Second); syscall.Kill(child, 0) == nil; {
		state, err := os.ReadFile("/proc/" + strconv.Itoa(child) + "/stat")
		if err != nil || strings.Contains(string(state), ") Z ") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the command's child lives: %s", state)
		}
	}
}

func TestABackgroundProcessDoesNotHoldASuccessUp(t *testing.T) {
	c := sh(`sleep 600 & echo $!`)
	begin := time.Now()
	tail, err := Run(t.Context(), c)
	if err != nil || time.Since(begin) > 20*time.Second {
		t.Fatalf("%q %v after %s", tail, err, time.Since(begin))
	}
	child, err := strconv.Atoi(tail)
	if err != nil {
		t.Fatal(err)
	}
	// It was left alone: a reload may start what stays.
	if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
		t.Errorf("the background process is gone: %v", err)
	}
}

func TestCancelledCommandsEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ready := filepath.Join(t.TempDir(), "ready")
	done := make(chan error, 1)
	go func() {
		_, err := Run(ctx, sh("touch "+ready+"; sleep 600"))
		done <- err
	}()
	for _, err := os.Stat(ready); err != nil; _, err = os.Stat(ready) {
		if len(done) > 0 {
			t.Fatal(<-done)
		}
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
