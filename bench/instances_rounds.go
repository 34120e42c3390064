package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/droverhq/drover/bench/instances"
)

// compare runs interleaved rounds: the coordinator, a change, a sync.
func (g *called) compare(ctx context.Context, rounds int, out *report) error {
	var plain, change, again []float64
	for i := range rounds + 1 {
		var ds [3]delivery
		var err error
		if ds[0], err = g.plainly(); err != nil {
			return err
		}
		if ds[0].Done != g.count {
			return fmt.Errorf("the coordinator reached %d of %d instances: %v", ds[0].Done, g.count, ds[0].Why)
		}
		if ds[1], err = g.change(ctx, g.count); err != nil {
			return err
		}
		if ds[2], err = g.sync(ctx); err != nil {
			return err
		}
		if i == 0 {
			continue // not counted: connections are made, files are read
		}
		for _, d := range ds {
			if err := out.line("instances", d); err != nil {
				return err
			}
		}
		plain = append(plain, ds[0].All)
		change, again = append(change, ds[1].All), append(again, ds[2].All)
	}
	out.instances(g.count, plain, change, again)
	return nil
}

// instances prints a comparison.
func (r *report) instances(count int, plain, change, again []float64) {
	ratio := func(values []float64) spread {
		var out []float64
		for i := range values {
			out = append(out, values[i]/plain[i])
		}
		return spreadOf(out)
	}
	r.found["instances"] = fmt.Sprintf("change %s, sync %s", ratio(change), ratio(again))
	r.say("%d instances: coordinator %s ms, a change by Drover %s ms, a sync %s ms; ratios: %s",
		count, spreadOf(plain), spreadOf(change), spreadOf(again), r.found["instances"])
}

// hang compares changes while one instance hangs with changes while none does.
func (g *called) hang(ctx context.Context, rounds int, out *report) error {
	if err := g.settle(ctx); err != nil {
		return err
	}
	var ratios, well, bad []float64
	for range rounds {
		for _, how := range []string{instances.DoGood, instances.DoHang} {
			if err := g.tell(how, "", 1); err != nil {
				return err
			}
			d, err := g.change(ctx, g.count-1)
			if err != nil {
				return err
			}
			if how == instances.DoHang {
				d.Bad, bad = "1 hangs", append(bad, d.All)
				err = g.tell(instances.DoGood, "", 0)
			} else {
				well = append(well, d.All)
			}
			if err := errors.Join(err, out.line("instances", d), g.whole(ctx, d)); err != nil {
				return err
			}
		}
		ratios = append(ratios, bad[len(bad)-1]/well[len(well)-1])
	}
	out.found["hang"] = fmt.Sprintf("%s ms, without %s ms; ratio %s", spreadOf(bad), spreadOf(well), spreadOf(ratios))
	out.say("with 1 of %d instances hanging, the others are done after %s", g.count, out.found["hang"])
	if err := g.tell(instances.DoHang, "", 1); err != nil {
		return err
	}
	d, err := g.plainly()
	if err != nil {
		return err
	}
	d.Bad = "1 hangs"
	out.say("the coordinator has its result then after %.1f s: %d done, %v", d.All/1000, d.Done, d.Why)
	return errors.Join(g.tell(instances.DoGood, "", 0), out.line("instances", d))
}

// settle brings the first content to all instances.
func (g *called) settle(ctx context.Context) error {
	for range 2 { // connections are made
		if _, err := g.change(ctx, g.count); err != nil {
			return err
		}
	}
	return nil
}

// whole waits until an instance that was bad has what the others have.
func (g *called) whole(ctx context.Context, d delivery) error {
	ctx, cancel := context.WithTimeout(ctx, deliveryLimit)
	defer cancel()
	return until(ctx, 20*time.Millisecond, func() (bool, error) {
		err := g.counts(ctx, d, g.count)
		return err == nil, err
	})
}

// deadInstances is how many of the few are dead.
const deadInstances = 5

// dead changes the document while some instances refuse connections.
func (g *called) dead(ctx context.Context, out *report) error {
	if err := g.settle(ctx); err != nil { // the one that hung answers again
		return err
	}
	if err := g.tell(instances.DoDie, "", deadInstances); err != nil {
		return err
	}
	d, err := g.change(ctx, g.count-deadInstances)
	if err != nil {
		return err
	}
	d.Bad = fmt.Sprintf("%d dead", deadInstances)
	began := time.Now()
	if d.Why, err = g.reasons(ctx, d); err != nil {
		return err
	}
	text := fmt.Sprintf("%d done after %.0f ms, %d shown %.0f ms later", d.Done, d.All, deadInstances, ms(time.Since(began)))
	out.found["dead"] = text
	out.say("with %d of %d instances dead: %s: %v", deadInstances, g.count, text, d.Why)
	return errors.Join(out.line("instances", d), g.tell(instances.DoGood, "", 0), g.whole(ctx, d))
}

// reasons waits until each of the dead is shown with a reason, and returns
// those.
func (g *called) reasons(ctx context.Context, d delivery) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, deliveryLimit)
	defer cancel()
	var why map[string]int
	return why, until(ctx, 5*time.Millisecond, func() (bool, error) {
		var page struct {
			Items []struct {
				ID        string `json:"id"`
				InSync    bool   `json:"in_sync"`
				LastError *struct {
					Code    string `json:"code"`
					Message string `json:"message"`
				} `json:"last_error"`
			} `json:"items"`
		}
		if err := g.drover.api.get(ctx, d.peer+"/api/v1/nodes?limit=1000&q="+url.QueryEscape("bench="+g.name+" in_sync=false"), &page); err != nil {
			return false, err
		}
		why = map[string]int{}
		shown := 0
		for _, n := range page.Items {
			if n.LastError != nil && n.LastError.Message != "" {
				why[n.LastError.Code]++
				shown++
			}
		}
		if shown != deadInstances || len(page.Items) != deadInstances {
			return false, fmt.Errorf("%d of %d instances that are not in sync are shown with a reason", shown, len(page.Items))
		}
		return true, nil
	})
}
