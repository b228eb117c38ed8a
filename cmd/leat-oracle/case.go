package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// testCase is a case as its file has it. The format is that of the files in
// testdata: a topology, timed inputs, and what Kafka Streams answered.
type testCase struct {
	Name     string
	Comment  string
	Quirk    string
	Lenient  []string
	Config   config
	Topology []operator
	Inputs   []event

	Expected         json.RawMessage
	ExpectedInMemory json.RawMessage
}

type config struct {
	Cache                  bool
	Optimize               string
	DeserializationHandler string
	ProcessingHandler      string
	ProductionHandler      string
	DLQTopic               string
	WallClockStartMs       int64
	// How often at most Kafka looks for records that have joined none.
	OuterJoinEmitIntervalMs int64
	// How often at most Kafka looks for closed windows.
	WindowCloseEmitIntervalMs int64
}

// operator is one node of a topology. Which fields it uses depends on Op.
type operator struct {
	ID   string
	Op   string
	From names
	Name string

	Topic, Pattern, Key, Value string
	Topics                     []string
	TimestampExtractor         string
	Type                       string // of a join, of a store
	Store                      string
	RetentionMs                *int64
	VersionedHistoryMs         *int64
	Cache                      *bool

	Fn, FnKey, Sub, Init, Agg, Merge string
	Aggs                             []string
	KeyFn, Fk, Joiner                string
	Left, Right                      string
	GraceMs                          *int64
	Window                           windowSpec
	Emit                             string
	Branches                         []branch
	Default                          json.RawMessage
	ValueType, TopicFn, Prefix       string

	// Of suppress.
	UntilWindowCloses bool
	UntilTimeLimitMs  *int64
	Buffer            bufferSpec

	// Of processors.
	Stores                        []string
	Clock                         string
	IntervalMs, WindowMs, DelayMs int64
	TimeoutMs, CheckEveryMs, Max  int64
	Reset                         bool
	Pred, Yes, No                 string
	BeforeMs, AfterMs, HalfMs     int64
	LookbackMs                    int64

	// Of declared stores.
	SizeMs, HistoryMs int64
	RetainDuplicates  bool
}

// windowSpec is a window of an aggregation or of a join.
type windowSpec struct {
	Type                                      string
	SizeMs, AdvanceMs, GraceMs, DiffMs, GapMs int64
	StartMs, BeforeMs, AfterMs                int64
}

type branch struct {
	Fn, Name, ConsumerTo string
	Chain                *operator
}

// event is one step of the input.
type event struct {
	Topic              string
	Key, Value         json.RawMessage
	RawKey, RawValue   *[]byte
	TS                 int64
	Headers            [][]*string
	AdvanceWallClockMs *int64
	Query              *query
}

// query reads a store between two records.
type query struct {
	Store, Op               string
	Key, From, To           json.RawMessage
	Start, TimeFrom, TimeTo int64
	AsOf                    int64
}

// names is one string or several.
type names []string

// UnmarshalJSON implements json.Unmarshaler.
func (n *names) UnmarshalJSON(src []byte) error {
	if len(src) > 0 && src[0] == '[' {
		return json.Unmarshal(src, (*[]string)(n))
	}
	var one string
	err := json.Unmarshal(src, &one)
	*n = names{one}
	return err
}

// readCase reads a case of JSON.
func readCase(src []byte) (*testCase, error) {
	c := &testCase{}
	if err := json.Unmarshal(src, c); err != nil {
		return nil, fmt.Errorf("not a case: %w", err)
	}
	return c, nil
}

func loadCase(file string) (*testCase, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	c, err := readCase(src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return c, nil
}

// unsupportedError says that leat lacks what a case needs.
type unsupportedError struct{ what string }

func (e *unsupportedError) Error() string { return "unsupported: " + e.what }

func unsupported(format string, args ...any) error {
	return &unsupportedError{fmt.Sprintf(format, args...)}
}
