#!/usr/bin/env bash
# kafka-python.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
python kafka-python==3.0.12 kafka_python.py "$1"
