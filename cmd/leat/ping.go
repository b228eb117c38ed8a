package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func newPing() *cobra.Command {
	var c connection
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "ping",
		Short: "Find out whether a cluster can be reached",
		Long: `Find out whether a cluster can be reached, and whether it lets one in.

It connects, logs in, and prints the cluster's id and its brokers.`,
		Example: `  leat ping --bootstrap-server kafka.example:9093 --tls-ca ca.pem \
      --sasl-mechanism SCRAM-SHA-512 --sasl-user alice --sasl-password-file secret
  leat ping --command-config client.properties`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), wait)
			defer cancel()
			return ping(ctx, cmd, &c)
		},
	}
	c.add(cmd.Flags())
	cmd.Flags().DurationVar(&wait, "timeout", 10*time.Second, "for how long to try")
	return cmd
}

func ping(ctx context.Context, cmd *cobra.Command, c *connection) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	opts, err := cfg.Connect()
	if err != nil {
		return err
	}
	k, err := kgo.NewClient(append(opts, kgo.RequestRetries(2))...)
	if err != nil {
		return err
	}
	defer k.Close()
	m, err := kadm.NewClient(k).BrokerMetadata(ctx)
	if err != nil {
		return fmt.Errorf("reach %v: %w", cfg.Brokers, err)
	}
	out := cmd.OutOrStdout()
	if _, err := fmt.Fprintf(out, "cluster %s\n", m.Cluster); err != nil {
		return err
	}
	for _, b := range m.Brokers {
		if _, err := fmt.Fprintf(out, "broker %d at %s:%d\n", b.NodeID, b.Host, b.Port); err != nil {
			return err
		}
	}
	return nil
}
