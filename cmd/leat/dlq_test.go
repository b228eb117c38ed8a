package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/broker"
	"github.com/leatstream/leat/stream"
)

// A letter goes back to its partition as the record that it was; a second run finds
// nothing more to do.
func TestDLQReplay(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	b, err := broker.Start(broker.Config{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	k, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"in": {2: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	if _, err := kadm.NewClient(k).CreateTopics(ctx, 3, 1, nil, "in", "letters"); err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1_700_000_000_000)
	letter := func(value, reason string) *kgo.Record {
		return &kgo.Record{Topic: "letters", Partition: 1, Key: []byte("k"), Value: []byte(value), Timestamp: at, Headers: []kgo.RecordHeader{
			{Key: "trace", Value: []byte("7")}, {Key: stream.HeaderReason, Value: []byte(reason)},
			{Key: stream.HeaderTopic, Value: []byte("in")}, {Key: stream.HeaderPartition, Value: []byte("2")}, {Key: stream.HeaderOffset, Value: []byte("41")},
		}}
	}
	if err := k.ProduceSync(ctx, letter("a", "late"), letter("b", "decode")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		root := newRoot()
		var out bytes.Buffer
		root.SetOut(&out)
		root.SetArgs(append([]string{"dlq"}, append(args, "--bootstrap-server", b.Addr(), "--topic", "letters")...))
		if err := root.ExecuteContext(ctx); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := run("list", "--reason", "decode"); strings.Count(got, "\n") != 1 || !strings.Contains(got, "from in/2@41") {
		t.Errorf("list printed %q", got)
	}
	if got := run("replay"); got != "2 records sent back to in\n" {
		t.Errorf("replay printed %q", got)
	}
	if got := run("replay"); got != "no dead letters to send back\n" {
		t.Errorf("a second replay printed %q", got)
	}
	if got := run("replay", "--reason", "late"); got != "no dead letters to send back\n" {
		t.Errorf("a third replay printed %q", got)
	}
	var got []*kgo.Record
	for len(got) < 2 {
		f := k.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		got = append(got, f.Records()...)
	}
	for i, r := range got {
		if want := []string{"a", "b"}[i]; string(r.Value) != want || string(r.Key) != "k" || !r.Timestamp.Equal(at) || len(r.Headers) != 1 || r.Headers[0].Key != "trace" {
			t.Errorf("record %d came back as %+v", i, r)
		}
	}
}

// A record that is no dead letter stops the replay with its place.
func TestDLQReplay_NoLetter(t *testing.T) {
	for _, headers := range [][]kgo.RecordHeader{
		nil,
		{{Key: stream.HeaderTopic, Value: []byte("in")}, {Key: stream.HeaderPartition, Value: []byte("x")}},
		{{Key: stream.HeaderTopic, Value: []byte("in")}, {Key: stream.HeaderOffset, Value: []byte("x")}},
	} {
		_, err := parseLetter(&kgo.Record{Topic: "letters", Partition: 3, Offset: 9, Headers: headers})
		if err == nil || !strings.Contains(err.Error(), "letters/3@9") {
			t.Errorf("%v gave %v", headers, err)
		}
	}
}
