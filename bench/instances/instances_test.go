package instances

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/droverhq/drover/bench/load"
	"github.com/droverhq/drover/bench/proc"
	"github.com/droverhq/drover/document"
)

const token = "t"

func start(t *testing.T, count int) *service {
	t.Helper()
	s, err := listen(Setup{Count: count, Subnet: 4, Prefix: "x", Token: token})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.die(count); err != nil {
			t.Error(err)
		}
	})
	return s
}

func ask(s *service, number int, limit time.Duration, method, path string, body string) (int, map[string]any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.addresses()[number]+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err
	}
	var out map[string]any
	return resp.StatusCode, out, json.Unmarshal(text, &out)
}

const long = 30 * time.Second

func TestTheCoordinatorReachesAllThatAreWell(t *testing.T) {
	s := start(t, 5)
	python, err := Coordinator()
	if err != nil {
		t.Fatal(err)
	}
	c, err := proc.StartCommand("coordinator", os.Stderr, Targets{s.addresses(), token}, python)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := c.Await("ready", long); err != nil {
		t.Fatal(err)
	}
	push := func(value string) proc.Event {
		if err := c.Tell(proc.Command{Do: "push", Value: string(load.Hooks(10<<10, value))}); err != nil {
			t.Fatal(err)
		}
		e, err := c.Await("push", long)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	s.expect(load.Value(1), 5)
	if e := push(load.Value(1)); e.Count != 5 || e.Took <= 0 || len(e.Reasons) != 0 {
		t.Errorf("the coordinator says %+v", e)
	}
	if e := <-s.events; e.Kind != "all" || e.Count != 5 || e.First > e.Last {
		t.Errorf("the instances say %+v", e)
	}
	want, err := document.InstanceVersion(load.Hooks(10<<10, load.Value(1)))
	if err != nil {
		t.Fatal(err)
	}
	status, versions, err := ask(s, 4, long, http.MethodGet, "/admin/config-version", "")
	if status != http.StatusOK || versions["webhooks_version"] != want || err != nil {
		t.Errorf("config-version: %d %v %v, want %s", status, versions, err, want)
	}

	s.expect(load.Value(2), 3)
	if err := s.die(2); err != nil {
		t.Fatal(err)
	}
	if e := push(load.Value(2)); e.Count != 3 || e.Reasons["ConnectError"] != 2 {
		t.Errorf("with two dead, the coordinator says %+v", e)
	}
	if e := <-s.events; e.Count != 3 {
		t.Errorf("the instances say %+v", e)
	}
	if err := s.good(); err != nil {
		t.Fatal(err)
	}
	if e := push(load.Value(3)); e.Count != 5 {
		t.Errorf("well again, the coordinator says %+v", e)
	}
}

func TestAnInstanceThatHangsNeverAnswers(t *testing.T) {
	s := start(t, 2)
	s.hang(1)
	if _, _, err := ask(s, 0, 200*time.Millisecond, http.MethodGet, "/admin/instance-info", ""); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it hangs: %v", err)
	}
	if status, info, err := ask(s, 1, long, http.MethodGet, "/admin/instance-info", ""); status != http.StatusOK || info["instance_id"] != "x-001" || err != nil {
		t.Errorf("the other: %d %v %v", status, info, err)
	}
	if err := s.good(); err != nil {
		t.Fatal(err)
	}
	if status, _, err := ask(s, 0, long, http.MethodGet, "/admin/instance-info", ""); status != http.StatusOK || err != nil {
		t.Errorf("well again: %d %v", status, err)
	}
}

func TestWhatIsNoWebhookIsRefused(t *testing.T) {
	s := start(t, 1)
	status, out, err := ask(s, 0, long, http.MethodPost, "/admin/config-update", `{"type":"webhooks","config":{"a":{}}}`)
	if status != http.StatusBadRequest || out["status"] != "error" || err != nil {
		t.Errorf("%d %v %v", status, out, err)
	}
}
