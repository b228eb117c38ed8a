package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/stream"
)

func newDLQ() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dlq",
		Short: "Look into a topic of dead letters, and send them back",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDLQList(), newDLQReplay())
	return cmd
}

// letters is which dead letters a command is about.
type letters struct {
	connection
	topic     string
	group     string
	reasons   []string
	operators []string
	from      string // topic they came from
}

func (l *letters) add(cmd *cobra.Command) {
	l.connection.add(cmd.Flags())
	fl := cmd.Flags()
	fl.StringVar(&l.topic, "topic", "", "`topic` of the dead letters (required)")
	fl.StringVar(&l.group, "group", "", "consumer `group` that keeps how far was replayed (default leat-dlq-TOPIC)")
	fl.StringSliceVar(&l.reasons, "reason", nil, "only letters of these `reasons`: decode, process, encode, late, null-key, …")
	fl.StringSliceVar(&l.operators, "operator", nil, "only letters of these `operators`, as \"Count(visits)\"")
	fl.StringVar(&l.from, "source", "", "only letters that came from this `topic`")
	_ = cmd.MarkFlagRequired("topic")
}

// filtered reports whether some letters are left out on purpose.
func (l *letters) filtered() bool { return len(l.reasons)+len(l.operators) > 0 || l.from != "" }

func newDLQList() *cobra.Command {
	var l letters
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "Print dead letters that were not replayed yet",
		Example: `  leat dlq list --topic shop-dead-letters --reason late`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return l.run(cmd.Context(), func(*kgo.Client) error { return nil }, func(d *letter) error {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s/%d@%d\t%s\t%s\tfrom %s/%d@%d\t%s\n",
					d.rec.Topic, d.rec.Partition, d.rec.Offset, d.reason, d.operator, d.topic, d.partition, d.offset, d.text)
				return err
			}, nil)
		},
	}
	l.add(cmd)
	return cmd
}

func newDLQReplay() *cobra.Command {
	var l letters
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Send dead letters back to where they came from",
		Long: `Send dead letters back to where they came from.

Each goes to the topic and partition that it was read from, with the key, the
value, the timestamp and the headers that it had. How far the topic was replayed
is kept as the offsets of a consumer group, so that a second run goes on where the
first has ended; a run that is killed may send the letters of its last batch again.
With --reason, --operator or --source nothing is kept: letters that are left out
would be lost by it, and a second run sends the same letters again.

A record that has had a part of its effect has it again: an operator beside the one
that failed sees the record a second time.`,
		Example: `  leat dlq replay --bootstrap-server localhost:9092 --topic shop-dead-letters
  leat dlq replay --topic shop-dead-letters --reason decode`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return l.replay(cmd.Context(), cmd.OutOrStdout()) },
	}
	l.add(cmd)
	return cmd
}

func (l *letters) replay(ctx context.Context, out io.Writer) error {
	sent := map[string]int{}
	var batch []*kgo.Record
	var client *kgo.Client
	flush := func() error {
		err := client.ProduceSync(ctx, batch...).FirstErr()
		batch = batch[:0]
		if err != nil {
			return fmt.Errorf("send dead letters back: %w", err)
		}
		return nil
	}
	err := l.run(ctx, func(k *kgo.Client) error {
		client = k
		return nil
	}, func(d *letter) error {
		batch = append(batch, d.original())
		sent[d.topic]++
		if len(batch) < 1000 {
			return nil
		}
		return flush()
	}, flush)
	if err != nil {
		return err
	}
	topics := make([]string, 0, len(sent))
	for topic := range sent {
		topics = append(topics, topic)
	}
	slices.Sort(topics)
	for _, topic := range topics {
		if _, err := fmt.Fprintf(out, "%d records sent back to %s\n", sent[topic], topic); err != nil {
			return err
		}
	}
	if len(sent) == 0 {
		_, err = fmt.Fprintln(out, "no dead letters to send back")
	}
	return err
}

// run reads the letters that were not replayed, up to the ends of the topic as of
// now. done, if set, is called after the last of them, and their place is kept then.
func (l *letters) run(ctx context.Context, began func(*kgo.Client) error, each func(*letter) error, done func() error) error {
	cfg, err := l.config()
	if err != nil {
		return err
	}
	opts, err := cfg.Connect()
	if err != nil {
		return err
	}
	k, err := kgo.NewClient(append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return err
	}
	defer k.Close()
	if err := began(k); err != nil {
		return err
	}
	if l.group == "" {
		l.group = "leat-dlq-" + l.topic
	}
	admin := kadm.NewClient(k)
	begin, end, err := l.bounds(ctx, admin)
	if err != nil {
		return err
	}
	if err := l.read(ctx, k, begin, end, each); err != nil {
		return err
	}
	if done == nil {
		return nil
	}
	if err := done(); err != nil {
		return err
	}
	if l.filtered() {
		return nil
	}
	return l.keep(ctx, admin, end)
}

