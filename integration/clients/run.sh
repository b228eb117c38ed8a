#!/usr/bin/env bash
# Runs what users of other clients do, against leat's broker and, as the control,
# against a real Apache Kafka. The same checks have to pass on both.
#
#   run.sh [leat|kafka|both] [CLIENT...]     default: leat, and all clients
#
# The clients are the scripts in this folder. Each fetches what it needs from the
# public registries, once, into LEAT_CLIENTS_CACHE. What can't run is left out, and
# said at the end with the reason. Against leat three run at a time, each with a broker
# of its own: they spend most of their time waiting. With CLIENTS_BUDGET=SECONDS no
# client is begun that usually wouldn't end in that time after the first has begun.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
export LEAT_CLIENTS_CACHE=${LEAT_CLIENTS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/leat/clients}
mkdir -p "$LEAT_CLIENTS_CACHE"
LEAT_CLIENTS_CACHE=$(cd "$LEAT_CLIENTS_CACHE" && pwd)
GOTOOLCHAIN=$(sed -n 's/^toolchain //p' "$root/go.mod") # as the Makefile does
export GOTOOLCHAIN

# Lanes of about the same length; the clients of one run one after the other.
native=(kcat kafka-go aiokafka sarama kafka-python franz-go kafkajs confluent)
java=(connect java-share java)
streams=(java-streams)
all=("${native[@]}" "${java[@]}" "${streams[@]}")

# usual CLIENT prints how many seconds it takes on two cores that are busy.
usual() {
	case $1 in
	kcat | kafka-go | aiokafka) echo 15 ;;
	sarama | kafka-python) echo 30 ;;
	franz-go | connect) echo 40 ;;
	java-share) echo 50 ;;
	kafkajs | confluent) echo 70 ;;
	java) echo 140 ;;
	java-streams) echo 200 ;;
	esac
}

where=leat
case ${1:-} in
leat | kafka | both)
	where=$1
	shift
	;;
esac
clients=("$@")
[ ${#clients[@]} -gt 0 ] || clients=("${all[@]}")
for client in "${clients[@]}"; do
	if [[ " ${all[*]} " != *" $client "* ]]; then
		echo "run.sh: there is no client $client; there are: ${all[*]}" >&2
		exit 2
	fi
done

dir=$(mktemp -d)
broker= running= # processes of this lane
lanes=()         # and the lanes

# stop PID... ends processes.
stop() {
	for pid in "$@"; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
}
# shellcheck disable=SC2086 # none is no argument
end() {
	stop $running $broker
	running= broker=
}
trap 'stop "${lanes[@]+"${lanes[@]}"}"; end; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

# free prints a port that nobody listens on, with a free one behind it.
free() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000)) # below those of outgoing connections
		if ! (echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null && ! (echo >"/dev/tcp/127.0.0.1/$((port + 1))") 2>/dev/null; then
			echo "$port"
			return
		fi
	done
}

# start TARGET NAME starts a broker and waits until it listens at $address.
start() {
	local port log=$dir/$2.broker.log
	address=
	case $1 in
	leat) "$dir/leat" broker --listen 127.0.0.1:0 --data "$dir/$2.data" >"$log" 2>&1 & ;;
	kafka)
		port=$(free)
		"$root/integration/kafka/broker.sh" run "$port" "$dir/$2.data" >"$log" 2>&1 &
		;;
	esac
	broker=$!
	for _ in $(seq 1200); do # the first start of Kafka fetches its jars
		kill -0 "$broker" 2>/dev/null || break
		case $1 in
		leat) address=$(sed -n 's/.* msg=serving address=\([^ ]*\).*/\1/p' "$log") ;;
		kafka) if (echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then address=127.0.0.1:$port; fi ;;
		esac
		[ -z "$address" ] || return 0
		sleep 0.25
	done
	tail -n 20 "$log" >&2
	local status=0
	kill "$broker" 2>/dev/null || true
	wait "$broker" || status=$?
	broker=
	return "$status"
}

# A client that hangs must not hang all. Each check has a limit of its own.
longest=600
bounded=()
if command -v timeout >/dev/null; then bounded=(timeout -k 20 "$longest"); fi

# said TARGET CLIENT SECONDS LINE notes what became of a client.
said() { printf '%-6s %-13s %5s  %s\n' "$1" "$2" "$3" "$4" >>"$dir/results"; }

# check TARGET CLIENT runs one client's checks, and shows their log when all are
# done: there may be others at the same time.
check() {
	local began=$SECONDS status=0 log="$dir/$1.$2.log" line
	"${bounded[@]+"${bounded[@]}"}" "$here/$2.sh" "$address" >"$log" 2>&1 &
	running=$! # a signal must not have to wait for it
	wait "$running" || status=$?
	running=
	case $status in
	0) line=$(grep 'checks passed$' "$log") ;;
	3) line="left out: $(tail -n 1 "$log")" ;;
	124) line="FAILED: not done in $longest s; last: $(tail -n 1 "$log")" && touch "$dir/failed" ;;
	*)
		line="FAILED: $(tail -n 1 "$log")"
		touch "$dir/failed"
		;;
	esac
	printf '\n== %s against %s\n%s\n' "$2" "$1" "$(cat "$log")"
	said "$1" "$2" "$((SECONDS - began))s" "$line"
}

# lane TARGET NAME CLIENT... runs clients one after the other against a broker.
lane() {
	local target=$1 name=$2 status=0
	shift 2
	start "$target" "$name" || status=$?
	case $status in
	0) ;;
	3 | 4) # what integration/kafka/broker.sh says when it can't have Kafka
		said "$target" all "" "left out: $(tail -n 1 "$dir/$name.broker.log")"
		return
		;;
	*)
		said "$target" all "" "FAILED: the broker doesn't start"
		touch "$dir/failed"
		return
		;;
	esac
	for client in "$@"; do
		local spent=$((SECONDS - first))
		if [ -n "${CLIENTS_BUDGET:-}" ] && [ $((spent + $(usual "$client"))) -gt "$CLIENTS_BUDGET" ]; then
			said "$target" "$client" "" "left out: it takes about $(usual "$client")s, and ${spent}s of $CLIENTS_BUDGET are over"
			continue
		fi
		check "$target" "$client"
	done
	end
}

# chosen CLIENT... prints those of them that are wanted.
chosen() {
	local client
	for client in "$@"; do
		if [[ " ${clients[*]} " == *" $client "* ]]; then printf '%s ' "$client"; fi
	done
}

# parallel TARGET NAME CLIENT... runs a lane beside others, if it has clients.
parallel() {
	[ $# -gt 2 ] || return 0
	(
		trap end EXIT
		trap 'exit 130' INT TERM
		lane "$@"
	) &
	lanes+=($!)
}

touch "$dir/results"
first=$SECONDS
if [ "$where" != kafka ]; then
	(cd "$root" && go build -o "$dir/leat" ./cmd/leat)
	first=$SECONDS
	# shellcheck disable=SC2046 # names have no spaces
	parallel leat native $(chosen "${native[@]}")
	# shellcheck disable=SC2046
	parallel leat java $(chosen "${java[@]}")
	# shellcheck disable=SC2046
	parallel leat streams $(chosen "${streams[@]}")
	for lane in "${lanes[@]+"${lanes[@]}"}"; do wait "$lane" || touch "$dir/failed"; done
	lanes=()
fi
if [ "$where" != leat ]; then
	# shellcheck disable=SC2046
	lane kafka kafka $(chosen "${all[@]}") # one of them takes enough memory
fi

printf '\n'
cat "$dir/results"
[ ! -e "$dir/failed" ]
