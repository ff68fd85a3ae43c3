#!/usr/bin/env bash
# logged.sh LOG COMMAND…: the command, with all that it says in LOG, under a line that tells which attempt it is.
# Snakemake removes the log of a job that it starts again, even when another process still writes to it. So what all
# attempts say is kept in a hidden file beside it, one after the other, and LOG is a link to that file.
set -eu
log=$1
shift
kept=$(dirname "$log")/.$(basename "$log")
before=$(grep -c '^== attempt ' "$kept" 2>/dev/null || true)
where=${SLURMD_NODENAME:-$(hostname)}${CUDA_VISIBLE_DEVICES:+, GPU $CUDA_VISIBLE_DEVICES}
echo "== attempt $((before + 1)), $(date +%FT%T%z), $where${SLURM_JOB_ID:+, SLURM job $SLURM_JOB_ID}" >>"$kept"
ln -sfn "$(basename "$kept")" "$log"
# where libraries are loaded already, the program begins there
[ -S "${DEWPOINT_WARM:-}" ] && set -- python -S "$(dirname "$0")/warm.py" run "$DEWPOINT_WARM" "$@"
exec "$@" &>>"$kept"
