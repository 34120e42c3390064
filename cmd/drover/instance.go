package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/output"
)

func (a *app) instanceCmd() *cobra.Command {
	return group("instance", "See and manage the services that are called over HTTP", lines(
		"drover instance add https://hook-1.example:8443 --id hook-1 --instance-token-file token -l role=webhook",
		"drover instance list status=offline",
		"drover instance verify --document webhooks",
		"drover instance sync hook-1",
	), a.instanceListCmd(), a.instanceShowCmd(), a.instanceAddCmd(), a.instanceSetCmd(),
		a.instanceVerifyCmd(), a.instanceSyncCmd(), a.instanceRemoveCmd())
}

func instanceView() output.View[client.Instance] {
	type in = client.Instance
	return output.View[in]{
		Name:  func(x in) string { return x.ID },
		Empty: "No instance is like that. Add one: drover instance add URL",
		Columns: []output.Column[in]{
			{Title: "INSTANCE", Text: func(x in) string { return x.ID }},
			{Title: "STATUS", Text: func(x in) string { return x.Status }, Color: output.Status},
			{Title: "IN SYNC", Text: func(x in) string { return yesNo(x.InSync) }, Color: output.Status},
			{Title: "URL", Text: func(x in) string { return x.URL }},
			{Title: "SOURCE", Text: sourceText},
			{Title: "LABELS", Text: func(x in) string { return pairs(x.Labels) }},
			{Title: "OWNER", Wide: true, Text: func(x in) string { return x.Owner }},
			{Title: "ACCEPTS", Wide: true, Text: func(x in) string { return strings.Join(x.Accepts, ",") }},
			{Title: "TOKEN", Wide: true, Text: func(x in) string { return yesNo(x.HasToken) }},
			{Title: "UNMANAGED", Wide: true, Text: func(x in) string { return strings.Join(x.Unmanaged, ",") }},
			{Title: "ADDED", Wide: true, Text: func(x in) string { return ago(x.Added) }},
			{Title: "FACTS", Wide: true, Text: func(x in) string { return pairs(x.Facts) }},
			{Title: "ERROR", Text: func(x in) string { return describeError(x.LastError) }},
		},
	}
}

func sourceText(x client.Instance) string {
	if x.Gone != nil {
		return x.Source + " (gone " + ago(*x.Gone) + ")"
	}
	return x.Source
}

func (a *app) completeInstances() cobra.CompletionFunc {
	return completeNames(a, "instances", instanceView())
}

func (a *app) instanceListCmd() *cobra.Command {
	var limit int
	c := &cobra.Command{
		Use: "list [QUERY…]", Short: "List instances",
		Long:    "List instances. A query is free text and terms such as status=offline, source=manual (or the id of a discovery),\ngone=true, site=fra (or any label), document=webhooks, in_sync=false; all of them must fit.",
		Example: lines("drover instance list", "drover instance list in_sync=false -o wide", "drover instance list gone=true -o name"),
		RunE: func(c *cobra.Command, args []string) error {
			q := url.Values{}
			setIf(q, "q", strings.Join(args, " "))
			return showList(c.Context(), a, instanceView(), limit, q, client.Path("instances"))
		},
	}
	c.Flags().IntVar(&limit, "limit", 0, "at most so `many`; 0 is all")
	return c
}

func (a *app) instanceShowCmd() *cobra.Command {
	return &cobra.Command{
		Use: "show INSTANCE", Short: "Show an instance, its documents and what was seen of it", Args: cobra.ExactArgs(1),
		Example:           lines("drover instance show hook-1", "drover instance show hook-1 -o yaml"),
		ValidArgsFunction: a.completeInstances(),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			item, err := client.One[client.Instance](c.Context(), cl, client.Path("instances", args[0]), nil)
			if err != nil {
				return err
			}
			return a.showInstance(item)
		},
	}
}

func (a *app) showInstance(item client.Item[client.Instance]) error {
	if err := output.One(a.printer(), instanceView(), item.Value, item.Raw); err != nil {
		return err
	}
	if f := output.Format(a.format); f.Structured() || f == output.Name {
		return nil
	}
	for _, w := range item.Value.Warnings {
		a.note("warning: %s (%s)", output.Clean(w.Message), w.Code)
	}
	if len(item.Value.Unmanaged) > 0 {
		a.note("it holds targets that nobody wants there, and keeps them: %s", output.Clean(strings.Join(item.Value.Unmanaged, ", ")))
	}
	if len(item.Value.Documents) == 0 {
		return nil
	}
	fmt.Fprintln(a.stdout)
	return output.List(a.printer(), instanceDocumentView(), item.Value.Documents, nil)
}

func instanceDocumentView() output.View[client.InstanceDocument] {
	type d = client.InstanceDocument
	return output.View[d]{
		Name: func(x d) string { return x.Document },
		Columns: []output.Column[d]{
			{Title: "DOCUMENT", Text: func(x d) string { return x.Document }},
			{Title: "TARGET", Text: func(x d) string { return x.Target }},
			{Title: "WANTED", Text: func(x d) string { return num(x.Wanted) }},
			{Title: "ACCEPTED", Text: func(x d) string { return num(x.Accepted) }},
			{Title: "REFUSED", Text: func(x d) string { return num(x.Refused) }},
			{Title: "HASH", Text: func(x d) string {
				if x.Unverified {
					return "unverified"
				}
				return "computed"
			}},
		},
	}
}

// instanceFlags are the settings of an instance, for add and set.
type instanceFlags struct {
	url, tokenFile, ca, serverName, cert, key string
	noToken, noTLS                            bool
	accepts, labels                           []string
}

