#!/usr/bin/env bash
# An app of Kafka Streams, with each group protocol and guarantee.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
java_checks StreamsChecks "$1"
