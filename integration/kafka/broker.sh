#!/usr/bin/env bash
# A real Apache Kafka broker (KRaft, one node) on loopback, for the integration
# tests. It needs Java 17 and Maven; the jars come from Maven Central, once.
#
#   broker.sh run PORT DIR       runs a broker in the foreground, data in DIR
#   broker.sh tool CLASS ARG...  runs one of Kafka's own tools
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
jars=${LEAT_KAFKA_JARS:-${XDG_CACHE_HOME:-$HOME/.cache}/leat/kafka}

for program in java mvn; do
	if ! command -v "$program" >/dev/null; then
		echo "broker.sh: $program isn't installed" >&2
		exit 3
	fi
done

fetch() {
	# The marker holds the description, so that a new version is fetched anew.
	if cmp -s "$here/pom.xml" "$jars/complete.xml"; then return; fi
	rm -rf "$jars" && mkdir -p "$jars"
	if ! mvn --quiet --batch-mode --file "$here/pom.xml" \
		dependency:copy-dependencies "-DoutputDirectory=$jars" >&2; then
		echo "broker.sh: Kafka's jars can't be fetched" >&2
		exit 4
	fi
	cp "$here/pom.xml" "$jars/complete.xml"
}

run() {
	local port=$1 dir=$2
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd)
	{
		echo "process.roles=broker,controller"
		echo "node.id=1"
		echo "listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))"
		echo "controller.listener.names=CONTROLLER"
		echo "controller.quorum.voters=1@127.0.0.1:$((port + 1))"
		echo "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
		echo "log.dirs=$dir/log"
		echo "offsets.topic.replication.factor=1"
		echo "transaction.state.log.replication.factor=1"
		echo "transaction.state.log.min.isr=1"
		# Nobody waits for a second member in a test.
		echo "group.initial.rebalance.delay.ms=0"
	} >"$dir/server.properties"
	if [ ! -e "$dir/log/meta.properties" ]; then
		local id
		id=$(java -cp "$jars/*" kafka.tools.StorageTool random-uuid)
		java -cp "$jars/*" kafka.tools.StorageTool format -t "$id" -c "$dir/server.properties" >&2
	fi
	exec java -Xmx512m -cp "$jars/*" kafka.Kafka "$dir/server.properties"
}

case ${1:-} in
run) fetch && run "$2" "$3" ;;
tool) fetch && shift && exec java -cp "$jars/*" "$@" ;;
*)
	sed -n '2,6s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac
