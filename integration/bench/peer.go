package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// peer is one bare connection, which costs us less than a whole client does.
type peer struct {
	conn   net.Conn
	in     *bufio.Reader
	format *kmsg.RequestFormatter
	count  int32
}

// connect connects, and asks for the versions of the APIs as every client does.
func connect(address string) (*peer, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	p := &peer{conn: conn, in: bufio.NewReaderSize(conn, 512), format: kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench"))}
	versions := kmsg.NewPtrApiVersionsRequest()
	versions.ClientSoftwareName, versions.ClientSoftwareVersion = "bench", "1"
	versions.Version = 3
	if _, err := p.ask(versions); err != nil {
		conn.Close()
		return nil, err
	}
	return p, nil
}

// ask sends a request and returns the answer, without its correlation id.
func (p *peer) ask(r kmsg.Request) ([]byte, error) {
	p.count++
	if _, err := p.conn.Write(p.format.AppendRequest(nil, r, p.count)); err != nil {
		return nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(p.in, head[:]); err != nil {
		return nil, err
	}
	if got := int32(binary.BigEndian.Uint32(head[4:])); got != p.count {
		return nil, fmt.Errorf("answer %d to request %d", got, p.count)
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:4])-4)
	_, err := io.ReadFull(p.in, body)
	return body, err
}

// trickle writes a record a second.
func (p *peer) trickle(ctx context.Context, number int, plan plan, l *latency) error {
	records := oneRecord(letters(100)[0])
	// Not all in the same moment.
	at := time.Now().Add(time.Duration(number) * time.Second / time.Duration(plan.scale.connections))
	for ; at.Before(l.until); at = at.Add(time.Second) {
		select {
		case <-time.After(time.Until(at)):
		case <-ctx.Done():
			return ctx.Err()
		}
		err := p.produce(wide, int32(number%plan.scale.partitions), records)
		if l.note(at, err); err != nil {
			return err
		}
	}
	return nil
}

func (p *peer) produce(topic string, partition int32, records []byte) error {
	to := kmsg.NewProduceRequestTopicPartition()
	to.Partition, to.Records = partition, records
	request := kmsg.NewPtrProduceRequest()
	request.Version, request.Acks, request.TimeoutMillis = 9, -1, 30_000
	request.Topics = []kmsg.ProduceRequestTopic{{Topic: topic, Partitions: []kmsg.ProduceRequestTopicPartition{to}}}
	body, err := p.ask(request)
	if err != nil {
		return err
	}
	answer := kmsg.NewPtrProduceResponse()
	answer.Version = request.Version
	if err := answer.ReadFrom(body[1:]); err != nil { // behind the header's tags
		return err
	}
	return kerr.ErrorForCode(answer.Topics[0].Partitions[0].ErrorCode)
}

// shares is how many partitions each member of a group has.
type shares struct {
	mu   sync.Mutex
	each []int
	all  chan struct{}
}

func newShares(n int) *shares { return &shares{each: make([]int, n), all: make(chan struct{}, 1)} }

// set notes what a member has; with one each, all have theirs.
func (s *shares) set(member, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.each[member] = n
	for _, n := range s.each {
		if n != 1 {
			return
		}
	}
	select {
	case s.all <- struct{}{}:
	default:
	}
}

func (s *shares) wait(ctx context.Context) error {
	select {
	case <-s.all:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