// bounds are the offsets to read from and to, by partition.
func (l *letters) bounds(ctx context.Context, admin *kadm.Client) (begin, end map[int32]int64, err error) {
	starts, err := admin.ListStartOffsets(ctx, l.topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("topic %s: %w", l.topic, err)
	}
	ends, err := admin.ListEndOffsets(ctx, l.topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, nil, fmt.Errorf("topic %s: %w", l.topic, err)
	}
	committed, err := admin.FetchOffsets(ctx, l.group)
	if err != nil {
		return nil, nil, fmt.Errorf("group %s: %w", l.group, err)
	}
	begin, end = map[int32]int64{}, map[int32]int64{}
	ends.Each(func(e kadm.ListedOffset) {
		s, _ := starts.Lookup(e.Topic, e.Partition)
		from := s.Offset
		if c, ok := committed.Lookup(e.Topic, e.Partition); ok {
			from = max(from, c.At)
		}
		begin[e.Partition], end[e.Partition] = from, e.Offset
	})
	return begin, end, nil
}

func (l *letters) read(ctx context.Context, k *kgo.Client, begin, end map[int32]int64, each func(*letter) error) error {
	from := map[int32]kgo.Offset{}
	for p, at := range begin {
		if at < end[p] {
			from[p] = kgo.NewOffset().At(at)
		}
	}
	k.AddConsumePartitions(map[string]map[int32]kgo.Offset{l.topic: from})
	for len(from) > 0 {
		fetches := k.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("read dead letters: %w", err)
		}
		for _, e := range fetches.Errors() {
			return fmt.Errorf("read dead letters of partition %d: %w", e.Partition, e.Err)
		}
		var failed error
		fetches.EachRecord(func(r *kgo.Record) {
			if failed != nil || r.Offset >= end[r.Partition] {
				return
			}
			if r.Offset == end[r.Partition]-1 {
				delete(from, r.Partition)
			}
			d, err := parseLetter(r)
			switch {
			case err != nil:
				failed = err
			case l.wants(d):
				failed = each(d)
			}
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

func (l *letters) wants(d *letter) bool {
	return (len(l.reasons) == 0 || slices.Contains(l.reasons, d.reason)) &&
		(len(l.operators) == 0 || slices.Contains(l.operators, d.operator)) &&
		(l.from == "" || l.from == d.topic)
}

// keep commits the place up to which the letters were replayed.
func (l *letters) keep(ctx context.Context, admin *kadm.Client, end map[int32]int64) error {
	offsets := kadm.Offsets{}
	for p, at := range end {
		offsets.Add(kadm.Offset{Topic: l.topic, Partition: p, At: at, LeaderEpoch: -1})
	}
	resp, err := admin.CommitOffsets(ctx, l.group, offsets)
	if err == nil {
		err = resp.Error()
	}
	if err != nil {
		return fmt.Errorf("keep the place in group %s (the records are sent): %w", l.group, err)
	}
	return nil
}

// letter is a dead letter and what its headers say.
type letter struct {
	rec              *kgo.Record
	reason, operator string
	text             string
	topic            string
	partition        int32
	offset           int64
}

var errNoLetter = errors.New("it has no header " + stream.HeaderTopic + " and so is no dead letter of leat's")

func parseLetter(r *kgo.Record) (*letter, error) {
	d := &letter{rec: r}
	fail := func(err error) error {
		return fmt.Errorf("the record at %s/%d@%d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	for _, h := range r.Headers {
		v := string(h.Value)
		switch h.Key {
		case stream.HeaderReason:
			d.reason = v
		case stream.HeaderOperator:
			d.operator = v
		case stream.HeaderError:
			d.text = v
		case stream.HeaderTopic:
			d.topic = v
		case stream.HeaderPartition:
			n, err := strconv.ParseInt(v, 10, 32)
			if err != nil {
				return nil, fail(err)
			}
			d.partition = int32(n)
		case stream.HeaderOffset:
			n, err := strconv.ParseInt(v, 10, 64)
			if err != nil {
				return nil, fail(err)
			}
			d.offset = n
		}
	}
	if d.topic == "" {
		return nil, fail(errNoLetter)
	}
	return d, nil
}

// original is the record as it was.
func (d *letter) original() *kgo.Record {
	r := &kgo.Record{Topic: d.topic, Partition: d.partition, Key: d.rec.Key, Value: d.rec.Value, Timestamp: d.rec.Timestamp}
	for _, h := range d.rec.Headers {
		if !strings.HasPrefix(h.Key, "leat.") {
			r.Headers = append(r.Headers, h)
		}
	}
	return r
}
