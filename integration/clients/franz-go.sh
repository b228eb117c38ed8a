#!/usr/bin/env bash
# twmb/franz-go.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
go_checks franz "$1"
