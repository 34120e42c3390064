package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/output"
)

func (a *app) nodeCmd() *cobra.Command {
	return group("node", "See and manage the nodes", lines(
		"drover node list status=offline",
		"drover node why edge-7",
		"drover node enroll --node edge-8 --label site=site-8",
		"drover node label edge-7 role=edge old-",
	), a.nodeListCmd(), a.nodeShowCmd(), a.nodeWhyCmd(), a.nodeEnrollCmd(), a.nodeLabelCmd(),
		a.nodeResyncCmd(), a.nodeRetryCmd(), a.nodeRemoveCmd())
}

func nodeView() output.View[client.Node] {
	type n = client.Node
	return output.View[n]{
		Name:  func(x n) string { return x.ID },
		Empty: "No node is like that. Enrol one: drover node enroll",
		Columns: []output.Column[n]{
			{Title: "NODE", Text: func(x n) string { return x.ID }},
			{Title: "STATUS", Text: func(x n) string { return x.Status }, Color: output.Status},
			{Title: "IN SYNC", Text: func(x n) string { return yesNo(x.InSync) }, Color: output.Status},
			{Title: "PEER", Text: func(x n) string { return x.Peer }},
			{Title: "RUNS", Text: func(x n) string { return num(x.Reported.Revision) }},
			{Title: "WANTED", Text: func(x n) string { return num(x.Desired.Revision) }},
			{Title: "LABELS", Text: func(x n) string { return pairs(x.Labels) }},
			{Title: "ATTEMPTS", Wide: true, Text: func(x n) string { return strconv.Itoa(x.Attempts) }},
			{Title: "ENROLLED", Wide: true, Text: func(x n) string { return ago(x.Enrolled) }},
			{Title: "FACTS", Wide: true, Text: func(x n) string { return pairs(x.Facts) }},
			{Title: "ERROR", Text: func(x n) string { return describeError(x.LastError) }},
		},
	}
}

func pairs(m map[string]string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+"="+m[k])
	}
	return strings.Join(parts, ",")
}

func (a *app) nodeListCmd() *cobra.Command {
	var sort string
	var limit int
	c := &cobra.Command{
		Use: "list [QUERY…]", Short: "List nodes",
		Long:    "List nodes. A query is free text and terms such as status=offline, site=fra (or any label), peer=ctl-1,\ndocument=routing/core, in_sync=false; all of them must fit.",
		Example: lines("drover node list", "drover node list status=dead_letter -o name", "drover node list site=fra in_sync=false -o wide"),
		RunE: func(c *cobra.Command, args []string) error {
			q := url.Values{}
			setIf(q, "q", strings.Join(args, " "))
			setIf(q, "sort", sort)
			return showList(c.Context(), a, nodeView(), limit, q, client.Path("nodes"))
		},
	}
	c.Flags().StringVar(&sort, "sort", "", "`column` to sort by")
	c.Flags().IntVar(&limit, "limit", 0, "at most so `many`; 0 is all")
	return c
}

func (a *app) nodeShowCmd() *cobra.Command {
	return &cobra.Command{
		Use: "show NODE", Short: "Show a node and its documents", Args: cobra.ExactArgs(1),
		Example:           lines("drover node show edge-7", "drover node show edge-7 -o yaml"),
		ValidArgsFunction: a.completeNodes(),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			item, err := client.One[nodeDetail](c.Context(), cl, client.Path("nodes", args[0]), nil)
			if err != nil {
				return err
			}
			if err := output.One(a.printer(), nodeView(), item.Value.Node, item.Raw); err != nil {
				return err
			}
			if f := output.Format(a.format); f.Structured() || f == output.Name || len(item.Value.Documents) == 0 {
				return nil
			}
			fmt.Fprintln(a.stdout)
			return output.List(a.printer(), nodeDocumentView(), item.Value.Documents, nil)
		},
	}
}

type nodeDetail struct {
	client.Node
	Documents []nodeDocument `json:"documents"`
}

