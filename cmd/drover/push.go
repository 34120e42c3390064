package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/output"
)

func (a *app) pushCmd() *cobra.Command {
	return group("push", "Watch changes arrive at the nodes", lines(
		"drover push list --state running",
		"drover push watch              # the latest one",
		"drover push show 42",
		"drover push targets 42 --status dead_letter",
		"drover push retry 42",
	), a.pushListCmd(), a.pushShowCmd(), a.pushWatchCmd(), a.pushTargetsCmd(), a.pushRetryCmd())
}

func pushView() output.View[client.Push] {
	type p = client.Push
	return output.View[p]{
		Name:  func(x p) string { return x.ID },
		Empty: "There was no push yet.",
		Columns: []output.Column[p]{
			{Title: "PUSH", Text: func(x p) string { return x.ID }},
			{Title: "STATE", Text: func(x p) string { return x.State }, Color: output.Status},
			{Title: "NODES", Text: func(x p) string { return fmt.Sprintf("%d/%d", x.Counts.Acked, x.Total) }},
			{Title: "OTHERS", Text: func(x p) string { return others(x.Counts) }},
			{Title: "STARTED", Text: func(x p) string { return ago(x.Started) }},
			{Title: "AUTHOR", Text: func(x p) string { return x.Author }},
			{Title: "DOCUMENTS", Text: func(x p) string { return strings.Join(x.Documents, ", ") }},
			{Title: "MESSAGE", Wide: true, Text: func(x p) string { return x.Message }},
		},
	}
}

// others are the counts of the nodes that do not run the revision.
func others(c client.Counts) string {
	var parts []string
	for _, x := range []struct {
		n    int
		word string
	}{
		{c.InFlight, "in flight"}, {c.Pending, "pending"}, {c.Retrying, "retrying"}, {c.Reverted, "reverted"},
		{c.DeadLetter, "dead letter"}, {c.Offline, "offline"},
	} {
		if x.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.word))
		}
	}
	return strings.Join(parts, ", ")
}

func (a *app) pushListCmd() *cobra.Command {
	var state, document string
	var limit int
	c := &cobra.Command{
		Use: "list", Short: "List pushes, the latest first", Args: cobra.NoArgs,
		Example: lines("drover push list", "drover push list --document routing/core --limit 5"),
		RunE: func(c *cobra.Command, _ []string) error {
			q := url.Values{}
			setIf(q, "state", state)
			setIf(q, "document", document)
			return showList(c.Context(), a, pushView(), limit, q, client.Path("pushes"))
		},
	}
	f := c.Flags()
	f.StringVar(&state, "state", "", "only this `state`: running, done, done_with_failures or superseded")
	f.StringVar(&document, "document", "", "only those that deliver this `document`")
	f.IntVar(&limit, "limit", 50, "at most so `many`; 0 is all")
	return c
}

func setIf(q url.Values, key, value string) {
	if value != "" {
		q.Set(key, value)
	}
}

// cause is one reason why nodes did not take a push, with how many have it.
type cause struct {
	Cause   string   `json:"cause"`
	Code    string   `json:"code"`
	Stage   string   `json:"stage"`
	Target  string   `json:"target"`
	Pointer string   `json:"pointer"`
	Message string   `json:"message"`
	Count   int      `json:"count"`
	Nodes   []string `json:"nodes"`
}

func (a *app) pushShowCmd() *cobra.Command {
	return &cobra.Command{
		Use: "show [PUSH]", Short: "Show a push, and why nodes did not take it", Args: cobra.MaximumNArgs(1),
		Example:           lines("drover push show", "drover push show 42 -o json"),
		ValidArgsFunction: a.completePushes(),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			p, err := pushOf(c.Context(), cl, args)
			if err != nil {
				return err
			}
			if err := output.One(a.printer(), pushView(), p.Value, p.Raw); err != nil || output.Format(a.format).Structured() {
				return err
			}
			causes, err := client.List[cause](c.Context(), cl, client.Path("pushes", p.Value.ID, "causes"), nil, 0)
			if err != nil || len(causes) == 0 || output.Format(a.format) == output.Name {
				return err
			}
			fmt.Fprintln(a.stdout)
			return printItems(a, causeView(), causes)
		},
	}
}

func causeView() output.View[cause] {
	return output.View[cause]{
		Name: func(x cause) string { return x.Cause },
		Columns: []output.Column[cause]{
			{Title: "NODES", Text: func(x cause) string { return strconv.Itoa(x.Count) }},
			{Title: "CODE", Text: func(x cause) string { return x.Code }},
			{Title: "STAGE", Text: func(x cause) string { return x.Stage }},
			{Title: "TARGET", Text: func(x cause) string { return x.Target }},
			{Title: "POINTER", Text: func(x cause) string { return x.Pointer }},
			{Title: "MESSAGE", Text: func(x cause) string { return x.Message }},
			{Title: "FOR EXAMPLE", Text: func(x cause) string { return strings.Join(x.Nodes, ", ") }},
		},
	}
}

