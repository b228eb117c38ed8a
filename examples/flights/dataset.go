package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"embed"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed data/*.csv.gz
var embedded embed.FS

// source is a CSV file and the topic it goes to.
type source struct {
	topic string
	file  string // without .csv or .csv.gz
	key   string // the column
	text  string // the columns that aren't numbers
}

// sources are all files, in the order in which they are loaded: what flights are
// joined with comes before them.
var sources = []source{
	{topic: "airlines", file: "airlines", key: "carrier", text: "carrier name"},
	{topic: "airports", file: "airports", key: "faa", text: "faa name dst tzone"},
	{topic: "planes", file: "planes", key: "tailnum", text: "tailnum type manufacturer model engine"},
	{topic: "weather", file: "weather", key: "origin", text: "origin time_hour"},
	{topic: "flights", file: "flights", key: "tailnum", text: "carrier tailnum origin dest time_hour"},
}

// tableTime is the timestamp of what was so before the year began.
var tableTime = time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)

// dataset is the rows of all files.
type dataset []*file

// file is the rows of one file, in the order of their timestamps.
type file struct {
	source
	columns []string
	numeric []bool // by column
	text    []byte // of the file
	rows    []row
}

// row is one row: where it is in the file's text, and its time.
type row struct {
	lo, end   int
	at        int64 // milliseconds since the epoch
	partition int32 // set by the loader
}

// cut leaves the first n flights, if n isn't 0.
func (d dataset) cut(n int) {
	last := d[len(d)-1]
	if n > 0 {
		last.rows = last.rows[:min(n, len(last.rows))]
	}
}

// readDataset reads and checks every row of every file, so that nothing of a
// broken file is loaded. Files are NAME.csv or NAME.csv.gz.
func readDataset(from fs.FS) (dataset, error) {
	var d dataset
	for _, s := range sources {
		f, err := readFile(from, s)
		if err != nil {
			return nil, err
		}
		d = append(d, f)
	}
	return d, nil
}

func readFile(from fs.FS, s source) (*file, error) {
	text, name, err := contents(from, s.file+".csv")
	if err != nil {
		return nil, err
	}
	f := &file{source: s, text: text}
	r := csv.NewReader(bytes.NewReader(text))
	r.ReuseRecord = true
	for n := 0; ; n++ {
		lo := int(r.InputOffset())
		fields, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w; nothing was loaded", name, err)
		}
		if n == 0 {
			err = f.header(fields)
		} else {
			err = f.add(fields, lo, int(r.InputOffset()))
		}
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("%s, line %d: %w; nothing was loaded", name, line, err)
		}
	}
	if len(f.rows) == 0 {
		return nil, fmt.Errorf("%s has no rows; nothing was loaded", name)
	}
	slices.SortFunc(f.rows, func(a, b row) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.lo, b.lo)) })
	return f, nil
}

// contents is the text of a file, or of its compressed form.
func contents(from fs.FS, name string) ([]byte, string, error) {
	text, err := fs.ReadFile(from, name)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, name, err
	}
	packed, err := fs.ReadFile(from, name+".gz")
	if err != nil {
		return nil, name, fmt.Errorf("no %s, compressed or not: %w", name, err)
	}
	name += ".gz"
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, name, fmt.Errorf("%s: %w", name, err)
	}
	if text, err = io.ReadAll(z); err != nil {
		return nil, name, fmt.Errorf("%s: %w", name, err)
	}
	return text, name, nil
}

func (f *file) header(columns []string) error {
	f.columns = slices.Clone(columns)
	text := strings.Fields(f.source.text)
	for _, c := range append([]string{f.key}, text...) {
		if !slices.Contains(columns, c) {
			return fmt.Errorf("there is no column %s", c)
		}
	}
	for _, c := range columns {
		f.numeric = append(f.numeric, !slices.Contains(text, c))
	}
	return nil
}

func (f *file) add(fields []string, lo, end int) error {
	for i, v := range fields {
		if f.numeric[i] && v != missing && !isNumber(v) {
			return fmt.Errorf("%s is %q, which is not a number", f.columns[i], v)
		}
	}
	at, err := f.time(fields)
	if err != nil {
		return err
	}
	f.rows = append(f.rows, row{lo: lo, end: end, at: at.UnixMilli()})
	return nil
}

// missing is how the files write what isn't known.
const missing = "NA"

// isNumber reports whether s is a number as JSON writes it.
func isNumber(s string) bool {
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		if !isDigits(strings.TrimLeft(s[i+1:min(i+2, len(s))], "+-") + s[min(i+2, len(s)):]) {
			return false
		}
		s = s[:i]
	}
	whole, part, isPart := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	zeros := len(whole) > 1 && whole[0] == '0'
	return isDigits(whole) && !zeros && (!isPart || isDigits(part))
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// time is the row's timestamp: that of the hour it names, if it does, and for
// flights the minute of the scheduled departure.
func (f *file) time(fields []string) (time.Time, error) {
	i := slices.Index(f.columns, "time_hour")
	if i < 0 {
		return tableTime, nil
	}
	at, err := time.Parse(time.RFC3339, fields[i])
	if err != nil {
		return at, fmt.Errorf("time_hour: %w", err)
	}
	if i = slices.Index(f.columns, "minute"); i >= 0 {
		minute, err := strconv.Atoi(fields[i])
		if err != nil {
			return at, fmt.Errorf("minute: %w", err)
		}
		at = at.Add(time.Duration(minute) * time.Minute)
	}
	return at, nil
}

// fields parses a row again, which was found good before.
func (f *file) fields(r row) ([]string, error) {
	line := f.text[r.lo:r.end]
	if bytes.IndexByte(line, '"') < 0 {
		return strings.Split(strings.TrimRight(string(line), "\r\n"), ","), nil
	}
	return csv.NewReader(bytes.NewReader(line)).Read()
}

// keyOf is the record's key, nil if it isn't known.
func (f *file) keyOf(fields []string) []byte {
	v := fields[slices.Index(f.columns, f.key)]
	if v == missing {
		return nil
	}
	return []byte(v)
}

// value is the row as JSON: an object with the columns in their order.
func (f *file) value(fields []string) ([]byte, error) {
	dst := make([]byte, 0, 24*len(fields))
	dst = append(dst, '{')
	for i, v := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), f.columns[i]...), '"', ':')
		switch {
		case v == missing:
			dst = append(dst, "null"...)
		case f.numeric[i]:
			dst = append(dst, v...)
		default:
			text, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			dst = append(dst, text...)
		}
	}
	return append(dst, '}'), nil
}
