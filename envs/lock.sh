#!/usr/bin/env bash
# Writes the pinned environments from envs/direct.txt: dewpoint.txt for pip, dewpoint.yaml for conda, and both again
# for GPUs, where faiss-gpu takes faiss-cpu's place.
set -euo pipefail
cd "$(dirname "$0")"
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet -r direct.txt
"$venv/bin/pip" freeze | sed 's/+cpu$//; /^nvidia-/d; /^cuda-/d; /^triton==/d' > dewpoint.txt
sed 's/^faiss-cpu==/faiss-gpu==/' dewpoint.txt > dewpoint-gpu.txt
for name in dewpoint dewpoint-gpu; do
    {
        printf 'name: %s\nchannels:\n  - conda-forge\n  - nodefaults\ndependencies:\n  - python=3.11\n  - pip\n  - pip:\n' "$name"
        sed 's/^/      - /' "$name.txt"
    } > "$name.yaml"
done
