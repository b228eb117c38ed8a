#!/usr/bin/env bash
# IBM/sarama.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
go_checks sarama "$1"
