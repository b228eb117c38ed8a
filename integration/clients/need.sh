# Functions for the scripts of clients. A script exits with 0 if all checks have
# passed, with 1 if not, and with 3, after a line that says why, if it can't run.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${LEAT_CLIENTS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/leat/clients}
mkdir -p "$cache"

# need PROGRAM... ends the script if one isn't installed.
need() {
	for program in "$@"; do
		if ! command -v "$program" >/dev/null; then
			echo "$program isn't installed"
			exit 3
		fi
	done
}

# newer PROGRAM WANTED VERSION ends the script if a program is older than wanted; both
# are whole numbers.
newer() {
	if ! [ "${3:-0}" -ge "$2" ] 2>/dev/null; then
		echo "$1 is of version ${3:-unknown}, and at least $2 is needed"
		exit 3
	fi
}

# bounded COMMAND... runs a command for three minutes at most: a registry that doesn't
# answer must not hold up the rest.
bounded() {
	if command -v timeout >/dev/null; then timeout 180 "$@"; else "$@"; fi
}

# hold NAME waits until no other script fetches into $cache/NAME, and keeps others
# waiting until $cache/NAME.lock is removed. A script that was killed holds nothing.
hold() {
	local by lock=$cache/$1.lock tries=0
	until mkdir "$lock" 2>/dev/null; do
		tries=$((tries + 1))
		if [ "$tries" -gt 1500 ]; then
			echo "somebody else fetches its packages, for five minutes now: $lock"
			exit 3
		fi
		by=$(cat "$lock/pid" 2>/dev/null || true)
		if [ -n "$by" ] && ! kill -0 "$by" 2>/dev/null; then rm -rf "$lock"; fi
		sleep 0.2
	done
	echo $$ >"$lock/pid"
}

# fetch NAME WHAT COMMAND... runs a command in the folder $cache/NAME, unless it was
# done for the same WHAT before.
fetch() {
	local into=$cache/$1 what=$2 name=$1
	shift 2
	hold "$name"
	if ! [ -e "$into/complete" ] || [ "$(cat "$into/complete")" != "$what" ]; then
		rm -rf "$into"
		mkdir -p "$into"
		if ! (cd "$into" && bounded "$@") >"$into/fetch.log" 2>&1; then
			tail -n 5 "$into/fetch.log" >&2
			rm -rf "$cache/$name.lock"
			echo "its packages can't be fetched"
			exit 3
		fi
		printf '%s' "$what" >"$into/complete"
	fi
	rm -rf "$cache/$name.lock"
}

# python PACKAGE SCRIPT ADDRESS runs checks with a package of that name.
python() {
	need python3
	newer "python 3" 9 "$(python3 -c 'import sys; print(sys.version_info[1])')"
	fetch "python-${1%%=*}" "$1" python3 -m pip install --quiet --disable-pip-version-check --target . "$1"
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$cache/python-${1%%=*} exec python3 "$here/python/$2" "$3"
}

# java_jars fetches Kafka's own clients.
java_jars() {
	need java javac mvn
	newer java 17 "$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p')"
	fetch java "$(cat "$here/java/pom.xml")" mvn --quiet --batch-mode -Dstyle.color=never --file "$here/java/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/java"
}

# java_checks CLASS ADDRESS runs checks in Java.
java_checks() {
	java_jars
	classes=$(mktemp -d) # of the whole script: it goes when that ends
	trap 'rm -rf "$classes"' EXIT
	javac -Xlint:-options -nowarn -cp "$cache/java/*" -d "$classes" "$here"/java/src/*.java 2>&1 | grep -v '^Note:' || true
	java -Xmx512m -cp "$classes:$cache/java/*" "$@"
}

# go_checks NAME ADDRESS runs checks in Go.
go_checks() {
	need go
	cd "$here/go"
	if ! bounded go mod download; then
		echo "its modules can't be fetched"
		exit 3
	fi
	go build -o "$cache/go-$1" "./$1"
	exec "$cache/go-$1" "$2"
}
