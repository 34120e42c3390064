package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/manifest"
	"github.com/droverhq/drover/internal/output"
)

type rawMessage = json.RawMessage

func (a *app) docCmd() *cobra.Command {
	return group("doc", "Read and change documents", lines(
		"drover doc list",
		"drover doc get routing/core > core.json",
		`drover doc put routing/core -f core.json -m "Raise the hold time"`,
		"drover doc edit routing/core",
		"drover doc diff routing/core 3 5",
		"drover doc rollback routing/core 3",
	), a.docListCmd(), a.docGetCmd(), a.docPutCmd(), a.docPatchCmd(), a.docEditCmd(), a.docHistoryCmd(),
		a.docDiffCmd(), a.docRollbackCmd(), a.docDeleteCmd(), a.docValidateCmd())
}

func documentView() output.View[client.Document] {
	type d = client.Document
	return output.View[d]{
		Name:  func(x d) string { return x.Name },
		Empty: "There is no document yet. Make one: drover doc put NAME -f FILE",
		Columns: []output.Column[d]{
			{Title: "DOCUMENT", Text: func(x d) string { return x.Name }},
			{Title: "TARGET", Text: func(x d) string { return x.Target }},
			{Title: "SELECTOR", Text: func(x d) string { return orText(x.Selector, "(every node)") }},
			{Title: "VERSION", Text: func(x d) string { return num(x.Version) }},
			{Title: "NODES", Text: func(x d) string { return strconv.Itoa(x.Nodes) }},
			{Title: "UPDATED", Text: func(x d) string { return ago(x.Updated) }},
			{Title: "AUTHOR", Text: func(x d) string { return x.Author }},
			{Title: "REVISION", Wide: true, Text: func(x d) string { return num(x.Revision) }},
			{Title: "SCHEMA", Wide: true, Text: func(x d) string { return yesNo(x.HasSchema) }},
			{Title: "BYTES", Wide: true, Text: func(x d) string { return strconv.Itoa(x.Bytes) }},
			{Title: "CHECKSUM", Wide: true, Text: func(x d) string { return x.Checksum }},
			{Title: "MESSAGE", Text: func(x d) string { return x.Message }},
		},
	}
}

func writtenView() output.View[client.Written] {
	type w = client.Written
	return output.View[w]{
		Name: func(x w) string { return x.Document },
		Columns: []output.Column[w]{
			{Title: "DOCUMENT", Text: func(x w) string { return x.Document }},
			{Title: "VERSION", Text: func(x w) string { return num(x.Version) }},
			{Title: "REVISION", Text: func(x w) string { return num(x.Revision) }},
			{Title: "PUSH", Text: func(x w) string { return x.Push }},
			{Title: "CHECKSUM", Wide: true, Text: func(x w) string { return x.Checksum }},
			{Title: "CHANGED", Text: func(x w) string { return yesNo(!x.Unchanged) }},
		},
	}
}

// written prints the answer to a write, and watches its push if asked to.
func (a *app) written(c *cobra.Command, cl *client.Client, item client.Item[client.Written], watch bool) error {
	a.warn(item.Value.Warnings)
	if err := output.One(a.printer(), writtenView(), item.Value, item.Raw); err != nil {
		return err
	}
	if !watch || item.Value.Unchanged || item.Value.Push == "" {
		return nil
	}
	return a.watch(c.Context(), cl, item.Value.Push)
}

// warn tells on stderr what is probably not meant, and hinders nothing.
func (a *app) warn(warnings []client.Problem) {
	for _, w := range warnings {
		a.note("warning: %s", output.Clean(w.String()))
	}
}

func (a *app) docListCmd() *cobra.Command {
	c := &cobra.Command{
		Use: "list [QUERY]", Short: "List documents", Args: cobra.MaximumNArgs(1),
		Example: lines("drover doc list", "drover doc list vpn -o wide", "drover doc list -o name"),
		RunE: func(c *cobra.Command, args []string) error {
			q := url.Values{}
			if len(args) > 0 {
				q.Set("q", args[0])
			}
			return showList(c.Context(), a, documentView(), 0, q, client.Path("documents"))
		},
	}
	return c
}

