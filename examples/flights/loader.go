package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// loaderGroup is the consumer group by which processes share the loading.
const loaderGroup = appID + "-loader"

// headerRow is the number of a record's row, in the order of loading, from 1.
const headerRow = "row"

// loader writes a dataset to the topics, each row once, however often it is
// stopped and by however many processes at a time it is done.
//
// Where a row goes is settled by its key, or its number if it has none; a
// partition is written in order, by one loader. So what is in a partition is the
// beginning of what belongs there, and its last row says where to go on. (Its
// end offset wouldn't, as others may have written there too.)
//
// Who writes to which partition is settled by a consumer group: the loaders are
// members, but consume nothing. When one stops, its partitions go to others.
type loader struct {
	cluster    *cluster
	data       dataset
	partitions int
	last       map[place]int // number of the last row of each partition
	count      map[place]int // of rows, by partition

	// mu is held while a batch is written and while partitions come and go, so
	// that what goes has been written completely.
	mu    sync.Mutex
	owned map[place]int // number of the last row that is there
	moved bool          // partitions came since the last batch
	err   error         // of finding out what is there
}

func newLoader(c *cluster, data dataset, partitions int) (*loader, error) {
	l := &loader{cluster: c, data: data, partitions: partitions, last: map[place]int{}, count: map[place]int{}, owned: map[place]int{}}
	for _, f := range data {
		for i := range f.rows {
			fields, err := f.fields(f.rows[i])
			if err != nil {
				return nil, err
			}
			f.rows[i].partition = l.partition(f, i, f.keyOf(fields))
			at := place{f.topic, f.rows[i].partition}
			l.last[at] = i + 1
			l.count[at]++
		}
	}
	return l, nil
}

// partition is where Kafka's own producers would put the key, and one after the
// other for rows without one.
func (l *loader) partition(f *file, i int, key []byte) int32 {
	if key == nil {
		return int32(i % l.partitions)
	}
	return int32(murmur2.Partition(&kgo.Record{Key: key}, l.partitions))
}

// murmur2 is the choice of partition that all of Kafka's clients make by default.
var murmur2 = kgo.StickyKeyPartitioner(nil).ForTopic("")

