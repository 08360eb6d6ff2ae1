#!/usr/bin/env bash
# A Slurm of three nodes on this machine, for tests: `slurm.sh start DIR` and `slurm.sh stop DIR`.
# `DIR/slurm.conf` is what SLURM_CONF has to name. Each node says that it has two processors and two
# graphics processors. Everything runs as the caller and is ended by its number; nothing is installed.
set -euo pipefail

do=$1 dir=$2
export SLURM_CONF=$dir/slurm.conf
# Debian has them where only root looks.
PATH=$PATH:/usr/sbin:/sbin

# The first of five free ports in a row.
free_ports() {
  local first port
  while :; do
    first=$((20000 + RANDOM % 10000))
    for port in $(seq "$first" $((first + 4))); do
      ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || continue 2
    done
    echo "$first"
    return
  done
}

# Runs a command until it succeeds, for half a minute at most.
until_true() {
  local tries=300
  until "$@" >/dev/null 2>&1; do
    [ $((tries -= 1)) -gt 0 ] || { echo "waited in vain for: $*; see $dir/log" >&2; return 1; }
    sleep 0.1
  done
}

# Starts a daemon that does not leave this process group by itself, and notes its number.
daemon() {
  "$@" >>"$dir/log/$1.out" 2>&1 </dev/null &
  echo "$! $1" >>"$dir/daemons"
}

all_idle() {
  [ "$(sinfo --noheader --Node --partition=main --states=idle | wc -l)" = 3 ]
}

start() {
  local host port node
  host=$(hostname -s) port=$(free_ports)
  rm -rf "$dir"
  mkdir -p "$dir"/{log,state,run,munge} "$dir"/spool/node{1,2,3}
  chmod 755 "$dir" "$dir"/*
  (umask 077 && head -c 128 /dev/urandom >"$dir/munge.key")
  cat >"$SLURM_CONF" <<END
ClusterName=tests
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CryptoType=crypto/munge
# Neither control groups nor accounting, which need more than a folder.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=100
GresTypes=gpu
# What a low priority holds is taken away for what has a higher one.
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
SchedulerType=sched/backfill
SchedulerParameters=sched_min_interval=100000,batch_sched_delay=0
# What is lost is noticed soon.
KillWait=3
SlurmdTimeout=10
ReturnToService=2
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool/%n
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/%n.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/%n.log
# The nodes need not be as large as they say.
SlurmdParameters=config_overrides
PartitionName=main Nodes=node[1-3] Default=YES PriorityTier=10 OverTimeLimit=0
PartitionName=low Nodes=node[1-3] PriorityTier=1
END
  for node in 1 2 3; do
    echo "NodeName=node$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + node)) CPUs=2 RealMemory=1000 Gres=gpu:2"
  done >>"$SLURM_CONF"
  echo 'NodeName=node[1-3] Name=gpu File=/dev/tty[1-2]' >"$dir/gres.conf"
  echo 'CgroupAutomount=no' >"$dir/cgroup.conf"

  daemon munged --foreground --force --num-threads=2 --socket="$dir/munge/socket" --key-file="$dir/munge.key" \
    --pid-file="$dir/run/munged.pid" --log-file="$dir/log/munged.log" --seed-file="$dir/munge/seed"
  until_true munge --no-input --socket="$dir/munge/socket"
  daemon slurmctld -D -c
  until_true scontrol ping
  for node in 1 2 3; do
    daemon slurmd -D -N "node$node"
  done
  until_true all_idle
  sinfo
}

stop() {
  [ -e "$dir/daemons" ] || return 0
  scancel --user="$(id -un)" 2>/dev/null || true
  local pid name pids=() tries
  while read -r pid name; do
    # The number may be another process's by now.
    [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$name" ] && pids=("$pid" "${pids[@]}")
  done < <(cat "$dir/daemons")
  kill "${pids[@]}" 2>/dev/null || true
  for pid in "${pids[@]}"; do
    for tries in $(seq 50); do
      kill -0 "$pid" 2>/dev/null || break
      [ "$tries" != 50 ] || kill -9 "$pid"
      sleep 0.1
    done
  done
  # What looked after the steps of a node that was lost outlives its daemon.
  for pid in $(pgrep -x slurmstepd || true); do
    if tr '\0' '\n' 2>/dev/null <"/proc/$pid/environ" | grep -qxF "SLURM_CONF=$SLURM_CONF"; then
      kill -9 "$pid"
    fi
  done
  rm -rf "$dir"
}

"$do"
