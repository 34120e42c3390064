package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/output"
)

// writeFlags are those that several writes share.
type writeFlags struct {
	message   string
	ifVersion int64
	watch     bool
}

func (w *writeFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVarP(&w.message, "message", "m", "", "`why`, for the history and the audit")
	f.Int64Var(&w.ifVersion, "if-version", -1, "only if this `number` is the current version; 0: only if there is no such document")
	f.BoolVar(&w.watch, "watch", false, "watch the push until it ends")
}

// header is the precondition of the write.
func (w *writeFlags) header() http.Header {
	if w.ifVersion < 0 {
		return nil
	}
	return http.Header{"If-Match": {strconv.Quote(strconv.FormatInt(w.ifVersion, 10))}}
}

// putBody is the body of a PUT; a nil field keeps what is there.
type putBody struct {
	Content  rawMessage `json:"content,omitempty"`
	Target   *string    `json:"target,omitempty"`
	Selector *string    `json:"selector,omitempty"`
	Schema   rawMessage `json:"schema,omitempty"`
	Message  string     `json:"message,omitempty"`
}

func (a *app) docPutCmd() *cobra.Command {
	var w writeFlags
	var file, target, selector, schema string
	var noSchema bool
	c := &cobra.Command{
		Use: "put NAME -f FILE", Short: "Make a document, or give it a new content", Args: cobra.ExactArgs(1),
		Long: "Make a document, or give it a new content. Target, selector and schema stay as they are where\n" +
			"they are not given; a new document goes to every node under its own name.",
		Example: lines(
			"drover doc put routing/core -f core.json",
			"drover doc put site-1/vpn -f vpn.json --target vpn/tunnels --selector site=site-1",
			"generate | drover doc put routing/core -f - --if-version 7",
		),
		ValidArgsFunction: a.completeDocuments(),
		RunE: func(c *cobra.Command, args []string) error {
			body := putBody{Message: w.message}
			var err error
			if body.Content, err = a.readJSON("-f", file); err != nil {
				return err
			}
			if c.Flags().Changed("target") {
				body.Target = &target
			}
			if c.Flags().Changed("selector") {
				body.Selector = &selector
			}
			switch {
			case schema != "" && noSchema:
				return usage(fmt.Errorf("--schema and --no-schema exclude each other"))
			case noSchema:
				body.Schema = rawMessage("null")
			case schema != "":
				if body.Schema, err = a.readJSON("--schema", schema); err != nil {
					return err
				}
			}
			return a.put(c, args[0], body, w)
		},
	}
	w.add(c)
	f := c.Flags()
	f.StringVarP(&file, "file", "f", "", "`file` with the content as JSON, - is standard input")
	f.StringVar(&target, "target", "", "`name` under which nodes know it; empty is the document's own")
	f.StringVarP(&selector, "selector", "l", "", "label `selector` of the nodes that it is for; empty is every node")
	f.StringVar(&schema, "schema", "", "`file` with a JSON Schema that the content must satisfy")
	f.BoolVar(&noSchema, "no-schema", false, "take the schema away")
	return c
}

func (a *app) put(c *cobra.Command, name string, body putBody, w writeFlags) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	var item client.Item[client.Written]
	if w.ifVersion == 0 { // If-Match cannot say that there must be none
		item, err = w.change(c.Context(), cl, changeEdit{
			Document: name, Op: "put", Content: body.Content, Target: body.Target, Selector: body.Selector, Schema: body.Schema,
		})
	} else {
		item, err = client.Write[client.Written](c.Context(), cl, client.Request{
			Method: http.MethodPut, Path: client.Path("documents", name), Body: body, Header: w.header(),
		})
	}
	if err != nil {
		return err
	}
	return a.written(c, cl, item, w.watch)
}

