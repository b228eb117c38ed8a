package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/leatstream/leat/broker"
)

// brokerFlags are the flags of the broker command.
type brokerFlags struct {
	listen, advertise, data, durability, logLevel, clusterID string
	partitions                                               int
	insecure, noAutoCreate                                   bool
	rebalanceDelay, offsetsRetention                         time.Duration
	security                                                 securityFlags
}

func newBroker() *cobra.Command {
	var f brokerFlags
	cmd := &cobra.Command{
		Use:   "broker",
		Short: "Run a broker until interrupted",
		Long: `Run a broker until interrupted.

It speaks the Kafka protocol to any Kafka client. Records, topics, groups and
offsets are kept in the data directory; without one they are kept in memory and
are gone when the broker stops.

Durability says what an acknowledged record has survived:
  os      the end of the process, not a power cut (as Kafka does)
  fsync   a power cut; concurrent requests share one sync
  50ms    (any duration) a power cut, but for the records of about that time`,
		Example: `  leat broker --data /var/lib/leat
  leat broker --listen 127.0.0.1:0 --durability fsync --data ./data
  leat broker --data /var/lib/leat --listener SASL_SSL://0.0.0.0:9093,kafka.example:9093 \
      --tls-cert cert.pem --tls-key key.pem --users-file users --super-users User:admin`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.listen, "listen", "127.0.0.1:9092", "`HOST:PORT` to listen on; port 0 is any free port")
	fl.StringVar(&f.advertise, "advertise", "", "`HOST:PORT` that clients are told to connect to (default the address listened on)")
	fl.StringVar(&f.data, "data", "", "data `directory` (default none: keep everything in memory)")
	fl.StringVar(&f.durability, "durability", "os", "what an acknowledgement promises: os, fsync or a `duration` such as 50ms")
	fl.IntVar(&f.partitions, "partitions", 1, "partitions of topics created without saying how many")
	fl.BoolVar(&f.noAutoCreate, "no-auto-create", false, "don't create topics because a client asks for them")
	fl.StringVar(&f.clusterID, "cluster-id", "", "`id` of the cluster (default one made up and kept in the data directory)")
	fl.DurationVar(&f.rebalanceDelay, "group-initial-rebalance-delay", 0, "how long the first rebalance of a group waits for more members (Kafka: 3s)")
	fl.DurationVar(&f.offsetsRetention, "offsets-retention", 7*24*time.Hour, "how long offsets of groups without members are kept; negative is for ever")
	fl.BoolVar(&f.insecure, "allow-insecure-listeners", false, "allow listeners that other machines reach without encryption or authentication")
	f.security.add(fl)
	fl.StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

func (f *brokerFlags) run(cmd *cobra.Command) error {
	durability, err := broker.ParseDurability(f.durability)
	if err != nil {
		return fmt.Errorf("--durability: %w", err)
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return fmt.Errorf("--log-level %q is not one of debug, info, warn, error", f.logLevel)
	}
	if f.partitions < 1 {
		return fmt.Errorf("--partitions is %d; it must be positive", f.partitions)
	}
	log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
	cfg := broker.Config{
		Dir: f.data, Listen: f.listen, Advertise: f.advertise, AllowInsecureListeners: f.insecure,
		Durability: durability, ClusterID: f.clusterID,
		DefaultPartitions: f.partitions, DisableAutoCreate: f.noAutoCreate,
		InitialRebalanceDelay: f.rebalanceDelay, OffsetsRetention: f.offsetsRetention,
		Logger: log,
	}
	if err := f.security.apply(&cfg, cmd.Flags().Changed("listen")); err != nil {
		return err
	}
	b, err := broker.Start(cfg)
	if err != nil {
		return hint(err)
	}
	where := f.data
	if where == "" {
		where = "memory"
		log.Warn("no --data directory: everything is gone when the broker stops")
	}
	log.Info("serving", "address", b.Addr(), "data", where, "durability", durability.String(), "cluster", b.ClusterID())
	<-cmd.Context().Done()
	log.Info("stopping")
	if err := b.Close(); err != nil {
		return err
	}
	log.Info("stopped")
	return nil
}
