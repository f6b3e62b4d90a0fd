#!/usr/bin/env bash
# Train on N devices of this machine: tools/dist_train.sh CONFIG N [arguments of train.py]
# On several machines also set NNODES, NODE_RANK, MASTER_ADDR and PORT. torchrun starts the processes.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: $0 CONFIG N [arguments of tools/train.py]" >&2
    exit 2
fi
CONFIG=$1
DEVICES=$2
if [ "${NNODES:-1}" = 1 ] && [ -z "${PORT:-}" ]; then
    MEETING=(--standalone) # at a free port
else
    MEETING=(--nnodes "${NNODES:-1}" --node_rank "${NODE_RANK:-0}"
        --master_addr "${MASTER_ADDR:-127.0.0.1}" --master_port "${PORT:-29500}")
fi
# torchrun passes these on to the ranks, and waits so long [s] while they save before it kills them
export PET_SIGNALS_TO_HANDLE=${PET_SIGNALS_TO_HANDLE:-SIGTERM,SIGUSR1,SIGINT,SIGHUP,SIGQUIT}
export TORCH_ELASTIC_SHUTDOWN_TIMEOUT=${TORCH_ELASTIC_SHUTDOWN_TIMEOUT:-600}
exec "${PYTHON:-python}" -m torch.distributed.run "${MEETING[@]}" --nproc_per_node "$DEVICES" \
    "$(dirname "$0")/${DIST_TOOL:-train.py}" "$CONFIG" --launcher pytorch "${@:3}"
