#!/usr/bin/env bash
# Runs the integration tests against a real Apache Kafka, which it starts and
# stops. Java and Maven are needed; without them it says so and exits with 3. If
# Kafka can't be fetched it exits with 4.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=$(mktemp -d)
port=${KAFKA_PORT:-39092}

broker=
end() {
	if [ -n "$broker" ]; then
		kill "$broker" 2>/dev/null || true
		wait "$broker" 2>/dev/null || true
	fi
	broker=
}
trap 'end; rm -rf "$dir"' EXIT

# start MODE starts a broker and waits until it listens.
start() {
	"$here/broker.sh" "$1" "$port" "$dir/$1" >"$dir/$1.log" 2>&1 &
	broker=$!
	for _ in $(seq 600); do # the first start fetches the jars
		if (echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
		if ! kill -0 "$broker" 2>/dev/null; then
			local status=0
			wait "$broker" || status=$?
			broker=
			tail -n 20 "$dir/$1.log" >&2
			exit "$status"
		fi
		sleep 0.5
	done
}

cd "$here/../.."
GOTOOLCHAIN=$(sed -n 's/^toolchain //p' go.mod) # as the Makefile does
export GOTOOLCHAIN

start run
KAFKA_ADDR=127.0.0.1:$port go test -count=1 -v -timeout 10m -run '^TestScenario/^kafka$' ./integration ./examples/flights "$@"
end

for program in keytool openssl; do
	if ! command -v "$program" >/dev/null; then
		echo "test.sh: the secured broker is left out: $program isn't installed" >&2
		exit 0
	fi
done
start secure
KAFKA_SECURE_ADDR=127.0.0.1:$port KAFKA_SECURE_MUTUAL_ADDR=127.0.0.1:$((port + 2)) KAFKA_SECURE_DIR=$dir/secure/tls \
	go test -count=1 -v -timeout 10m -run '^TestScenarioSecured$/^kafka$' ./integration "$@"
