#!/usr/bin/env bash
# Test on N devices of this machine: tools/dist_test.sh CONFIG CHECKPOINT N [arguments of test.py]
# On several machines also set NNODES, NODE_RANK, MASTER_ADDR and PORT. torchrun starts the processes.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT N [arguments of tools/test.py]" >&2
    exit 2
fi
CONFIG=$1
CHECKPOINT=$2
DEVICES=$3
if [ "${NNODES:-1}" = 1 ] && [ -z "${PORT:-}" ]; then
    MEETING=(--standalone) # at a free port
else
    MEETING=(--nnodes "${NNODES:-1}" --node_rank "${NODE_RANK:-0}"
        --master_addr "${MASTER_ADDR:-127.0.0.1}" --master_port "${PORT:-29500}")
fi
exec "${PYTHON:-python}" -m torch.distributed.run "${MEETING[@]}" --nproc_per_node "$DEVICES" \
    "$(dirname "$0")/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "${@:4}"
