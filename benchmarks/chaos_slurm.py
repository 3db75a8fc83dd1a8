"""Where faults strike Slurm: jobs that a login node submits, or one job with all of a study."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.chaos_doors import (
    MARK,
    ROOT,
    Process,
    children_of,
    command_of,
    marked,
    of_tests,
    servers_of,
    workers_of,
)
from benchmarks.chaos_study import Points, Scene
from search.records.study_folder import RECEIPT

_SCRIPT = ROOT / "configs" / "slurm" / "study.sh"
_TO_LEAVE = 30.0  # seconds in which a job of a study that is over must end
_LOOK_AGAIN = 0.3  # seconds
_DOWN = 3.0  # seconds for which a daemon that was killed is not there
_TO_ANSWER = 5.0  # seconds for a command of Slurm
_NOBODY = 2**30  # no process has this number
_NODES = 2
# Exit codes of a job whose processes were killed, as a shell gives them.
_KILLED = {"NODE_FAIL": 137, "BOOT_FAIL": 137, "OUT_OF_MEMORY": 137, "PREEMPTED": 137}


class Cluster:
    """A Slurm of two nodes on this machine, started when it is first needed."""

    def __init__(self) -> None:
        self._started: Any = None

    @property
    def environment(self) -> dict[str, str]:
        """Leads commands to it."""
        return dict(self._running.environment)

    def missing(self) -> str:
        """Why there can be none; empty if there can."""
        return str(of_tests("slurm_cluster").why_not() or "")

    def ask(self, *words: str) -> str:
        """What a command prints; empty while the controller does not answer, or refuses."""
        with suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                words,
                env=os.environ | self.environment,
                capture_output=True,
                text=True,
                timeout=_TO_ANSWER,
            )
            return done.stdout.strip() if done.returncode == 0 else ""
        return ""

    def jobs(self, state: str = "RUNNING") -> list[str]:
        """Numbers of jobs in a state."""
        return self.ask("squeue", "-h", "-r", f"--states={state}", "--format=%i").split()

    def daemon(self, name: str) -> list[int]:
        """The process id of the controller, or of a node."""
        daemon = self._running._daemons.get(name)
        return [daemon.pid] if daemon is not None and daemon.poll() is None else []

    def steps(self) -> list[int]:
        """Daemons of steps, of this Slurm and no other's."""
        found, ours = [], f"SLURM_CONF={self.environment['SLURM_CONF']}".encode()
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (place / "comm").read_text().strip() != "slurmstepd":
                    continue
                if ours in (place / "environ").read_bytes().split(b"\0"):
                    found.append(int(place.name))
        return found

    def restore(self) -> None:
        """Start daemons that were killed, and use nodes again that were set down."""
        dead = [name for name, one in self._running._daemons.items() if one.poll() is not None]
        if dead:
            time.sleep(_DOWN)
        for name in dead:
            begin = self._running.start_node
            self._running.start_controller() if name == "slurmctld" else begin(name)
        for name in self._running.nodes:
            state = self.ask("sinfo", "-h", "-N", "-n", name, "-o", "%T")
            if "down" in state or "drain" in state:
                self.ask("scontrol", "update", f"nodename={name}", "state=resume")

    def settle(self, scene: Scene) -> list[str]:
        """No job stays, but one that has no process: Slurm does not see that its daemon is dead."""
        end = time.monotonic() + _TO_LEAVE
        while (jobs := self.ask("squeue", "-h")) and time.monotonic() < end:
            if not marked(scene.root) and not self.jobs("PENDING"):
                break
            time.sleep(0.5)
        stay = jobs and (marked(scene.root) or self.jobs("PENDING"))
        if jobs:
            self.ask("scancel", "--user", "root")
        return [f"jobs were left: {jobs}"] if stay else []

    def close(self) -> None:
        """Stop it."""
        if self._started is not None:
            self._started.stop()
            shutil.rmtree(self._started.folder, ignore_errors=True)
            self._started = None

    @property
    def _running(self) -> Any:
        if self._started is None:
            folder = tempfile.mkdtemp(prefix="chaos-slurm-")
            self._started = of_tests("slurm_cluster").SlurmCluster(folder, nodes=_NODES)
            self._started.start()
        return self._started


class _OnSlurm:
    """What both ways of Slurm share: the cluster, started once for all faults."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def missing(self) -> str:
        """Whether Slurm's programs are here, and may run."""
        return self.cluster.missing()

    def restore(self, scene: Scene) -> None:
        """Start daemons that were killed."""
        self.cluster.restore()

    def settle(self, scene: Scene) -> list[str]:
        """No job stays."""
        return self.cluster.settle(scene)

    def close(self) -> None:
        """Stop Slurm."""
        self.cluster.close()


class Jobs(_OnSlurm):
    """Two jobs that the command submits."""

    name = "slurm"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self.points: Points = {
            "coordinator": _coordinators,
            "mailbox": lambda scene: [],
            "job": lambda scene: [],
            **_points(cluster),
        }

    def begin(self, scene: Scene, *more: str) -> Process:
        """Give the study's command; Slurm is started once for all faults."""
        scene.environment |= self.cluster.environment
        asked = ("--executor.max_jobs", str(_NODES), "--executor.poll_seconds", "1")
        return scene.run("--executor.name", "slurm", *asked, "--workers.count", "auto", *more)

    def ready(self, scene: Scene) -> bool:
        """A study waits for it by itself."""
        return True


