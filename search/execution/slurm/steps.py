"""Agents as steps of the allocation in which the coordinator runs, one on each node."""

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from hybrid_swin.errors import InputError
from search.execution.slurm.commands import call, inside
from search.execution.slurm.job_script import STEP_VARIABLE
from search.execution.slurm.jobs import last_line

_STILLBORN_LIMIT = 3
_TO_LEAVE = 5.0  # seconds
_LOOK_AGAIN = 0.05  # seconds


class Steps:
    """A step on each node, started again when it ends.

    Args:
        nodes: of the allocation.
        command: what each runs.
        logs: where they print.
    """

    def __init__(self, nodes: Sequence[str], command: Sequence[str], logs: Path) -> None:
        self.nodes, self._command, self._logs = list(nodes), list(command), logs
        self._logs.mkdir(parents=True, exist_ok=True)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._stillborn = dict.fromkeys(self.nodes, 0)
        self.names: dict[str, str] = {}
        """What agents of the steps that run now say of their step, by node."""
        for node in self.nodes:
            self._start(node)

    def restarted(self) -> list[str]:
        """Start steps again that have ended; gives their nodes.

        A node on which none lives is used no more. Raises InputError if that was the last one.
        """
        nodes = [node for node, one in self._processes.items() if one.poll() is not None]
        for node in nodes:
            self._stillborn[node] += 1
            if self._stillborn[node] < _STILLBORN_LIMIT:
                self._start(node)
            elif len(self.nodes) > 1:
                self.nodes.remove(node)
                del self._processes[node], self.names[node]
            else:
                raise InputError(
                    f"executor slurm: no agent starts on {node}: {self.last_line(node)}; "
                    f"{self._log(node)} says more"
                )
        return nodes

    def joined(self, node: str) -> None:
        """The agent on this node works: its step is not one that ends before it begins."""
        self._stillborn[node] = 0

    def last_line(self, node: str) -> str:
        """What the step on a node printed last."""
        return last_line(self._log(node)) or "it has printed nothing"

    def close(self) -> None:
        """Wait for the steps, which have been told to leave, and end those that stay."""
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            for process in self._processes.values():
                if number is not None and process.poll() is None:
                    with suppress(ProcessLookupError):
                        process.send_signal(number)
            end = time.monotonic() + _TO_LEAVE
            while any(process.poll() is None for process in self._processes.values()):
                if time.monotonic() > end:
                    break
                time.sleep(_LOOK_AGAIN)

    def _start(self, node: str) -> None:
        words = [
            "srun",
            f"--jobid={os.environ['SLURM_JOB_ID']}",
            f"--nodelist={node}",
            "--nodes=1",
            "--ntasks=1",
            "--overlap",  # the script's own step, and the user's, keep their share
            "--mem=0",
            "--cpu-bind=none",
            "--unbuffered",
            *self._command,
        ]
        self.names[node] = secrets.token_hex(4)
        with self._log(node).open("ab") as output:
            try:
                self._processes[node] = subprocess.Popen(
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=inside() | {STEP_VARIABLE: self.names[node]},
                    start_new_session=True,  # Ctrl-C is for the coordinator
                )
            except OSError as error:
                raise InputError(f"executor slurm: srun cannot be run: {error.strerror}") from error

    def _log(self, node: str) -> Path:
        return self._logs / f"{node}.log"


def nodes_of_allocation() -> list[str]:
    """The nodes of the job in which this process runs. Raises InputError if Slurm cannot say."""
    listed = os.environ.get("SLURM_JOB_NODELIST") or os.environ.get("SLURM_NODELIST", "")
    if not listed:
        raise InputError(
            "executor.agents steps: this is not a job of Slurm (no SLURM_JOB_NODELIST); give "
            "--executor.agents jobs, or begin inside a job"
        )
    return call("scontrol", "show", "hostnames", listed).split()
