package main

import (
	"fmt"

	"github.com/IBM/sarama"

	. "github.com/leatstream/leat/integration/clients/go/checks"
)

func transactional() sarama.SyncProducer {
	c := config()
	c.Producer.Idempotent, c.Net.MaxOpenRequests, c.Producer.Transaction.ID = true, 1, Fresh("x")
	return Must1(sarama.NewSyncProducer(addr, c))
}

func transactions() error {
	name := topic(1)
	p := transactional()
	defer p.Close()
	for i := range 6 {
		Must(p.BeginTxn())
		Must(p.SendMessages(messages(name, fmt.Sprint(i))))
		if i%2 == 0 {
			Must(p.CommitTxn())
		} else {
			Must(p.AbortTxn())
		}
	}
	c := config()
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	var got []string
	for _, m := range read(c, name, 0, sarama.OffsetOldest, 3) {
		got = append(got, string(m.Value))
	}
	Equal(got, []string{"0", "2", "4"}, "committed")
	readAll(name, 6)
	return nil
}

func transactionOffsets() error {
	name, id := topic(1), Fresh("g")
	p := transactional()
	defer p.Close()
	for at, commit := range map[int64]bool{5: true} {
		Must(p.BeginTxn())
		Must(p.SendMessages(messages(name, "v")))
		Must(p.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{name: {{Partition: 0, Offset: at}}}, id))
		if commit {
			Must(p.CommitTxn())
		}
	}
	Must(p.BeginTxn())
	Must(p.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{name: {{Partition: 0, Offset: 9}}}, id))
	Must(p.AbortTxn())
	Until("the offset of the first", func() bool {
		return Must1(admin.ListConsumerGroupOffsets(id, map[string][]int32{name: {0}})).GetBlock(name, 0).Offset == 5
	})
	return nil
}
