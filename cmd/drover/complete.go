package main

import (
	"context"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/contexts"
	"github.com/droverhq/drover/internal/output"
)

// completeTime bounds what a press of the tab key may take.
const completeTime = 2 * time.Second

func unzip[T any](items []client.Item[T]) (rows []T, raw []rawMessage) {
	for _, i := range items {
		rows, raw = append(rows, i.Value), append(raw, i.Raw)
	}
	return rows, raw
}

// completeNames completes the first argument with the names of a list of the
// API; whatever goes wrong completes nothing.
func completeNames[T any](a *app, list string, v output.View[T]) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(context.Background(), completeTime)
		defer cancel()
		cl, err := a.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		items, err := client.List[T](ctx, cl, client.Path(list), url.Values{}, 1000)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, i := range items {
			names = append(names, v.Name(i.Value))
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) completeDocuments() cobra.CompletionFunc {
	return completeNames(a, "documents", documentView())
}

func (a *app) completeNodes() cobra.CompletionFunc { return completeNames(a, "nodes", nodeView()) }

func (a *app) completePushes() cobra.CompletionFunc { return completeNames(a, "pushes", pushView()) }

func (a *app) completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	f, err := contexts.Load(contexts.Path(a.env))
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return f.Names(), cobra.ShellCompDirectiveNoFileComp
}
