package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	. "github.com/leatstream/leat/integration/clients/go/checks"
)

func offsets() error {
	name := topic(1)
	k := client()
	defer k.Close()
	for i := range 3 {
		Must(k.ProduceSync(ctx, &kgo.Record{Topic: name, Timestamp: time.UnixMilli(int64(1000 * (i + 1)))}).FirstErr())
	}
	at := func(l kadm.ListedOffsets, err error) int64 {
		Must(err)
		o, _ := l.Lookup(name, 0)
		Must(o.Err)
		return o.Offset
	}
	Equal([]int64{at(admin.ListStartOffsets(ctx, name)), at(admin.ListEndOffsets(ctx, name)), at(admin.ListCommittedOffsets(ctx, name)), at(admin.ListOffsetsAfterMilli(ctx, 1500, name)), at(admin.ListMaxTimestampOffsets(ctx, name))},
		[]int64{0, 3, 3, 1, 2}, "start, end, committed, by time, highest time")
	return nil
}

func byTime() error {
	name := topic(1)
	k := client()
	defer k.Close()
	for i := range 10 {
		Must(k.ProduceSync(ctx, &kgo.Record{Topic: name, Timestamp: time.UnixMilli(int64(1000 * (i + 1)))}).FirstErr())
	}
	r := client(kgo.ConsumeTopics(name), kgo.ConsumeResetOffset(kgo.NewOffset().AfterMilli(4500)))
	defer r.Close()
	Equal(read(r, 6)[0].Offset, int64(4), "first offset")
	r2 := client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: {0: kgo.NewOffset().AtEnd().Relative(-3)}}))
	defer r2.Close()
	Equal(read(r2, 3)[0].Offset, int64(7), "the last three")
	return nil
}

func pause() error {
	name := topic(1)
	k := client(kgo.ConsumeTopics(name), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer k.Close()
	write(name, "1")
	read(k, 1)
	k.PauseFetchTopics(name)
	write(name, "2")
	read(k, 0)
	k.ResumeFetchTopics(name)
	read(k, 1)
	return nil
}

func outOfRange() error {
	name := topic(1)
	write(name, "v")
	k := client(kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: {0: kgo.NewOffset().At(99)}}))
	defer k.Close()
	c, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	err := k.PollFetches(c).Err()
	Holds(errors.Is(err, kerr.OffsetOutOfRange), fmt.Sprintf("an offset that isn't there: %v", err))
	return nil
}

func pattern() error {
	a, b := topic(1), topic(1)
	write(a, "v")
	write(b, "v")
	k := client(kgo.ConsumeRegex(), kgo.ConsumeTopics("^("+a+"|"+b+")$"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer k.Close()
	read(k, 2)
	return nil
}
