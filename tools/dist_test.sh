#!/usr/bin/env bash
# Test on N devices of this machine: tools/dist_test.sh CONFIG CHECKPOINT N [arguments of test.py]
# On several machines also set NNODES, NODE_RANK, MASTER_ADDR and PORT.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT N [arguments of tools/test.py]" >&2
    exit 2
fi
CONFIG=$1
CHECKPOINT=$2
DEVICES=$3
exec "${PYTHON:-python}" -m mmdpt.ranks.launcher "$DEVICES" \
    "$(dirname "$0")/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"
