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

// syncResult is how a sync went with one instance.
type syncResult struct {
	ID     string            `json:"id"`
	Status string            `json:"status"`
	InSync bool              `json:"in_sync"`
	Error  *client.NodeError `json:"error"`
}

// verifyResult is what one instance holds of a document.
type verifyResult struct {
	ID         string `json:"id"`
	Document   string `json:"document"`
	Target     string `json:"target"`
	InSync     bool   `json:"in_sync"`
	Unverified bool   `json:"unverified"`
	Wanted     string `json:"wanted"`
	Reported   string `json:"reported"`
	Code       string `json:"code"`
	Error      string `json:"error"`
}

// instanceResults is the answer to both.
type instanceResults struct {
	Instances []json.RawMessage `json:"instances"`
}

func syncView() output.View[syncResult] {
	type r = syncResult
	return output.View[r]{
		Name:  func(x r) string { return x.ID },
		Empty: "No instance is meant by that.",
		Columns: []output.Column[r]{
			{Title: "INSTANCE", Text: func(x r) string { return x.ID }},
			{Title: "STATUS", Text: func(x r) string { return x.Status }, Color: output.Status},
			{Title: "IN SYNC", Text: func(x r) string { return yesNo(x.InSync) }, Color: output.Status},
			{Title: "ERROR", Text: func(x r) string {
				if !x.InSync && x.Error == nil {
					return "not done when the time was over; it goes on by itself"
				}
				return describeError(x.Error)
			}},
		},
	}
}

func verifyView() output.View[verifyResult] {
	type r = verifyResult
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
			{Title: "ERROR", Text: func(x r) string {
				if x.Code == "" {
					return ""
				}
				return fmt.Sprintf("%s (%s)", x.Error, x.Code)
			}},
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
			return results(a, syncView(), item, func(r syncResult) bool { return r.InSync }, "drover instance show says more")
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
			return results(a, verifyView(), item, func(r verifyResult) bool { return r.InSync }, "drover instance sync pushes to them again")
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
func results[T any](a *app, v output.View[T], item client.Item[instanceResults], inSync func(T) bool, next string) error {
	rows, bad := make([]T, len(item.Value.Instances)), map[string]bool{}
	for i, raw := range item.Value.Instances {
		if err := json.Unmarshal(raw, &rows[i]); err != nil {
			return fmt.Errorf("the answer is none of a Drover controller: %w", err)
		}
		if !inSync(rows[i]) {
			bad[v.Name(rows[i])] = true
		}
	}
	var err error
	if f := output.Format(a.format); f == output.JSON || f == output.YAML {
		err = output.Raw(a.printer(), item.Raw)
	} else {
		err = output.List(a.printer(), v, rows, item.Value.Instances)
	}
	if err == nil && len(bad) > 0 {
		err = coded(exitNotConverged, "%s not in sync; %s", instances(len(bad)), next)
	}
	return err
}
