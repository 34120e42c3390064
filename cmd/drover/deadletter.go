package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/output"
)

// deadLetter is a node that waits for a person.
type deadLetter struct {
	ID        string           `json:"id"`
	Kind      string           `json:"kind"`
	Documents []string         `json:"documents"`
	Revision  uint64           `json:"revision"`
	Attempts  int              `json:"attempts"`
	Cause     client.NodeError `json:"cause"`
	Since     time.Time        `json:"since"`
	Connected bool             `json:"connected"`
}

func (a *app) deadLetterCmd() *cobra.Command {
	return group("deadletter", "See and settle what nodes refused for good", lines(
		"drover deadletter list",
		"drover deadletter list --by-cause",
		"drover deadletter retry hook-1",
		"drover deadletter discard --all",
	), a.deadLetterListCmd(), a.deadLetterShowCmd(),
		a.settleCmd("retry", "Send dead letters what is wanted again",
			"Send dead letters what is wanted again: those of the named nodes, of a cause, or all that there are now."),
		a.settleCmd("discard", "Take dead letters off the list until something newer is wanted",
			"Take dead letters off the list. The nodes stay as they are, and are tried again when something newer is wanted."))
}

func deadLetterView() output.View[deadLetter] {
	type d = deadLetter
	return output.View[d]{
		Name:  func(x d) string { return x.ID },
		Empty: "There is no dead letter.",
		Columns: []output.Column[d]{
			{Title: "NODE", Text: func(x d) string { return x.ID }},
			{Title: "KIND", Text: func(x d) string { return x.Kind }},
			{Title: "DOCUMENTS", Text: func(x d) string { return strings.Join(x.Documents, ", ") }},
			{Title: "REVISION", Text: func(x d) string { return num(x.Revision) }},
			{Title: "ATTEMPTS", Text: func(x d) string { return strconv.Itoa(x.Attempts) }},
			{Title: "SINCE", Text: func(x d) string { return ago(x.Since) }},
			{Title: "CONNECTED", Wide: true, Text: func(x d) string { return yesNo(x.Connected) }},
			{Title: "CAUSE", Text: func(x d) string { return describeError(&x.Cause) }},
		},
	}
}

func (a *app) deadLetterListCmd() *cobra.Command {
	var kind, document, causeID string
	var byCause bool
	var limit int
	c := &cobra.Command{
		Use: "list [QUERY…]", Short: "List the nodes that used up their attempts, or refused for good",
		Long:    "List the nodes, of both kinds, that used up their attempts, or refused for good, and wait for a person. A query\nis as that of drover node list.",
		Example: lines("drover deadletter list", "drover deadletter list site=fra --kind instance", "drover deadletter list --by-cause"),
		RunE: func(c *cobra.Command, args []string) error {
			q := url.Values{}
			setIf(q, "q", strings.Join(args, " "))
			setIf(q, "kind", kind)
			setIf(q, "document", document)
			setIf(q, "cause", causeID)
			if byCause {
				v := causeView()
				v.Empty = deadLetterView().Empty
				return showList(c.Context(), a, v, limit, q, client.Path("deadletters", "causes"))
			}
			return showList(c.Context(), a, deadLetterView(), limit, q, client.Path("deadletters"))
		},
	}
	f := c.Flags()
	f.StringVar(&kind, "kind", "", "only this `kind`: agent or instance")
	f.StringVar(&document, "document", "", "only those that did not take this `document`")
	f.StringVar(&causeID, "cause", "", "only this `cause`, as --by-cause -o name has it")
	f.BoolVar(&byCause, "by-cause", false, "group them by cause, the most frequent first")
	f.IntVar(&limit, "limit", 0, "at most so `many`; 0 is all")
	must(c.RegisterFlagCompletionFunc("document", a.completeDocuments()))
	return c
}

func (a *app) completeDeadLetters() cobra.CompletionFunc {
	return completeNames(a, "deadletters", deadLetterView())
}

func (a *app) deadLetterShowCmd() *cobra.Command {
	return &cobra.Command{
		Use: "show NODE", Short: "Show the dead letter of a node", Args: cobra.ExactArgs(1),
		Example:           lines("drover deadletter show hook-1", "drover deadletter show hook-1 -o yaml"),
		ValidArgsFunction: a.completeDeadLetters(),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			item, err := client.One[deadLetter](c.Context(), cl, client.Path("deadletters", args[0]), nil)
			if err != nil {
				return err
			}
			if err := output.One(a.printer(), deadLetterView(), item.Value, item.Raw); err != nil {
				return err
			}
			if f := output.Format(a.format); f.Structured() || f == output.Name || item.Value.Cause.LogTail == "" {
				return nil
			}
			for _, line := range strings.Split(strings.TrimRight(item.Value.Cause.LogTail, "\n"), "\n") {
				fmt.Fprintln(a.stdout, "  "+output.Clean(line))
			}
			return nil
		},
	}
}

// settleCmd is retry or discard.
func (a *app) settleCmd(verb, short, long string) *cobra.Command {
	var causeID string
	var all bool
	c := &cobra.Command{
		Use: verb + " [NODE…]", Short: short, Long: long,
		Example:           lines("drover deadletter "+verb+" hook-1 hook-2", "drover deadletter "+verb+" --cause $(drover deadletter list --by-cause --limit 1 -o name)", "drover deadletter "+verb+" --all"),
		ValidArgsFunction: a.completeDeadLetters(),
		RunE: func(c *cobra.Command, args []string) error {
			given := 0
			for _, is := range []bool{len(args) > 0, causeID != "", all} {
				if is {
					given++
				}
			}
			if given != 1 {
				return usage(errors.New("say which dead letters are meant: by the names of nodes, by --cause, or --all"))
			}
			return a.settle(c.Context(), verb, args, causeID)
		},
	}
	c.Flags().StringVar(&causeID, "cause", "", "those of this `cause`, as drover deadletter list --by-cause -o name has it")
	c.Flags().BoolVar(&all, "all", false, "all that there are now")
	return c
}

// settleMost is how many ids one call may name.
const settleMost = 10_000

func (a *app) settle(ctx context.Context, verb string, args []string, causeID string) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	if len(args) == 1 { // where it is none, that is told
		return a.settled(ctx, cl, client.Path("deadletters", args[0], verb), struct{}{})
	}
	path := client.Path("deadletters", verb)
	if causeID != "" {
		return a.settled(ctx, cl, path, map[string]any{"cause": causeID})
	}
	if len(args) == 0 {
		list, err := client.List[deadLetter](ctx, cl, client.Path("deadletters"), nil, 0)
		if err != nil {
			return err
		}
		for _, i := range list {
			args = append(args, i.Value.ID)
		}
	}
	for {
		part := args[:min(len(args), settleMost)]
		if err := a.settled(ctx, cl, path, map[string]any{"ids": nonNil(part)}); err != nil {
			return err
		}
		if args = args[len(part):]; len(args) == 0 {
			return nil
		}
	}
}

func (a *app) settled(ctx context.Context, cl *client.Client, path string, body any) error {
	item, err := client.Write[struct {
		Retried   int `json:"retried"`
		Discarded int `json:"discarded"`
	}](ctx, cl, client.Request{Method: http.MethodPost, Path: path, Body: body})
	if err != nil {
		return err
	}
	if output.Format(a.format).Structured() {
		return output.Raw(a.printer(), item.Raw)
	}
	if strings.HasSuffix(path, "/discard") {
		a.note("%s off the list of dead letters", nodes(item.Value.Discarded))
		return nil
	}
	a.note("sent again to %s", nodes(item.Value.Retried))
	return nil
}