func (a *app) docGetCmd() *cobra.Command {
	var number uint64
	c := &cobra.Command{
		Use: "get NAME", Short: "Print a document's content", Args: cobra.ExactArgs(1),
		Long:              "Print a document's content as JSON. With -o json, yaml or wide: everything that is known of it.",
		Example:           lines("drover doc get routing/core", "drover doc get routing/core --version 3", "drover doc get routing/core -o yaml"),
		ValidArgsFunction: a.completeDocuments(),
		RunE: func(c *cobra.Command, args []string) error {
			path := client.Path("documents", args[0])
			if number > 0 {
				path = client.Path("documents", args[0], "versions", num(number))
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			item, err := client.One[documentContent](c.Context(), cl, path, nil)
			if err != nil {
				return err
			}
			switch f := output.Format(a.format); {
			case f.Structured():
				return output.Raw(a.printer(), item.Raw)
			case f == output.Name:
				_, err = fmt.Fprintln(a.stdout, args[0])
				return err
			case f == output.Wide:
				item.Value.HasSchema = len(item.Value.Schema) > 0 && string(item.Value.Schema) != "null"
				return output.One(a.printer(), documentView(), item.Value.Document, item.Raw)
			}
			return output.Raw(output.Printer{Out: a.stdout, Format: output.JSON}, item.Value.Content)
		},
	}
	c.Flags().Uint64Var(&number, "version", 0, "`number` of the version; 0 is the current one")
	return c
}

// documentContent is a document with what the list leaves out.
type documentContent struct {
	client.Document
	Content rawMessage `json:"content"`
	Schema  rawMessage `json:"schema"`
	Policy  rawMessage `json:"policy"`
}

func (a *app) docHistoryCmd() *cobra.Command {
	type v = client.Version
	view := output.View[v]{
		Name:  func(x v) string { return num(x.Version) },
		Empty: "This document has no versions.",
		Columns: []output.Column[v]{
			{Title: "VERSION", Text: func(x v) string { return num(x.Version) }},
			{Title: "REVISION", Text: func(x v) string { return num(x.Revision) }},
			{Title: "TIME", Text: func(x v) string { return x.Time.Format("2006-01-02 15:04:05") }},
			{Title: "AUTHOR", Text: func(x v) string { return x.Author }},
			{Title: "BYTES", Wide: true, Text: func(x v) string { return strconv.Itoa(x.Bytes) }},
			{Title: "CHECKSUM", Wide: true, Text: func(x v) string { return x.Checksum }},
			{Title: "MESSAGE", Text: func(x v) string { return x.Message }},
		},
	}
	var limit int
	c := &cobra.Command{
		Use: "history NAME", Short: "List the versions of a document", Args: cobra.ExactArgs(1),
		Example:           lines("drover doc history routing/core", "drover doc history routing/core --limit 5 -o jsonl"),
		ValidArgsFunction: a.completeDocuments(),
		RunE: func(c *cobra.Command, args []string) error {
			return showList(c.Context(), a, view, limit, nil, client.Path("documents", args[0], "versions"))
		},
	}
	c.Flags().IntVar(&limit, "limit", 0, "at most so `many`; 0 is all")
	return c
}

// readJSON reads a file, or stdin for "-", and checks that it is JSON.
func (a *app) readJSON(flag, name string) (rawMessage, error) {
	if name == "" {
		return nil, usage(fmt.Errorf("%s FILE is needed, - is standard input", flag))
	}
	var text []byte
	var err error
	if name == "-" {
		name = "standard input"
		text, err = io.ReadAll(a.stdin)
	} else {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	if err := manifest.CheckJSON(text); err != nil {
		return nil, &codedError{exitInvalid, fmt.Errorf("%s: %w", name, err)}
	}
	return text, nil
}

func num(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
