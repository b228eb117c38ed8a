package main

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	. "github.com/leatstream/leat/integration/clients/go/checks"
)

func codec(k sarama.CompressionCodec) func() error {
	return func() error {
		name := topic(1)
		c := config()
		c.Producer.Compression = k
		var in []*sarama.ProducerMessage
		for i := range 200 {
			in = append(in, &sarama.ProducerMessage{Topic: name, Key: sarama.StringEncoder(fmt.Sprint(i)), Value: sarama.ByteEncoder(bytes.Repeat(fmt.Append(nil, i), i))})
		}
		send(c, in...)
		for i, m := range readAll(name, 200) {
			Equal(string(m.Key), fmt.Sprint(i), "key")
			Equal(m.Value, bytes.Repeat(fmt.Append(nil, i), i), "value")
			Equal(m.Offset, int64(i), "offset")
		}
		return nil
	}
}

func oldVersions() error {
	for _, v := range []sarama.KafkaVersion{sarama.V1_0_0_0, sarama.V2_1_0_0, sarama.V2_8_0_0, sarama.V4_0_0_0} {
		name := topic(1)
		c := config()
		c.Version = v
		send(c, messages(name, "v")...)
		Equal(string(read(c, name, 0, sarama.OffsetOldest, 1)[0].Value), "v", v.String())
	}
	return nil
}

func acks() error {
	name := topic(1)
	for _, a := range []sarama.RequiredAcks{sarama.NoResponse, sarama.WaitForLocal, sarama.WaitForAll} {
		c := config()
		c.Producer.RequiredAcks = a
		send(c, messages(name, fmt.Sprint(a))...)
	}
	readAll(name, 3)
	return nil
}

func headers() error {
	name := topic(1)
	send(config(), &sarama.ProducerMessage{Topic: name, Value: sarama.StringEncoder("v"), Headers: []sarama.RecordHeader{{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("a"), Value: []byte("2")}}},
		&sarama.ProducerMessage{Topic: name, Key: sarama.StringEncoder("k")})
	got := readAll(name, 2)
	Equal(len(got[0].Headers), 2, "headers")
	Equal(string(got[0].Headers[1].Value), "2", "second header")
	Holds(got[0].Key == nil && got[1].Value == nil, "nulls")
	return nil
}

func timestamps() error {
	at := time.UnixMilli(1_500_000_000_000)
	name, appended := topic(1), topic(1, "message.timestamp.type", "LogAppendTime")
	send(config(), &sarama.ProducerMessage{Topic: name, Timestamp: at}, &sarama.ProducerMessage{Topic: appended, Timestamp: at})
	Equal(readAll(name, 1)[0].Timestamp.UnixMilli(), at.UnixMilli(), "create time")
	Holds(readAll(appended, 1)[0].Timestamp.After(at.Add(24*time.Hour)), "append time")
	return nil
}

func large() error {
	name := topic(1, "max.message.bytes", "3000000")
	c := config()
	c.Producer.MaxMessageBytes = 8e6
	c.Producer.Retry.Max = 0
	value := bytes.Repeat([]byte("abc"), 800_000)
	send(c, &sarama.ProducerMessage{Topic: name, Value: sarama.ByteEncoder(value)})
	Holds(bytes.Equal(readAll(name, 1)[0].Value, value), "the value comes back")
	p := Must1(sarama.NewSyncProducer(addr, c))
	defer p.Close()
	_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: name, Value: sarama.ByteEncoder(make([]byte, 3_500_000))})
	Holds(errors.Is(err, sarama.ErrMessageSizeTooLarge), fmt.Sprintf("a record that is too large: %v", err))
	return nil
}

func idempotence() error {
	name := topic(2)
	c := config()
	c.Producer.Idempotent, c.Net.MaxOpenRequests = true, 1
	var in []*sarama.ProducerMessage
	for i := range 2000 {
		in = append(in, &sarama.ProducerMessage{Topic: name, Partition: int32(i % 2), Value: sarama.StringEncoder(fmt.Sprint(i))})
	}
	send(c, in...)
	for part := range int32(2) {
		for i, m := range read(config(), name, part, sarama.OffsetOldest, 1000) {
			Equal(string(m.Value), fmt.Sprint(2*i+int(part)), "value")
		}
	}
	return nil
}

func async() error {
	name := topic(1)
	p := Must1(sarama.NewAsyncProducer(addr, config()))
	for _, m := range messages(name, Numbers(100)...) {
		p.Input() <- m
	}
	for range 100 {
		select {
		case <-p.Successes():
		case err := <-p.Errors():
			return err
		}
	}
	Must(p.Close())
	readAll(name, 100)
	return nil
}
