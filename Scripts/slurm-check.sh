#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs deploy/slurm/sweep.sbatch as a job array on a real Slurm of one node, set up in a folder of its own, and compares the
# merged result with a sweep of one process, byte for byte. Needs root and Debian's slurmctld, slurmd, slurm-client and
# munge; installs them when it may. Starts no system service and ends only what it started.
# Exit status: 0 when equal, 1 when not, 2 when it could not run.
#
# Usage: Scripts/slurm-check.sh [path of the homa executable]
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2

homa=$(readlink -f "${1:-.build/release/homa}")
tasks=4
sweep=(quick --messages 2000 --vary load=0.3..0.8/0.1 --vary workload=w1,w3)

die() { echo "slurm-check: $1" >&2; exit 2; }
[ -x "$homa" ] || die "no executable at $homa; run 'swift build -c release' first"
[ "$(id -u)" = 0 ] || die "needs root"

missing=0
for program in slurmctld slurmd sbatch munged; do command -v "$program" >/dev/null || missing=1; done
if [ $missing = 1 ]; then
    command -v apt-get >/dev/null || die "no Slurm here, and no apt-get to install it"
    # The packages would start their services; runlevel 1 keeps them from it.
    export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
    install() { apt-get install -qy --no-install-recommends slurmctld slurmd slurm-client munge; }
    output=$( { install || { apt-get update -q && install; }; } 2>&1) || die "cannot install Slurm: $output"
    unset RUNLEVEL
fi

work=$(mktemp -d)
pids=()
# shellcheck disable=SC2329  # called by the trap
cleanup() {
    [ -n "${SLURM_CONF:-}" ] && timeout 5 scancel --quiet --user=root 2>/dev/null
    for pid in $(printf '%s\n' "${pids[@]+"${pids[@]}"}" | tac); do kill "$pid" 2>/dev/null; done
    for pid in "${pids[@]+"${pids[@]}"}"; do
        for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        kill -9 "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 2' INT TERM

# fail TEXT: what went wrong, with the logs.
fail() {
    echo "slurm-check: $1" >&2
    tail -n 20 "$work"/*.log "$work"/results/slurm-*.out >&2 2>/dev/null
    exit "${2:-1}"
}

# wait_for SECONDS WHAT COMMAND…
wait_for() {
    local limit=$1 what=$2 start=$SECONDS
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ $((SECONDS - start)) -lt "$limit" ] || fail "$what did not come about in $limit s" 2
        sleep 0.1
    done
}

node=$(hostname -s)
port=$((20000 + $$ % 20000))
mkdir -p "$work"/{state,spool,results}
chmod 755 "$work"
head -c 128 /dev/urandom >"$work/munge.key"
chmod 600 "$work/munge.key"

# No cgroups, no accounting, no MPI: what a container lets root do. Scheduling at once instead of once a minute.
cat >"$work/slurm.conf" <<EOF
ClusterName=homa
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/linear
SchedulerType=sched/builtin
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
ReturnToService=2
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
KillWait=2
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=homa Nodes=$node Default=YES MaxTime=INFINITE OverSubscribe=FORCE:4 State=UP
EOF
export SLURM_CONF=$work/slurm.conf

munged --foreground --force --key-file="$work/munge.key" --socket="$work/munge.socket" --pid-file="$work/munge.pid" \
    --log-file="$work/munged.log" --seed-file="$work/munge.seed" >"$work/munged.out.log" 2>&1 &
pids+=($!)
wait_for 10 "munge's socket" test -S "$work/munge.socket"
slurmctld -D >"$work/slurmctld.out.log" 2>&1 &
pids+=($!)
slurmd -D >"$work/slurmd.out.log" 2>&1 &
pids+=($!)
node_is_idle() { sinfo --noheader --format=%t | grep -q '^idle$'; }
wait_for 30 "an idle node" node_is_idle

repository=$PWD
cd "$work/results" || exit 2
HOMA=$homa timeout 60 sbatch --wait --array=0-$((tasks - 1)) "$repository/deploy/slurm/sweep.sbatch" "${sweep[@]}" \
    || fail "the job array failed ($?)"
[ "$(find . -name 'sweep.share-*-of-4.jsonl' | wc -l)" = $tasks ] || fail "not every task wrote its file"

"$homa" sim merge sweep.share-*-of-$tasks.jsonl --out merged.jsonl || fail "the merge failed"
"$homa" sim sweep "${sweep[@]}" --out single.jsonl >/dev/null 2>&1 || fail "the sweep of one process failed"
cmp merged.jsonl single.jsonl || fail "the array's result is not that of one process"

# A task that is submitted again finds its points finished.
before=$(sha256sum sweep.share-2-of-$tasks.jsonl)
HOMA=$homa HOMA_SHARE_COUNT=$tasks timeout 60 sbatch --wait --array=1 "$repository/deploy/slurm/sweep.sbatch" "${sweep[@]}" \
    || fail "submitting a task again failed ($?)"
[ "$before" = "$(sha256sum sweep.share-2-of-$tasks.jsonl)" ] || fail "a task that was submitted again changed its file"
grep -q '3 were finished, 0 are now' slurm-*_1.out || fail "a task that was submitted again ran its points again"

echo "slurm-check: $(wc -l <merged.jsonl) points in $tasks tasks of $(sinfo --version), equal to one process"
