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

# fetch NAME WHAT COMMAND... runs a command in the folder $cache/NAME, unless it was
# done for the same WHAT before.
fetch() {
	local into=$cache/$1 what=$2
	shift 2
	if [ -e "$into/complete" ] && [ "$(cat "$into/complete")" = "$what" ]; then return; fi
	rm -rf "$into"
	mkdir -p "$into"
	if ! (cd "$into" && "$@") >"$into/fetch.log" 2>&1; then
		tail -n 5 "$into/fetch.log" >&2
		echo "its packages can't be fetched"
		exit 3
	fi
	printf '%s' "$what" >"$into/complete"
}

# python PACKAGE SCRIPT ADDRESS runs checks with a package of that name.
python() {
	need python3
	fetch "python-${1%%=*}" "$1" python3 -m pip install --quiet --disable-pip-version-check --target . "$1"
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$cache/python-${1%%=*} exec python3 "$here/python/$2" "$3"
}

# java CLASS ADDRESS runs checks in Java.
java_checks() {
	need java javac mvn
	fetch java "$(cat "$here/java/pom.xml")" mvn --quiet --batch-mode --file "$here/java/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/java"
	classes=$(mktemp -d) # of the whole script: it goes when that ends
	trap 'rm -rf "$classes"' EXIT
	javac -Xlint:-options -nowarn -cp "$cache/java/*" -d "$classes" "$here"/java/src/*.java 2>&1 | grep -v '^Note:' || true
	java -Xmx512m -cp "$classes:$cache/java/*" "$@"
}

# go_checks NAME ADDRESS runs checks in Go.
go_checks() {
	need go
	(cd "$here/go" && go build -o "$cache/go-$1" "./$1") || {
		echo "its modules can't be fetched, or it doesn't build"
		exit 3
	}
	exec "$cache/go-$1" "$2"
}
