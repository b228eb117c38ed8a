// Command leat runs a Kafka-protocol broker.
//
// Each sub-command has a file of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := newRoot().ExecuteContext(ctx); err != nil {
		if code, ok := errors.AsType[exitError](err); ok {
			stop()
			os.Exit(code.code)
		}
		fmt.Fprintln(os.Stderr, "leat: "+oneLine(err))
		stop()
		os.Exit(1)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "leat",
		Short: "A Kafka-protocol broker in one program",
		// Errors are printed by main, once and without the usage text.
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w (see %s --help)", err, cmd.CommandPath())
	})
	root.AddCommand(newBroker(), newCheck(), newDLQ(), newMirror(), newPing(), newVersion())
	return root
}

// oneLine is an error on one line, with what it most likely means first.
func oneLine(err error) string {
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	if errors.Is(err, syscall.ENOSPC) {
		return "no space left on the disk: " + text
	}
	return text
}
