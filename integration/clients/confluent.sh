#!/usr/bin/env bash
# confluent-kafka for Python, which is librdkafka.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
python confluent-kafka==2.16.1 confluent.py "$1"
