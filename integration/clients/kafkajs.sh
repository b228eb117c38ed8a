#!/usr/bin/env bash
# kafkajs.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/need.sh"
need node npm
newer node 18 "$(node --version | sed 's/^v\([0-9]*\).*/\1/')"
fetch kafkajs "$(cat "$here/kafkajs/package.json")" sh -c "cp \"$here/kafkajs/package.json\" . && npm install --silent --no-audit --no-fund"
MODULES=$cache/kafkajs exec node "$here/kafkajs/check.mjs" "$1"
