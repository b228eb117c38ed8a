#!/usr/bin/env bash
# aiokafka.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
python aiokafka==0.14.0 aio_kafka.py "$1"
