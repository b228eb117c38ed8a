#!/usr/bin/env bash
# kcat, on the command line. It comes from the system's packages.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
need kcat timeout

address=$1
run=$RANDOM$RANDOM
passed=0 total=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

kc() { timeout 60 kcat -b "$address" "$@"; }
topic() { echo "kcat-$run-$1"; }

# check NAME WANT COMMAND... compares what a command prints.
check() {
	local name=$1 want=$2 got
	shift 2
	total=$((total + 1))
	got=$("$@" 2>"$work/err") || got="$got (status $?: $(tail -n 1 "$work/err"))"
	if [ "$got" = "$want" ]; then
		passed=$((passed + 1))
		echo "ok    $name"
	else
		printf 'FAIL  %s: got %q, want %q\n' "$name" "$got" "$want"
	fi
}

# there TOPIC makes a topic and waits until it is known.
there() {
	echo first | kc -P -t "$1" -X topic.metadata.refresh.interval.ms=200
	until kc -L -t "$1" | grep -q 'with 1 partitions'; do sleep 0.1; done
}

listed() { kc -L -t "$1" | grep -c "topic \"$1\" with 1 partitions"; }
there "$(topic a)"
check "a topic is made, and listed" 1 listed "$(topic a)"
check "metadata as JSON" 1 sh -c "timeout 60 kcat -b $address -L -J | grep -c '\"brokers\":\[{\"id\":'"
check "consume to the end" first kc -C -t "$(topic a)" -e -q

for codec in none gzip snappy lz4 zstd; do
	round() {
		seq 500 | kc -P -t "$1" -z "$codec"
		kc -C -t "$1" -e -q | tail -n 500 | cksum
	}
	there "$(topic "$codec")"
	check "codec $codec" "$(seq 500 | cksum)" round "$(topic "$codec")"
done

keyed() {
	printf 'k1:v1\nk2:v2\n' | kc -P -t "$1" -K: -H a=1 -H b=2
	kc -C -t "$1" -o 1 -e -q -f '%k=%s[%h]@%o\n'
}
there "$(topic keyed)"
check "keys, headers and offsets" "$(printf 'k1=v1[a=1,b=2]@1\nk2=v2[a=1,b=2]@2')" keyed "$(topic keyed)"

nulls() {
	printf 'k:\n' | kc -P -t "$1" -K: -Z
	kc -C -t "$1" -o 1 -e -q -f '%k %S\n'
}
there "$(topic nulls)"
check "a null value" "k -1" nulls "$(topic nulls)"

there "$(topic seek)"
seq 9 | kc -P -t "$(topic seek)"
check "from an offset" "$(seq 7 9)" kc -C -t "$(topic seek)" -p 0 -o 7 -e -q
check "the last two" "$(seq 8 9)" kc -C -t "$(topic seek)" -p 0 -o -2 -e -q
check "a number of records" "$(printf 'first\n1')" kc -C -t "$(topic seek)" -p 0 -o beginning -c 2 -q
check "offset by time, at the end" "$(topic seek) [0] offset -1" kc -Q -t "$(topic seek):0:9999999999999" -X log_level=0
check "offset by time, at the beginning" "$(topic seek) [0] offset 0" kc -Q -t "$(topic seek):0:1" -X log_level=0

grouped() { timeout 60 kcat -b "$address" -G "$1" -X auto.offset.reset=earliest -X session.timeout.ms=6000 -c "$2" -q "$3" 2>/dev/null; }
there "$(topic group)"
seq 3 | kc -P -t "$(topic group)"
check "a group" "$(printf 'first\n1\n2\n3')" grouped "g-$run" 4 "$(topic group)"
seq 4 5 | kc -P -t "$(topic group)"
check "a group goes on" "$(seq 4 5)" grouped "g-$run" 2 "$(topic group)"

transacted() {
	seq 5 | kc -P -t "$1" -X "transactional.id=x-$run"
	kc -C -t "$1" -e -q -X isolation.level=read_committed
}
there "$(topic txn)"
check "a transaction" "$(printf 'first\n1\n2\n3\n4\n5')" transacted "$(topic txn)"

idempotent() {
	seq 1000 | kc -P -t "$1" -X enable.idempotence=true
	kc -C -t "$1" -e -q | tail -n 1000 | cksum
}
there "$(topic idem)"
check "idempotence" "$(seq 1000 | cksum)" idempotent "$(topic idem)"

head -c 900000 /dev/zero | tr '\0' x >"$work/large"
large() {
	kc -P -t "$1" "$work/large"
	kc -C -t "$1" -o 1 -e -q | tr -d '\n' | wc -c | tr -d ' '
}
there "$(topic large)"
check "a large record" 900000 large "$(topic large)"

echo "kcat: $passed of $total checks passed"
[ "$passed" = "$total" ]
