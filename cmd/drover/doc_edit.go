package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/manifest"
)

func (a *app) docEditCmd() *cobra.Command {
	var w writeFlags
	c := &cobra.Command{
		Use: "edit NAME", Short: "Change a document in your editor", Args: cobra.ExactArgs(1),
		Long: "Change a document in $VISUAL or $EDITOR (else vi). When the content is refused, or somebody else was\n" +
			"faster, your text is kept in a file that is named, and on a terminal the editor opens again.",
		Example:           lines("drover doc edit routing/core", `EDITOR="code --wait" drover doc edit routing/core -m "Add a neighbour" --watch`),
		ValidArgsFunction: a.completeDocuments(),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			e := editing{app: a, cl: cl, name: args[0], flags: w}
			return e.run(c)
		},
	}
	w.add(c)
	must(c.Flags().MarkHidden("if-version")) // the version that was opened is the condition
	return c
}

// editing is one edit, until it is committed or given up. file holds the text;
// it is removed only when the text is committed or was not changed.
type editing struct {
	*app
	cl    *client.Client
	name  string
	flags writeFlags
	file  string
	base  uint64
}

func (e *editing) run(c *cobra.Command) error {
	ctx := c.Context()
	original, err := e.open(ctx)
	if err != nil {
		return err
	}
	for {
		if err := e.edit(ctx); err != nil {
			return e.keep(err)
		}
		text, err := os.ReadFile(e.file)
		if err != nil {
			return err
		}
		if bytes.Equal(text, original) {
			e.note("nothing was changed")
			return os.Remove(e.file)
		}
		item, err := e.commit(ctx, text)
		if err == nil {
			if err := os.Remove(e.file); err != nil {
				e.note("%v", err)
			}
			return e.written(c, e.cl, item, e.flags.watch)
		}
		if err = e.resolve(ctx, err); err != nil {
			return e.keep(err)
		}
	}
}

// keep tells where the text is that was not committed.
func (e *editing) keep(err error) error {
	return &codedError{exitCode(err), fmt.Errorf("%w\nYour text is kept in %s", err, e.file)}
}

// open writes the current content into a file of its own.
func (e *editing) open(ctx context.Context) ([]byte, error) {
	doc, err := client.One[documentContent](ctx, e.cl, client.Path("documents", e.name), nil)
	if err != nil {
		return nil, err
	}
	e.base = doc.Value.Version
	var b bytes.Buffer
	if err := json.Indent(&b, doc.Value.Content, "", "  "); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	f, err := os.CreateTemp("", "drover-"+strings.ReplaceAll(e.name, "/", "-")+"-*.json") // mode 0600
	if err != nil {
		return nil, err
	}
	e.file = f.Name()
	_, err = f.Write(b.Bytes())
	return b.Bytes(), errors.Join(err, f.Close())
}

// edit runs the editor. Its command may have arguments, as git's may.
func (e *editing) edit(ctx context.Context) error {
	words := strings.Fields(orText(e.env("VISUAL"), orText(e.env("EDITOR"), "vi")))
	cmd := exec.CommandContext(ctx, words[0], append(words[1:], e.file)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = e.stdin, e.stderr, e.stderr
	if f, ok := e.stdout.(*os.File); ok && terminal(f) {
		cmd.Stdout = f
	}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the editor %s: %w; set EDITOR to another one", filepath.Base(words[0]), err)
	}
	return nil
}

func (e *editing) commit(ctx context.Context, text []byte) (client.Item[client.Written], error) {
	if err := manifest.CheckJSON(text); err != nil {
		return client.Item[client.Written]{}, &codedError{exitInvalid, err}
	}
	return client.Write[client.Written](ctx, e.cl, client.Request{
		Method: http.MethodPut, Path: client.Path("documents", e.name),
		Body:   putBody{Content: text, Message: e.flags.message},
		Header: http.Header{"If-Match": {strconv.Quote(strconv.FormatUint(e.base, 10))}},
	})
}

// resolve decides what to do about a text that was not committed: on a
// terminal the person may go on editing, now on top of what is there.
func (e *editing) resolve(ctx context.Context, failed error) error {
	code := exitCode(failed)
	if code != exitConflict && code != exitInvalid || !terminal(e.stdin) {
		return failed
	}
	e.note("drover: %v", failed)
	if code == exitConflict {
		now, err := client.One[client.Document](ctx, e.cl, client.Path("documents", e.name), nil)
		if err != nil {
			return errors.Join(failed, err)
		}
		diff, err := diffOf(ctx, e.cl, e.name, e.base, now.Value.Version)
		if err != nil {
			return errors.Join(failed, err)
		}
		e.note("Somebody else changed %s meanwhile, from version %d to %d:", e.name, e.base, now.Value.Version)
		e.printChanges(e.stderr, diff.Value.Patch)
		if err := e.confirm(false, "edit your text again, then to be committed on top of version %d", now.Value.Version); err != nil {
			return failed
		}
		e.base = now.Value.Version
		return nil
	}
	if err := e.confirm(false, "edit again"); err != nil {
		return failed
	}
	return nil
}
