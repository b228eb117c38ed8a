package api

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/leatstream/leat/broker/internal/batch"
	"github.com/leatstream/leat/broker/internal/partition"
	"github.com/leatstream/leat/broker/internal/settings"
)

func drawID(t *rapid.T) (id [16]byte) {
	copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
	return id
}

// TestProduce_Decode compares the decoder with the generated one.
func TestProduce_Decode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := kmsg.NewPtrProduceRequest()
		r.Version = int16(rapid.IntRange(3, 13).Draw(t, "version"))
		r.Acks = rapid.Int16().Draw(t, "acks")
		for range rapid.IntRange(0, 3).Draw(t, "topics") {
			rt := kmsg.NewProduceRequestTopic()
			if r.Version >= 13 {
				rt.TopicID = drawID(t)
			} else {
				rt.Topic = rapid.StringN(0, 20, 100).Draw(t, "topic")
			}
			for range rapid.IntRange(0, 3).Draw(t, "partitions") {
				rp := kmsg.NewProduceRequestTopicPartition()
				rp.Partition = rapid.Int32().Draw(t, "partition")
				rp.Records = rapid.SliceOf(rapid.Byte()).Draw(t, "records")
				rt.Partitions = append(rt.Partitions, rp)
			}
			r.Topics = append(r.Topics, rt)
		}
		body := r.AppendTo(nil)
		p := &produced{version: r.Version}
		acks, err := p.decode(body, r.Version >= 9)
		if err != nil || acks != r.Acks || len(p.topics) != len(r.Topics) {
			t.Fatalf("acks %d, %d topics, %v", acks, len(p.topics), err)
		}
		for i, rt := range r.Topics {
			pt := p.topics[i]
			if pt.name != rt.Topic || pt.id != rt.TopicID || !slices.EqualFunc(pt.partitions, rt.Partitions, func(a producedPartition, b kmsg.ProduceRequestTopicPartition) bool {
				return a.index == b.Partition && bytes.Equal(a.records, b.Records)
			}) {
				t.Fatalf("topic %d: %+v, want %+v", i, pt, rt)
			}
		}
	})
}

// TestProduce_Encode reads the response back with the generated decoder.
func TestProduce_Encode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &produced{version: int16(rapid.IntRange(3, 13).Draw(t, "version"))}
		topic := producedTopic{partitions: []producedPartition{{index: 4, at: partition.Appended{BaseOffset: 7, LogAppendTime: 8, LogStart: 9}}}}
		if p.version >= 13 {
			topic.id = drawID(t)
		} else {
			topic.name = "t"
		}
		topic.partitions = append(topic.partitions, producedPartition{index: 5, code: 87, err: &batch.Error{Message: "m", Records: []batch.RecordError{{Index: 3, Message: "r"}}}})
		p.topics = []producedTopic{topic}

		got := kmsg.NewPtrProduceResponse()
		got.Version = p.version
		if err := got.ReadFrom(p.AppendTo(nil)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.AppendTo(nil), p.AppendTo(nil)) {
			t.Fatal("there are bytes that the decoder doesn't read")
		}
		gt := got.Topics[0]
		ok, bad := gt.Partitions[0], gt.Partitions[1]
		if gt.Topic != topic.name || gt.TopicID != topic.id || ok.Partition != 4 || ok.BaseOffset != 7 || ok.LogAppendTime != 8 || bad.ErrorCode != 87 {
			t.Fatalf("%+v", gt)
		}
		if p.version >= 8 && (*bad.ErrorMessage != "m" || bad.ErrorRecords[0].RelativeOffset != 3 || ok.ErrorMessage != nil) {
			t.Fatalf("errors: %+v", bad)
		}
	})
}

// TestFetch_Encode reads the response back with the generated decoder.
func TestFetch_Encode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &fetched{version: int16(rapid.IntRange(4, 18).Draw(t, "version")), committed: rapid.Bool().Draw(t, "committed")}
		topic := fetchedTopic{}
		if f.version >= 13 {
			topic.id = drawID(t)
		} else {
			topic.name = rapid.StringN(1, 20, 100).Draw(t, "topic")
		}
		var want [][]byte
		for i := range rapid.IntRange(1, 4).Draw(t, "partitions") {
			p := fetchedPartition{index: int32(i)}
			p.result = partition.ReadResult{HighWatermark: 10, LastStable: 9, LogStart: 8}
			p.result.Data = rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 300), 0, 3).Draw(t, "data")
			want = append(want, bytes.Join(p.result.Data, nil))
			p.result.Size = len(want[i])
			if f.committed {
				p.result.Aborted = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) partition.Aborted {
					return partition.Aborted{ProducerID: rapid.Int64().Draw(t, "producer"), FirstOffset: rapid.Int64().Draw(t, "first")}
				}), 0, 3).Draw(t, "aborted")
			}
			p.diverged, p.divergedEpoch, p.divergedEnd = f.version >= 12 && rapid.Bool().Draw(t, "diverged"), 3, 4
			topic.partitions = append(topic.partitions, p)
		}
		f.topics = []fetchedTopic{topic}
		got := kmsg.NewPtrFetchResponse()
		got.Version = f.version
		b := f.AppendTo(nil)
		if err := got.ReadFrom(b); err != nil {
			t.Fatal(err)
		}
		gt := got.Topics[0]
		if gt.Topic != topic.name || gt.TopicID != topic.id || len(gt.Partitions) != len(topic.partitions) {
			t.Fatalf("%+v", gt)
		}
		for i, gp := range gt.Partitions {
			p := topic.partitions[i]
			if gp.Partition != p.index || !bytes.Equal(gp.RecordBatches, want[i]) {
				t.Fatalf("partition %d: %x, want %x", i, gp.RecordBatches, want[i])
			}
			if (gp.AbortedTransactions != nil) != f.committed || !slices.EqualFunc(gp.AbortedTransactions, p.result.Aborted, func(a kmsg.FetchResponseTopicPartitionAbortedTransaction, b partition.Aborted) bool {
				return a.ProducerID == b.ProducerID && a.FirstOffset == b.FirstOffset
			}) {
				t.Fatalf("partition %d: aborted %+v, want %+v", i, gp.AbortedTransactions, p.result.Aborted)
			}
			if !p.diverged && gp.HighWatermark != 10 || p.diverged && (gp.DivergingEpoch.Epoch != 3 || gp.DivergingEpoch.EndOffset != 4) {
				t.Fatalf("partition %d: %+v", i, gp)
			}
		}
	})
}