func (i *instanceFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&i.tokenFile, "instance-token-file", "", "`file` with the token that the instance asks for, - is standard input")
	f.StringSliceVar(&i.accepts, "accepts", nil, "`targets` that it takes (default webhooks,connections)")
	f.StringVar(&i.ca, "instance-ca", "", "PEM `file` of the authority that the instance's certificate leads to")
	f.StringVar(&i.serverName, "server-name", "", "`name` that the instance's certificate is for, where it is not that of the URL")
	f.StringVar(&i.cert, "instance-cert", "", "PEM `file` of a certificate to show to the instance")
	f.StringVar(&i.key, "instance-key", "", "PEM `file` with the key of --instance-cert")
}

// body is what the flags that were given say.
func (i *instanceFlags) body(a *app, c *cobra.Command) (map[string]any, error) {
	body := map[string]any{}
	if i.url != "" {
		body["url"] = i.url
	}
	if c.Flags().Changed("accepts") {
		body["accepts"] = nonNil(i.accepts)
	}
	switch {
	case i.noToken && i.tokenFile != "":
		return nil, usage(errors.New("--no-token and --instance-token-file exclude each other"))
	case i.noToken:
		body["token"] = ""
	case i.tokenFile != "":
		token, err := a.password(i.tokenFile, "")
		if err != nil {
			return nil, err
		}
		body["token"] = token
	}
	tls, err := i.tls(c)
	if err != nil {
		return nil, err
	}
	if len(tls) > 0 {
		body["tls"] = tls
	}
	return body, nil
}

func (i *instanceFlags) tls(c *cobra.Command) (map[string]string, error) {
	tls := map[string]string{}
	if i.noTLS {
		for _, name := range []string{"ca", "server_name", "cert", "key"} {
			tls[name] = ""
		}
	}
	if c.Flags().Changed("server-name") {
		tls["server_name"] = i.serverName
	}
	for name, file := range map[string]string{"ca": i.ca, "cert": i.cert, "key": i.key} {
		if file == "" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("--instance-%s: %w", name, err)
		}
		tls[name] = string(text)
	}
	return tls, nil
}

func (a *app) instanceAddCmd() *cobra.Command {
	var in instanceFlags
	var id string
	c := &cobra.Command{
		Use: "add URL", Short: "Add an instance", Args: cobra.ExactArgs(1),
		Long: "Add an instance: a service with the four /admin endpoints. It is called, and pushed to, by itself; this does\n" +
			"not wait for it. Token and key are sealed, and never shown again.",
		Example: lines("drover instance add http://192.0.2.7:9000 -l role=webhook",
			"drover instance add https://hook-1.example --id hook-1 --instance-token-file token --accepts webhooks"),
		RunE: func(c *cobra.Command, args []string) error {
			in.url = args[0]
			body, err := in.body(a, c)
			if err != nil {
				return err
			}
			if body["labels"], err = parseLabels(in.labels, false); err != nil {
				return err
			}
			if id != "" {
				body["id"] = id
			}
			return a.writeInstance(c, http.MethodPost, client.Path("instances"), body)
		},
	}
	in.add(c)
	c.Flags().StringVar(&id, "id", "", "`name` of the instance (default: host and port of the URL)")
	c.Flags().StringSliceVarP(&in.labels, "label", "l", nil, "`key=value`; several with commas")
	return c
}

func (a *app) instanceSetCmd() *cobra.Command {
	var in instanceFlags
	c := &cobra.Command{
		Use: "set INSTANCE", Short: "Change an instance; what is not given stays", Args: cobra.ExactArgs(1),
		Long:              "Change an instance, and try it again at once. A URL on another host needs the token as well, for it is sent there.",
		Example:           lines("drover instance set hook-1 --url http://192.0.2.8:9000", "drover instance set hook-1 --instance-token-file token", "drover instance set hook-1 -l site=fra,old-"),
		ValidArgsFunction: a.completeInstances(),
		RunE: func(c *cobra.Command, args []string) error {
			body, err := in.body(a, c)
			if err != nil {
				return err
			}
			if len(in.labels) > 0 {
				if body["labels"], err = parseLabels(in.labels, true); err != nil {
					return err
				}
			}
			if len(body) == 0 {
				return usage(errors.New("nothing to change: give --url, --instance-token-file, --accepts, -l or a TLS setting"))
			}
			return a.writeInstance(c, http.MethodPatch, client.Path("instances", args[0]), body)
		},
	}
	in.add(c)
	f := c.Flags()
	f.StringVar(&in.url, "url", "", "`URL` under which it is called")
	f.BoolVar(&in.noToken, "no-token", false, "take the token away")
	f.BoolVar(&in.noTLS, "no-tls", false, "take away the TLS settings that are not given")
	f.StringSliceVarP(&in.labels, "label", "l", nil, "`key=value`, and key- takes one away; several with commas")
	return c
}

func (a *app) writeInstance(c *cobra.Command, method, path string, body map[string]any) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	item, err := client.Write[client.Instance](c.Context(), cl, client.Request{Method: method, Path: path, Body: body})
	if err != nil {
		return err
	}
	return output.One(a.printer(), instanceView(), item.Value, item.Raw)
}

func (a *app) instanceRemoveCmd() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "remove INSTANCE", Short: "Forget an instance", Args: cobra.ExactArgs(1),
		Long:              "Forget an instance: it is not called any more. What it runs stays as it is. One that a discovery still finds\ncomes back.",
		Example:           lines("drover instance remove hook-1"),
		ValidArgsFunction: a.completeInstances(),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.confirm(yes, "removing %s", args[0]); err != nil {
				return err
			}
			return a.remove(c.Context(), client.Path("instances", args[0]), args[0])
		},
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return c
}

func instances(n int) string {
	if n == 1 {
		return "1 instance"
	}
	return strconv.Itoa(n) + " instances"
}
