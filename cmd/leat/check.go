package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/leatstream/leat/broker"
)

// Exit codes of leat check. 1 is that it couldn't check.
const (
	exitRepairable = 2
	exitDamage     = 3
)

// exitError ends the program with a code, and without a message if it has none.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

func newCheck() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "check DIR",
		Short: "Check a broker's data directory without changing it",
		Long: `Check a broker's data directory without changing it, while no broker runs on it.

It reads all segments (frames, checksums, order of offsets), the indexes, the
snapshots of producers, the checkpoints, the catalog, and what groups and
transactions have stored, and says what isn't right and what the next start of
the broker would do about it.

Exit codes:
  0  nothing is wrong
  1  the directory could not be checked, for instance because a broker runs
  2  the next start puts right what is wrong, and nothing is lost
  3  records or state are lost, or will be`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := broker.Check(args[0])
			if err != nil {
				return err
			}
			if err := printReport(cmd.OutOrStdout(), report, asJSON); err != nil {
				return err
			}
			switch report.Worst() {
			case broker.Damage:
				return exitError{exitDamage}
			case broker.Repairable:
				return exitError{exitRepairable}
			default:
				return nil
			}
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

func printReport(w io.Writer, r *broker.Report, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r)
	}
	for _, f := range r.Findings {
		where := f.File
		if f.Position >= 0 {
			where += fmt.Sprintf(" at byte %d", f.Position)
		}
		if f.Offset >= 0 {
			where += fmt.Sprintf(", offset %d", f.Offset)
		}
		if _, err := fmt.Fprintf(w, "%s: %s: %s\n    %s\n", f.Severity, where, f.Problem, f.Repair); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d topics, %d partitions, %d segments, %d batches, %d records, %d bytes; %d findings\n",
		r.Topics, r.Partitions, r.Segments, r.Batches, r.Records, r.Bytes, len(r.Findings))
	return err
}
