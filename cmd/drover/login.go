package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/contexts"
	"github.com/droverhq/drover/internal/output"
)

func (a *app) loginCmd() *cobra.Command {
	var name, passwordFile string
	c := &cobra.Command{
		Use: "login [USER]", Short: "Log in, and keep the session for further commands", Args: cobra.MaximumNArgs(1),
		Long: "Log in with a password. The session is kept in the context in use (or a new one called default), in\n" +
			"$XDG_CONFIG_HOME/drover/config.yaml. Scripts better use a token: see drover token set.",
		Example: lines("drover login ann --addr https://ctl-1.example:8443 --ca ca.crt", "drover login ann --context prod"),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := contexts.Load(contexts.Path(a.env))
			if err != nil {
				return err
			}
			if name = orText(a.flags.Context, orText(a.env("DROVER_CONTEXT"), orText(f.Current, "default"))); f.Contexts[name] == nil {
				f.Contexts[name] = &contexts.Context{}
			}
			a.flags.Context = name
			t, err := f.Resolve(a.flags, a.env)
			if err != nil {
				return err
			}
			user := ""
			if len(args) > 0 {
				user = args[0]
			} else if user = orText(f.Contexts[name].User, a.env("USER")); user == "" {
				return usage(errors.New("say who logs in: drover login USER"))
			}
			password, err := a.password(passwordFile, "Password of "+user)
			if err != nil {
				return err
			}
			t.Token, t.Session = "", ""
			cl, err := a.clientOf(t)
			if err != nil {
				return err
			}
			session, err := cl.Login(c.Context(), user, password)
			if err != nil {
				return err
			}
			kept := f.Contexts[name]
			kept.User, kept.Session, kept.Token, kept.Addr = user, session, "", t.Addrs
			if t.CA != "" {
				if kept.CA, err = filepath.Abs(t.CA); err != nil {
					return err
				}
			}
			f.Current = name
			if err := f.Save(); err != nil {
				return err
			}
			a.note("%s is logged in at %s (context %s)", user, strings.Join(t.Addrs, ", "), name)
			return nil
		},
	}
	c.Flags().StringVar(&passwordFile, "password-file", "", "`file` with the password, - is standard input")
	return c
}

func (a *app) logoutCmd() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "End the login session", Args: cobra.NoArgs, Example: lines("drover logout"),
		RunE: func(c *cobra.Command, _ []string) error {
			f, err := contexts.Load(contexts.Path(a.env))
			if err != nil {
				return err
			}
			t, err := f.Resolve(a.flags, a.env)
			if err != nil {
				return err
			}
			kept := f.Contexts[t.Name]
			if kept == nil || kept.Session == "" {
				a.note("nobody is logged in")
				return nil
			}
			t.Token, t.Session = "", kept.Session
			cl, err := a.clientOf(t)
			if err != nil {
				return err
			}
			_, err = cl.Send(c.Context(), http.MethodPost, client.Path("logout"), nil, nil)
			if err != nil && client.Status(err) != http.StatusUnauthorized { // it may have ended by itself
				return err
			}
			kept.Session = ""
			if err := f.Save(); err != nil {
				return err
			}
			a.note("%s is logged out", kept.User)
			return nil
		},
	}
}

// me is who the caller is, as the controller sees it.
type me struct {
	User        string     `json:"user"`
	Role        string     `json:"role"`
	Prefixes    []string   `json:"prefixes"`
	Permissions []string   `json:"permissions"`
	Expires     *time.Time `json:"expires"`
	Cluster     struct {
		Name string `json:"name"`
	} `json:"cluster"`
}

func (a *app) whoamiCmd() *cobra.Command {
	view := output.View[me]{
		Name: func(x me) string { return x.User },
		Columns: []output.Column[me]{
			{Title: "USER", Text: func(x me) string { return x.User }},
			{Title: "ROLE", Text: func(x me) string { return x.Role }},
			{Title: "DOCUMENTS", Text: func(x me) string { return orText(strings.Join(x.Prefixes, ", "), "(all)") }},
			{Title: "CLUSTER", Text: func(x me) string { return x.Cluster.Name }},
			{Title: "EXPIRES", Text: func(x me) string {
				if x.Expires == nil || x.Expires.IsZero() {
					return "never"
				}
				return x.Expires.Format(time.RFC3339)
			}},
			{Title: "PERMISSIONS", Wide: true, Text: func(x me) string { return strings.Join(x.Permissions, ", ") }},
		},
	}
	return &cobra.Command{
		Use: "whoami", Short: "Show who you are to the cluster, and what you may", Args: cobra.NoArgs,
		Example: lines("drover whoami", "drover whoami -o wide"),
		RunE: func(c *cobra.Command, _ []string) error {
			return showOne(c.Context(), a, view, client.Path("me"))
		},
	}
}

