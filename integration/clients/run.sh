#!/usr/bin/env bash
# Runs what users of other clients do, against leat's broker and, as the control,
# against a real Apache Kafka. The same checks have to pass on both.
#
#   run.sh [leat|kafka|both] [CLIENT...]     default: leat, and all clients
#
# The clients are the scripts in this folder. Each fetches what it needs from the
# public registries, once, into LEAT_CLIENTS_CACHE. What can't run is left out, and
# said at the end with the reason. With CLIENTS_BUDGET=SECONDS no client is begun
# after that time.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$here/../..
export LEAT_CLIENTS_CACHE=${LEAT_CLIENTS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/leat/clients}
mkdir -p "$LEAT_CLIENTS_CACHE"
LEAT_CLIENTS_CACHE=$(cd "$LEAT_CLIENTS_CACHE" && pwd)
GOTOOLCHAIN=$(sed -n 's/^toolchain //p' "$root/go.mod") # as the Makefile does
export GOTOOLCHAIN

# In the order of the time they take.
all=(kcat kafka-go franz-go sarama aiokafka kafkajs kafka-python connect confluent java java-share java-streams)

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
broker=
end() {
	if [ -n "$broker" ]; then
		kill "$broker" 2>/dev/null || true
		wait "$broker" 2>/dev/null || true
	fi
	broker=
}
trap 'end; rm -rf "$dir"' EXIT

# free prints a port that nobody listens on, with free ones behind it.
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

# start TARGET starts a broker and waits until it listens at $address.
start() {
	local port
	port=$(free)
	address=127.0.0.1:$port
	case $1 in
	leat) "$dir/leat" broker --listen "$address" --data "$dir/leat-data" >"$dir/$1.log" 2>&1 & ;;
	kafka) "$root/integration/kafka/broker.sh" run "$port" "$dir/kafka" >"$dir/$1.log" 2>&1 & ;;
	esac
	broker=$!
	for _ in $(seq 1200); do # the first start of Kafka fetches its jars
		if (echo >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
		if ! kill -0 "$broker" 2>/dev/null; then break; fi
		sleep 0.25
	done
	tail -n 20 "$dir/$1.log" >&2
	local status=0
	wait "$broker" || status=$?
	broker=
	return "$status"
}

results=()
failed=0

# check TARGET CLIENT runs one client's checks.
check() {
	local began=$SECONDS status=0 log="$dir/$2.log"
	printf '\n== %s against %s\n' "$2" "$1"
	"$here/$2.sh" "$address" 2>&1 | tee "$log" || status=$?
	local line
	case $status in
	0) line=$(grep 'checks passed$' "$log") ;;
	3) line="left out: $(tail -n 1 "$log")" ;;
	*) line="FAILED: $(tail -n 1 "$log")" failed=1 ;;
	esac
	results+=("$(printf '%-6s %-13s %4ds  %s' "$1" "$2" $((SECONDS - began)) "$line")")
}

(cd "$root" && go build -o "$dir/leat" ./cmd/leat)
for target in leat kafka; do
	[ "$where" = both ] || [ "$where" = "$target" ] || continue
	status=0
	start "$target" || status=$?
	case $status in
	0) ;;
	3 | 4) # what integration/kafka/broker.sh says when it can't have Kafka
		results+=("$target  all are left out: $(tail -n 1 "$dir/$target.log")")
		continue
		;;
	*)
		echo "run.sh: $target doesn't start" >&2
		exit 1
		;;
	esac
	for client in "${clients[@]}"; do
		if [ -n "${CLIENTS_BUDGET:-}" ] && [ "$SECONDS" -ge "$CLIENTS_BUDGET" ]; then
			results+=("$(printf '%-6s %-13s        left out: the %ss are over' "$target" "$client" "$CLIENTS_BUDGET")")
			continue
		fi
		check "$target" "$client"
	done
	end
done

printf '\n'
printf '%s\n' "${results[@]}"
exit $failed
