package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/output"
)

func (a *app) eventsCmd() *cobra.Command {
	var followOn bool
	var since string
	c := &cobra.Command{
		Use: "events", Short: "Print what happens in the cluster", Args: cobra.NoArgs,
		Long: "Print events: revisions, pushes, nodes, peers. Without --follow, those that the controller remembers;\n" +
			"with it, also those to come, across controllers that stop.",
		Example: lines("drover events --follow", "drover events --follow -o jsonl | jq .", "drover events --since 1.4711"),
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			// The index of any answer says where the state stands.
			state, err := client.One[client.Cluster](c.Context(), cl, client.Path("cluster"), nil)
			if err != nil {
				return err
			}
			start := since
			if start == "" && !followOn {
				start = fmt.Sprintf("%d.0", state.Value.Epoch)
			}
			if followOn {
				return a.follow(c.Context(), cl, start)
			}
			return a.remembered(c.Context(), cl, start, cl.Seen())
		},
	}
	c.Flags().BoolVarP(&followOn, "follow", "f", false, "go on with the events to come")
	c.Flags().StringVar(&since, "since", "", "after the event with this `id` (epoch.index)")
	return c
}

// follow prints events until it is interrupted, and resumes at another
// controller where one ends.
func (a *app) follow(ctx context.Context, cl *client.Client, last string) error {
	for ctx.Err() == nil {
		err := cl.Events(ctx, last, func(e client.Event) error {
			if e.ID != "" {
				last = e.ID
			}
			return a.event(e)
		})
		if err != nil && ctx.Err() == nil {
			return err
		}
		_ = sleep(ctx, followEvery) // the loop looks why it ended
	}
	return nil
}

var errEnough = errors.New("all remembered events are printed")

// quiet is how long a stream may say nothing before what was remembered is
// taken for all of it: the last command may have made no event.
const quiet = time.Second

// remembered prints the events up to an index.
func (a *app) remembered(ctx context.Context, cl *client.Client, start string, until client.Index) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	idle := time.AfterFunc(quiet, cancel)
	defer idle.Stop()
	err := cl.Events(ctx, start, func(e client.Event) error {
		idle.Reset(quiet)
		if err := a.event(e); err != nil {
			return err
		}
		if at, ok := client.ParseIndex(e.ID); ok && !at.Less(until) {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (a *app) event(e client.Event) error {
	if e.Type == "gap" {
		a.note("older events are not remembered any more")
		if output.Format(a.format) == output.Table {
			return nil
		}
	}
	switch output.Format(a.format) {
	case output.JSON, output.JSONL: // a stream has no end: one a line
		line, err := json.Marshal(e)
		if err != nil {
			return err
		}
		return output.Raw(output.Printer{Out: a.stdout, Format: output.JSONL}, line)
	case output.YAML:
		line, err := json.Marshal(e)
		if err == nil {
			_, err = io.WriteString(a.stdout, "---\n")
		}
		if err != nil {
			return err
		}
		return output.Raw(output.Printer{Out: a.stdout, Format: output.YAML}, line)
	case output.Name:
		_, err := fmt.Fprintln(a.stdout, e.ID)
		return err
	}
	text, err := describeEvent(e)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%-10s %-9s %s\n", e.ID, e.Type, output.Clean(text))
	return err
}

// describeEvent is an event in words.
func describeEvent(e client.Event) (string, error) {
	var d struct {
		Revision  uint64        `json:"revision"`
		Documents []string      `json:"documents"`
		Author    string        `json:"author"`
		Message   string        `json:"message"`
		ID        string        `json:"id"`
		State     string        `json:"state"`
		Counts    client.Counts `json:"counts"`
		Nodes     []struct {
			ID     string `json:"id"`
			Status string `json:"status"`
		} `json:"nodes"`
		Many  int    `json:"many"`
		Name  string `json:"name"`
		Alive bool   `json:"alive"`
	}
	if err := json.Unmarshal(e.Data, &d); err != nil {
		return "", err
	}
	switch e.Type {
	case "revision":
		return fmt.Sprintf("%d by %s: %s %s", d.Revision, d.Author, strings.Join(d.Documents, ", "), d.Message), nil
	case "push":
		text := fmt.Sprintf("%s %s, %d acked", d.ID, d.State, d.Counts.Acked)
		if o := others(d.Counts); o != "" {
			text += ", " + o
		}
		return text, nil
	case "node":
		if d.Nodes == nil {
			return strconv.Itoa(d.Many) + " nodes", nil
		}
		var parts []string
		for _, n := range d.Nodes {
			parts = append(parts, n.ID+" "+n.Status)
		}
		return strings.Join(parts, ", "), nil
	case "peer":
		return d.Name + map[bool]string{true: " is alive", false: " is gone"}[d.Alive], nil
	}
	return string(e.Data), nil
}
