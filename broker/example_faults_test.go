package broker_test

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/leatstream/leat/broker"
)

// How a program takes a broker that loses an answer: the record was stored, but
// the producer can't know, and sends it again. An idempotent producer's copy is
// dropped.
func ExampleFaults() {
	faults := new(broker.Faults)
	b, err := broker.Start(broker.Config{Faults: faults})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.Dialer(b.Dial), kgo.AllowAutoTopicCreation(), kgo.AlwaysRetryEOF())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	lost := faults.Inject(broker.Fault{APIs: []broker.API{broker.Produce}, Effect: broker.LoseAnswer, Times: 1})
	r, err := client.ProduceSync(context.Background(), &kgo.Record{Topic: "orders", Value: []byte("one apple")}).First()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("answers lost: %d; the record has offset %d\n", lost.Count(), r.Offset)
	// Output: answers lost: 1; the record has offset 0
}

// Faults are put on some requests only: here on those about one topic, for a
// while.
func ExampleFaults_Inject() {
	faults := new(broker.Faults)
	notLeader := faults.Inject(broker.Fault{
		APIs: []broker.API{broker.Produce, broker.Fetch},
		Match: func(r broker.Request) bool {
			return len(r.Topics) == 1 && r.Topics[0] == "orders"
		},
		Effect: broker.Refuse,
		Code:   6, // NOT_LEADER_OR_FOLLOWER
		Delay:  50 * time.Millisecond,
	})
	b, err := broker.Start(broker.Config{Faults: faults})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	// ... the test ...
	notLeader.Lift()
	fmt.Println("refused:", notLeader.Count())
	// Output: refused: 0
}

// A broker with a clock of its own: nothing times out or expires before the
// test says so.
func ExampleNewManualClock() {
	clock := broker.NewManualClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	b, err := broker.Start(broker.Config{Clock: clock})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	clock.Advance(24 * time.Hour)
	fmt.Println(clock.Now().Format(time.DateOnly))
	// Output: 2030-01-02
}