func (a *app) docPatchCmd() *cobra.Command {
	var w writeFlags
	var file, inline string
	c := &cobra.Command{
		Use: "patch NAME (-f FILE | -p PATCH)", Short: "Change parts of a document by a JSON Patch", Args: cobra.ExactArgs(1),
		Example: lines(
			`drover doc patch routing/core -p '[{"op":"replace","path":"/bgp/hold_time","value":30}]'`,
			"drover doc patch routing/core -f patch.json --if-version 7",
		),
		ValidArgsFunction: a.completeDocuments(),
		RunE: func(c *cobra.Command, args []string) error {
			patch := rawMessage(inline)
			if (file == "") == (inline == "") {
				return usage(fmt.Errorf("give the patch (RFC 6902) with -f FILE or with -p"))
			}
			if file != "" {
				var err error
				if patch, err = a.readJSON("-f", file); err != nil {
					return err
				}
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			item, err := w.change(c.Context(), cl, changeEdit{Document: args[0], Op: "patch", Patch: patch})
			if err != nil {
				return err
			}
			return a.written(c, cl, item, w.watch)
		},
	}
	w.add(c)
	c.Flags().StringVarP(&file, "file", "f", "", "`file` with the patch, - is standard input")
	c.Flags().StringVarP(&inline, "patch", "p", "", "the `patch` itself")
	return c
}

func (a *app) docDeleteCmd() *cobra.Command {
	var w writeFlags
	var yes bool
	c := &cobra.Command{
		Use: "delete NAME", Short: "Delete a document; its history stays", Args: cobra.ExactArgs(1),
		Example:           lines("drover doc delete routing/old", "drover doc delete routing/old --if-version 7 --yes"),
		ValidArgsFunction: a.completeDocuments(),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			doc, err := client.One[client.Document](c.Context(), cl, client.Path("documents", args[0]), nil)
			if err != nil {
				return err
			}
			if err := a.confirm(yes, "deleting %s, now on %s", args[0], nodes(doc.Value.Nodes)); err != nil {
				return err
			}
			item, err := w.change(c.Context(), cl, changeEdit{Document: args[0], Op: "delete"})
			if err != nil {
				return err
			}
			return a.written(c, cl, item, w.watch)
		},
	}
	w.add(c)
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (a *app) docRollbackCmd() *cobra.Command {
	var w writeFlags
	var yes bool
	c := &cobra.Command{
		Use: "rollback NAME VERSION", Short: "Give a document the content of an earlier version, as a new one", Args: cobra.ExactArgs(2),
		Long: "Give a document the content of an earlier version. That makes a new version; target, selector and\n" +
			"schema stay. What would change is shown first, and on a terminal you are asked.",
		Example:           lines("drover doc rollback routing/core 3", `drover doc rollback routing/core 3 -m "Version 4 broke fra" --yes --watch`),
		ValidArgsFunction: a.completeDocuments(),
		RunE: func(c *cobra.Command, args []string) error {
			to, err := strconv.ParseUint(args[1], 10, 64)
			if err != nil {
				return usage(fmt.Errorf("%q is no number of a version; drover doc history %s shows them", args[1], args[0]))
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			doc, err := client.One[client.Document](c.Context(), cl, client.Path("documents", args[0]), nil)
			if err != nil {
				return err
			}
			diff, err := diffOf(c.Context(), cl, args[0], doc.Value.Version, to)
			if err != nil {
				return err
			}
			a.printChanges(a.stderr, diff.Value.Patch)
			if terminal(a.stdin) && !yes {
				if err := a.confirm(false, "giving %s these changes, on %s", args[0], nodes(doc.Value.Nodes)); err != nil {
					return err
				}
			}
			if w.ifVersion < 0 { // what was shown is what is done
				w.ifVersion = int64(doc.Value.Version)
			}
			item, err := client.Write[client.Written](c.Context(), cl, client.Request{
				Method: http.MethodPost, Path: client.Path("documents", args[0], "rollback"), Header: w.header(),
				Body: map[string]any{"to": to, "message": w.message},
			})
			if err != nil {
				return err
			}
			return a.written(c, cl, item, w.watch)
		},
	}
	w.add(c)
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func (a *app) docValidateCmd() *cobra.Command {
	var file, schema, target, selector string
	c := &cobra.Command{
		Use: "validate NAME -f FILE", Short: "Check a content without committing it", Args: cobra.ExactArgs(1),
		Long: "Check a content as putting it would: its JSON, the limits, the document's own schema and, for the targets\n" +
			"webhooks and connections, the one that Drover brings along. Hooks that name a connection which the same\n" +
			"nodes do not get are warned about. Nothing is kept.",
		Example: lines("drover doc validate routing/core -f core.json", "drover doc validate routing/core -f core.json --schema core.schema.json",
			"drover doc validate prod/webhooks --target webhooks -l env=prod -f webhooks.json"),
		ValidArgsFunction: a.completeDocuments(),
		RunE: func(c *cobra.Command, args []string) error {
			var body putBody
			var err error
			if body.Content, err = a.readJSON("-f", file); err != nil {
				return err
			}
			if schema != "" {
				if body.Schema, err = a.readJSON("--schema", schema); err != nil {
					return err
				}
			}
			if c.Flags().Changed("target") {
				body.Target = &target
			}
			if c.Flags().Changed("selector") {
				body.Selector = &selector
			}
			return a.validate(c.Context(), args[0], body)
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "`file` with the content as JSON, - is standard input")
	c.Flags().StringVar(&schema, "schema", "", "`file` with another JSON Schema than the document's own")
	c.Flags().StringVar(&target, "target", "", "another `name` under which nodes would know it")
	c.Flags().StringVarP(&selector, "selector", "l", "", "another label `selector`")
	return c
}

type verdict struct {
	Valid     bool             `json:"valid"`
	Problems  []client.Problem `json:"problems"`
	Warnings  []client.Problem `json:"warnings"`
	Unchanged bool             `json:"unchanged"`
	Affected  struct {
		Nodes int `json:"nodes"`
	} `json:"affected"`
}

func (a *app) validate(ctx context.Context, name string, body putBody) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	item, err := client.Write[verdict](ctx, cl, client.Request{
		Method: http.MethodPost, Path: client.Path("documents", name, "validate"), Body: body,
	})
	if err != nil {
		return err
	}
	v := item.Value
	a.warn(v.Warnings)
	if output.Format(a.format).Structured() {
		if err := output.Raw(a.printer(), item.Raw); err != nil {
			return err
		}
	} else if v.Valid {
		state := ""
		if v.Unchanged {
			state = ", and what it holds already"
		}
		fmt.Fprintf(a.stdout, "valid%s; it is for %d nodes\n", state, v.Affected.Nodes)
	}
	if v.Valid {
		return nil
	}
	return (&invalid{name, v.Problems}).coded()
}

// invalid is a content that was checked and found wrong.
type invalid struct {
	name     string
	problems []client.Problem
}

func (i *invalid) coded() error {
	e := client.Error{Detail: fmt.Sprintf("%s is not valid", i.name), Problems: i.problems}
	return &codedError{exitInvalid, &e}
}

// change commits one edit as a change, because PATCH and DELETE of a document
// have no room for a message. The answer has the form of a write.
func (w *writeFlags) change(ctx context.Context, cl *client.Client, e changeEdit) (client.Item[client.Written], error) {
	if w.ifVersion >= 0 {
		base := uint64(w.ifVersion)
		e.Base = &base
	}
	item, err := client.Write[committed](ctx, cl, client.Request{
		Method: http.MethodPost, Path: client.Path("changes"),
		Body: changeBody{Message: w.message, Edits: []changeEdit{e}, Commit: true},
	})
	if err != nil {
		return client.Item[client.Written]{}, err
	}
	out := client.Written{Document: e.Document, Revision: item.Value.Revision, Push: item.Value.Push, Unchanged: item.Value.Unchanged}
	if len(item.Value.Edits) == 1 {
		out.Version, out.Checksum = item.Value.Edits[0].Version, item.Value.Edits[0].Checksum
	}
	for _, warning := range item.Value.Warnings {
		if warning.Document == e.Document {
			warning.Document = ""
		}
		out.Warnings = append(out.Warnings, warning)
	}
	raw, err := json.Marshal(out)
	return client.Item[client.Written]{Raw: raw, Value: out}, err
}
