#!/usr/bin/env bash
# Runs the integration tests against a real Apache Kafka, which it starts and
# stops. Java and Maven are needed; without them it says so and exits with 3. If
# Kafka can't be fetched it exits with 4.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=$(mktemp -d)
port=${KAFKA_PORT:-39092}

"$here/broker.sh" run "$port" "$dir" >"$dir/broker.log" 2>&1 &
broker=$!
trap 'kill "$broker" 2>/dev/null; wait "$broker" 2>/dev/null || true; rm -rf "$dir"' EXIT

for _ in $(seq 600); do # the first start fetches the jars
	if (echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
	if ! kill -0 "$broker" 2>/dev/null; then
		status=0
		wait "$broker" || status=$?
		tail -n 20 "$dir/broker.log" >&2
		exit "$status"
	fi
	sleep 0.5
done

cd "$here/../.."
GOTOOLCHAIN=$(sed -n 's/^toolchain //p' go.mod) # as the Makefile does
export GOTOOLCHAIN
KAFKA_ADDR=127.0.0.1:$port go test -count=1 -v -timeout 10m -run '^TestScenario/^kafka$' ./integration ./examples/flights "$@"
