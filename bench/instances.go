package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/droverhq/drover/bench/instances"
	"github.com/droverhq/drover/bench/load"
	"github.com/droverhq/drover/bench/proc"
)

// called is a group of instances, with a document for all of them, and the two
// that deliver to it: Drover, and the coordinator as the floor.
type called struct {
	name    string // of the document, the label and the instances
	count   int
	bytes   int
	changes uint64

	servers     *proc.Child
	coordinator *proc.Child
	addresses   []string
	drover      *cluster
}

// instanceToken is what every instance of the benchmark wants.
const instanceToken = "bench-instances"

// fewInstances is the size of the group of which some hang or die.
const fewInstances = 50

// measureInstances compares deliveries over HTTP with those of a plain Python
// coordinator, and looks at what instances that hang or are dead cost the rest.
func measureInstances(ctx context.Context, o options, out *report) (err error) {
	c, err := startCluster(ctx, o, "instances", "--agents", "0", "--no-restart")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	many, err := startCalled(ctx, c, "many", 2, o.called, o.bytes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, many.stop()) }()
	if err := many.compare(ctx, o.pairs, out); err != nil {
		return err
	}
	few, err := startCalled(ctx, c, "few", 3, fewInstances, o.bytes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, few.stop()) }()
	if err := few.hang(ctx, 2*o.pairs, out); err != nil {
		return err
	}
	return few.dead(ctx, out)
}

// startCalled starts instances at addresses of 127.SUBNET.x.y and a coordinator
// for them, and registers them with Drover.
func startCalled(ctx context.Context, c *cluster, name string, subnet, count, bytes int) (*called, error) {
	g := &called{name: name, count: count, bytes: bytes, drover: c, changes: uint64(time.Now().Unix())} // above those of an earlier run
	python, err := instances.Coordinator()
	if err != nil {
		return nil, err
	}
	setup := instances.Setup{Count: count, Subnet: subnet, Prefix: name, Token: instanceToken}
	if g.servers, err = proc.Start(name+" instances", os.Stderr, setup, "instances"); err != nil {
		return nil, err
	}
	e, err := g.servers.Await("serving", startLimit)
	if err != nil {
		return nil, errors.Join(err, g.stop())
	}
	g.addresses = e.Addresses
	targets := instances.Targets{Targets: g.addresses, Token: instanceToken}
	if g.coordinator, err = proc.StartCommand("coordinator", os.Stderr, targets, python); err == nil {
		_, err = g.coordinator.Await("ready", startLimit)
	}
	if err == nil {
		err = g.register(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, g.stop())
	}
	return g, nil
}

func (g *called) stop() error {
	var errs []error
	for _, c := range []*proc.Child{g.coordinator, g.servers} {
		if c != nil {
			errs = append(errs, c.Stop())
		}
	}
	return errors.Join(errs...)
}

// registering is the number of instances that are added at a time.
const registering = 16

// register tells Drover of the instances. Of an earlier run on the same folder,
// those that there are still get their new address, and the others go.
func (g *called) register(ctx context.Context) error {
	var group sync.WaitGroup
	failed := make([]error, registering)
	for w := range registering {
		group.Go(func() {
			for i := w; i < g.count && failed[w] == nil; i += registering {
				failed[w] = g.add(ctx, g.id(i), g.addresses[i])
			}
		})
	}
	group.Wait()
	for i := g.count; ; i++ {
		err := g.drover.api.call(ctx, http.MethodDelete, g.peer()+"/api/v1/instances/"+g.id(i), nil, nil)
		if r := (*refused)(nil); errors.As(err, &r) && r.status == http.StatusNotFound {
			break
		}
		if err != nil {
			return err
		}
	}
	return errors.Join(failed...)
}

func (g *called) id(number int) string { return fmt.Sprintf("%s-%03d", g.name, number) }

func (g *called) add(ctx context.Context, id, address string) error {
	const path = "/api/v1/instances"
	body, err := json.Marshal(map[string]any{"id": id, "url": address, "token": instanceToken, "labels": map[string]string{"bench": g.name}})
	if err != nil {
		return err
	}
	err = g.drover.api.call(ctx, http.MethodPost, g.peer()+path, body, nil)
	if r := (*refused)(nil); errors.As(err, &r) && r.status == http.StatusConflict {
		if body, err = json.Marshal(map[string]string{"url": address}); err == nil {
			err = g.drover.api.call(ctx, http.MethodPatch, g.peer()+path+"/"+id, body, nil)
		}
	}
	return err
}

