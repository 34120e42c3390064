package main

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/output"
)

// source is a source of instances.
type source struct {
	ID        string            `json:"id"`
	Type      string            `json:"type"`
	Interval  string            `json:"interval"`
	Labels    map[string]string `json:"labels"`
	Accepts   []string          `json:"accepts"`
	Found     int               `json:"found"`
	Error     string            `json:"error"`
	Instances int               `json:"instances"`
	DNS       struct {
		Name string `json:"name"`
		Type string `json:"type"`
	} `json:"dns"`
	Consul struct {
		Address string `json:"address"`
		Service string `json:"service"`
	} `json:"consul"`
	File struct {
		Path string `json:"path"`
	} `json:"file"`
}

// where is what is asked.
func (s source) where() string {
	switch s.Type {
	case "dns":
		return strings.TrimSpace(s.DNS.Name + " " + s.DNS.Type)
	case "consul":
		return s.Consul.Service + " at " + s.Consul.Address
	}
	return s.File.Path
}

func (a *app) discoveryCmd() *cobra.Command {
	return group("discovery", "See and manage the sources of instances", lines(
		"drover discovery add hooks --dns hooks.default.svc.cluster.local --port 8080 -l role=webhook",
		"drover discovery list",
		"drover discovery remove hooks",
	), a.discoveryListCmd(), a.discoveryAddCmd(), a.discoveryRemoveCmd())
}

func sourceView() output.View[source] {
	return output.View[source]{
		Name:  func(x source) string { return x.ID },
		Empty: "There is no source of instances. Add one: drover discovery add",
		Columns: []output.Column[source]{
			{Title: "DISCOVERY", Text: func(x source) string { return x.ID }},
			{Title: "TYPE", Text: func(x source) string { return x.Type }},
			{Title: "WHERE", Text: source.where},
			{Title: "EVERY", Text: func(x source) string { return x.Interval }},
			{Title: "FOUND", Text: func(x source) string { return strconv.Itoa(x.Found) }},
			{Title: "INSTANCES", Text: func(x source) string { return strconv.Itoa(x.Instances) }},
			{Title: "LABELS", Wide: true, Text: func(x source) string { return pairs(x.Labels) }},
			{Title: "ACCEPTS", Wide: true, Text: func(x source) string { return strings.Join(x.Accepts, ",") }},
			{Title: "ERROR", Text: func(x source) string { return x.Error }},
		},
	}
}

func (a *app) discoveryListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the sources of instances, and what they last answered", Args: cobra.NoArgs,
		Example: lines("drover discovery list", "drover discovery list -o wide"),
		RunE: func(c *cobra.Command, _ []string) error {
			return showList(c.Context(), a, sourceView(), 0, nil, client.Path("discoveries"))
		},
	}
}

// sourceFlags are the settings of a source.
type sourceFlags struct {
	dns, record, resolver                    string
	consul, service, datacenter, consulToken string
	file                                     string
	scheme, path, prefix                     string
	tags                                     []string
	port                                     int
	passing                                  bool
	interval                                 time.Duration
}

func (s *sourceFlags) add(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&s.dns, "dns", "", "`name` whose records are the instances")
	f.StringVar(&s.record, "type", "", "`type` of the records: A (default), AAAA or SRV")
	f.IntVar(&s.port, "port", 0, "`port` of the instances, for A and AAAA")
	f.StringVar(&s.resolver, "resolver", "", "`host` or host:port of the resolver to ask (default: those of the controller)")
	f.StringVar(&s.consul, "consul", "", "`host:port` of Consul")
	f.StringVar(&s.service, "service", "", "`name` of the service in Consul")
	f.StringSliceVar(&s.tags, "tag", nil, "`tags` that the service must bear")
	f.StringVar(&s.datacenter, "datacenter", "", "`name` of Consul's datacenter")
	f.BoolVar(&s.passing, "passing", false, "only instances whose checks pass in Consul")
	f.StringVar(&s.consulToken, "consul-token-file", "", "`file` with the token for Consul, - is standard input")
	f.StringVar(&s.file, "file", "", "`path` of a list, below instances.files of the controllers")
	f.StringVar(&s.scheme, "scheme", "", "`scheme` of the instances: http (default) or https")
	f.StringVar(&s.path, "path", "", "`path` of the instances' URLs")
	f.StringVar(&s.prefix, "prefix", "", "`beginning` of the names of the instances (default: that of the source)")
	f.DurationVar(&s.interval, "interval", 30*time.Second, "how `often` to ask")
}

