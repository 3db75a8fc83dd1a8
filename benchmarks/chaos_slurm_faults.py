"""Faults that only Slurm has: jobs and nodes that are taken away, by its own commands."""

import os
import random
import shlex
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.chaos_doors import DOOR, MARK, Process
from benchmarks.chaos_faults import Fault, damage
from benchmarks.chaos_places import Place
from benchmarks.chaos_slurm import Allocation, Cluster, Jobs
from benchmarks.chaos_study import PATIENCE, Scene

_SUSPENDED = 45.0  # seconds; an agent that is silent for 40 s is given up
_LIMIT = 150.0  # seconds in which Slurm enforces a time limit of a minute

# What is done to one of the study's jobs, whose number is given; says what happened.
Deed = Callable[[Cluster, str, str, random.Random], str]


def slurm_faults(long: bool) -> list[Fault]:
    """All of them; ``long``: pauses as a person makes them."""

    def suspend(cluster: Cluster, job: str, warning: str, draw: random.Random) -> str:
        seconds = draw.choice([5.0, _SUSPENDED]) if long else 5.0
        cluster.ask("scontrol", "suspend", job)
        time.sleep(seconds)
        cluster.ask("scontrol", "resume", job)
        return f"{seconds:g} s"

    return [
        _of_a_job("scancel of a job", _cancel),
        _of_a_job("scancel --signal=KILL of a job", _kill, killed=True),
        _of_a_job("the signal before a time limit", _warn),
        _of_a_job("a job at its time limit", _limit),
        _of_a_job("a job preempted", _preempt, killed=True),
        _of_a_job("a job suspended", suspend),
        _of_a_job("a node set down", _set_down, killed=True),
        _of_a_job("a job requeued", _requeue, killed=True, point="allocation"),
        Fault("an agent of the user's, by srun in a job", _by_srun, point="job"),
        Fault("agents of the user's, in an array", _as_array, point="job"),
        Fault(
            "jobs that end when they are idle",
            _idle,
            point="job",
            without="allocation",
            arguments=("--executor.idle_minutes", "0.002"),
            waits=False,
        ),
        damage("a log of Slurm's jobs", "logs/slurm/*", True, "job"),
        damage("a log of Slurm's jobs", "logs/slurm/*", False, "job"),
    ]


def _of_a_job(name: str, deed: Deed, killed: bool = False, point: str = "job") -> Fault:
    """``killed``: a coordinator in the job may not end in order."""

    def strike(scene: Scene, place: Place, coordinator: Process, draw: random.Random) -> str:
        cluster = _cluster_of(place)
        jobs = cluster.jobs()
        if not jobs:
            return ""
        inside = isinstance(place, Allocation)
        coordinator.struck = coordinator.struck or (killed and inside)
        warning = "USR1" if inside else "TERM"  # as our scripts ask for
        return f"{deed(cluster, draw.choice(jobs), warning, draw)}; {len(jobs)} there"

    return Fault(name, strike, point=point)


def _by_srun(scene: Scene, place: Place, coordinator: Process, draw: random.Random) -> str:
    """It takes part beside ours, and ends with the job or the study."""
    cluster = _cluster_of(place)
    jobs = cluster.jobs()
    if not jobs:
        return ""
    job = draw.choice(jobs)
    node = cluster.ask("squeue", "-h", f"--jobs={job}", "--format=%B")
    where = (f"--jobid={job}", "--overlap", f"--nodelist={node}", "--nodes=1", "--ntasks=1")
    with (scene.root / "srun.txt").open("wb") as output:
        subprocess.Popen(
            ["srun", *where, *_work(scene)],  # noqa: S607
            env=os.environ | cluster.environment | {MARK: str(scene.root), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return node


def _as_array(scene: Scene, place: Place, coordinator: Process, draw: random.Random) -> str:
    """Jobs that the study has not submitted."""
    cluster, command = _cluster_of(place), shlex.join(_work(scene))
    output = scene.root / "array-%a.txt"
    words = ("--array=1-2", f"--output={output}", f"--export=ALL,{MARK}={scene.root}")
    number = cluster.ask("sbatch", "--parsable", *words, f"--wrap={command}")
    return f"job {number}" if number else ""


def _idle(scene: Scene, place: Place, coordinator: Process, draw: random.Random) -> str:
    """Nodes are given back whenever a moment passes without work."""
    coordinator.wait(PATIENCE)
    times = coordinator.text.count("leaves its node")
    return f"{times} times" if times else ""


def _work(scene: Scene) -> list[str]:
    folder = str(scene.folder)
    return [sys.executable, str(DOOR), "work", folder, "--count", "1", "--patience", "0.5"]


def _cluster_of(place: Place) -> Cluster:
    if not isinstance(place, Jobs | Allocation):
        raise TypeError(place.name)
    return place.cluster


def _cancel(cluster: Cluster, job: str, warning: str, draw: random.Random) -> str:
    cluster.ask("scancel", job)
    return "cancelled"


def _kill(cluster: Cluster, job: str, warning: str, draw: random.Random) -> str:
    cluster.ask("scancel", "--signal=KILL", "--full", job)
    return "killed"


def _warn(cluster: Cluster, job: str, warning: str, draw: random.Random) -> str:
    cluster.ask("scancel", "--batch", f"--signal={warning}", job)
    return warning


def _limit(cluster: Cluster, job: str, warning: str, draw: random.Random) -> str:
    """The warning comes at once, and the end in a minute at most."""
    cluster.ask("scontrol", "update", f"job={job}", "TimeLimit=1")
    end = time.monotonic() + _LIMIT
    while job in cluster.jobs() and time.monotonic() < end:
        time.sleep(0.5)
    cluster.ask("scontrol", "update", f"job={job}", "TimeLimit=60")  # of its next run
    return "left" if time.monotonic() < end else "it stayed"


def _preempt(cluster: Cluster, job: str, warning: str, draw: random.Random) -> str:
    node = cluster.ask("squeue", "-h", f"--jobs={job}", "--format=%B")
    all_of_it = ("--cpus-per-task=2", f"--nodelist={node}", "--output=/dev/null")
    cluster.ask("sbatch", "--partition=urgent", *all_of_it, "--wrap=sleep 2")
    return node


def _requeue(cluster: Cluster, job: str, warning: str, draw: random.Random) -> str:
    cluster.ask("scontrol", "requeue", job)
    return "requeued"


def _set_down(cluster: Cluster, job: str, warning: str, draw: random.Random) -> str:
    node = cluster.ask("squeue", "-h", f"--jobs={job}", "--format=%B")
    cluster.ask("scontrol", "update", f"nodename={node}", "state=down", "reason=chaos")
    time.sleep(draw.choice([1.0, 5.0]))
    return node