type nodeDocument struct {
	Document string `json:"document"`
	Target   string `json:"target"`
	Wanted   uint64 `json:"wanted_version"`
	Accepted uint64 `json:"accepted_version"`
	Refused  uint64 `json:"refused_version"`
}

func nodeDocumentView() output.View[nodeDocument] {
	type d = nodeDocument
	return output.View[d]{
		Name: func(x d) string { return x.Document },
		Columns: []output.Column[d]{
			{Title: "DOCUMENT", Text: func(x d) string { return x.Document }},
			{Title: "TARGET", Text: func(x d) string { return x.Target }},
			{Title: "WANTED", Text: func(x d) string { return num(x.Wanted) }},
			{Title: "ACCEPTED", Text: func(x d) string { return num(x.Accepted) }},
			{Title: "REFUSED", Text: func(x d) string { return num(x.Refused) }},
		},
	}
}

// nodeWhy says why a node is not in sync.
type nodeWhy struct {
	Node    string `json:"node"`
	Status  string `json:"status"`
	InSync  bool   `json:"in_sync"`
	Summary string `json:"summary"`
	Reasons []struct {
		Code     string `json:"code"`
		Message  string `json:"message"`
		Document string `json:"document"`
		Pointer  string `json:"pointer"`
		Next     string `json:"next"`
	} `json:"reasons"`
}

func (a *app) nodeWhyCmd() *cobra.Command {
	return &cobra.Command{
		Use: "why NODE", Short: "Say in words why a node is not in sync", Args: cobra.ExactArgs(1),
		Long:              "Say what is wanted of a node, what was attempted and how it failed, and what it runs. Ends with 7 when\nit is not in sync.",
		Example:           lines("drover node why edge-7", "drover node why edge-7 -o json"),
		ValidArgsFunction: a.completeNodes(),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			item, err := client.One[nodeWhy](c.Context(), cl, client.Path("nodes", args[0], "why"), nil)
			if err != nil {
				return err
			}
			w := item.Value
			if output.Format(a.format).Structured() {
				err = output.Raw(a.printer(), item.Raw)
			} else {
				fmt.Fprintf(a.stdout, "%s: %s\n", w.Node, output.Clean(w.Summary))
				for _, r := range w.Reasons {
					at := strings.TrimSpace(r.Document + " " + r.Pointer)
					if at != "" {
						at += ": "
					}
					fmt.Fprintf(a.stdout, "  %s%s (%s)\n", at, output.Clean(r.Message), r.Code)
					if r.Next != "" {
						fmt.Fprintf(a.stdout, "    → %s\n", output.Clean(r.Next))
					}
				}
			}
			if err == nil && !w.InSync {
				return &codedError{code: exitNotConverged}
			}
			return err
		},
	}
}

func (a *app) nodeEnrollCmd() *cobra.Command {
	var node, expires string
	var labels []string
	var uses int
	c := &cobra.Command{
		Use: "enroll", Short: "Make a token with which nodes can enrol", Args: cobra.NoArgs,
		Long:    "Make a token with which nodes can enrol, with the labels that they get. It is printed once.",
		Example: lines("drover node enroll --node edge-8 --label site=site-8,role=edge", "drover node enroll --label role=edge --uses 50 --expires 24h"),
		RunE: func(c *cobra.Command, _ []string) error {
			set, err := parseLabels(labels, false)
			if err != nil {
				return err
			}
			body := map[string]any{"labels": set, "uses": uses, "expires": expires}
			if node != "" {
				body["node"] = node
			}
			return a.secretOf(c.Context(), client.Path("nodes", "enroll"), body, "", "expires")
		},
	}
	f := c.Flags()
	f.StringVar(&node, "node", "", "`name` of the node (default: it names itself)")
	f.StringSliceVarP(&labels, "label", "l", nil, "`key=value` that enrolled nodes get; several with commas")
	f.IntVar(&uses, "uses", 1, "how `many` nodes may use it")
	f.StringVar(&expires, "expires", "1h", "how `long` it is good")
	return c
}

