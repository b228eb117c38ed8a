#!/usr/bin/env bash
# Builds leat, fetches Kafka and kfake, and measures them (see doc.go).
#
#   run.sh [FLAG...]     flags of the bench, such as -quick or -rounds 5
#
# Kafka needs Java 17 and Maven; what isn't there, or can't be fetched, is left
# out, and said.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
GOTOOLCHAIN=$(sed -n 's/^toolchain //p' "$root/go.mod") # as the Makefile does
export GOTOOLCHAIN
export GOFLAGS=-buildvcs=false

dir=$(mktemp -d)
child=
trap 'kill $child 2>/dev/null || true; wait; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

(cd "$root" && go build -o "$dir/" ./cmd/leat ./integration/bench)
flags=(-leat "$dir/leat")
if (cd "$here/kfake" && go build -o "$dir/kfake" .); then
	flags+=(-kfake "$dir/kfake")
else
	echo "run.sh: kfake is left out: it can't be fetched" >&2
fi
kafka=$here/../kafka/broker.sh
if "$kafka" fetch; then
	flags+=(-kafka "$kafka")
else
	echo "run.sh: Kafka is left out: it can't be fetched, or Java isn't there" >&2
fi

"$dir/bench" "${flags[@]}" "$@" &
child=$!
wait $child