func (a *app) contextCmd() *cobra.Command {
	return group("context", "Manage the clusters that you speak to", lines(
		"drover context set prod --addr https://ctl-1.example:8443,https://ctl-2.example:8443 --ca ca.crt",
		"drover context use prod",
		"drover context list",
	), a.contextListCmd(), a.contextUseCmd(), a.contextSetCmd())
}

// namedContext is a context as it is listed, without its secrets.
type namedContext struct {
	Name    string   `json:"name"`
	Current bool     `json:"current"`
	Addr    []string `json:"addr"`
	CA      string   `json:"ca,omitempty"`
	User    string   `json:"user,omitempty"`
	Auth    string   `json:"auth"`
}

func (a *app) contextListCmd() *cobra.Command {
	view := output.View[namedContext]{
		Name:  func(x namedContext) string { return x.Name },
		Empty: "There is no context. Make one: drover context set NAME --addr URL",
		Columns: []output.Column[namedContext]{
			{Title: "CURRENT", Text: func(x namedContext) string { return map[bool]string{true: "*"}[x.Current] }},
			{Title: "CONTEXT", Text: func(x namedContext) string { return x.Name }},
			{Title: "ADDRESSES", Text: func(x namedContext) string { return strings.Join(x.Addr, ", ") }},
			{Title: "USER", Text: func(x namedContext) string { return x.User }},
			{Title: "AUTH", Text: func(x namedContext) string { return x.Auth }},
			{Title: "CA", Wide: true, Text: func(x namedContext) string { return x.CA }},
		},
	}
	return &cobra.Command{
		Use: "list", Short: "List contexts", Args: cobra.NoArgs, Example: lines("drover context list"),
		RunE: func(*cobra.Command, []string) error {
			f, err := contexts.Load(contexts.Path(a.env))
			if err != nil {
				return err
			}
			var rows []namedContext
			for _, name := range f.Names() {
				k := f.Contexts[name]
				auth := "none"
				if k.Session != "" {
					auth = "session"
				}
				if k.Token != "" {
					auth = "token"
				}
				rows = append(rows, namedContext{name, name == f.Current, k.Addr, k.CA, k.User, auth})
			}
			return printOwn(a, view, rows)
		},
	}
}

func (a *app) contextUseCmd() *cobra.Command {
	return &cobra.Command{
		Use: "use NAME", Short: "Use a context from now on", Args: cobra.ExactArgs(1), Example: lines("drover context use prod"),
		ValidArgsFunction: a.completeContexts,
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := contexts.Load(contexts.Path(a.env))
			if err != nil {
				return err
			}
			if f.Contexts[args[0]] == nil {
				return coded(exitNotFound, "there is no context %q; drover context list shows them", args[0])
			}
			f.Current = args[0]
			return f.Save()
		},
	}
}

func (a *app) contextSetCmd() *cobra.Command {
	return &cobra.Command{
		Use: "set NAME", Short: "Make or change a context with --addr, --ca, --token-file", Args: cobra.ExactArgs(1),
		Example:           lines("drover context set prod --addr https://ctl-1.example:8443 --ca ca.crt --token-file token"),
		ValidArgsFunction: a.completeContexts,
		RunE: func(_ *cobra.Command, args []string) error {
			f, err := contexts.Load(contexts.Path(a.env))
			if err != nil {
				return err
			}
			k := f.Contexts[args[0]]
			if k == nil {
				k = &contexts.Context{}
				f.Contexts[args[0]] = k
			}
			if len(a.flags.Addr) > 0 {
				k.Addr = a.flags.Addr
			}
			if a.flags.CA != "" {
				if k.CA, err = filepath.Abs(a.flags.CA); err != nil {
					return err
				}
			}
			if a.flags.Token != "" {
				k.Token = a.flags.Token
			}
			if a.flags.TokenFile != "" {
				text, err := os.ReadFile(a.flags.TokenFile)
				if err != nil {
					return err
				}
				k.Token = strings.TrimSpace(string(text))
			}
			if len(k.Addr) == 0 {
				return usage(fmt.Errorf("context %s needs an address: --addr URL", args[0]))
			}
			if f.Current == "" {
				f.Current = args[0]
			}
			return f.Save()
		},
	}
}
