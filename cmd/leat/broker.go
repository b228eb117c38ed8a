package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/leatstream/leat/broker"
)

// brokerFlags are the flags of the broker command.
type brokerFlags struct {
	listen, advertise, data, durability, clusterID string
	partitions                                     int
	insecure, noAutoCreate                         bool
	rebalanceDelay, offsetsRetention               time.Duration
	metrics                                        string
	settings                                       settingFlags
	logging                                        logFlags
	security                                       securityFlags
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
  fsync   a power cut; all partitions and requests share one sync
  50ms    (any duration) a power cut, but for the records of about that time

Settings have Kafka's names. They come from, the first that has one holds:
  flags such as --partitions
  --set NAME=VALUE
  the environment: log.retention.ms is LEAT_BROKER_LOG_RETENTION_MS
  --config FILE, in the form of a server.properties (or LEAT_BROKER_CONFIG)
A setting that is unknown, or that can't be served, is an error; those without
effect are listed once. docs/broker.md has all.`,
		Example: `  leat broker --data /var/lib/leat
  leat broker --listen 127.0.0.1:0 --durability fsync --data ./data
  leat broker --data /var/lib/leat --listener SASL_SSL://0.0.0.0:9093,kafka.example:9093 \
      --tls-cert cert.pem --tls-key key.pem --users-file users --super-users User:admin`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	fl := cmd.Flags()
	f.settings.add(fl)
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
	fl.StringVar(&f.metrics, "metrics", "", "`HOST:PORT` to serve metrics (/metrics, as Prometheus reads them) and health (/healthz, /readyz) at")
	f.security.add(fl)
	f.logging.add(fl)
	return cmd
}

// config makes the broker's configuration. Flags that nobody has set leave
// fields empty, so that settings fill them.
func (f *brokerFlags) config(fl *pflag.FlagSet) (broker.Config, error) {
	set, err := f.settings.gather(os.Environ())
	if err != nil {
		return broker.Config{}, err
	}
	c := broker.Config{
		Set: set, Dir: f.data, Advertise: f.advertise, AllowInsecureListeners: f.insecure,
		ClusterID: f.clusterID, DisableAutoCreate: f.noAutoCreate,
	}
	if set["listeners"] == "" || fl.Changed("listen") || f.advertise != "" {
		c.Listen = f.listen
	}
	if fl.Changed("durability") {
		if c.Durability, err = broker.ParseDurability(f.durability); err != nil {
			return c, fmt.Errorf("--durability: %w", err)
		}
		set["leat.durability"] = f.durability // over what other places say
	}
	if fl.Changed("partitions") {
		if f.partitions < 1 {
			return c, fmt.Errorf("--partitions is %d; it must be positive", f.partitions)
		}
		c.DefaultPartitions = f.partitions
	}
	if fl.Changed("group-initial-rebalance-delay") {
		c.InitialRebalanceDelay = f.rebalanceDelay
	}
	if fl.Changed("offsets-retention") {
		c.OffsetsRetention = f.offsetsRetention
	}
	return c, f.security.apply(&c, fl)
}

func (f *brokerFlags) run(cmd *cobra.Command) error {
	log, err := f.logging.logger(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	cfg, err := f.config(cmd.Flags())
	if err != nil {
		return err
	}
	cfg.Logger = log
	page, err := openMetrics(f.metrics, log)
	if err != nil {
		return err
	}
	defer page.Close()
	cfg.MeterProvider = page.provider()
	b, err := broker.Start(cfg)
	if err != nil {
		return hint(err)
	}
	page.ready(b)
	where := b.Dir()
	if where == "" {
		where = "memory"
		log.Warn("no --data directory: everything is gone when the broker stops")
	}
	log.Info("serving", "address", b.Addr(), "data", where, "durability", b.Durability().String(), "cluster", b.ClusterID())
	<-cmd.Context().Done()
	log.Info("stopping")
	page.stopping()
	if err := b.Close(); err != nil {
		return err
	}
	log.Info("stopped")
	return nil
}
