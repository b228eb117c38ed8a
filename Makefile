# What there is to do, each one go command where that can be. `make run` starts
# the demo; `make test lint` is what a change has to pass.

# leat needs this toolchain or a newer one (generic methods). An older go, from
# 1.21 on, downloads it, unless the environment forbids that; so we say it here.
export GOTOOLCHAIN = go1.27.3
# No version control stamp: it fails in a checkout that belongs to someone else.
export GOFLAGS = -buildvcs=false

ARGS      ?=
PKG       ?= ./...
BENCH     ?= .
BENCHTIME ?= 1s
BENCHFLAGS ?=
FUZZTIME  ?= 10s
SOAK      ?= 10m
ON        ?= leat
CLIENTS   ?=

.PHONY: build run test race lint bench bench-broker fuzz soak kafka clients clean

# Binaries of cmd/ into bin/.
build:
	go build -o bin/ ./cmd/...

# The demo: a stream of flights, with a broker in the same process.
# Flags go into ARGS: make run ARGS='--help'.
run:
	go run ./examples/flights $(ARGS)

# The tag lets franz-go run under the virtual time of testing/synctest.
test:
	go test -tags synctests -timeout 15m $(PKG)

# The examples and most of integration are left out: under the race detector
# they take half an hour, and what goes on at the same time in them is the
# packages'. make race PKG=./integration runs them too.
race:
ifeq ($(PKG),./...)
	go test -race -tags synctests $$(go list ./... | grep -v -e /examples/ -e /integration)
	go test -race -tags synctests -run '^TestScenario' ./integration
else
	go test -race -tags synctests -timeout 1h $(PKG)
endif

# gofmt of the same toolchain: an older one can't read generic methods.
lint:
	@bad="$$("$$(go env GOROOT)/bin/gofmt" -l .)"; \
	if [ -n "$$bad" ]; then echo "not formatted by gofmt:"; echo "$$bad"; exit 1; fi
	go vet -tags synctests $(PKG)
	go tool staticcheck $(PKG)

# One package at a time: benchmarks that run side by side measure each other.
bench:
	go test -p 1 -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem \
		$$(grep -rl --include='*_test.go' '^func Benchmark' . | xargs -n 1 dirname | sort -u)

# The broker next to Apache Kafka and kfake, which are fetched, on a machine with
# nothing else to do: 20 minutes, or BENCHFLAGS=-quick.
bench-broker:
	integration/bench/run.sh $(BENCHFLAGS)

# Each fuzz target in turn; go test takes one at a time.
fuzz:
	@grep -r --include='*_test.go' '^func Fuzz' . | \
	sed -n 's|^\(.*\)/[^/]*:func \(Fuzz[A-Za-z0-9_]*\).*|\1 \2|p' | \
	while read -r dir target; do \
		echo "$$dir $$target"; \
		go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s "$$dir" </dev/null || exit 1; \
	done

# Whole systems with random settings, restarts and faults, for SOAK; seeds are
# printed.
soak:
	go test -tags synctests ./integration -run 'TestMetamorphic|TestChaos' -timeout 12h -v -args -soak $(SOAK)
	LEAT_SOAK=200 go test -tags synctests ./broker -run 'TestHistory$$' -timeout 12h
	LEAT_SOAK=50 go test -tags synctests ./integration -run TestKilled_Broker -timeout 12h -v
	LEAT_SOAK=3 go test -tags synctests ./cmd/leat-oracle -run 'TestCases_Real|TestCases_RandomRestarts' -timeout 12h -v

# The integration tests against a real Apache Kafka, which is fetched and started
# for it. It needs Java 17 and Maven.
kafka:
	integration/kafka/test.sh

# What users of other clients do (Java, librdkafka, Python, JavaScript, Go), against
# the broker; ON=kafka against a real Kafka, ON=both against both. CLIENTS="kcat java"
# for some. What a client needs is fetched once; what isn't there is left out.
clients:
	integration/clients/run.sh $(ON) $(CLIENTS)

# What these targets have made; stored records (data/) stay.
clean:
	rm -rf bin
	find . -name '*.test' -o -name '*.prof' | xargs rm -f
