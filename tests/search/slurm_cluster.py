"""A Slurm on this machine, with nodes, ports, keys and state of its own."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol")
# Daemons lie where users do not look.
_PLACES = os.pathsep.join([*os.get_exec_path(), "/usr/sbin", "/sbin"])

CONFIG = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={port}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1,sched_min_interval=0
ReturnToService=2
MpiDefault=none
KillWait=5
SlurmdParameters=config_overrides
{nodes}
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PartitionName=urgent Nodes=ALL MaxTime=INFINITE PriorityTier=10 State=UP
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def why_not():
    """Why there can be no Slurm here; None if there can."""
    lacking = [name for name in PROGRAMS if not shutil.which(name, path=_PLACES)]
    if lacking:
        return f"Slurm is not installed: no {', '.join(lacking)}"
    return "slurmd wants root" if os.geteuid() else None


class SlurmCluster:
    """Daemons in a folder that others may enter; ``environment`` leads commands to them.

    The nodes are called n1, n2, ... and have ``cpus`` each, whatever this machine has. Jobs are in
    the partition ``main``; one in ``urgent`` preempts them. Each node says that it has ``gpus``,
    which are no devices: Slurm shares them out as it does with real ones.
    """

    def __init__(self, folder, nodes=2, cpus=2, gpus=0):
        self.folder = Path(folder)
        self.folder.chmod(0o755)
        (self.folder / "state").mkdir()
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        port, *others = _free_ports(1 + nodes)
        lines = ["GresTypes=gpu"] if gpus else []
        gres = f" Gres=gpu:{gpus}" if gpus else ""
        for number in range(gpus):  # Slurm wants a device's number at the end of its name
            (self.folder / f"gpu{number}").symlink_to("/dev/null")
        if gpus:
            line = f"NodeName=n[1-{nodes}] Name=gpu File={self.folder}/gpu[0-{gpus - 1}]\n"
            (self.folder / "gres.conf").write_text(line)
        for name, its_port in zip(self.nodes, others, strict=True):
            (self.folder / f"spool-{name}").mkdir()
            lines.append(
                f"NodeName={name} NodeHostname=localhost NodeAddr=127.0.0.1 Port={its_port} "
                f"CPUs={cpus} RealMemory=8000{gres} State=UNKNOWN"
            )
        config = CONFIG.format(folder=self.folder, port=port, nodes="\n".join(lines))
        (self.folder / "slurm.conf").write_text(config)
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self._daemons = {}

    def start(self):
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        files = [
            f"--{name}-file={self.folder}/munge.{ending}"
            for name, ending in (("key", "key"), ("log", "log"), ("pid", "pid"), ("seed", "seed"))
        ]
        socket_of_munge = f"--socket={self.folder}/munge.socket"
        self._begin("munged", "munged", "-F", "--force", socket_of_munge, *files)
        self._wait_for(lambda: (self.folder / "munge.socket").exists(), "munged")
        self.start_controller()
        for name in self.nodes:
            self.start_node(name)
        idle = ["idle"] * len(self.nodes)
        self._wait_for(
            lambda: self.command("sinfo", "-h", "-N", "-p", "main", "-o", "%T").split() == idle,
            "n1",
        )

    def start_controller(self):
        self._begin("slurmctld", "slurmctld", "-D")

    def start_node(self, name):
        self._begin(name, "slurmd", "-D", "-N", name)

    def kill(self, name):
        """Kill a daemon, slurmctld or that of a node, as a crash does."""
        daemon = self._daemons.pop(name)
        daemon.kill()
        daemon.wait()

    def stop(self):
        """End all jobs and daemons."""
        with suppress(AssertionError, subprocess.SubprocessError):
            self.command("scancel", "--user", "root")
            self._wait_for(lambda: not self.command("squeue", "-h"), "the last job")
        for process in reversed(self._daemons.values()):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def command(self, *words):
        """What a command of Slurm prints."""
        done = subprocess.run(
            words,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _begin(self, name, program, *words):
        with open(self.folder / f"{name}.out", "ab") as output:
            self._daemons[name] = subprocess.Popen(
                [shutil.which(program, path=_PLACES), *words],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def _wait_for(self, condition, what, seconds=30):
        end = time.monotonic() + seconds
        while True:
            with suppress(AssertionError):
                if condition():
                    return
            logs = [file.read_text()[-500:] for file in self.folder.glob("*.out")]
            assert time.monotonic() < end, f"waited for {what} in vain: {logs}"
            time.sleep(0.05)


def _free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
