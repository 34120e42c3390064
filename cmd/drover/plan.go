package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/manifest"
	"github.com/droverhq/drover/internal/output"
)

// changeEdit is one document of a change.
type changeEdit struct {
	Document string     `json:"document"`
	Op       string     `json:"op"`
	Content  rawMessage `json:"content,omitempty"`
	Patch    rawMessage `json:"patch,omitempty"`
	Target   *string    `json:"target,omitempty"`
	Selector *string    `json:"selector,omitempty"`
	Schema   rawMessage `json:"schema,omitempty"`
	Policy   rawMessage `json:"policy,omitempty"`
	Base     *uint64    `json:"base_version,omitempty"`
}

type changeBody struct {
	Message string       `json:"message,omitempty"`
	Edits   []changeEdit `json:"edits"`
	Commit  bool         `json:"commit,omitempty"`
	DryRun  bool         `json:"dry_run,omitempty"`
}

// dryRun is what a change would do.
type dryRun struct {
	Valid    bool             `json:"valid"`
	Problems []client.Problem `json:"problems"`
	Warnings []client.Problem `json:"warnings"`
	Affected struct {
		Nodes int            `json:"nodes"`
		By    map[string]int `json:"by_document"`
	} `json:"affected"`
	Diff []documentDiff `json:"diff"`
}

// plan is a change that was compared with what is there.
type plan struct {
	edits   []changeEdit // of the documents that would change
	kinds   map[string]string
	details map[string][]string // changes of target, selector, schema and policy
	current map[string]documentContent
	run     client.Item[dryRun]
}

// Kinds of a planned edit.
const (
	planCreate = "create"
	planChange = "change"
	planDelete = "delete"
)

func (a *app) planCmd() *cobra.Command {
	var files []string
	var prune, exit bool
	c := &cobra.Command{
		Use: "plan -f FILE", Short: "Show what drover apply would change", Args: cobra.NoArgs,
		Long: manifestHelp,
		Example: lines("drover plan -f config/", "drover plan -f config/ --prune",
			"drover plan -f config/ --exit-code   # 0: nothing, 2: changes"),
		RunE: func(c *cobra.Command, _ []string) error {
			cl, p, err := a.makePlan(c.Context(), files, prune)
			if err != nil {
				return err
			}
			defer cl.Close()
			if output.Format(a.format).Structured() {
				err = output.Raw(a.printer(), p.run.Raw)
			} else {
				a.printPlan(a.stdout, p)
			}
			if err != nil {
				return err
			}
			a.warn(p.run.Value.Warnings)
			if !p.run.Value.Valid {
				return (&invalid{"the change", p.run.Value.Problems}).coded()
			}
			if exit && len(p.edits) > 0 {
				return &codedError{code: exitChanges}
			}
			return nil
		},
	}
	c.Flags().StringArrayVarP(&files, "file", "f", nil, "`file` or directory with manifests, - is standard input; may be repeated")
	c.Flags().BoolVar(&prune, "prune", false, "delete what is not in the files")
	c.Flags().BoolVar(&exit, "exit-code", false, "end with 2 when something would change")
	return c
}

const manifestHelp = `The files are manifests in YAML, one document of Drover after the other ("---" between them):

  document: site-1/vpn          its name
  target: vpn/tunnels           default: the name
  selector: site=site-1         default: every node
  schema: schemas/vpn.json      a file, or the schema itself; default: none
  content: content/site-1.json  a file, or the content itself

Paths are relative to the manifest. Of a directory, all .yaml and .yml files are read. drover export writes
the same form.`

// makePlan reads the files and asks the cluster what they would change.
func (a *app) makePlan(ctx context.Context, files []string, prune bool) (*client.Client, *plan, error) {
	if len(files) == 0 {
		return nil, nil, usage(fmt.Errorf("-f FILE is needed: a manifest, a directory of them, or - for standard input"))
	}
	entries, err := manifest.Read(files, a.stdin)
	if err != nil {
		return nil, nil, &codedError{exitInvalid, err}
	}
	cl, err := a.client()
	if err != nil {
		return nil, nil, err
	}
	p, err := planEntries(ctx, cl, entries, prune)
	return cl, p, err
}

