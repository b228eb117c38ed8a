package main

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	. "github.com/leatstream/leat/integration/clients/go/checks"
)

func codec(c kgo.CompressionCodec) func() error {
	return func() error {
		name := topic(1)
		k := client(kgo.ProducerBatchCompression(c), kgo.DefaultProduceTopic(name), kgo.ProducerLinger(10*time.Millisecond))
		defer k.Close()
		var in []*kgo.Record
		for i := range 200 {
			in = append(in, &kgo.Record{Key: fmt.Append(nil, i), Value: bytes.Repeat(fmt.Append(nil, i), i)})
		}
		Must(k.ProduceSync(ctx, in...).FirstErr())
		for i, r := range readAll(name, 200) {
			Equal(string(r.Key), fmt.Sprint(i), "key")
			Holds(bytes.Equal(r.Value, in[i].Value), "the value comes back")
			Equal(r.Offset, int64(i), "offset")
		}
		return nil
	}
}

func acks() error {
	name := topic(1)
	for _, a := range []kgo.Acks{kgo.NoAck(), kgo.LeaderAck(), kgo.AllISRAcks()} {
		k := client(kgo.RequiredAcks(a), kgo.DisableIdempotentWrite(), kgo.DefaultProduceTopic(name))
		Must(k.ProduceSync(ctx, kgo.StringRecord("v")).FirstErr())
		k.Close()
	}
	readAll(name, 3)
	return nil
}

func headers() error {
	name := topic(1)
	k := client()
	defer k.Close()
	hs := []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}, {Key: "b"}}
	Must(k.ProduceSync(ctx, &kgo.Record{Topic: name, Headers: hs, Value: []byte("v")}, &kgo.Record{Topic: name, Key: []byte("k")}).FirstErr())
	got := readAll(name, 2)
	Equal(got[0].Headers, hs, "headers")
	Holds(got[0].Key == nil && got[1].Value == nil, "nulls")
	return nil
}

func timestamps() error {
	at := time.UnixMilli(1_500_000_000_000)
	name, appended := topic(1), topic(1, "message.timestamp.type", "LogAppendTime")
	k := client()
	defer k.Close()
	Must(k.ProduceSync(ctx, &kgo.Record{Topic: name, Timestamp: at}, &kgo.Record{Topic: appended, Timestamp: at}).FirstErr())
	Equal(readAll(name, 1)[0].Timestamp.UnixMilli(), at.UnixMilli(), "create time")
	r := readAll(appended, 1)[0]
	Holds(r.Timestamp.After(at.Add(time.Hour)) && r.Attrs.TimestampType() == 1, "append time")
	return nil
}

func large() error {
	name := topic(1, "max.message.bytes", "3000000")
	k := client(kgo.ProducerBatchMaxBytes(8e6), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.DefaultProduceTopic(name))
	defer k.Close()
	value := bytes.Repeat([]byte("abc"), 800_000)
	Must(k.ProduceSync(ctx, kgo.SliceRecord(value)).FirstErr())
	Holds(bytes.Equal(readAll(name, 1)[0].Value, value), "the value comes back")
	err := k.ProduceSync(ctx, kgo.SliceRecord(make([]byte, 3_500_000))).FirstErr()
	Holds(errors.Is(err, kerr.MessageTooLarge), fmt.Sprintf("a record that is too large: %v", err))
	return nil
}

func order() error {
	name := topic(3)
	k := client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(name))
	defer k.Close()
	for i := range 30_000 {
		k.Produce(ctx, &kgo.Record{Partition: int32(i % 3), Value: fmt.Append(nil, i)}, nil)
	}
	Must(k.Flush(ctx))
	next := [3]int{0, 1, 2}
	for _, r := range readAll(name, 30_000) {
		Equal(string(r.Value), fmt.Sprint(next[r.Partition]), "value")
		next[r.Partition] += 3
	}
	return nil
}

func autoCreate() error {
	name := Fresh("t")
	k := client(kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic(name))
	defer k.Close()
	Must(k.ProduceSync(ctx, kgo.StringRecord("v")).FirstErr())
	readAll(name, 1)
	return nil
}

func recreated() error {
	name := topic(1)
	write(name, "old")
	id := Must1(admin.ListTopics(ctx, name))[name].ID
	Must(Must1(admin.DeleteTopics(ctx, name)).Error())
	Until("made again", func() bool {
		_, err := admin.CreateTopic(ctx, 1, 1, nil, name)
		return err == nil
	})
	Until("known with another id", func() bool {
		t := Must1(admin.ListTopics(ctx, name))[name]
		return t.Err == nil && t.ID != id
	})
	write(name, "new")
	Equal(string(readAll(name, 1)[0].Value), "new", "value")
	return nil
}
