// Command leat-oracle runs cases that Kafka Streams has answered through leat's
// DSL. A case is a JSON file: a topology, timed inputs, and what the DSL of Kafka
// Streams gave for them.
//
//	leat-oracle CASE.json          runs the case and prints leat's answer as JSON
//	leat-oracle -check CASE.json…  runs cases and prints where leat differs
//	leat-oracle -out DIR CASE…     writes leat's answers as files of DIR
//
// The cases of testdata/cases.zip were answered by Kafka Streams 4.3, in its
// TopologyTestDriver; the tests hold leat against all of them, with the options
// stream.LikeKafka and streamtest.LikeKafka: where leat answers better by default,
// docs/semantics.md says how.
//
// It exits with 3 and names the operator if leat lacks one that the case needs,
// with 1 if a case can't be run or, with -check, if an answer differs.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	check := flag.Bool("check", false, "compare the answers with those of the cases")
	out := flag.String("out", "", "write the answers to files of this folder")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: leat-oracle [-check] [-out DIR] CASE.json...")
		os.Exit(2)
	}
	os.Exit(runFiles(flag.Args(), *check, *out, os.Stdout, os.Stderr))
}

// runFiles runs each case and returns the exit code.
func runFiles(files []string, check bool, out string, stdout, stderr io.Writer) int {
	code, agreed, lacking := 0, 0, 0
	for _, file := range files {
		c, err := loadCase(file)
		var res *result
		if err == nil {
			res, err = runCase(c)
		}
		var u *unsupportedError
		switch {
		case errors.As(err, &u):
			fmt.Fprintf(stderr, "%s: %v\n", filepath.Base(file), u)
			lacking++
			continue
		case err != nil:
			fmt.Fprintf(stderr, "%s: %v\n", filepath.Base(file), err)
			code = 1
			continue
		}
		if check {
			diffs := compare(c, res)
			for _, d := range diffs {
				fmt.Fprintf(stdout, "%s: %s\n", filepath.Base(file), d)
			}
			if len(diffs) > 0 {
				code = 1
			} else {
				agreed++
			}
			continue
		}
		if err := write(res, file, out, stdout); err != nil {
			fmt.Fprintf(stderr, "%s: %v\n", filepath.Base(file), err)
			code = 1
		}
	}
	if check {
		fmt.Fprintf(stdout, "%d of %d cases agree, %d need what leat lacks\n", agreed, len(files), lacking)
	}
	if lacking > 0 && code == 0 {
		return 3
	}
	return code
}

func write(res *result, file, out string, stdout io.Writer) error {
	b, err := json.MarshalIndent(res, "", " ")
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if out != "" {
		return os.WriteFile(filepath.Join(out, filepath.Base(file)), b, 0o644)
	}
	_, err = stdout.Write(b)
	return err
}
