package broker_test

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/broker"
)

// A broker in memory, and a client of it in the same process.
func Example() {
	b, err := broker.Start(broker.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	ctx := context.Background()
	if err := b.CreateTopic(ctx, "greetings", 1); err != nil {
		fmt.Println(err)
		return
	}

	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dial),
		kgo.ConsumeTopics("greetings"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	client.ProduceSync(ctx, &kgo.Record{Topic: "greetings", Value: []byte("hello")})
	for _, r := range client.PollFetches(ctx).Records() {
		fmt.Printf("%s %d: %s\n", r.Topic, r.Offset, r.Value)
	}
	// Output: greetings 0: hello
}
