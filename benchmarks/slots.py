"""How many slots one coordinator feeds: its real loop with 32 to 512 slots whose jobs sleep.

Commands::

    python -m benchmarks.slots                       # about 7 minutes, two cores
    python -m benchmarks.slots --slots 64 --seconds 4

The real coordinator, dispatcher, TPE, journal, folder and ``progress.json``, in the space of the
tabular benchmark, with a lookahead of twice the slots. Only the workers are missing: in another
process, a slot sleeps for the job's seconds, tells of its start and of five epochs, and writes
``result.json``. Watched are the trials from the first that waited for a result to the last. *Busy*:
the share of the slots that had a job, in the mean. *CPU*: seconds of the coordinator's process for
a trial.

The last case asks for far more than any coordinator hands out: what it gets is the most trials a
second. Their inverse is the time of a trial in ``benchmarks.slots_model``, which says what is busy
in cases that nobody can measure here.

Writes ``benchmarks/results/slots.json`` and ``.md``.
"""

import argparse
import dataclasses
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"

from benchmarks.scale import run, settings_of  # threads are set before anything heavy is imported
from benchmarks.slots_model import busy_share, halved
from benchmarks.slots_sleepers import Sleepers
from benchmarks.writing import write_report
from search.execution.view import Silent
from search.reporting.status.progress_file import ProgressFile
from search.reporting.status.progress_writer import ProgressWriter
from search.settings.study import SamplerSettings

RESULTS = Path(__file__).parent / "results"
CASES = ((32, 2.0), (128, 8.0), (512, 32.0), (512, 16.0), (512, 1.0))  # slots, seconds of a job
ROUNDS = 5  # jobs of each slot
_TOO_FEW = 0.5  # of the slots: below, a case shows the most that the coordinator hands out
ON_PAPER = (512, 1024, 2048, 4096)  # slots
AHEAD = (1, 2, 4, 6)  # lookaheads on paper, times the slots


def measure(slots: int, seconds: float) -> dict[str, float]:
    """One study."""
    trials, ahead = slots * ROUNDS, 2 * slots
    executor = Sleepers(slots, seconds, trials, first=ahead)
    with tempfile.TemporaryDirectory() as name:
        settings = settings_of(Path(name), trials)
        sampler = SamplerSettings("tpe", lookahead=ahead)
        writer = ProgressWriter(settings.path, executor)
        view = ProgressFile(Silent(), writer, mirror=lambda key: None)
        cpu = time.process_time()
        run(dataclasses.replace(settings, sampler=sampler), executor, view)
        cpu = time.process_time() - cpu
    executor.close()
    occupied = executor.occupied
    return {
        "slots": slots,
        "seconds": seconds,
        "trials": trials,
        "busy": occupied.slots / slots,
        "rate": occupied.trials / occupied.seconds,
        "cpu": cpu / trials,
    }


def table(rows: Sequence[dict[str, float]]) -> str:
    """What was measured."""
    lines = [
        "# Slots that one coordinator feeds",
        "",
        "Jobs that sleep; TPE; lookahead twice the slots. `python -m benchmarks.slots`",
        "",
        "| slots | seconds per job | trials | trials per second, if all are busy | handed out "
        "| slots busy | on paper | CPU per trial |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    most = max((row["rate"] for row in rows if row["busy"] < _TOO_FEW), default=None)
    for row in rows:
        slots, seconds = int(row["slots"]), row["seconds"]
        service = 1 / most if most else 0.0
        paper = busy_share(slots, 2 * slots, service, [seconds] * int(row["trials"]))
        lines.append(
            f"| {slots} | {seconds:g} | {row['trials']:.0f} | {slots / seconds:.1f} "
            f"| {row['rate']:.1f} | {100 * row['busy']:.1f}% | {100 * paper:.0f}% "
            f"| {1000 * row['cpu']:.1f} ms |"
        )
    return "\n".join([*lines, "", *(on_paper(1 / most) if most else [])])


def on_paper(service: float) -> list[str]:
    """What follows for more slots and other lookaheads."""
    lines = [
        "## On paper",
        "",
        f"At {1000 * service:.0f} ms per trial, the most that was handed out above:",
        "",
        "| slots | busy with jobs of 16 s | 60 s | 300 s | all are busy from |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for slots in ON_PAPER:
        busy = [
            busy_share(slots, 2 * slots, service, [s] * (ROUNDS * slots)) for s in (16, 60, 300)
        ]
        cells = " | ".join(f"{100 * share:.0f}%" for share in busy)
        lines.append(f"| {slots:,} | {cells} | {slots * service:.0f} s |")
    lines += [
        "",
        "Results are told in the trials' order, so jobs of different lengths need a longer "
        "lookahead. Busy slots of 512 whose longest jobs take 10 minutes:",
        "",
        "| jobs | " + " | ".join(f"lookahead {times} x slots" for times in AHEAD) + " |",
        "| --- |" + " ---: |" * len(AHEAD),
    ]
    slots, trials = 512, 60 * 512
    jobs = {
        "all equal": [600.0] * trials,
        "one rung, factor 3": halved(trials, 600, 3, 1),
        "two rungs, factor 3": halved(trials, 600, 3, 2),
        "three rungs, factor 3": halved(trials, 600, 3, 3),
    }
    for name, seconds in jobs.items():
        shares = [busy_share(slots, times * slots, service, seconds) for times in AHEAD]
        lines.append(f"| {name} | " + " | ".join(f"{100 * s:.0f}%" for s in shares) + " |")
    return [*lines, ""]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--slots", type=int)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--out", type=Path, default=RESULTS / "slots")
    options = parser.parse_args(arguments)
    cases = ((options.slots, options.seconds),) if options.slots else CASES
    rows = []
    for slots, seconds in cases:
        rows.append(measure(slots, seconds))
        print(f"{slots} slots, jobs of {seconds:g} s: {rows[-1]}", flush=True)
    report: dict[str, Any] = {
        "command": "python -m benchmarks.slots",
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores, one thread",
        "rows": rows,
    }
    write_report(options.out, report, table(rows))


if __name__ == "__main__":
    main()