// settings is the member of the body that says where to look.
func (s *sourceFlags) settings(a *app) (map[string]any, error) {
	out := map[string]any{}
	put := func(key, value string) {
		if value != "" {
			out[key] = value
		}
	}
	switch {
	case s.dns != "" && s.consul == "" && s.file == "":
		put("name", s.dns)
		put("type", strings.ToUpper(s.record))
		put("scheme", s.scheme)
		put("resolver", s.resolver)
		put("path", s.path)
		if s.port != 0 {
			out["port"] = s.port
		}
		return map[string]any{"type": "dns", "dns": out}, nil
	case s.consul != "" && s.dns == "" && s.file == "":
		address, https := strings.CutPrefix(s.consul, "https://")
		if https {
			put("scheme", "https")
		}
		put("address", strings.TrimPrefix(address, "http://"))
		put("service", s.service)
		put("datacenter", s.datacenter)
		put("instance_scheme", s.scheme)
		put("path", s.path)
		if len(s.tags) > 0 {
			out["tags"] = s.tags
		}
		if s.passing {
			out["passing"] = true
		}
		if s.consulToken != "" {
			token, err := a.password(s.consulToken, "")
			if err != nil {
				return nil, err
			}
			put("token", token)
		}
		return map[string]any{"type": "consul", "consul": out}, nil
	case s.file != "" && s.dns == "" && s.consul == "":
		put("path", s.file)
		return map[string]any{"type": "file", "file": out}, nil
	}
	return nil, usage(errors.New("say where to look: one of --dns, --consul and --file"))
}

func (a *app) discoveryAddCmd() *cobra.Command {
	var in sourceFlags
	var of instanceFlags
	c := &cobra.Command{
		Use: "add DISCOVERY", Short: "Add a source of instances", Args: cobra.ExactArgs(1),
		Long: "Add a source of instances: a name in DNS (also a headless service of Kubernetes), a service in Consul's catalogue,\n" +
			"or a file. It is asked on its interval. What it does not name any more is marked as gone, and never removed by itself.",
		Example: lines("drover discovery add hooks --dns hooks.default.svc.cluster.local --port 8080 -l role=webhook",
			"drover discovery add gates --dns _gate._tcp.example --type SRV --scheme https --instance-token-file token",
			"drover discovery add shop --consul consul.example:8500 --service hooks --tag public",
			"drover discovery add lab --file lab.yaml --interval 10s"),
		RunE: func(c *cobra.Command, args []string) error {
			body, err := in.settings(a)
			if err != nil {
				return err
			}
			more, err := of.body(a, c)
			if err != nil {
				return err
			}
			for key, value := range more {
				body[key] = value
			}
			if body["labels"], err = parseLabels(of.labels, false); err != nil {
				return err
			}
			body["id"], body["interval"] = args[0], in.interval.String()
			if in.prefix != "" {
				body["prefix"] = in.prefix
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			item, err := client.Write[source](c.Context(), cl, client.Request{Method: http.MethodPost, Path: client.Path("discoveries"), Body: body})
			if err != nil {
				return err
			}
			return output.One(a.printer(), sourceView(), item.Value, item.Raw)
		},
	}
	in.add(c)
	of.add(c)
	c.Flags().StringSliceVarP(&of.labels, "label", "l", nil, "`key=value` that the instances get; several with commas")
	return c
}

func (a *app) discoveryRemoveCmd() *cobra.Command {
	return &cobra.Command{
		Use: "remove DISCOVERY", Short: "Remove a source of instances; the instances stay, marked as gone", Args: cobra.ExactArgs(1),
		Example:           lines("drover discovery remove hooks"),
		ValidArgsFunction: completeNames(a, "discoveries", sourceView()),
		RunE: func(c *cobra.Command, args []string) error {
			return a.remove(c.Context(), client.Path("discoveries", args[0]), args[0])
		},
	}
}
