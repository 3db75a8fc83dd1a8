"""Slurm's commands: called, and what they print read for people."""

import re
import subprocess

from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import LONGEST, one_line
from hybrid_swin.system.processes import how_it_ended, python_environment
from search.execution.slurm.refusals import advice_on

SECONDS = 60.0  # for one command
# Of a controller that is restarted, busy or cut off: the same command works later.
_FOR_NOW = re.compile(
    "unable to contact|timed out|temporarily unable|not responding|connection (refused|reset)|"
    "zero bytes|not connected|protocol authentication|munge|resource temporarily|"
    "controller.*(standby|shutting down)|incomplete|backing off|slurmctld.*busy",
    re.IGNORECASE,
)
_SPEAKER = re.compile(
    r"^(\w+: )?((error|fatal): )?"
    r"(Batch job submission failed: |allocation failure: |slurm_load_jobs error: )?"
)
# What leads to the cluster; all else of these names is of the job in which we may run ourselves.
_KEPT = {"SLURM_CONF", "SLURM_CLUSTERS", "SLURM_JWT"}
_ALLOCATION = _KEPT | {
    *("SLURM_JOB_ID", "SLURM_JOB_NODELIST", "SLURM_JOB_NUM_NODES", "SLURM_NODELIST"),
    *("SLURM_NNODES", "SLURM_CLUSTER_NAME", "SLURM_WORKING_CLUSTER"),
}
_OF_SLURM = ("SLURM_", "SLURMD_", "SRUN_", "SQUEUE_")


class UnreachableError(Exception):
    """Slurm's controller does not answer now."""


class RefusedError(InputError):
    """Slurm does not do what it was asked, in its own words."""


def call(*words: str, seconds: float = SECONDS) -> str:
    """What a command prints.

    Raises:
        InputError: there is no such command here.
        RefusedError: it failed, and would fail again.
        UnreachableError: the controller does not answer.
    """
    try:
        done = subprocess.run(
            words,
            env=outside(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise InputError(
            f"executor slurm: there is no {words[0]} on this machine; begin on a login node of the "
            "cluster or in a job of it, or take another executor"
        ) from None
    except OSError as error:
        raise InputError(f"executor slurm: {words[0]} cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise UnreachableError(f"{words[0]} has not answered for {seconds:g} s") from None
    if done.returncode:
        reason = reason_of(done.stderr) or f"{words[0]} {how_it_ended(done.returncode)}"
        if _FOR_NOW.search(reason):
            raise UnreachableError(reason)
        advice = advice_on(reason) if words[0] == "sbatch" else ""
        raise RefusedError("; ".join(filter(None, (f"{words[0]}: {reason}", advice))))
    return done.stdout


def reason_of(errors: str) -> str:
    """What a command says of its failure, on one line, each thing once."""
    reasons: list[str] = []
    for line in errors.splitlines():
        text = _SPEAKER.sub("", line.strip()).strip()
        if text and text not in reasons:
            reasons.append(text)
    return one_line("; ".join(reasons), LONGEST * 2 // 3)


def outside() -> dict[str, str]:
    """An environment for commands that know nothing of the job in which we may run ourselves."""
    environment = _without(_KEPT)
    environment.pop("CUDA_VISIBLE_DEVICES", None)  # this machine's
    return environment


def inside() -> dict[str, str]:
    """An environment for steps of the allocation in which we run.

    What it was asked for is left out: a step takes its tasks, memory and GPUs from that.
    """
    return _without(_ALLOCATION)


def _without(kept: set[str]) -> dict[str, str]:
    return {
        name: value
        for name, value in python_environment().items()
        if name in kept or not name.startswith(_OF_SLURM)
    }
