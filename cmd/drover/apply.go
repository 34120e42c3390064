package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/manifest"
	"github.com/droverhq/drover/internal/output"
)

// committed is the answer to a change.
type committed struct {
	Revision  uint64           `json:"revision"`
	Push      string           `json:"push"`
	Edits     []client.Written `json:"edits"`
	Unchanged bool             `json:"unchanged"`
	Warnings  []client.Problem `json:"warnings,omitempty"`
}

func (a *app) applyCmd() *cobra.Command {
	var files []string
	var message string
	var prune, yes, watch bool
	c := &cobra.Command{
		Use: "apply -f FILE", Short: "Commit the documents of files as one change", Args: cobra.NoArgs,
		Long: "Commit the documents of files as one change: all of them become one revision, or nothing changes.\n" +
			"What would change is shown first; a document that somebody else changes meanwhile is a conflict.\n\n" + manifestHelp,
		Example: lines(`drover apply -f config/ -m "Add site 7" --watch`, "drover apply -f config/ --prune --yes",
			"drover wait $(drover apply -f config/ -o name)"),
		RunE: func(c *cobra.Command, _ []string) error {
			cl, p, err := a.makePlan(c.Context(), files, prune)
			if err != nil {
				return err
			}
			a.printPlan(a.stderr, p)
			a.warn(p.run.Value.Warnings)
			if !p.run.Value.Valid {
				return (&invalid{"the change", p.run.Value.Problems}).coded()
			}
			if n := p.count(planDelete); n > 0 {
				if err := a.confirm(yes, "deleting %d documents that are not in the files", n); err != nil {
					return err
				}
			}
			if len(p.edits) == 0 {
				return a.nothingToApply(c.Context(), cl)
			}
			return a.commit(c, cl, p, message, watch)
		},
	}
	f := c.Flags()
	f.StringArrayVarP(&files, "file", "f", nil, "`file` or directory with manifests, - is standard input; may be repeated")
	f.StringVarP(&message, "message", "m", "", "`why`, for the history and the audit")
	f.BoolVar(&prune, "prune", false, "delete what is not in the files")
	f.BoolVarP(&yes, "yes", "y", false, "do not ask before deleting")
	f.BoolVar(&watch, "watch", false, "watch the push until it ends")
	return c
}

func (a *app) commit(c *cobra.Command, cl *client.Client, p *plan, message string, watch bool) error {
	item, err := client.Write[committed](c.Context(), cl, client.Request{
		Method: http.MethodPost, Path: client.Path("changes"),
		Body: changeBody{Message: message, Edits: p.edits, Commit: true},
	})
	if err != nil {
		return err
	}
	if err := output.One(a.printer(), committedView(), item.Value, item.Raw); err != nil {
		return err
	}
	if !watch || item.Value.Unchanged || item.Value.Push == "" {
		return nil
	}
	return a.watch(c.Context(), cl, item.Value.Push)
}

// nothingToApply tells programs the revision that has what the files say, so
// that they can wait for it all the same.
func (a *app) nothingToApply(ctx context.Context, cl *client.Client) error {
	if f := output.Format(a.format); f == output.Table || f == output.Wide {
		return nil
	}
	latest, err := pushOf(ctx, cl, nil)
	if err != nil {
		return err
	}
	out := committed{Revision: latest.Value.Revision, Push: latest.Value.ID, Edits: []client.Written{}, Unchanged: true}
	raw, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return output.One(a.printer(), committedView(), out, raw)
}

func committedView() output.View[committed] {
	return output.View[committed]{
		Name: func(x committed) string { return strconv.FormatUint(x.Revision, 10) },
		Columns: []output.Column[committed]{
			{Title: "REVISION", Text: func(x committed) string { return num(x.Revision) }},
			{Title: "PUSH", Text: func(x committed) string { return x.Push }},
			{Title: "DOCUMENTS", Text: func(x committed) string {
				var names []string
				for _, e := range x.Edits {
					if !e.Unchanged {
						names = append(names, e.Document)
					}
				}
				return strings.Join(names, ", ")
			}},
		},
	}
}

func (p *plan) count(kind string) int {
	n := 0
	for _, k := range p.edits {
		if p.kinds[k.Document] == kind {
			n++
		}
	}
	return n
}

// printPlan writes what a change would do, document by document.
func (a *app) printPlan(w io.Writer, p *plan) {
	if len(p.edits) == 0 {
		fmt.Fprintln(w, "No changes: the cluster has what the files say.")
		return
	}
	diffs := map[string][]patchStep{}
	for _, d := range p.run.Value.Diff {
		diffs[d.Document] = d.Patch
	}
	marks := map[string]string{planCreate: "+", planChange: "~", planDelete: "-"}
	colors := map[string]output.Color{planCreate: output.Green, planChange: output.Yellow, planDelete: output.Red}
	for _, e := range p.edits {
		kind := p.kinds[e.Document]
		head := fmt.Sprintf("%s %s", marks[kind], e.Document)
		if n, ok := p.run.Value.Affected.By[e.Document]; ok {
			head += fmt.Sprintf(" (%s, %s)", kind, nodes(n))
		}
		if a.colors(w) {
			head = colors[kind].Paint(head)
		}
		fmt.Fprintln(w, head)
		for _, d := range p.details[e.Document] {
			fmt.Fprintln(w, "    "+output.Clean(d))
		}
		if kind == planChange {
			a.printChanges(w, diffs[e.Document])
		}
	}
	fmt.Fprintf(w, "Plan: %d to create, %d to change, %d to delete, on %s.\n",
		p.count(planCreate), p.count(planChange), p.count(planDelete), nodes(p.run.Value.Affected.Nodes))
}

func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}

func (a *app) exportCmd() *cobra.Command {
	var prefix string
	c := &cobra.Command{
		Use: "export DIR", Short: "Write all documents into files that drover apply takes", Args: cobra.ExactArgs(1),
		Example: lines("drover export config/", "drover export config/ --prefix site-1/"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			ctx := c.Context()
			listed, err := client.List[client.Document](ctx, cl, client.Path("documents"), nil, 0)
			if err != nil {
				return err
			}
			var entries []manifest.Entry
			for _, d := range listed {
				if d.Value.Deleted || !strings.HasPrefix(d.Value.Name, prefix) {
					continue
				}
				item, err := client.One[documentContent](ctx, cl, client.Path("documents", d.Value.Name), nil)
				if err != nil {
					return err
				}
				entries = append(entries, exported(item.Value))
			}
			if len(entries) == 0 {
				return coded(exitNotFound, "there is no document to export")
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			files, err := manifest.Write(args[0], entries)
			if err != nil {
				return err
			}
			a.note("%d documents in %d files below %s; drover plan -f %s compares them", len(entries), files, args[0], args[0])
			return nil
		},
	}
	c.Flags().StringVar(&prefix, "prefix", "", "only documents whose names begin with this `text`")
	return c
}

func exported(d documentContent) manifest.Entry {
	e := manifest.Entry{Document: d.Name, Target: d.Target, Selector: d.Selector, Content: d.Content}
	if compactText(d.Schema) != "" {
		e.Schema = d.Schema
	}
	if p := compactText(d.Policy); p != "" && p != "{}\n" {
		e.Policy = d.Policy
	}
	return e
}
