package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/output"
)

// token is a row of the list of API tokens.
type token struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Owner    string     `json:"owner"`
	Role     string     `json:"role"`
	Prefixes []string   `json:"prefixes"`
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires"`
}

func (a *app) tokenCmd() *cobra.Command {
	return group("token", "Manage the API tokens of scripts", lines(
		"drover token list", "drover token set ci --role editor --prefix routing/ --expires 2160h > token", "drover token remove ID",
	), a.tokenListCmd(), a.tokenShowCmd(), a.tokenSetCmd(), a.tokenRemoveCmd())
}

func tokenView() output.View[token] {
	return output.View[token]{
		Name:  func(x token) string { return x.ID },
		Empty: "There is no API token.",
		Columns: []output.Column[token]{
			{Title: "ID", Text: func(x token) string { return x.ID }},
			{Title: "NAME", Text: func(x token) string { return x.Name }},
			{Title: "ROLE", Text: func(x token) string { return x.Role }},
			{Title: "DOCUMENTS", Text: func(x token) string { return orText(strings.Join(x.Prefixes, ", "), "(all)") }},
			{Title: "OWNER", Text: func(x token) string { return x.Owner }},
			{Title: "CREATED", Text: func(x token) string { return ago(x.Created) }},
			{Title: "EXPIRES", Text: func(x token) string {
				if x.Expires == nil || x.Expires.IsZero() {
					return "never"
				}
				return x.Expires.Format(time.RFC3339)
			}},
		},
	}
}

func (a *app) tokenListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List API tokens", Args: cobra.NoArgs, Example: lines("drover token list"),
		RunE: func(c *cobra.Command, _ []string) error {
			return showList(c.Context(), a, tokenView(), 0, nil, client.Path("tokens"))
		},
	}
}

func (a *app) tokenShowCmd() *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show an API token; its secret was shown when it was made", Args: cobra.ExactArgs(1), Example: lines("drover token show ID"),
		ValidArgsFunction: completeNames(a, "tokens", tokenView()),
		RunE: func(c *cobra.Command, args []string) error {
			item, _, err := oneOf(c.Context(), a, "tokens", "token "+args[0], func(t token) bool { return t.ID == args[0] })
			if err != nil {
				return err
			}
			return output.One(a.printer(), tokenView(), item.Value, item.Raw)
		},
	}
}

func (a *app) tokenSetCmd() *cobra.Command {
	var role string
	var prefixes []string
	var expires time.Duration
	c := &cobra.Command{
		Use: "set NAME --role ROLE", Short: "Make an API token", Args: cobra.ExactArgs(1),
		Long:    "Make an API token. It is printed once, on standard output.",
		Example: lines("drover token set ci --role editor --prefix routing/ > token", "drover token set metrics --role viewer --expires 8760h"),
		RunE: func(c *cobra.Command, args []string) error {
			body := map[string]any{"name": args[0], "role": role, "prefixes": nonNil(prefixes)}
			if expires > 0 {
				body["expires"] = time.Now().Add(expires).UTC().Format(time.RFC3339)
			}
			return a.secretOf(c.Context(), client.Path("tokens"), body, "id", "expires")
		},
	}
	f := c.Flags()
	f.StringVar(&role, "role", "viewer", rolesHelp)
	f.StringSliceVar(&prefixes, "prefix", nil, "`beginning` of the names of documents that may be written; empty: all")
	f.DurationVar(&expires, "expires", 0, "how `long` it is good; 0: until it is removed")
	must(c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roles(), cobra.ShellCompDirectiveNoFileComp)))
	return c
}

func (a *app) tokenRemoveCmd() *cobra.Command {
	return &cobra.Command{
		Use: "remove ID", Short: "Revoke an API token", Args: cobra.ExactArgs(1), Example: lines("drover token remove ID"),
		ValidArgsFunction: completeNames(a, "tokens", tokenView()),
		RunE: func(c *cobra.Command, args []string) error {
			return a.remove(c.Context(), client.Path("tokens", args[0]), args[0])
		},
	}
}
