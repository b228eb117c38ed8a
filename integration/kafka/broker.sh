#!/usr/bin/env bash
# A real Apache Kafka broker (KRaft, one node) on loopback, for the integration
# tests. It needs Java 17 and Maven; the jars come from Maven Central, once.
#
#   broker.sh run PORT DIR       runs a broker in the foreground, data in DIR
#   broker.sh secure PORT DIR    likewise, with TLS and SASL on PORT, TLS with client
#                                certificates on PORT+2, and access control lists;
#                                DIR/tls has certificates for clients. Users: admin,
#                                who may do everything, and app, who may do nothing
#                                (passwords admin-secret and app-secret)
#   broker.sh tool CLASS ARG...  runs one of Kafka's own tools
#   broker.sh fetch              fetches the jars
#
# LEAT_KAFKA_JVM are flags of the broker's virtual machine.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
secret=not-a-secret # of key stores that last as long as a test
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

# common PORT DIR is what all brokers have in their configuration.
common() {
	echo "process.roles=broker,controller"
	echo "node.id=1"
	echo "controller.listener.names=CONTROLLER"
	echo "controller.quorum.voters=1@127.0.0.1:$(($1 + 1))"
	echo "log.dirs=$2/log"
	echo "offsets.topic.replication.factor=1"
	echo "transaction.state.log.replication.factor=1"
	echo "transaction.state.log.min.isr=1"
	echo "share.coordinator.state.topic.replication.factor=1"
	echo "share.coordinator.state.topic.min.isr=1"
	# Nobody waits for a second member in a test.
	echo "group.initial.rebalance.delay.ms=0"
}

# start DIR [FORMAT-ARGS] starts what DIR/server.properties describes.
start() {
	local dir=$1
	shift
	if [ ! -e "$dir/log/meta.properties" ]; then
		local id
		id=$(java -cp "$jars/*" kafka.tools.StorageTool random-uuid)
		java -cp "$jars/*" kafka.tools.StorageTool format -t "$id" -c "$dir/server.properties" "$@" >&2
	fi
	# shellcheck disable=SC2086 # the flags are words
	exec java ${LEAT_KAFKA_JVM:--Xmx512m} -cp "$jars/*" kafka.Kafka "$dir/server.properties"
}

run() {
	local port=$1 dir=$2
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd)
	{
		common "$port" "$dir"
		echo "listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1))"
		echo "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT"
	} >"$dir/server.properties"
	start "$dir"
}

# store NAME DN makes a key and a certificate of it, signed by the authority.
store() {
	local name=$1 dn=$2
	keytool -genkeypair -alias "$name" -keyalg EC -groupname secp256r1 -dname "$dn" -validity 30 \
		-keystore "$name.p12" -storetype PKCS12 -storepass "$secret" >&2
	keytool -certreq -alias "$name" -keystore "$name.p12" -storepass "$secret" |
		keytool -gencert -rfc -alias ca -keystore ca.p12 -storepass "$secret" -validity 30 -ext san=ip:127.0.0.1 >"$name.pem"
	keytool -importcert -noprompt -alias ca -file ca.pem -keystore "$name.p12" -storepass "$secret" >&2 2>&1
	keytool -importcert -noprompt -alias "$name" -file "$name.pem" -keystore "$name.p12" -storepass "$secret" >&2 2>&1
}

# certificates DIR makes an authority, and certificates for the broker and app.
certificates() (
	if [ -e "$1/app.key" ]; then return; fi
	mkdir -p "$1" && cd "$1"
	keytool -genkeypair -alias ca -keyalg EC -groupname secp256r1 -dname CN=authority -validity 30 -ext bc:c \
		-keystore ca.p12 -storetype PKCS12 -storepass "$secret" >&2
	keytool -exportcert -rfc -alias ca -keystore ca.p12 -storepass "$secret" >ca.pem 2>/dev/null
	keytool -importcert -noprompt -alias ca -file ca.pem -keystore trust.p12 -storetype PKCS12 -storepass "$secret" >&2 2>&1
	store broker CN=broker
	store app CN=app
	openssl pkcs12 -in app.p12 -passin "pass:$secret" -nocerts -nodes 2>/dev/null | openssl pkcs8 -topk8 -nocrypt >app.key
)

# login MECHANISM MODULE [OPTIONS] is how clients log in by a mechanism.
login() {
	local mechanism=$1 module=$2
	shift 2
	echo "listener.name.sasl_ssl.$mechanism.sasl.jaas.config=org.apache.kafka.common.security.$module required $*;"
}

secure() {
	local port=$1 dir=$2
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd)
	certificates "$dir/tls"
	{
		common "$port" "$dir"
		echo "listeners=SASL_SSL://127.0.0.1:$port,CONTROLLER://127.0.0.1:$((port + 1)),SSL://127.0.0.1:$((port + 2)),PLAINTEXT://127.0.0.1:$((port + 3))"
		echo "listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT,SSL:SSL,PLAINTEXT:PLAINTEXT"
		echo "inter.broker.listener.name=PLAINTEXT"
		echo "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
		echo "super.users=User:admin;User:ANONYMOUS" # the broker itself has no name
		echo "ssl.keystore.type=PKCS12"
		echo "ssl.keystore.location=$dir/tls/broker.p12"
		echo "ssl.keystore.password=$secret"
		echo "ssl.key.password=$secret"
		echo "ssl.truststore.type=PKCS12"
		echo "ssl.truststore.location=$dir/tls/trust.p12"
		echo "ssl.truststore.password=$secret"
		echo "listener.name.ssl.ssl.client.auth=required"
		echo "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER"
		login plain plain.PlainLoginModule 'user_admin="admin-secret" user_app="app-secret"'
		login scram-sha-256 scram.ScramLoginModule
		login scram-sha-512 scram.ScramLoginModule
		login oauthbearer oauthbearer.OAuthBearerLoginModule # takes tokens without signatures
	} >"$dir/server.properties"
	local users=()
	for mechanism in SCRAM-SHA-256 SCRAM-SHA-512; do
		users+=(--add-scram "$mechanism=[name=admin,password=admin-secret]" --add-scram "$mechanism=[name=app,password=app-secret]")
	done
	start "$dir" "${users[@]}"
}
case ${1:-} in
run) fetch && run "$2" "$3" ;;
secure) fetch && secure "$2" "$3" ;;
fetch) fetch ;;
tool) fetch && shift && exec java -cp "$jars/*" "$@" ;;
*)
	sed -n '2,14s/^# \{0,1\}//p' "$0"
	exit 2
	;;
esac
