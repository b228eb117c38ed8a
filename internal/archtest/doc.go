// Package archtest holds the tests of leat's architecture: who imports whom,
// how long files and functions are, what must not be called or written, and
// what must be documented.
//
// A [Rule] looks at the parsed files of the repository, a [Tree], and returns
// what it finds wrong. The rules are functions and not settings of a linter,
// so that each can say why it is there and what to do, and has a test that it
// can fail. They read the files themselves: a test that asks the go command is
// served from the test cache after a bad import came in, while files that a
// test opened are among what the cache looks at.
//
// The package is imported by nothing.
package archtest
