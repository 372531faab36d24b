# Starts a Slurm cluster of four nodes for a test. All daemons run as this user, on the loopback interface,
# without systemd and cgroups. Source it with LAB set to an existing folder. It sets SLURM_CONF.
# shellcheck shell=bash

# lab_slurm FIRST_PORT
lab_slurm() {
  local port=$1 dir=$LAB/slurm host user node
  host=$(hostname -s)
  user=$(id -un)
  mkdir -p "$dir"/{log,run,state,spool,munge}
  chmod 700 "$dir/munge"
  [ -s "$dir/munge/key" ] || head -c 128 /dev/urandom >"$dir/munge/key"
  chmod 600 "$dir/munge/key"
  export SLURM_CONF=$dir/slurm.conf
  cat >"$SLURM_CONF" <<CONF
ClusterName=lab
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$dir/run/munge.sock
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
ReturnToService=2
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd-%n.pid
SlurmdSpoolDir=$dir/spool/%n
StateSaveLocation=$dir/state
SlurmctldLogFile=$dir/log/slurmctld
SlurmdLogFile=$dir/log/slurmd-%n
SlurmdTimeout=10
KillWait=5
MinJobAge=300
MaxArraySize=20001
MaxJobCount=50000
PropagateResourceLimits=NONE
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=50000,default_queue_depth=1000,bf_interval=2,bf_continue
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=n[1-4] NodeHostname=$host NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + 4))] CPUs=8 RealMemory=1000
PartitionName=short Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
PartitionName=gpu Nodes=n1 MaxTime=INFINITE State=UP
CONF
  # Without this line slurmd refuses to start where no cgroup file system is mounted.
  printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n' >"$dir/cgroup.conf"
  lab_munged
  lab_slurmctld
  for node in n1 n2 n3 n4; do lab_slurmd "$node"; done
  for ((node = 0; node < 100; ++node)); do
    if [ "$(sinfo -h -N -t idle -o %N 2>/dev/null | sort -u | wc -l)" -eq 4 ]; then return 0; fi
    sleep 0.1
  done
  tail -n 20 "$dir"/log/* >&2
  return 1
}

lab_munged() {
  local dir=$LAB/slurm
  munged --force --key-file="$dir/munge/key" --socket="$dir/run/munge.sock" --pid-file="$dir/run/munged.pid" \
    --log-file="$dir/log/munged" --seed-file="$dir/munge/seed"
}

lab_slurmctld() { slurmctld -f "$SLURM_CONF"; }
lab_slurmd() { slurmd -f "$SLURM_CONF" -N "$1"; }

# Ends a daemon by its pid file. lab_kill NAME [SIGNAL]
lab_kill() {
  local pid
  pid=$(cat "$LAB/slurm/run/$1.pid" 2>/dev/null) || return 0
  kill "-${2:-TERM}" "$pid" 2>/dev/null || return 0
  local i
  for ((i = 0; i < 100; ++i)); do
    kill -0 "$pid" 2>/dev/null || return 0
    sleep 0.05
  done
  kill -9 "$pid" 2>/dev/null || true
}

lab_slurm_stop() {
  local name
  timeout 10 scancel -f --me 2>/dev/null || true
  for name in slurmd-n1 slurmd-n2 slurmd-n3 slurmd-n4 slurmctld munged; do lab_kill "$name"; done
}
