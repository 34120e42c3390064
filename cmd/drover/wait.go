package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
)

func (a *app) waitCmd() *cobra.Command {
	share := "100%"
	var timeout time.Duration
	c := &cobra.Command{
		Use: "wait REVISION", Short: "Wait until nodes run a revision", Args: cobra.ExactArgs(1),
		Long: "Wait until the nodes that a revision was pushed to run it, or a later one: each re-read its files and\n" +
			"reported them. Ends with 0 when at least --for of them do, with 7 when the push ended before that,\n" +
			"with 8 after --timeout.",
		Example: lines("drover wait 42", "drover wait 42 --for 95% --timeout 5m", "drover wait $(drover apply -f config/ -o name)"),
		RunE: func(c *cobra.Command, args []string) error {
			revision, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil || revision == 0 {
				return usage(fmt.Errorf("%q is no number of a revision", args[0]))
			}
			want, err := parseShare(share)
			if err != nil {
				return usage(err)
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			return a.wait(ctx, cl, args[0], want, timeout)
		},
	}
	c.Flags().StringVar(&share, "for", share, "the `share` of the nodes that is enough, such as 95%")
	c.Flags().DurationVar(&timeout, "timeout", time.Minute, "how `long` to wait at most")
	return c
}

// parseShare reads "95%" as 0.95.
func parseShare(s string) (float64, error) {
	text, percent := strings.CutSuffix(strings.TrimSpace(s), "%")
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !percent || !(f > 0 && f <= 100) {
		return 0, fmt.Errorf("--for %q is no share above 0%% and up to 100%%", s)
	}
	return f / 100, nil
}

// enough is the number of nodes that a share of them means, rounded up.
func enough(share float64, total int) int {
	return int(math.Ceil(share*float64(total) - 1e-9))
}

func (a *app) wait(ctx context.Context, cl *client.Client, id string, share float64, timeout time.Duration) error {
	line := a.progress()
	defer line.done()
	var last client.Push
	err := follow(ctx, cl, id, func(p client.Push) bool {
		last = p
		line.show("revision %s: %s", id, describePush(p))
		return p.Counts.Acked >= enough(share, p.Total) || !p.Running()
	})
	line.done()
	switch {
	case errors.Is(err, context.DeadlineExceeded) || err != nil && ctx.Err() == context.DeadlineExceeded:
		if last.ID == "" {
			return coded(exitTimeout, "no answer after %s", timeout)
		}
		return coded(exitTimeout, "after %s %d of %s run revision %s; drover push show %s says more",
			timeout, last.Counts.Acked, nodes(last.Total), id, last.ID)
	case err != nil:
		return err
	case last.Counts.Acked < enough(share, last.Total):
		return coded(exitNotConverged, "the push ended with %d of %s in sync; drover push show %s says why",
			last.Counts.Acked, nodes(last.Total), last.ID)
	}
	a.note("revision %s: %s", id, describePush(last))
	return nil
}

// followEvery is how often a push is looked at. An event stream would tell
// sooner, and would be one more thing to fail while a leader is replaced.
const followEvery = 100 * time.Millisecond

// follow reads a push until look says that it is enough. Where it was
// superseded, the push that took over is followed instead: a node that runs a
// later revision will not run this one any more.
func follow(ctx context.Context, cl *client.Client, id string, look func(client.Push) bool) error {
	for {
		item, err := client.One[client.Push](ctx, cl, client.Path("pushes", id), nil)
		if client.Status(err) == http.StatusNotFound {
			return coded(exitNotFound, "there is no push of revision %s (any more): drover push list shows them", id)
		}
		if err != nil {
			return err
		}
		if next := superseder(item.Value); next != "" {
			id = next
			continue
		}
		if look(item.Value) {
			return nil
		}
		if err := sleep(ctx, followEvery); err != nil {
			return err
		}
	}
}

// superseder is the push that took over from one, "" where none did.
func superseder(p client.Push) string {
	if p.State != "superseded" || p.SupersededBy == nil {
		return ""
	}
	next := fmt.Sprint(p.SupersededBy)
	if f, ok := p.SupersededBy.(float64); ok {
		next = strconv.FormatFloat(f, 'f', -1, 64)
	}
	if next == p.ID || next == "0" {
		return ""
	}
	return next
}