// pushOf finds the push that is named, or the latest one.
func pushOf(ctx context.Context, cl *client.Client, args []string) (client.Item[client.Push], error) {
	if len(args) > 0 {
		return client.One[client.Push](ctx, cl, client.Path("pushes", args[0]), nil)
	}
	latest, err := client.List[client.Push](ctx, cl, client.Path("pushes"), nil, 1)
	if err != nil {
		return client.Item[client.Push]{}, err
	}
	if len(latest) == 0 {
		return client.Item[client.Push]{}, coded(exitNotFound, "there was no push yet")
	}
	return latest[0], nil
}

func (a *app) pushWatchCmd() *cobra.Command {
	return &cobra.Command{
		Use: "watch [PUSH]", Short: "Watch a push until it ends", Args: cobra.MaximumNArgs(1),
		Long:              "Watch a push, or the latest one, until it ends. Ends with 7 when nodes did not take it.",
		Example:           lines("drover push watch", "drover push watch 42"),
		ValidArgsFunction: a.completePushes(),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			p, err := pushOf(c.Context(), cl, args)
			if err != nil {
				return err
			}
			return a.watch(c.Context(), cl, p.Value.ID)
		},
	}
}

// watch follows a push until it ends, and what superseded it after that.
func (a *app) watch(ctx context.Context, cl *client.Client, id string) error {
	line := a.progress()
	defer line.done()
	var last client.Push
	err := follow(ctx, cl, id, func(p client.Push) bool {
		last = p
		line.show("push %s: %s", p.ID, describePush(p))
		return !p.Running()
	})
	if err != nil {
		return err
	}
	line.done()
	a.note("push %s: %s", last.ID, describePush(last))
	if last.Counts.Acked < last.Total {
		return coded(exitNotConverged, "%s did not take revision %d; drover push show %s says why",
			nodes(last.Total-last.Counts.Acked), last.Revision, last.ID)
	}
	return nil
}

func describePush(p client.Push) string {
	text := fmt.Sprintf("%s, %d of %s in sync", strings.ReplaceAll(p.State, "_", " "), p.Counts.Acked, nodes(p.Total))
	if o := others(p.Counts); o != "" {
		text += " (" + o + ")"
	}
	return text
}

func (a *app) pushTargetsCmd() *cobra.Command {
	var status, causeID string
	var limit int
	c := &cobra.Command{
		Use: "targets [PUSH]", Short: "List the nodes of a push", Args: cobra.MaximumNArgs(1),
		Example:           lines("drover push targets 42", "drover push targets 42 --status dead_letter -o name"),
		ValidArgsFunction: a.completePushes(),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			p, err := pushOf(c.Context(), cl, args)
			if err != nil {
				return err
			}
			q := url.Values{}
			setIf(q, "status", status)
			setIf(q, "cause", causeID)
			items, err := client.List[client.Target](c.Context(), cl, client.Path("pushes", p.Value.ID, "targets"), q, limit)
			if err != nil {
				return err
			}
			return printItems(a, targetView(), items)
		},
	}
	f := c.Flags()
	f.StringVar(&status, "status", "", "only this `status`")
	f.StringVar(&causeID, "cause", "", "only this `cause`, as drover push show -o json has it")
	f.IntVar(&limit, "limit", 0, "at most so `many`; 0 is all")
	return c
}

func targetView() output.View[client.Target] {
	type t = client.Target
	return output.View[t]{
		Name:  func(x t) string { return x.Node },
		Empty: "No node of this push is like that.",
		Columns: []output.Column[t]{
			{Title: "NODE", Text: func(x t) string { return x.Node }},
			{Title: "STATUS", Text: func(x t) string { return x.Status }, Color: output.Status},
			{Title: "PEER", Text: func(x t) string { return x.Peer }},
			{Title: "ATTEMPTS", Text: func(x t) string { return strconv.Itoa(x.Attempts) }},
			{Title: "ERROR", Text: func(x t) string { return describeError(x.Error) }},
		},
	}
}

func describeError(e *client.NodeError) string {
	if e == nil {
		return ""
	}
	at := strings.TrimSpace(e.Target + " " + e.Pointer)
	if at != "" {
		at += ": "
	}
	return fmt.Sprintf("%s%s (%s)", at, e.Message, e.Code)
}

func (a *app) pushRetryCmd() *cobra.Command {
	return &cobra.Command{
		Use: "retry [PUSH]", Short: "Send a push again to the nodes that gave up", Args: cobra.MaximumNArgs(1),
		Example:           lines("drover push retry 42"),
		ValidArgsFunction: a.completePushes(),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			p, err := pushOf(c.Context(), cl, args)
			if err != nil {
				return err
			}
			return a.retried(c.Context(), cl, client.Path("pushes", p.Value.ID, "retry"))
		},
	}
}

func (a *app) retried(ctx context.Context, cl *client.Client, path string) error {
	item, err := client.Write[struct {
		Retried int `json:"retried"`
	}](ctx, cl, client.Request{Method: http.MethodPost, Path: path, Body: struct{}{}})
	if err != nil {
		return err
	}
	if output.Format(a.format).Structured() {
		return output.Raw(a.printer(), item.Raw)
	}
	a.note("sent again to %s", nodes(item.Value.Retried))
	return nil
}
