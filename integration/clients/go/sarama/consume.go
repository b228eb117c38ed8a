package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	. "github.com/leatstream/leat/integration/clients/go/checks"
)

func offsets() error {
	name := topic(1)
	for i := range 3 {
		send(config(), &sarama.ProducerMessage{Topic: name, Timestamp: time.UnixMilli(int64(1000 * (i + 1)))})
	}
	k := Must1(sarama.NewClient(addr, config()))
	defer k.Close()
	var got []int64
	for _, at := range []int64{sarama.OffsetOldest, sarama.OffsetNewest, 1500, 99_999} {
		got = append(got, Must1(k.GetOffset(name, 0, at)))
	}
	Equal(got, []int64{0, 3, 1, -1}, "oldest, newest, by time, after the last")
	return nil
}

func fromOffset() error {
	name := topic(1)
	send(config(), messages(name, Numbers(10)...)...)
	got := read(config(), name, 0, 6, 4)
	Equal(string(got[0].Value), "6", "value")
	return nil
}

func pause() error {
	name := topic(1)
	k := Must1(sarama.NewConsumer(addr, config()))
	defer k.Close()
	p := Must1(k.ConsumePartition(name, 0, sarama.OffsetOldest))
	defer p.Close()
	send(config(), messages(name, "1")...)
	take(p.Messages(), 1)
	p.Pause()
	time.Sleep(500 * time.Millisecond)
	send(config(), messages(name, "2")...)
	select {
	case <-p.Messages():
		return errors.New("a paused partition was read")
	case <-time.After(time.Second):
	}
	p.Resume()
	take(p.Messages(), 1)
	return nil
}

func outOfRange() error {
	name := topic(1)
	k := Must1(sarama.NewConsumer(addr, config()))
	defer k.Close()
	_, err := k.ConsumePartition(name, 0, 99)
	Holds(errors.Is(err, sarama.ErrOffsetOutOfRange), fmt.Sprintf("an offset that isn't there: %v", err))
	return nil
}