class Allocation(_OnSlurm):
    """One job, with the coordinator and an agent on each of two nodes."""

    name = "slurm-job"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self.points: Points = {
            "coordinator": lambda scene: _door(scene, "run"),
            "mailbox": lambda scene: [],
            "job": lambda scene: [],
            "allocation": lambda scene: [],
            "script": lambda scene: [p for p in marked(scene.root) if _is_script(p)],
            "srun": lambda scene: [p for p in marked(scene.root) if _program(p) == "srun"],
            **_points(cluster),
        }

    def begin(self, scene: Scene, *more: str) -> Process:
        """Submit the script that users copy; a study that is over is looked at without a job."""
        if (scene.folder / RECEIPT).exists() and scene.processes[-1].code == 0:
            return scene.run("--workers.count", str(_NODES), *more)
        scene.environment |= self.cluster.environment
        output = scene.root / f"output-{len(scene.processes)}.txt"
        output.touch()
        given = ["run", "--config", str(scene.config), "--folder", str(scene.runs)]
        path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
        mark = {MARK: str(scene.root), "OMP_NUM_THREADS": "1", "PATH": path}
        done = subprocess.run(
            [
                *("sbatch", "--parsable", "--cpus-per-task=1", f"--output={output}"),
                *(f"--chdir={ROOT}", str(_SCRIPT), *given, "--workers.count", str(_NODES), *more),
            ],
            env=os.environ | scene.environment | mark,
            capture_output=True,
            text=True,
            check=True,
        )
        job = _Job(self.cluster, done.stdout.strip(), scene)
        scene.processes.append(Process("run", job, output))
        return scene.processes[-1]

    def ready(self, scene: Scene) -> bool:
        """Whether agents are there."""
        return len(self.points["job's agent"](scene)) == _NODES


class _Job:
    """A job that runs a coordinator, as `subprocess.Popen` shows a process."""

    def __init__(self, cluster: Cluster, number: str, scene: Scene) -> None:
        self._cluster, self.number, self._scene = cluster, number, scene
        self.returncode: int | None = None
        self._pid, self._asked, self._put_forward = _NOBODY, 0.0, -1

    @property
    def pid(self) -> int:
        """Of the coordinator that runs, or ran last."""
        here = _door(self._scene, "run")
        self._pid = here[-1] if here else self._pid
        return self._pid

    def wait(self, timeout: float) -> None:
        """Wait for the job's end, also in its next runs."""
        end = time.monotonic() + timeout
        while self.returncode is None:
            if time.monotonic() - self._asked >= _LOOK_AGAIN:
                self._look()
                self._asked = time.monotonic()
            if self.returncode is None and time.monotonic() >= end:
                raise subprocess.TimeoutExpired("a job of Slurm", timeout)
            time.sleep(min(0.05, max(0.0, end - time.monotonic())))

    def kill(self) -> None:
        """End all of it."""
        self._cluster.ask("scancel", "--signal=KILL", "--full", self.number)
        self._cluster.ask("scancel", self.number)

    def _look(self) -> None:
        text = self._cluster.ask("scontrol", "show", "job", "-o", self.number)
        about = dict(re.findall(r"(\S+?)=(\S*)", text))
        state = about.get("JobState", "")
        if "held" in about.get("Reason", ""):  # a node was lost while it was to start there
            self._cluster.ask("scontrol", "release", self.number)
        elif state == "PENDING":
            self._hurry(int(about.get("Restarts", "0")))
        elif state in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", *_KILLED):
            code, _, number = about.get("ExitCode", "0:0").partition(":")
            shells = int(code) or (128 + int(number) if int(number) else 0)
            self.returncode = {"CANCELLED": 130, "TIMEOUT": 130, **_KILLED}.get(state, shells)

    def _hurry(self, restarts: int) -> None:
        """Slurm lets two minutes pass before a job runs again."""
        if restarts > max(0, self._put_forward):
            self._put_forward = restarts
            self._cluster.ask("scontrol", "update", f"job={self.number}", "StartTime=now+3")


def _points(cluster: Cluster) -> Points:
    """What both ways of Slurm have."""

    def agents(scene: Scene) -> list[int]:
        return _door(scene, "work")

    return {
        "job's agent": agents,
        "worker": lambda scene: [w for agent in agents(scene) for w in workers_of(agent)],
        "fork server": lambda scene: [s for agent in agents(scene) for s in servers_of(agent)],
        "step": lambda scene: cluster.steps(),
        "node": lambda scene: cluster.daemon("n1"),
        "controller": lambda scene: cluster.daemon("slurmctld"),
    }


def _coordinators(scene: Scene) -> list[int]:
    return [one.pid for one in scene.processes if one.command == "run" and one.code is None]


def _door(scene: Scene, command: str) -> list[int]:
    """Processes of the study, in jobs of Slurm, that run a command of the door."""
    doors = ([str(ROOT / "search.py"), command], ["search.py", command])
    found = [
        p for p in marked(scene.root) if _program(p) == "python" and command_of(p)[1:3] in doors
    ]
    forked = {child for pid in found for child in children_of(pid)}
    return [pid for pid in found if pid not in forked]


def _is_script(pid: int) -> bool:
    return _program(pid) == "bash" and command_of(pid)[1].endswith("slurm_script")


def _program(pid: int) -> str:
    """The name of what a process was started as."""
    return Path((command_of(pid) or [""])[0]).name
