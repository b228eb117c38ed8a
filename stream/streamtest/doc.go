// Package streamtest runs a topology in a test: in one goroutine, without a
// broker, with clocks that the test moves. The tasks are those of production.
//
//	d := streamtest.New(t, wordCount)
//	d.Send(lines, "", "to be or not to be")
//	got := maps.Collect(d.Read(totals))
//
// Every topic has one partition. Each record is processed to the end and
// committed before the next, so a table that emits on commit emits after each
// record. What depends on partitions, several instances or failures belongs into
// a test with package broker.
package streamtest
