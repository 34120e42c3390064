package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/droverhq/drover/internal/output"
	"github.com/droverhq/drover/internal/version"
)

func (a *app) versionCmd() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version of this program", Args: cobra.NoArgs, Example: lines("drover version", "drover version -o json"),
		RunE: func(*cobra.Command, []string) error {
			if !output.Format(a.format).Structured() {
				_, err := fmt.Fprintln(a.stdout, "drover", version.Version)
				return err
			}
			raw, err := json.Marshal(map[string]string{
				"version": version.Version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH,
			})
			if err != nil {
				return err
			}
			return output.Raw(a.printer(), raw)
		},
	}
}

func (a *app) manCmd() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the man pages", Args: cobra.ExactArgs(1),
		Example: lines("drover man /usr/local/share/man/man1"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			c.Root().DisableAutoGenTag = true
			return doc.GenManTree(c.Root(), &doc.GenManHeader{Title: "DROVER", Section: "1", Source: "Drover " + version.Version}, args[0])
		},
	}
}

// printOwn prints rows of this program's own making.
func printOwn[T any](a *app, v output.View[T], rows []T) error {
	raw := make([]rawMessage, len(rows))
	for i, r := range rows {
		var err error
		if raw[i], err = json.Marshal(r); err != nil {
			return err
		}
	}
	return output.List(a.printer(), v, rows, raw)
}
