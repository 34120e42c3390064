package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/output"
)

// patchStep is one difference: an operation of RFC 6902 with the old value.
type patchStep struct {
	Op    string     `json:"op"`
	Path  string     `json:"path"`
	From  string     `json:"from"`
	Value rawMessage `json:"value"`
	Old   rawMessage `json:"old"`
}

type documentDiff struct {
	Document string      `json:"document"`
	From     uint64      `json:"from"`
	To       uint64      `json:"to"`
	Patch    []patchStep `json:"patch"`
}

func (a *app) docDiffCmd() *cobra.Command {
	var exit bool
	c := &cobra.Command{
		Use: "diff NAME [FROM [TO]]", Short: "Show what changed between two versions", Args: cobra.RangeArgs(1, 3),
		Long: "Show what changed between two versions, by JSON Pointer. Without numbers: what the current version\n" +
			"changed; with one: what changed since that version.",
		Example: lines("drover doc diff routing/core", "drover doc diff routing/core 3 5",
			"drover doc diff routing/core 3 --exit-code   # 2 when something changed"),
		ValidArgsFunction: a.completeDocuments(),
		RunE: func(c *cobra.Command, args []string) error {
			var numbers [2]uint64
			for i, text := range args[1:] {
				n, err := strconv.ParseUint(text, 10, 64)
				if err != nil || n == 0 {
					return usage(fmt.Errorf("%q is no number of a version", text))
				}
				numbers[i] = n
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			if numbers[0] == 0 {
				doc, err := client.One[client.Document](c.Context(), cl, client.Path("documents", args[0]), nil)
				if err != nil {
					return err
				}
				if doc.Value.Version < 2 {
					a.note("%s has one version only", args[0])
					return nil
				}
				numbers = [2]uint64{doc.Value.Version - 1, doc.Value.Version}
			}
			diff, err := diffOf(c.Context(), cl, args[0], numbers[0], numbers[1])
			if err != nil {
				return err
			}
			if output.Format(a.format).Structured() {
				err = output.Raw(a.printer(), diff.Raw)
			} else {
				a.printChanges(a.stdout, diff.Value.Patch)
			}
			if err == nil && exit && len(diff.Value.Patch) > 0 {
				return &codedError{code: exitChanges}
			}
			return err
		},
	}
	c.Flags().BoolVar(&exit, "exit-code", false, "end with 2 when there are changes")
	return c
}

func diffOf(ctx context.Context, cl *client.Client, name string, from, to uint64) (client.Item[documentDiff], error) {
	q := url.Values{"from": {num(from)}}
	if to > 0 {
		q.Set("to", num(to))
	}
	return client.One[documentDiff](ctx, cl, client.Path("documents", name, "diff"), q)
}

// printChanges writes a patch as one line a difference.
func (a *app) printChanges(w io.Writer, patch []patchStep) {
	paint := func(c output.Color, text string) {
		if a.colors(w) {
			text = c.Paint(text)
		}
		fmt.Fprintln(w, text)
	}
	for _, p := range patch {
		at := orText(p.Path, "(the whole document)")
		switch {
		case p.Op == "add":
			paint(output.Green, fmt.Sprintf("  + %s: %s", at, short(p.Value)))
		case p.Op == "remove" && p.Old != nil:
			paint(output.Red, fmt.Sprintf("  - %s: %s", at, short(p.Old)))
		case p.Op == "remove":
			paint(output.Red, "  - "+at)
		case p.Op == "move" || p.Op == "copy":
			paint(output.Yellow, fmt.Sprintf("  ~ %s: %s from %s", at, p.Op, p.From))
		case p.Old != nil:
			paint(output.Yellow, fmt.Sprintf("  ~ %s: %s → %s", at, short(p.Old), short(p.Value)))
		default:
			paint(output.Yellow, fmt.Sprintf("  ~ %s: %s", at, short(p.Value)))
		}
	}
}

// short is a JSON value on one line, bounded.
func short(v rawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, v) != nil {
		return output.Clean(string(v))
	}
	const limit = 160
	if b.Len() > limit {
		return output.Clean(string(bytes.ToValidUTF8(b.Bytes()[:limit], nil))) + "…"
	}
	return output.Clean(b.String())
}