// run loads until every row is in its topic, whoever wrote it.
func (l *loader) run(ctx context.Context) error {
	member, err := l.join()
	if err != nil {
		return err
	}
	defer member.Close() // leaves the group
	for {
		if err := l.pass(ctx); err != nil {
			return fmt.Errorf("load: %w; what was loaded stays, and the next start goes on from there", err)
		}
		if done, err := l.loaded(ctx, l.data); err != nil || done {
			return err
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}

// join joins the group. Partitions come and go in the background.
func (l *loader) join() (*kgo.Client, error) {
	var topics []string
	for _, f := range l.data {
		topics = append(topics, f.topic)
	}
	member, err := kgo.NewClient(l.cluster.options(
		kgo.ConsumerGroup(loaderGroup), kgo.ConsumeTopics(topics...), kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.DisableAutoCommit(), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(time.Second),
		kgo.OnPartitionsAssigned(func(ctx context.Context, _ *kgo.Client, came map[string][]int32) { l.assigned(ctx, came) }),
		kgo.OnPartitionsRevoked(func(_ context.Context, _ *kgo.Client, went map[string][]int32) { l.revoked(went) }),
		kgo.OnPartitionsLost(func(_ context.Context, _ *kgo.Client, went map[string][]int32) { l.revoked(went) }),
	)...)
	if err != nil {
		return nil, err
	}
	member.PauseFetchTopics(topics...)
	return member, nil
}

func (l *loader) assigned(ctx context.Context, came map[string][]int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var places []place
	for topic, partitions := range came {
		for _, p := range partitions {
			places = append(places, place{topic, p})
		}
	}
	there, err := l.lastRows(ctx, places)
	if err != nil {
		l.err = err
		return
	}
	for p, row := range there {
		l.owned[p] = row
		l.moved = true
	}
}

func (l *loader) revoked(went map[string][]int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for topic, partitions := range went {
		for _, p := range partitions {
			delete(l.owned, place{topic, p})
		}
	}
}

// batchRows is how many rows are written at a time.
const batchRows = 2000

// pass goes through the rows in order, and writes those that are not there yet
// and are for this loader to write. It begins again when partitions come.
func (l *loader) pass(ctx context.Context) error {
	for i := 0; i < len(l.data); i++ {
		f := l.data[i]
		for at := 0; at < len(f.rows); {
			next, restart, err := l.batch(ctx, f, at)
			if err != nil {
				return err
			}
			if at = next; restart {
				i = -1
				break
			}
		}
	}
	return nil
}

// batch writes the next rows of a file from row at on, and returns the row to go
// on with.
func (l *loader) batch(ctx context.Context, f *file, at int) (next int, restart bool, err error) {
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.moved || l.err != nil {
		l.moved = false
		return 0, true, l.err
	}
	var recs []*kgo.Record
	for ; at < len(f.rows) && len(recs) < batchRows; at++ {
		p := place{f.topic, f.rows[at].partition}
		if row, ours := l.owned[p]; !ours || at < row {
			continue
		}
		rec, err := f.record(at)
		if err != nil {
			return 0, false, err
		}
		recs = append(recs, rec)
	}
	if len(recs) == 0 {
		return at, false, nil
	}
	// A batch that was begun is written whole: it takes milliseconds, and a
	// half-written one only costs the next loader a look.
	if err := l.cluster.client.ProduceSync(context.WithoutCancel(ctx), recs...).FirstErr(); err != nil {
		return 0, false, refused(err)
	}
	for _, r := range recs {
		row, _ := rowOf(r)
		l.owned[place{r.Topic, r.Partition}] = row
	}
	return at, false, nil
}

// record is a row as a record.
func (f *file) record(i int) (*kgo.Record, error) {
	fields, err := f.fields(f.rows[i])
	if err != nil {
		return nil, err
	}
	value, err := f.value(fields)
	if err != nil {
		return nil, err
	}
	return &kgo.Record{
		Topic: f.topic, Partition: f.rows[i].partition, Key: f.keyOf(fields), Value: value,
		Timestamp: time.UnixMilli(f.rows[i].at),
		Headers:   []kgo.RecordHeader{{Key: headerRow, Value: strconv.AppendInt(nil, int64(i+1), 10)}},
	}, nil
}

// rowOf is the number of the row that a record was made of, if it was.
func rowOf(r *kgo.Record) (row int, ok bool) {
	for _, h := range r.Headers {
		if h.Key == headerRow {
			row, err := strconv.Atoi(string(h.Value))
			return row, err == nil
		}
	}
	return 0, false
}

// loaded reports whether all rows of the files are in their topics.
func (l *loader) loaded(ctx context.Context, files dataset) (bool, error) {
	var topics []string
	for _, f := range files {
		topics = append(topics, f.topic)
	}
	spans, err := l.cluster.spans(ctx, topics...)
	if err != nil {
		return false, err
	}
	var places []place
	for p := range l.last {
		of, ours := spans[p.topic]
		if !ours {
			continue
		}
		// How many records there are is quickly told, what the last one is isn't.
		if at := int(p.partition); at >= len(of) || of[at].end-of[at].start < int64(l.count[p]) {
			return false, nil
		}
		places = append(places, p)
	}
	rows, err := l.lastRows(ctx, places)
	if err != nil {
		return false, err
	}
	for _, p := range places {
		if rows[p] < l.last[p] {
			return false, nil
		}
	}
	return true, nil
}

// lastRows finds the number of the last row in each of the partitions, 0 where
// there is none.
func (l *loader) lastRows(ctx context.Context, places []place) (map[place]int, error) {
	found := map[place]int{}
	var topics []string
	for _, p := range places {
		found[p] = 0
		topics = append(topics, p.topic)
	}
	if len(places) == 0 {
		return found, nil
	}
	all, err := l.cluster.spans(ctx, topics...)
	if err != nil {
		return nil, err
	}
	for tail := int64(8); len(places) > 0; tail *= 16 {
		ends := map[string][]span{}
		for _, p := range places {
			if int(p.partition) >= len(all[p.topic]) {
				return nil, fmt.Errorf("partition %d of %s is gone", p.partition, p.topic)
			}
			s := all[p.topic][p.partition]
			if ends[p.topic] == nil {
				ends[p.topic] = make([]span, len(all[p.topic]))
			}
			ends[p.topic][p.partition] = span{max(s.start, s.end-tail), s.end}
		}
		err := l.cluster.read(ctx, ends, func(r *kgo.Record) error {
			if row, ok := rowOf(r); ok {
				found[place{r.Topic, r.Partition}] = row
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		var again []place
		for _, p := range places {
			if s := all[p.topic][p.partition]; found[p] == 0 && s.end-tail > s.start {
				again = append(again, p)
			}
		}
		places = again
	}
	return found, nil
}

// refused says what a record that wasn't taken mostly means.
func refused(err error) error {
	if errors.Is(err, kgo.ErrRecordRetries) {
		return fmt.Errorf("the broker refused records again and again; most likely its disk is full, its log tells more: %w", err)
	}
	return err
}
