package topic_test

import (
	"fmt"
	"time"

	"github.com/leatstream/leat/serde"
	"github.com/leatstream/leat/topic"
)

func ExampleMatching() {
	logs := topic.Matching("log-[a-z]+", serde.String, serde.String)
	fmt.Println(logs.Pattern().MatchString("log-paris"), logs.Pattern().MatchString("log-paris-2"))
	// Output: true false
}

func ExampleTopic_TimestampedBy() {
	type click struct{ At int64 }
	clicks := topic.New("clicks", serde.String, serde.JSON[click](), topic.PartitionTimes()).
		TimestampedBy(func(_ string, c click, _ topic.Stamp) time.Time { return time.UnixMilli(c.At) })
	fmt.Println(clicks.Stamper()("", click{At: 1000}, topic.Stamp{}).UTC().Format(time.TimeOnly))
	// Output: 00:00:01
}

func ExampleTopic_PartitionedBy() {
	orders := topic.New("orders", serde.Int64, serde.String).
		PartitionedBy(func(customer int64, _ string, partitions int) int { return int(customer) % partitions })
	fmt.Println(orders.Partitioner()(11, "lamp", 4))
	// Output: 3
}

func ExampleTopic_SpreadBy() {
	prices := topic.New("prices", serde.String, serde.Int64).
		SpreadBy(func(_ string, _ int64, partitions int) (all []int) {
			for p := range partitions {
				all = append(all, p)
			}
			return all
		})
	fmt.Println(prices.Spreader()("lamp", 30, 3))
	// Output: [0 1 2]
}
