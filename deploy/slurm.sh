#!/usr/bin/env bash
# A Ray cluster on the nodes of one Slurm job, and a sweep on it, until the sweep or the job ends:
#
#   sbatch --nodes=4 --gpus-per-node=4 deploy/slurm.sh SPACE [options of `robustsweep launch`]
#
# The same command again continues. Results: `robustsweep results SWEEP` on any node, in the folder from which sbatch was called.
# ROBUSTSWEEP_HOME (./sweeps) must be on a file system that all nodes share, as ROBUSTSWEEP_DATA must; .venv is that of `make install`.
#SBATCH --job-name=robustsweep
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --output=%x-%j.log
# Two minutes before its time is over the sweep is stopped as by Ctrl-C.
#SBATCH --signal=B:TERM@120
set -euo pipefail
umask 077

[ $# -ge 1 ] || { echo "slurm.sh: sbatch deploy/slurm.sh SPACE [options of robustsweep launch]" >&2; exit 2; }
cd "$SLURM_SUBMIT_DIR"
export ROBUSTSWEEP_HOME="${ROBUSTSWEEP_HOME:-$PWD/sweeps}"
# shellcheck source=/dev/null
. "${ROBUSTSWEEP_VENV:-.venv}/bin/activate"

# A token for this job alone, in a file that only its owner can read, where all nodes find it.
mkdir -p "$ROBUSTSWEEP_HOME"
RAY_AUTH_TOKEN_PATH="$ROBUSTSWEEP_HOME/.token-$SLURM_JOB_ID"
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH RAY_USAGE_STATS_ENABLED=0
python -c 'import secrets; print(secrets.token_hex(32), end="")' > "$RAY_AUTH_TOKEN_PATH"

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
head=${nodes[0]} others=$((${#nodes[@]} - 1))
read -r ip _ < <(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address)
port=$((20000 + SLURM_JOB_ID % 10000)) scratch="/tmp/ray-$SLURM_JOB_ID"
steps=() driver=""

stop() {
  trap - EXIT TERM INT
  for step in "${steps[@]}"; do kill -TERM "$step" 2>/dev/null || true; done
  for step in "${steps[@]}"; do wait "$step" || true; done
  srun --nodes="${#nodes[@]}" --ntasks="${#nodes[@]}" rm -rf "$scratch" || true
  rm -f "$RAY_AUTH_TOKEN_PATH"
}
interrupt() { [ -z "$driver" ] && exit 130; kill -TERM "$driver" 2>/dev/null || true; }
trap stop EXIT
trap interrupt TERM INT

srun --nodes=1 --ntasks=1 --nodelist="$head" ray start --head --block --node-ip-address="$ip" --port="$port" \
  --dashboard-host=127.0.0.1 --temp-dir="$scratch" &
steps+=($!)
until (exec 3<>"/dev/tcp/$ip/$port") 2>/dev/null; do
  kill -0 "${steps[0]}" 2>/dev/null || { echo "slurm.sh: the Ray head on $head has ended" >&2; exit 1; }
  sleep 1
done
if [ "$others" -gt 0 ]; then
  srun --nodes="$others" --ntasks="$others" --exclude="$head" ray start --address="$ip:$port" --block &
  steps+=($!)
fi

# The sweep sees how many jobs fit when it begins: it begins when all nodes are there, or after five minutes.
python - "$ip:$port" "${#nodes[@]}" <<'PYTHON'
import sys
import time

import ray

ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
deadline = time.monotonic() + 300
while sum(node["Alive"] for node in ray.nodes()) < int(sys.argv[2]) and time.monotonic() < deadline:
    time.sleep(1)
PYTHON

robustsweep launch "$@" --address "$ip:$port" &
driver=$!
code=0
wait "$driver" || code=$?
# A signal ends `wait`, not the driver, which records what is done before it ends.
while kill -0 "$driver" 2>/dev/null; do code=0; wait "$driver" || code=$?; done
exit "$code"
