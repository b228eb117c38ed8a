// Command kfake runs a kfake cluster of one broker, for the bench beside it:
// kfake PORT.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: kfake PORT")
		os.Exit(2)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	port, err := strconv.Atoi(os.Args[1])
	if err == nil {
		var c *kfake.Cluster
		if c, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.AllowAutoTopicCreation()); err == nil {
			defer c.Close()
			<-stop
			return
		}
	}
	fmt.Fprintln(os.Stderr, "kfake:", err)
	os.Exit(1)
}
