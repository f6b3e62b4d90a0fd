#!/usr/bin/env bash
# Train on N devices of this machine: tools/dist_train.sh CONFIG N [arguments of train.py]
# On several machines also set NNODES, NODE_RANK, MASTER_ADDR and PORT.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG N [arguments of tools/train.py]" >&2
    exit 2
fi
CONFIG=$1
DEVICES=$2
exec "${PYTHON:-python}" -m mmdpt.ranks.launcher "$DEVICES" \
    "$(dirname "$0")/train.py" "$CONFIG" --launcher pytorch "${@:3}"
