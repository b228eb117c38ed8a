#!/usr/bin/env bash
# Java's share consumer.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
java_checks ShareChecks "$1"
