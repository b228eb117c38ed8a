#!/usr/bin/env bash
# Java's admin client, producer and consumer.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
java_checks ClientChecks "$1"
