#!/usr/bin/env bash
# segmentio/kafka-go.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
go_checks kafkago "$1"
