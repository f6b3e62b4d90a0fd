#!/usr/bin/env bash
# Train on a Slurm cluster: tools/slurm_train.sh PARTITION JOB_NAME CONFIG [arguments of train.py]
# Submits a batch job; it writes to slurm-<job>.out. STOP_SECONDS (120) before its time is over, and
# when it is pre-empted, the training saves a checkpoint and the job goes back into the queue, from
# where it resumes. Inside an allocation (salloc, sbatch) the training runs in it instead.
# GPUS (8), GPUS_PER_NODE (8), CPUS_PER_TASK (5) and SBATCH_ARGS may be set in the environment.
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: $0 PARTITION JOB_NAME CONFIG [arguments of tools/train.py]" >&2
    exit 2
fi
TOOLS=$(cd "$(dirname "$0")" && pwd)
PARTITION=$1
JOB_NAME=$2
CONFIG=$3
GPUS=${GPUS:-8}
GPUS_PER_NODE=${GPUS_PER_NODE:-8}
[ "$GPUS_PER_NODE" -le "$GPUS" ] || GPUS_PER_NODE=$GPUS
SHAPE=(
    --ntasks="$GPUS"
    --ntasks-per-node="$GPUS_PER_NODE"
    --cpus-per-task="${CPUS_PER_TASK:-5}"
    --gres=gpu:"$GPUS_PER_NODE"
)

if [ -z "${SLURM_JOB_ID:-}" ]; then
    # --signal reaches the processes of srun, not this script
    # shellcheck disable=SC2086  # SBATCH_ARGS is a list of words
    exec sbatch --partition="$PARTITION" --job-name="$JOB_NAME" "${SHAPE[@]}" \
        --requeue --open-mode=append --signal=USR1@"${STOP_SECONDS:-120}" ${SBATCH_ARGS:-} <<EOF
#!/usr/bin/env bash
exec bash $(printf '%q ' "$TOOLS/$(basename "$0")" "$@")
EOF
fi

STOPPED="${SLURM_SUBMIT_DIR:-$PWD}/slurm-$SLURM_JOB_ID.stopped"
rm -f "$STOPPED"
ARGUMENTS=("$CONFIG" --launcher slurm "${@:4}")
[ "${SLURM_RESTART_COUNT:-0}" = 0 ] || ARGUMENTS+=(--resume)
trap : TERM USR1 # outlive them: the training ends by itself
CODE=0
MMDPT_STOPPED_FILE=$STOPPED srun "${SHAPE[@]}" --kill-on-bad-exit=1 \
    "${PYTHON:-python}" -u "$TOOLS/train.py" "${ARGUMENTS[@]}" || CODE=$?
if [ -f "$STOPPED" ]; then
    rm -f "$STOPPED"
    scontrol requeue "$SLURM_JOB_ID" || echo "not requeued; --resume goes on" >&2
fi
exit "$CODE"
