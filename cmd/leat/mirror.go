package main

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/leatstream/leat/cmd/leat/internal/mirror"
	"github.com/leatstream/leat/internal/client"
)

// mirrorFlags are the flags of the mirror command.
type mirrorFlags struct {
	source, target connection
	cfg            mirror.Config
	noGroups       bool
	logLevel       string
}

func newMirror() *cobra.Command {
	var f mirrorFlags
	cmd := &cobra.Command{
		Use:   "mirror",
		Short: "Copy topics to another cluster, each record once",
		Long: `Copy topics to another cluster, each record once.

Records keep their partition, key, value, headers and timestamp. They are written
in transactions, together with how far the source was copied: readers of the target
with read_committed find each record once, wherever the mirror was interrupted. It
goes on through failures of both clusters, until it is stopped.

Topics that the target doesn't have are created as they are at the source. Offsets
that consumer groups have committed are translated to the target's, forward only,
and only for groups that have no members there.

How far the source was copied is kept in the topic leat-mirror-NAME of the target.`,
		Example: `  leat mirror --source-bootstrap-server localhost:9092 --target-bootstrap-server kafka.example:9093 \
      --target-command-config kafka.properties --topics 'shop-.*' --name shop-17 --prefix shop-17.
  leat mirror --topics .* --target-bootstrap-server new:9092 --name move --once`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.cfg.Name, "name", "", "`name` of the mirror, one for each pair of clusters and set of topics (required)")
	fl.StringSliceVar(&f.cfg.Topics, "topics", nil, "`patterns` (regular expressions) of the topics to copy (required)")
	fl.StringSliceVar(&f.cfg.Exclude, "exclude-topics", nil, "`patterns` of topics not to copy")
	fl.StringVar(&f.cfg.Prefix, "prefix", "", "`text` to put before the names of topics at the target")
	fl.StringSliceVar(&f.cfg.Groups, "groups", []string{".*"}, "`patterns` of the consumer groups whose offsets are translated")
	fl.BoolVar(&f.noGroups, "no-groups", false, "leave the offsets of consumer groups alone")
	fl.BoolVar(&f.cfg.Once, "once", false, "end when all that is there now is copied")
	fl.BoolVar(&f.cfg.Latest, "latest", false, "begin with what is written from now on, in topics that weren't copied before")
	fl.DurationVar(&f.cfg.Interval, "interval", time.Second, "longest time that records are gathered for a transaction")
	fl.DurationVar(&f.cfg.Refresh, "refresh", 10*time.Second, "time between two looks for new topics and offsets of groups")
	fl.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	addPrefixed(fl, &f.source, "source-")
	addPrefixed(fl, &f.target, "target-")
	for _, name := range []string{"name", "topics", "target-bootstrap-server"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return cmd
}

// addPrefixed adds the flags of a connection with other names, for commands that
// have two.
func addPrefixed(to *pflag.FlagSet, c *connection, prefix string) {
	fl := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.add(fl)
	fl.VisitAll(func(f *pflag.Flag) {
		f.Name = prefix + f.Name
		to.AddFlag(f)
	})
}

func (f *mirrorFlags) run(cmd *cobra.Command) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return fmt.Errorf("--log-level %q is not one of debug, info, warn, error", f.logLevel)
	}
	f.cfg.Logger = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
	if f.noGroups {
		f.cfg.Groups = nil
	}
	for _, end := range []struct {
		name string
		from *connection
		to   *client.Config
	}{{"source", &f.source, &f.cfg.Source}, {"target", &f.target, &f.cfg.Target}} {
		cfg, err := end.from.config()
		if err != nil {
			return fmt.Errorf("%s: %w", end.name, err)
		}
		cfg.ClientID = "leat-mirror-" + f.cfg.Name
		cfg.Logger = f.cfg.Logger
		*end.to = cfg
	}
	m, err := mirror.New(f.cfg)
	if err != nil {
		return err
	}
	err = m.Run(cmd.Context())
	copied := m.Copied()
	for _, topic := range slices.Sorted(maps.Keys(copied)) {
		if _, err := fmt.Fprintf(cmd.OutOrStdout(), "%d records copied of %s\n", copied[topic], topic); err != nil {
			return err
		}
	}
	return err
}
