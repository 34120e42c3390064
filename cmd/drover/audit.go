package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/droverhq/drover/fsm"
	"github.com/droverhq/drover/internal/client"
	"github.com/droverhq/drover/internal/output"
)

func (a *app) auditCmd() *cobra.Command {
	return group("audit", "See who did what, and check that nobody altered the record", lines(
		"drover audit list --actor ann", "drover audit export > audit.jsonl", "drover audit verify -f audit.jsonl   # needs no cluster",
	), a.auditListCmd(), a.auditVerifyCmd(), a.auditExportCmd())
}

// auditEntry is a row of the audit.
type auditEntry struct {
	Seq      uint64    `json:"seq"`
	Time     time.Time `json:"time"`
	Actor    auditName `json:"actor"`
	Action   string    `json:"action"`
	Object   string    `json:"object"`
	Detail   auditName `json:"detail"`
	Outcome  string    `json:"outcome"`
	Revision uint64    `json:"revision"`
	Hash     string    `json:"hash"`
}

// auditName is a text, or an object of which the name counts.
type auditName string

func (n *auditName) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) == nil {
		*n = auditName(s)
		return nil
	}
	var o struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(text, &o) == nil && o.Name != "" {
		*n = auditName(o.Name)
		return nil
	}
	*n = auditName(text)
	return nil
}

func (a *app) auditListCmd() *cobra.Command {
	var actor, action, object string
	var limit int
	view := output.View[auditEntry]{
		Name:  func(x auditEntry) string { return strconv.FormatUint(x.Seq, 10) },
		Empty: "No entry is like that.",
		Columns: []output.Column[auditEntry]{
			{Title: "SEQ", Text: func(x auditEntry) string { return strconv.FormatUint(x.Seq, 10) }},
			{Title: "TIME", Text: func(x auditEntry) string { return x.Time.Format("2006-01-02 15:04:05") }},
			{Title: "ACTOR", Text: func(x auditEntry) string { return string(x.Actor) }},
			{Title: "ACTION", Text: func(x auditEntry) string { return x.Action }},
			{Title: "OBJECT", Text: func(x auditEntry) string { return x.Object }},
			{Title: "OUTCOME", Text: func(x auditEntry) string { return x.Outcome }, Color: output.Status},
			{Title: "REVISION", Text: func(x auditEntry) string { return num(x.Revision) }},
			{Title: "DETAIL", Text: func(x auditEntry) string { return string(x.Detail) }},
			{Title: "HASH", Wide: true, Text: func(x auditEntry) string { return x.Hash }},
		},
	}
	c := &cobra.Command{
		Use: "list", Short: "List audit entries, the latest first", Args: cobra.NoArgs,
		Example: lines("drover audit list", "drover audit list --action change.commit --limit 10"),
		RunE: func(c *cobra.Command, _ []string) error {
			q := url.Values{}
			setIf(q, "actor", actor)
			setIf(q, "action", action)
			setIf(q, "object", object)
			return showList(c.Context(), a, view, limit, q, client.Path("audit"))
		},
	}
	f := c.Flags()
	f.StringVar(&actor, "actor", "", "only what this `name` did")
	f.StringVar(&action, "action", "", "only this `action`, such as change.commit")
	f.StringVar(&object, "object", "", "only what was done to this `object`")
	f.IntVar(&limit, "limit", 100, "at most so `many`; 0 is all")
	return c
}

func (a *app) auditExportCmd() *cobra.Command {
	return &cobra.Command{
		Use: "export", Short: "Write the audit as JSON Lines", Args: cobra.NoArgs,
		Example: lines("drover audit export > audit.jsonl"),
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := a.client()
			if err != nil {
				return err
			}
			answer, err := cl.Get(c.Context(), client.Path("audit", "export"), nil, nil)
			if err != nil {
				return err
			}
			_, err = a.stdout.Write(answer.Body)
			return err
		},
	}
}

// auditVerdict is the answer to whether the chain holds.
type auditVerdict struct {
	Valid    bool   `json:"valid"`
	Entries  int    `json:"entries"`
	First    uint64 `json:"first"`
	Last     uint64 `json:"last"`
	BrokenAt uint64 `json:"broken_at,omitempty"`
}

func (a *app) auditVerifyCmd() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "verify", Short: "Check the chain of hashes of the audit", Args: cobra.NoArgs,
		Long: "Check that every entry of the audit is what was recorded, and that none is missing between the first\n" +
			"and the last. With -f, of a file that drover audit export wrote: no cluster is asked.",
		Example: lines("drover audit verify", "drover audit verify -f audit.jsonl"),
		RunE: func(c *cobra.Command, _ []string) error {
			v, raw, err := a.verifyAudit(c.Context(), file)
			if err != nil {
				return err
			}
			if output.Format(a.format).Structured() {
				if err := output.Raw(a.printer(), raw); err != nil {
					return err
				}
			} else if v.Valid {
				fmt.Fprintf(a.stdout, "valid: %d entries, %d to %d\n", v.Entries, v.First, v.Last)
			}
			if !v.Valid {
				return coded(exitInvalid, "the chain is broken at entry %d: it, or the one before it, is not what was recorded", v.BrokenAt)
			}
			return nil
		},
	}
	c.Flags().StringVarP(&file, "file", "f", "", "`file` in JSON Lines, - is standard input")
	return c
}

func (a *app) verifyAudit(ctx context.Context, file string) (auditVerdict, rawMessage, error) {
	if file == "" {
		cl, err := a.client()
		if err != nil {
			return auditVerdict{}, nil, err
		}
		item, err := client.One[auditVerdict](ctx, cl, client.Path("audit", "verify"), nil)
		return item.Value, item.Raw, err
	}
	in := a.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return auditVerdict{}, nil, err
		}
		defer f.Close()
		in = f
	}
	v, err := verifyExport(in)
	if err != nil {
		return v, nil, &codedError{exitInvalid, fmt.Errorf("%s: %w", file, err)}
	}
	raw, err := json.Marshal(v)
	return v, raw, err
}

// verifyExport checks an exported chain as package fsm checks its own.
func verifyExport(r io.Reader) (auditVerdict, error) {
	v := auditVerdict{Valid: true}
	var previous *fsm.AuditEntry
	lines := bufio.NewReader(r)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			e := &fsm.AuditEntry{}
			d := json.NewDecoder(bytes.NewReader(line))
			d.DisallowUnknownFields() // what is not hashed could say anything
			if err := d.Decode(e); err != nil {
				return v, fmt.Errorf("line %d is no audit entry: %w", number, err)
			}
			v.add(previous, e)
			previous = e
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return v, err
		}
	}
	if v.Entries == 0 {
		return v, errors.New("there is no audit entry in it")
	}
	return v, nil
}

func (v *auditVerdict) add(previous, e *fsm.AuditEntry) {
	if v.Entries == 0 {
		v.First = e.Seq
	}
	v.Entries++
	v.Last = e.Seq
	pair := []*fsm.AuditEntry{e}
	if previous != nil {
		pair = []*fsm.AuditEntry{previous, e}
	}
	if v.Valid && fsm.VerifyAudit(pair) != 0 {
		v.Valid, v.BrokenAt = false, e.Seq
	}
}
