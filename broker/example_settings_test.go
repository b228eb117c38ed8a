package broker_test

import (
	"fmt"
	"log"

	"github.com/leatstream/leat/broker"
)

// A broker takes the settings of a server.properties; what fields say holds over
// them.
func ExampleParseProperties() {
	set, err := broker.ParseProperties(`
# from the old machine
num.partitions=6
log.retention.hours=48
`)
	if err != nil {
		log.Fatal(err)
	}
	b, err := broker.Start(broker.Config{Set: set, DefaultPartitions: 3})
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()
	fmt.Println(len(set), "settings")
	// Output: 2 settings
}
