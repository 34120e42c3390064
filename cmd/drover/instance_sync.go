package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/output"
)

// instanceResult is how a sync or a verification went with one instance.
type instanceResult struct {
	ID         string            `json:"id"`
	Document   string            `json:"document"`
	Target     string            `json:"target"`
	Status     string            `json:"status"`
	InSync     bool              `json:"in_sync"`
	Unverified bool              `json:"unverified"`
	Wanted     string            `json:"wanted"`
	Reported   string            `json:"reported"`
	Error      *client.NodeError `json:"error"`
}

// instanceResults is the answer to both.
type instanceResults struct {
	Instances []json.RawMessage `json:"instances"`
}

func (r instanceResults) items() ([]client.Item[instanceResult], error) {
	out := make([]client.Item[instanceResult], len(r.Instances))
	for i, raw := range r.Instances {
		out[i].Raw = raw
		if err := json.Unmarshal(raw, &out[i].Value); err != nil {
			return nil, fmt.Errorf("the answer is none of a Drover controller: %w", err)
		}
	}
	return out, nil
}

func syncView() output.View[instanceResult] {
	type r = instanceResult
	return output.View[r]{
		Name:  func(x r) string { return x.ID },
		Empty: "No instance is meant by that.",
		Columns: []output.Column[r]{
			{Title: "INSTANCE", Text: func(x r) string { return x.ID }},
			{Title: "STATUS", Text: func(x r) string { return x.Status }, Color: output.Status},
			{Title: "IN SYNC", Text: func(x r) string { return yesNo(x.InSync) }, Color: output.Status},
			{Title: "ERROR", Text: func(x r) string { return describeError(x.Error) }},
		},
	}
}

func verifyView() output.View[instanceResult] {
	type r = instanceResult
	return output.View[r]{
		Name:  func(x r) string { return x.ID },
		Empty: "No instance is meant by that.",
		Columns: []output.Column[r]{
			{Title: "INSTANCE", Text: func(x r) string { return x.ID }},
			{Title: "DOCUMENT", Text: func(x r) string { return x.Document }},
			{Title: "TARGET", Wide: true, Text: func(x r) string { return x.Target }},
			{Title: "IN SYNC", Text: func(x r) string {
				if x.InSync && x.Unverified {
					return "yes (unverified)"
				}
				return yesNo(x.InSync)
			}, Color: output.Status},
			{Title: "WANTED", Text: func(x r) string { return x.Wanted }},
			{Title: "REPORTED", Text: func(x r) string { return x.Reported }},
			{Title: "ERROR", Text: func(x r) string { return describeError(x.Error) }},
		},
	}
}

func (a *app) instanceSyncCmd() *cobra.Command {
	var document string
	var timeout time.Duration
	c := &cobra.Command{
		Use: "sync [INSTANCE…]", Short: "Push to instances whatever they hold, and tell how it went with each",
		Long: "Push to the named instances, or to all, what they should hold, whatever they say that they hold. Drift that\n" +
			"is only reported is put right by this. Ends with 7 when an instance is not in sync after it.",
		Example:           lines("drover instance sync", "drover instance sync hook-1 hook-2 --document webhooks", "drover instance sync --timeout 60s -o json"),
		ValidArgsFunction: a.completeInstances(),
		RunE: func(c *cobra.Command, args []string) error {
			body := map[string]any{"timeout": timeout.String()}
			if len(args) > 0 {
				body["ids"] = args
			}
			if document != "" {
				body["document"] = document
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			line := a.progress()
			line.show("pushing to the instances, for %s at most", timeout)
			item, err := client.Write[instanceResults](c.Context(), cl, client.Request{
				Method: http.MethodPost, Path: client.Path("instances", "sync"), Body: body, Wait: timeout,
			})
			line.done()
			if err != nil {
				return err
			}
			return a.results(syncView(), item, "drover instance show says more")
		},
	}
	f := c.Flags()
	f.StringVar(&document, "document", "", "only this `document`, to the instances that it is for")
	f.DurationVar(&timeout, "timeout", 30*time.Second, "how `long` to wait at most, up to 60s; what is not done by then goes on by itself")
	must(c.RegisterFlagCompletionFunc("document", a.completeDocuments()))
	return c
}

func (a *app) instanceVerifyCmd() *cobra.Command {
	var document string
	c := &cobra.Command{
		Use: "verify [INSTANCE…]", Short: "Ask instances what they hold, and compare it with what is wanted",
		Long: "Ask the named instances, or all, which versions they hold, now, and compare that with what is wanted. One that\n" +
			"does not answer is not in sync. Ends with 7 when one is not. Unverified: the instance puts values into placeholders,\n" +
			"so what it holds is compared with what it told right after it took the document.",
		Example:           lines("drover instance verify", "drover instance verify --document webhooks", "drover instance verify hook-1 -o json"),
		ValidArgsFunction: a.completeInstances(),
		RunE: func(c *cobra.Command, args []string) error {
			q := url.Values{}
			setIf(q, "document", document)
			setIf(q, "ids", strings.Join(args, ","))
			cl, err := a.client()
			if err != nil {
				return err
			}
			item, err := client.Write[instanceResults](c.Context(), cl, client.Request{
				Method: http.MethodGet, Path: client.Path("instances", "verify"), Query: q, Wait: verifyWait,
			})
			if err != nil {
				return err
			}
			return a.results(verifyView(), item, "drover instance sync pushes to them again")
		},
	}
	c.Flags().StringVar(&document, "document", "", "only this `document`")
	must(c.RegisterFlagCompletionFunc("document", a.completeDocuments()))
	return c
}

// verifyWait is how long a controller asks instances for.
const verifyWait = 5 * time.Second

// results prints how it went with each instance, and ends with 7 where one is
// not in sync.
func (a *app) results(v output.View[instanceResult], item client.Item[instanceResults], next string) error {
	items, err := item.Value.items()
	if err != nil {
		return err
	}
	if f := output.Format(a.format); f == output.JSON || f == output.YAML {
		err = output.Raw(a.printer(), item.Raw)
	} else {
		err = printItems(a, v, items)
	}
	if err != nil {
		return err
	}
	bad := map[string]bool{}
	for _, i := range items {
		if !i.Value.InSync {
			bad[i.Value.ID] = true
		}
	}
	if len(bad) > 0 {
		return coded(exitNotConverged, "%s not in sync; %s", instances(len(bad)), next)
	}
	return nil
}
