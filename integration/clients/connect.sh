#!/usr/bin/env bash
# Kafka Connect with its file source and sink, standalone and distributed.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
need curl
java_jars

address=$1
run=$RANDOM$RANDOM
work=$(mktemp -d)
worker=
# end stops the worker. Its web server (Jetty) sometimes waits for itself when it is
# told to stop; what has been checked by then is stored, so it can be killed.
end() {
	if [ -n "$worker" ]; then
		kill "$worker" 2>/dev/null || true
		for _ in $(seq 100); do
			kill -0 "$worker" 2>/dev/null || break
			sleep 0.2
		done
		kill -KILL "$worker" 2>/dev/null && echo "note: the worker didn't stop within 20 s, and was killed"
		wait "$worker" 2>/dev/null || true
	fi
	worker=
}
trap 'end; rm -rf "$work"' EXIT
rest=$((20000 + RANDOM % 12000)) # below those of outgoing connections
passed=0 total=0

# check NAME COMMAND... waits for a command to be true, for a minute.
check() {
	local name=$1
	shift
	total=$((total + 1))
	for _ in $(seq 300); do
		if "$@" >"$work/out" 2>&1; then
			passed=$((passed + 1))
			echo "ok    $name"
			return
		fi
		sleep 0.2
	done
	echo "FAIL  $name: still not so after a minute: $(tail -n 1 "$work/out")"
}

# start MODE CONFIG... starts a worker.
start() {
	java -Xmx400m -cp "$cache/java/*" "org.apache.kafka.connect.cli.Connect$1" "${@:2}" >>"$work/worker.log" 2>&1 &
	worker=$!
}

common() {
	cat <<C
bootstrap.servers=$address
listeners=http://127.0.0.1:$rest
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.flush.interval.ms=500
plugin.path=$cache/java
plugin.discovery=service_load
C
}

source_config() { printf '"connector.class":"org.apache.kafka.connect.file.FileStreamSourceConnector","tasks.max":"1","file":"%s","topic":"%s"' "$1" "$2"; }
sink_config() { printf '"connector.class":"org.apache.kafka.connect.file.FileStreamSinkConnector","tasks.max":"1","file":"%s","topics":"%s","consumer.override.auto.offset.reset":"earliest"' "$2" "$1"; }
api() { curl --silent --show-error --fail --max-time 10 -H 'Content-Type: application/json' "$@"; }
put() { api -X PUT "http://127.0.0.1:$rest/connectors/$1/config" -d "{$2}"; }
running() { api "http://127.0.0.1:$rest/connectors/$1/status" | grep -q '"tasks":\[{"id":0,"state":"RUNNING"'; }
same() { cmp "$1" "$2"; }
up() { api "http://127.0.0.1:$rest/connectors"; }
gone() { ! api "http://127.0.0.1:$rest/connectors/$1/status"; }

# Standalone: a file through a topic to another file, over a restart.
{
	common
	echo "offset.storage.file.filename=$work/offsets"
} >"$work/standalone.properties"
seq 100 >"$work/in"
cat >"$work/source.properties" <<C
name=source
connector.class=org.apache.kafka.connect.file.FileStreamSourceConnector
file=$work/in
topic=lines-$run
C
cat >"$work/sink.properties" <<C
name=sink
connector.class=org.apache.kafka.connect.file.FileStreamSinkConnector
file=$work/out1
topics=lines-$run
C
start Standalone "$work/standalone.properties" "$work/source.properties" "$work/sink.properties"
check "standalone: connectors run" eval 'running source && running sink'
check "standalone: lines arrive" same "$work/in" "$work/out1"
seq 101 200 >>"$work/in"
check "standalone: more lines arrive" same "$work/in" "$work/out1"
sleep 2 # offsets are flushed
end
seq 201 300 >>"$work/in"
start Standalone "$work/standalone.properties" "$work/source.properties" "$work/sink.properties"
check "standalone: goes on after a restart, without duplicates" same "$work/in" "$work/out1"
end

# Distributed: configs, offsets and status are topics of the broker.
{
	common
	echo "group.id=connect-$run"
	for t in config offset status; do
		echo "$t.storage.topic=connect-$run-$t"
		echo "$t.storage.replication.factor=1"
	done
	echo "exactly.once.source.support=enabled"
} >"$work/distributed.properties"
start Distributed "$work/distributed.properties"
check "distributed: the worker is up" up
check "distributed: a source is made" put src "$(source_config "$work/in" "lines2-$run")"
check "distributed: a sink is made" put dst "$(sink_config "lines2-$run" "$work/out2")"
check "distributed: connectors run" eval 'running src && running dst'
check "distributed: lines arrive" same "$work/in" "$work/out2"
check "distributed: pause" api -X PUT "http://127.0.0.1:$rest/connectors/dst/pause"
check "distributed: resume" api -X PUT "http://127.0.0.1:$rest/connectors/dst/resume"
check "distributed: restart of a connector" api -X POST "http://127.0.0.1:$rest/connectors/src/restart?includeTasks=true"
check "distributed: offsets of the source" eval 'api "http://127.0.0.1:$rest/connectors/src/offsets" | grep -q position'
check "distributed: offsets of the sink" eval 'api "http://127.0.0.1:$rest/connectors/dst/offsets" | grep -q "\"kafka_offset\":300"'
end
seq 301 400 >>"$work/in"
start Distributed "$work/distributed.properties"
check "distributed: connectors are still there" eval 'running src && running dst'
check "distributed: goes on after a restart, without duplicates" same "$work/in" "$work/out2"
check "distributed: a connector is deleted" api -X DELETE "http://127.0.0.1:$rest/connectors/dst"
check "distributed: it is gone" gone dst

echo "connect: $passed of $total checks passed"
[ "$passed" = "$total" ]
