"""What a job or step of Slurm runs: an agent of the study."""

import hashlib
import json
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hybrid_swin.system.files import write_text_atomically

_PATIENCE = 2.0  # minutes that an agent waits for a coordinator: nodes are not for waiting
_SECONDS_TO_LEAVE = 60  # before a time limit
SCRIPT = "agent.sh"
STEP_VARIABLE = "HYBRID_SWIN_SLURM_STEP"  # names the step, in those that `Steps` has started
# A line that fails ends the job; what fails inside a function or a file that it reads does not.
_GUARD = """\
_line_failed() {
    [ "$3" -gt 1 ] && return
    line=$(sed -n "$2p" "$0")
    echo "executor.setup: '${line:0:60}' failed with exit code $1;" \\
        "if it may fail, end it with || true" >&2
    exit 1
}
trap '_line_failed "$?" "$LINENO" "${#BASH_SOURCE[@]}"' ERR"""
_INSTALLED = "from search.cli.door import main; raise SystemExit(main())"


def agent_command(folder: Path, count: int | None) -> list[str]:
    """The words that run an agent, with this Python; None workers: as many as it has room for."""
    script = Path(__file__).parents[3] / "search.py"
    door = (str(script),) if script.is_file() else ("-c", _INSTALLED)
    counted = () if count is None else ("--count", str(count))
    words = ("work", os.path.abspath(folder), "--patience", f"{_PATIENCE:g}", *counted)
    return [sys.executable, *door, *words]


def place(environment: Mapping[str, str]) -> dict[str, str]:
    """Where a process runs, as its agent tells: the job of Slurm, the node in it, and our step."""
    job, array = environment.get("SLURM_JOB_ID"), environment.get("SLURM_ARRAY_JOB_ID")
    if not job:
        return {}
    number = f"{array}_{environment.get('SLURM_ARRAY_TASK_ID')}" if array else job
    step = environment.get(STEP_VARIABLE, "")
    return {
        "slurm_job": number,
        "slurm_node": environment.get("SLURMD_NODENAME", ""),
        **({"slurm_step": step} if step else {}),
    }


def job_name(folder: Path) -> str:
    """The name of a study's jobs: for people, and no other study's."""
    path = os.path.abspath(folder)
    digest = hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()[:8]
    return re.sub(r"[^A-Za-z0-9._-]", "_", Path(path).name)[:40] + f"-{digest}"


def script_text(command: Sequence[str], setup: Sequence[str]) -> str:
    """The script of the study's jobs, which people may read and submit themselves."""
    lines = [
        "#!/bin/bash",
        "# Lends a node to the study; `sbatch` starts it, with options of its own.",
        *([_GUARD, *setup, "trap - ERR"] if setup else []),
        f"exec {shlex.join(command)}",
    ]
    return "\n".join(lines) + "\n"


def write_script(folder: Path, text: str) -> Path:
    """Write it where jobs print."""
    file = logs(folder) / SCRIPT
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomically(file, text)
    return file


def logs(folder: Path) -> Path:
    """Where jobs print."""
    return Path(os.path.abspath(folder)) / "logs" / "slurm"


def fixed_options(folder: Path, name: str) -> list[str]:
    """What every submission says beside the user's options.

    The shell becomes the agent, so that the signal before a time limit reaches it. A job that ends
    is replaced by us, with the options of today, and not requeued.
    """
    pattern = str(logs(folder)).replace("%", "%%")
    return [
        "--parsable",
        f"--job-name={name}",
        f"--output={pattern}/%A_%a.log",
        "--open-mode=append",
        "--no-requeue",
        "--nodes=1",
        "--ntasks=1",
        f"--signal=B:TERM@{_SECONDS_TO_LEAVE}",
    ]


def fingerprint(options: Sequence[str], script: str) -> str:
    """Stands in a job's comment, so that a later start knows jobs as it would submit them."""
    text = json.dumps([*options, script])
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
