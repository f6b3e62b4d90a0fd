#!/usr/bin/env bash
# Test on N devices of this machine: tools/dist_test.sh CONFIG CHECKPOINT N [arguments of test.py]
# dist_train.sh, which says how to use several machines, starts the processes.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: $0 CONFIG CHECKPOINT N [arguments of tools/test.py]" >&2
    exit 2
fi
DIST_TOOL=test.py exec bash "$(dirname "$0")/dist_train.sh" "$1" "$3" "$2" "${@:4}"