// peer is the controller that the next change is for.
func (g *called) peer() string {
	urls := g.drover.urls()
	return urls[int(g.changes)%len(urls)]
}

// tell has the instances do something and waits until it is done.
func (g *called) tell(do, value string, count int) error {
	if err := g.servers.Tell(proc.Command{Do: do, Value: value, Count: count}); err != nil {
		return err
	}
	_, err := g.servers.Await(do, time.Minute)
	return err
}

// delivery is one document brought to a group of instances.
type delivery struct {
	How    string         `json:"how"` // coordinator, change or sync
	Count  int            `json:"n"`   // of the group
	Bad    string         `json:"bad,omitempty"`
	Done   int            `json:"done"`
	All    float64        `json:"t_all_ms"`            // until those are known to have it
	Commit float64        `json:"commit_ms,omitempty"` // the API has answered the change
	Last   float64        `json:"last_ms,omitempty"`   // the last of them had it
	Why    map[string]int `json:"reasons,omitempty"`   // of the others

	push, peer string
}

// deliveryLimit bounds one delivery.
const deliveryLimit = time.Minute

// next makes the next content and waits for it at so many instances.
func (g *called) next(done int) (string, error) {
	g.changes++
	value := load.Value(g.changes)
	return string(load.Hooks(g.bytes, value)), g.tell(instances.DoExpect, value, done)
}

// plainly has the coordinator push.
func (g *called) plainly() (delivery, error) {
	d := delivery{How: "coordinator", Count: g.count}
	content, err := g.next(g.count)
	if err != nil {
		return d, err
	}
	if err := g.coordinator.Tell(proc.Command{Do: "push", Value: content}); err != nil {
		return d, err
	}
	e, err := g.coordinator.Await("push", deliveryLimit)
	d.All, d.Done, d.Why = ms(e.Took), e.Count, e.Reasons
	return d, err
}

// change puts the document, and waits until Drover knows of so many instances
// that they run it.
func (g *called) change(ctx context.Context, done int) (delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, deliveryLimit)
	defer cancel()
	d := delivery{How: "change", Count: g.count, Done: done, peer: g.peer()}
	content, err := g.next(done)
	if err != nil {
		return d, err
	}
	body, err := json.Marshal(map[string]any{"content": json.RawMessage(content), "target": "webhooks", "selector": "bench=" + g.name})
	if err != nil {
		return d, err
	}
	var w written
	began := time.Now()
	if err := g.drover.api.call(ctx, http.MethodPut, d.peer+"/api/v1/documents/"+g.name, body, &w); err != nil {
		return d, err
	}
	d.Commit, d.push = ms(time.Since(began)), w.Push
	e, err := g.servers.Await("all", deliveryLimit)
	if err != nil {
		return d, fmt.Errorf("%w: %w", err, g.counts(ctx, d, done))
	}
	d.Last = ms(time.Duration(e.Last - began.UnixNano()))
	err = until(ctx, time.Millisecond, func() (bool, error) {
		err := g.counts(ctx, d, done)
		d.All = ms(time.Since(began))
		return err == nil, err
	})
	return d, err
}

// counts tells whether a push has reached at least so many instances.
func (g *called) counts(ctx context.Context, d delivery, done int) error {
	var p pushed
	if err := g.drover.api.get(ctx, d.peer+"/api/v1/pushes/"+d.push, &p); err != nil {
		return err
	}
	if p.Counts["acked"] < done {
		return fmt.Errorf("push %s: %v", d.push, p.Counts)
	}
	return nil
}

// sync asks for what is there already once more.
func (g *called) sync(ctx context.Context) (delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, deliveryLimit)
	defer cancel()
	d := delivery{How: "sync", Count: g.count, peer: g.peer()}
	if err := g.tell(instances.DoExpect, load.Value(g.changes), g.count); err != nil {
		return d, err
	}
	body, err := json.Marshal(map[string]string{"document": g.name, "timeout": "30s"})
	if err != nil {
		return d, err
	}
	var answer struct {
		Synced int `json:"synced"`
	}
	began := time.Now()
	if err := g.drover.api.call(ctx, http.MethodPost, d.peer+"/api/v1/instances/sync", body, &answer); err != nil {
		return d, err
	}
	d.All, d.Done = ms(time.Since(began)), answer.Synced
	if answer.Synced != g.count {
		return d, fmt.Errorf("%d of %d instances are synced", answer.Synced, g.count)
	}
	e, err := g.servers.Await("all", time.Second) // all have got it again, or it was no sync
	d.Last = ms(time.Duration(e.Last - began.UnixNano()))
	return d, err
}
