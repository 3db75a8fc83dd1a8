"""Is a study a function of its settings and its seed? With 1, 2 and 4 workers, and over kills.

Command: ``python -m benchmarks.determinism`` (about 10 minutes on 2 cores). One small study of real
trainings on digits, with rungs, audits, random candidates and a random search, is run with 1, 2 and
4 workers, and again and again with ``kill -9`` at random moments, of the coordinator alone, of a
worker, or of all of them, until 20 kills have struck after trainings had begun. Compared is the
leaderboard's digest: every column and digit but what a clock or a memory gauge measured.

Writes ``benchmarks/results/determinism.json`` and ``.md``.
"""

import argparse
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from benchmarks.writing import write_report

DOOR = Path(__file__).parents[1] / "search.py"
RESULTS = Path(__file__).parent / "results"
KILLS_A_STUDY = 7
SETTINGS: dict[str, Any] = {
    "name": "small",
    "data": {"source": "digits"},
    "variant": {
        "image_size": 8,
        "in_channels": 1,
        "num_classes": 10,
        "patch_size": 2,
        "window_size": 2,
        "mlp_ratio": {"choose": [1, 2]},
        "stages": [
            {
                "width": {"choose": [8, 16, 24]},
                "depth": 1,
                "num_heads": {"times": ["stages.0.width", 0.125]},
                "blocks": {"choose": [["w_msa"], ["sw_msa"], ["w_msa+mdta"], ["conv+w_msa"]]},
            }
        ],
    },
    "recipe": {"epochs": 6, "batch_size": 128, "learning_rate": {"choose": [0.003, 0.01]}},
    "baselines": [{"label": "plain", "blocks": ["w_msa"]}],
    "trials": 12,
    "sampler": {"name": "tpe", "lookahead": 8, "startup_trials": 4, "random_search": True},
    "rungs": {"first": 1, "factor": 2, "audit": 2},
    "finalists": {"top": 2, "seeds": 2, "random": 3},
    "wandb": {"mode": "disabled"},
    "workers": {"checkpoint_seconds": 0.001},
}


class Study:
    """The study in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        (root / "study.yaml").write_text(yaml.safe_dump(SETTINGS))

    def start(self, workers: int) -> "subprocess.Popen[bytes]":
        """Start or continue it."""
        command = [sys.executable, str(DOOR), "run", "--config", str(self.root / "study.yaml")]
        command += ["--folder", str(self.root / "runs"), "--workers.count", str(workers)]
        with (self.root / "output.txt").open("ab") as output:
            return subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)

    def finish(self, workers: int) -> str:
        """Run it to its end; returns the digest."""
        if self.start(workers).wait() != 0:
            raise RuntimeError((self.root / "output.txt").read_text()[-2000:])
        board = json.loads((self.root / "runs" / "small" / "leaderboard.json").read_text())
        return str(board["digest"])

    def progress(self) -> int:
        """Runs that have ended."""
        runs = self.root / "runs" / "small"
        return sum(1 for _ in runs.glob("*/**/result.json")) if runs.exists() else 0


def children(pid: int, command: str = "") -> list[str]:
    """Process ids of a process's children whose command line holds a text."""
    found = subprocess.run(
        ["pgrep", "-P", str(pid), *(["-f", command] if command else [])],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.split()


def kill(process: "subprocess.Popen[bytes]", draw: random.Random) -> str:
    """Kill the coordinator, one worker, or all; says which."""
    what = draw.choice(["coordinator", "worker", "all"])
    servers = children(process.pid, "search.execution.fork_server")
    workers = [worker for server in servers for worker in children(int(server))]
    workers = workers or children(process.pid, "search.execution.worker")
    if what == "worker" and workers:
        os.kill(int(draw.choice(workers)), signal.SIGKILL)
    elif what == "all":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        what = "coordinator"
        process.kill()
    return what


def run_with_kills(study: Study, kills: int, draw: random.Random) -> tuple[str, list[str]]:
    """Kill so often after some more results and a moment; returns the digest and what was hit."""
    hit: list[str] = []
    while len(hit) < kills:
        process = study.start(2)
        goal = study.progress() + draw.randint(1, 6)
        while process.poll() is None and study.progress() < goal:
            time.sleep(0.005)
        time.sleep(draw.uniform(0, 0.5))
        if process.poll() is not None:
            break  # it came to its end first
        what = kill(process, draw)
        hit.append(f"{what} at {study.progress()} results")
        if what == "worker":
            time.sleep(draw.uniform(0, 2))
            process.kill()  # a study that goes on is killed as well, so that each kill counts once
        process.wait()
    return study.finish(2), hit


def tables(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    runs = report["runs"]
    kills = sum(len(run["kills"]) for run in runs)
    equal = "are all equal" if report["equal"] else "DIFFER"
    lines = [
        "# A study as a function of its settings and its seed",
        "",
        f"`{report['command']}`; {report['hardware']}; torch {report['versions']['torch']}. "
        f"{report['runs_a_study']} runs a study; {len(runs)} studies, {kills} kills: the digests "
        f"{equal}.",
        "",
        "| workers | kill -9 of | digest of the leaderboard |",
        "|---|---|---|",
    ]
    for run in runs:
        hit = ", ".join(run["kills"]) or "nothing"
        lines.append(f"| {run['workers']} | {hit} | `{run['digest'][:16]}` |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Run, compare, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    options = parser.parse_args()
    draw = random.Random(0)  # noqa: S311  # no secret
    runs: list[dict[str, Any]] = []
    kills = 0
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for workers in (1, 2, 4):
            study = Study(root / f"workers-{workers}")
            runs.append({"workers": workers, "kills": [], "digest": study.finish(workers)})
            print(runs[-1], flush=True)
        ended = study.progress()
        while kills < options.kills:
            study = Study(root / f"kills-{len(runs)}")
            digest, hit = run_with_kills(study, min(KILLS_A_STUDY, options.kills - kills), draw)
            runs.append({"workers": 2, "kills": hit, "digest": digest})
            kills += len(hit)
            print(runs[-1], flush=True)
    report = {
        "command": f"python -m benchmarks.determinism --kills {options.kills}",
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores, one thread a worker",
        "versions": {"torch": version("torch")},
        "runs_a_study": ended,
        "equal": len({run["digest"] for run in runs}) == 1,
        "runs": runs,
    }
    write_report(RESULTS / "determinism", report, tables(report))
    if not report["equal"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
