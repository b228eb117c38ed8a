package main

import (
	"os"
	"strings"
	"testing"
)

// TestScenarioYear runs the whole year on a real Kafka.
func TestScenarioYear(t *testing.T) {
	t.Run("kafka", func(t *testing.T) {
		addr := os.Getenv("KAFKA_ADDR")
		if addr == "" {
			t.Skip("KAFKA_ADDR is not set; `make kafka` starts a real broker and sets it")
		}
		c, err := connect(strings.Split(addr, ","), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.close)
		o := testOptions(t, c)
		o.limit, o.instances = 0, 2
		if err := run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		got, err := c.readResults(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		compare(t, got, expected(t, 336_776))
	})
}