// planEntries compares entries with the documents of the cluster. Each edit
// carries the version that it was compared with, so that what was shown is
// what is committed, or nothing.
func planEntries(ctx context.Context, cl *client.Client, entries []manifest.Entry, prune bool) (*plan, error) {
	p := &plan{kinds: map[string]string{}, details: map[string][]string{}, current: map[string]documentContent{}}
	listed, err := client.List[client.Document](ctx, cl, client.Path("documents"), nil, 0)
	if err != nil {
		return nil, err
	}
	there, versions := map[string]bool{}, map[string]*uint64{}
	for _, d := range listed {
		there[d.Value.Name], versions[d.Value.Name] = !d.Value.Deleted, &d.Value.Version
	}
	for _, e := range entries {
		edit := changeEdit{
			Document: e.Document, Op: "put", Content: e.Content, Target: &e.Target, Selector: &e.Selector,
			Schema: orNull(e.Schema), Policy: e.Policy, Base: new(uint64),
		}
		if there[e.Document] {
			item, err := client.One[documentContent](ctx, cl, client.Path("documents", e.Document), nil)
			if err != nil {
				return nil, err
			}
			delete(there, e.Document)
			*edit.Base = item.Value.Version
			if same := p.compare(e, item.Value); same {
				continue
			}
		} else {
			p.kinds[e.Document] = planCreate
		}
		p.edits = append(p.edits, edit)
	}
	if prune {
		for _, name := range slices.Sorted(maps.Keys(there)) {
			if there[name] {
				p.kinds[name] = planDelete
				p.edits = append(p.edits, changeEdit{Document: name, Op: "delete", Base: versions[name]})
			}
		}
	}
	return p, p.ask(ctx, cl)
}

func orNull(v rawMessage) rawMessage {
	if len(v) == 0 {
		return rawMessage("null")
	}
	return v
}

// compare notes how an entry differs from its document, and tells whether it
// does not.
func (p *plan) compare(e manifest.Entry, d documentContent) (same bool) {
	p.kinds[e.Document] = planChange
	p.current[e.Document] = d
	var details []string
	if e.Target != d.Target {
		details = append(details, fmt.Sprintf("target: %s → %s", d.Target, e.Target))
	}
	if e.Selector != d.Selector {
		details = append(details, fmt.Sprintf("selector: %s → %s", orText(d.Selector, "(every node)"), orText(e.Selector, "(every node)")))
	}
	if !sameText(e.Schema, d.Schema) {
		details = append(details, "schema: "+changed(d.Schema, e.Schema))
	}
	if len(e.Policy) > 0 && !sameText(e.Policy, d.Policy) {
		details = append(details, "policy: "+changed(d.Policy, e.Policy))
	}
	p.details[e.Document] = details
	return len(details) == 0 && sameText(e.Content, d.Content)
}

func changed(from, to rawMessage) string {
	switch {
	case len(to) == 0:
		return "removed"
	case len(from) == 0 || string(from) == "null":
		return "added"
	}
	return "changed"
}

// sameText compares two JSON texts as the controller does: literals and the
// order of keys count, white space does not.
func sameText(a, b rawMessage) bool {
	return compactText(a) == compactText(b)
}

func compactText(v rawMessage) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if len(v) == 0 || e.Encode(v) != nil || b.String() == "null\n" {
		return ""
	}
	return b.String()
}

// ask lets the cluster check the edits without keeping anything.
func (p *plan) ask(ctx context.Context, cl *client.Client) error {
	if len(p.edits) == 0 {
		p.run = client.Item[dryRun]{Raw: rawMessage(`{"valid":true,"problems":[],"affected":{"nodes":0,"by_document":{}},"diff":[]}`)}
		p.run.Value.Valid = true
		return nil
	}
	var err error
	p.run, err = client.Write[dryRun](ctx, cl, client.Request{
		Method: http.MethodPost, Path: client.Path("changes"), Body: changeBody{Edits: p.edits, DryRun: true},
	})
	return err
}