// secretOf posts a body and prints the token of the answer, which is shown
// once; the named fields go to the notes.
func (a *app) secretOf(ctx context.Context, path string, body map[string]any, notes ...string) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	item, err := client.Write[map[string]any](ctx, cl, client.Request{Method: http.MethodPost, Path: path, Body: body})
	if err != nil {
		return err
	}
	if output.Format(a.format).Structured() {
		return output.Raw(a.printer(), item.Raw)
	}
	for _, key := range notes {
		if v := item.Value[key]; key != "" && v != nil && v != "" {
			a.note("%s: %v", key, v)
		}
	}
	_, err = fmt.Fprintln(a.stdout, item.Value["token"])
	return err
}

// parseLabels reads key=value, and key- where that takes a label away.
func parseLabels(args []string, remove bool) (map[string]*string, error) {
	set := map[string]*string{}
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		switch {
		case ok && key != "":
			set[key] = &value
		case remove && strings.HasSuffix(arg, "-") && len(arg) > 1:
			set[strings.TrimSuffix(arg, "-")] = nil
		default:
			return nil, usage(fmt.Errorf("%q is not of the form key=value", arg))
		}
	}
	return set, nil
}

func (a *app) nodeLabelCmd() *cobra.Command {
	return &cobra.Command{
		Use: "label NODE KEY=VALUE… KEY-…", Short: "Set labels of a node; KEY- takes one away", Args: cobra.MinimumNArgs(2),
		Example:           lines("drover node label edge-7 site=fra role=edge", "drover node label edge-7 old-"),
		ValidArgsFunction: a.completeNodes(),
		RunE: func(c *cobra.Command, args []string) error {
			set, err := parseLabels(args[1:], true)
			if err != nil {
				return err
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			item, err := client.Write[client.Node](c.Context(), cl, client.Request{
				Method: http.MethodPatch, Path: client.Path("nodes", args[0]), Body: map[string]any{"labels": set},
			})
			if err != nil {
				return err
			}
			return output.One(a.printer(), nodeView(), item.Value, item.Raw)
		},
	}
}

func (a *app) nodeResyncCmd() *cobra.Command {
	return &cobra.Command{
		Use: "resync NODE", Short: "Have a node say what it holds, and send what differs", Args: cobra.ExactArgs(1),
		Example:           lines("drover node resync edge-7"),
		ValidArgsFunction: a.completeNodes(),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			if _, err := cl.Send(c.Context(), http.MethodPost, client.Path("nodes", args[0], "resync"), struct{}{}, nil); err != nil {
				return err
			}
			a.note("%s is asked what it holds", args[0])
			return nil
		},
	}
}

func (a *app) nodeRetryCmd() *cobra.Command {
	return &cobra.Command{
		Use: "retry NODE", Short: "Send a node again what it gave up or refused", Args: cobra.ExactArgs(1),
		Example:           lines("drover node retry edge-7"),
		ValidArgsFunction: a.completeNodes(),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			return a.retried(c.Context(), cl, client.Path("nodes", args[0], "retry"))
		},
	}
}

func (a *app) nodeRemoveCmd() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "remove NODE", Short: "Forget a node and its key", Args: cobra.ExactArgs(1),
		Long:              "Forget a node and its key: it cannot connect any more. What it runs stays as it is.",
		Example:           lines("drover node remove edge-7"),
		ValidArgsFunction: a.completeNodes(),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.confirm(yes, "removing %s", args[0]); err != nil {
				return err
			}
			return a.remove(c.Context(), client.Path("nodes", args[0]), args[0])
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

// remove deletes an object.
func (a *app) remove(ctx context.Context, path, name string) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	if _, err := cl.Send(ctx, http.MethodDelete, path, nil, nil); err != nil {
		return err
	}
	a.note("%s is removed", name)
	return nil
}