func FuzzProduce_Decode(f *testing.F) {
	for _, v := range []int16{3, 8, 9, 12, 13} {
		r := kmsg.NewPtrProduceRequest()
		r.Version = v
		rt := kmsg.NewProduceRequestTopic()
		rt.Topic = "t"
		rp := kmsg.NewProduceRequestTopicPartition()
		rp.Records = []byte("batch")
		rt.Partitions = append(rt.Partitions, rp)
		r.Topics = append(r.Topics, rt)
		f.Add(v, r.AppendTo(nil))
	}
	f.Add(int16(3), []byte{0xff, 0xff, 0, 1, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		p := &produced{version: version}
		if _, err := p.decode(body, version >= 9); err != nil {
			return
		}
		total := 0
		for _, pt := range p.topics {
			total += len(pt.name)
			for _, pp := range pt.partitions {
				total += len(pp.records)
			}
		}
		if total > len(body) {
			t.Fatalf("%d bytes made %d", len(body), total)
		}
	})
}

func TestTable(t *testing.T) {
	for _, a := range table() {
		r := kmsg.RequestForKey(a.key)
		if r == nil {
			t.Errorf("key %d is unknown to the codec", a.key)
			continue
		}
		if a.min > a.max || a.max > r.MaxVersion() {
			t.Errorf("%s: versions %d-%d, the codec has up to %d", kmsg.NameForKey(a.key), a.min, a.max, r.MaxVersion())
		}
		if a.handle == nil && a.key != keyProduce && a.key != keyApiVersions {
			t.Errorf("%s has no handler", kmsg.NameForKey(a.key))
		}
	}
	if _, ok := served(-1); ok {
		t.Error("key -1 is served")
	}
	if _, ok := served(1000); ok {
		t.Error("key 1000 is served")
	}
}

func TestIncrement(t *testing.T) {
	v := kmsg.StringPtr
	op := func(name string, op kmsg.IncrementalAlterConfigOp, value *string) kmsg.IncrementalAlterConfigsRequestResourceConfig {
		return kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: name, Op: op, Value: value}
	}
	const set, del, add, sub = kmsg.IncrementalAlterConfigOpSet, kmsg.IncrementalAlterConfigOpDelete, kmsg.IncrementalAlterConfigOpAppend, kmsg.IncrementalAlterConfigOpSubtract
	for name, c := range map[string]struct {
		op   kmsg.IncrementalAlterConfigsRequestResourceConfig
		want string // of cleanup.policy; "!" is an error
	}{
		"set":              {op("cleanup.policy", set, v("compact")), "compact"},
		"append":           {op("cleanup.policy", add, v("compact")), "delete,compact"},
		"append twice":     {op("cleanup.policy", add, v("delete")), "delete"},
		"subtract":         {op("cleanup.policy", sub, v("delete")), ""},
		"delete":           {op("cleanup.policy", del, nil), "-"},
		"append to number": {op("retention.ms", add, v("1")), "!"},
		"unknown":          {op("x", set, v("1")), "!"},
		"null":             {op("cleanup.policy", set, nil), "!"},
		"bad operation":    {op("cleanup.policy", 9, v("1")), "!"},
	} {
		what := configured{
			table:   settings.Topics,
			value:   func(d settings.Def, o map[string]string) string { return o[d.Name] },
			unknown: func(name string) error { return errors.New(name) },
		}
		got, err := increment([]kmsg.IncrementalAlterConfigsRequestResourceConfig{c.op})(what, map[string]string{"cleanup.policy": "delete"})
		if (err != nil) != (c.want == "!") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		value, ok := got["cleanup.policy"]
		if err == nil && (value != c.want && ok || ok == (c.want == "-")) {
			t.Errorf("%s: %q", name, value)
		}
	}
}

// fill sets every field that can be set to something, with arrays of n
// elements.
func fill(v reflect.Value, n int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "Version" && name != "UnknownTags" {
				fill(v.Field(i), n)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(v.Index(i), n)
		}
	case reflect.String:
		v.SetString("name")
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	}
}

// TestSchemas compares the schemas with the generated encoders: they must read
// exactly the bytes of a request.
func TestSchemas(t *testing.T) {
	for _, a := range table() {
		if a.key == keyProduce {
			continue
		}
		for v := a.min; v <= a.max; v++ {
			for n := range 3 {
				r := kmsg.RequestForKey(a.key)
				fill(reflect.ValueOf(r).Elem(), n)
				r.SetVersion(v)
				body := r.AppendTo(nil)
				s := schemas[a.key]
				if err := s.Check(body, v); err != nil {
					t.Errorf("%s v%d with arrays of %d: %v", kmsg.NameForKey(a.key), v, n, err)
				}
				if err := s.Check(body[:max(0, len(body)-1)], v); err == nil && len(body) > 0 {
					t.Errorf("%s v%d with arrays of %d: a byte is not looked at", kmsg.NameForKey(a.key), v, n)
				}
			}
		}
	}
}
