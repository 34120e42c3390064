package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/output"
)

// user is a row of the list of users.
type user struct {
	User     string    `json:"user"`
	Role     string    `json:"role"`
	Prefixes []string  `json:"prefixes"`
	Created  time.Time `json:"created"`
}

const rolesHelp = "`role`: viewer, editor, approver, operator or admin"

func roles() []string { return []string{"viewer", "editor", "approver", "operator", "admin"} }

func (a *app) userCmd() *cobra.Command {
	return group("user", "Manage the people who may log in", lines(
		"drover user list", "drover user set ann --role editor --prefix routing/", "drover user remove ann",
	), a.userListCmd(), a.userShowCmd(), a.userSetCmd(), a.userRemoveCmd())
}

func userView() output.View[user] {
	return output.View[user]{
		Name:  func(x user) string { return x.User },
		Empty: "There is no user.",
		Columns: []output.Column[user]{
			{Title: "USER", Text: func(x user) string { return x.User }},
			{Title: "ROLE", Text: func(x user) string { return x.Role }},
			{Title: "DOCUMENTS", Text: func(x user) string { return orText(strings.Join(x.Prefixes, ", "), "(all)") }},
			{Title: "CREATED", Text: func(x user) string { return ago(x.Created) }},
		},
	}
}

func (a *app) userListCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List users", Args: cobra.NoArgs, Example: lines("drover user list"),
		RunE: func(c *cobra.Command, _ []string) error {
			return showList(c.Context(), a, userView(), 0, nil, client.Path("users"))
		},
	}
}

// oneOf finds one row of a list that has no call of its own for it.
func oneOf[T any](ctx context.Context, a *app, list, what string, fits func(T) bool) (item client.Item[T], cl *client.Client, err error) {
	if cl, err = a.client(); err != nil {
		return item, nil, err
	}
	items, err := client.List[T](ctx, cl, client.Path(list), nil, 0)
	if err != nil {
		return item, nil, err
	}
	for _, i := range items {
		if fits(i.Value) {
			return i, cl, nil
		}
	}
	return item, cl, coded(exitNotFound, "there is no %s", what)
}

func (a *app) userShowCmd() *cobra.Command {
	return &cobra.Command{
		Use: "show USER", Short: "Show a user", Args: cobra.ExactArgs(1), Example: lines("drover user show ann"),
		ValidArgsFunction: completeNames(a, "users", userView()),
		RunE: func(c *cobra.Command, args []string) error {
			item, _, err := oneOf(c.Context(), a, "users", "user "+args[0], func(u user) bool { return u.User == args[0] })
			if err != nil {
				return err
			}
			return output.One(a.printer(), userView(), item.Value, item.Raw)
		},
	}
}

func (a *app) userSetCmd() *cobra.Command {
	var role, passwordFile string
	var prefixes []string
	c := &cobra.Command{
		Use: "set USER", Short: "Make a user, or change role, documents or password", Args: cobra.ExactArgs(1),
		Long: "Make a user, or change one. A new user needs a role and a password, which is asked for on a terminal.\n" +
			"A new password ends the login sessions that were opened with the old one.",
		Example: lines("drover user set ann --role editor --prefix routing/,vpn/", "drover user set ann --role operator",
			"pwgen 24 1 | drover user set ci --role editor --password-file -"),
		ValidArgsFunction: completeNames(a, "users", userView()),
		RunE: func(c *cobra.Command, args []string) error {
			name := args[0]
			_, cl, err := oneOf(c.Context(), a, "users", "user "+name, func(u user) bool { return u.User == name })
			isNew := exitCode(err) == exitNotFound && cl != nil
			if err != nil && !isNew {
				return err
			}
			body := map[string]any{}
			if c.Flags().Changed("role") {
				body["role"] = role
			}
			if c.Flags().Changed("prefix") {
				body["prefixes"] = nonNil(prefixes)
			}
			if isNew || passwordFile != "" {
				if body["password"], err = a.password(passwordFile, "Password for "+name); err != nil {
					return err
				}
			}
			if isNew && role == "" {
				return usage(fmt.Errorf("%s is a new user, and needs a --role", name))
			}
			if len(body) == 0 {
				return usage(errors.New("nothing to change: give --role, --prefix or --password-file"))
			}
			method, path := http.MethodPatch, client.Path("users", name)
			if isNew {
				method, path, body["user"] = http.MethodPost, client.Path("users"), name
			}
			if _, err := cl.Send(c.Context(), method, path, body, nil); err != nil {
				return err
			}
			a.note("%s is set", name)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&role, "role", "", rolesHelp)
	f.StringSliceVar(&prefixes, "prefix", nil, "`beginning` of the names of documents that may be written; empty: all")
	f.StringVar(&passwordFile, "password-file", "", "`file` with the password, - is standard input")
	must(c.RegisterFlagCompletionFunc("role", cobra.FixedCompletions(roles(), cobra.ShellCompDirectiveNoFileComp)))
	return c
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func (a *app) userRemoveCmd() *cobra.Command {
	return &cobra.Command{
		Use: "remove USER", Short: "Remove a user, with sessions and tokens", Args: cobra.ExactArgs(1), Example: lines("drover user remove ann"),
		ValidArgsFunction: completeNames(a, "users", userView()),
		RunE: func(c *cobra.Command, args []string) error {
			return a.remove(c.Context(), client.Path("users", args[0]), args[0])
		},
	}
}

// password reads a password from a file, from standard input ("-"), or asks
// for it on a terminal.
func (a *app) password(file, prompt string) (string, error) {
	switch {
	case file == "-":
		text, err := io.ReadAll(io.LimitReader(a.stdin, 4096))
		return strings.TrimRight(string(text), "\r\n"), err
	case file != "":
		text, err := os.ReadFile(file)
		return strings.TrimRight(string(text), "\r\n"), err
	case !terminal(a.stdin):
		return "", usage(errors.New("nobody can be asked for the password here: give --password-file FILE, - is standard input"))
	}
	fmt.Fprintf(a.stderr, "%s: ", prompt)
	text, err := term.ReadPassword(int(a.stdin.(*os.File).Fd()))
	fmt.Fprintln(a.stderr)
	return string(text), err
}
