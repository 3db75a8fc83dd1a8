"""How long one waits for a first training step, and for workers after the first.

Commands::

    python -m benchmarks.startup                                # some 3 minutes on 2 idle cores
    python -m benchmarks.startup --checkout ../other-version    # both, taking turns

A round takes the checkouts in turn and measures, in processes of their own:

- ``search.py --help``.
- The default study in a new folder, from its start to the first training step, as its files show
  it: a training's begin is the end of its loop (``final.ckpt`` is written then) less how long the
  loop took.
- Workers, from asking for one to its beginning a job: the first of a process, a second beside it,
  one in place of a worker whose job broke it, and that of the next study in the same process.
- Imports of a worker by package (``python -X importtime``, which itself slows them), once.

CPU seconds are those of all processes that were started. On a busy machine they and the ratios say
more than seconds by the clock. Writes ``benchmarks/results/startup.json`` and ``.md``.
"""

import argparse
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.startup_workers import PATIENCE, WORKERS, Cost, cpu_seconds
from benchmarks.writing import write_report

HERE = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
# The same in versions where modules have other names.
JOB_MODULES = ("search.execution.training_job", "search.jobs")
AIM, AIM_NEXT = 6.0, 1.0  # seconds to the first step, CPU seconds of a worker after the first
HELP, STUDY = "search.py --help", "search.py, to the first training step"


def environment() -> dict[str, str]:
    """One thread each, and nothing sent to anybody."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}


def start(command: Sequence[str], folder: Path, output: Any) -> "subprocess.Popen[bytes]":
    """A command in a session of its own."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment(),
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def end(process: "subprocess.Popen[bytes]") -> None:
    """Kill it with all that it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def time_help(checkout: Path, folder: Path) -> Cost:
    """The door's help."""
    begin, before = time.perf_counter(), os.times()
    command = [sys.executable, str(checkout / "search.py"), "--help"]
    subprocess.run(command, cwd=folder, env=environment(), stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return {"wall": time.perf_counter() - begin, "cpu": cpu}


def time_study(checkout: Path, folder: Path) -> dict[str, Cost]:
    """The default study: what happened by when, up to the first training step."""
    runs = folder / "runs"
    marks: dict[str, Callable[[], bool]] = {
        "settings read, workers asked for": lambda: any(runs.glob("*/logs")),
        "images read, settings kept": lambda: any(runs.glob("*/settings.yaml")),
        "Optuna's journal open": lambda: any(runs.glob("*/*journal*")),
        "first run handed out": lambda: any(runs.glob("*/*/**/attempt-1")),
    }
    seen: dict[str, Cost] = {}
    with (folder / "output.txt").open("wb") as output:
        begin, clock = time.perf_counter(), time.time()
        command = [sys.executable, str(checkout / "search.py"), "--folder", str(runs)]
        process = start(command, folder, output)
        try:
            while not (steps := _first_steps(runs)):
                if process.poll() is not None or time.perf_counter() - begin > PATIENCE:
                    raise RuntimeError((folder / "output.txt").read_text()[-2000:])
                for mark, happened in marks.items():
                    if mark not in seen and happened():
                        wall = time.perf_counter() - begin
                        seen[mark] = {"wall": wall, "cpu": cpu_seconds(process.pid)}
                time.sleep(0.01)
        finally:
            end(process)
    return {**seen, STUDY: {"wall": min(steps) - clock, "cpu": float("nan")}}


def _first_steps(runs: Path) -> list[float]:
    """When the trainings that have ended had begun, by the clock; none before two have."""
    found = []
    for result in runs.glob("*/*/**/attempt-1/result.json"):
        final = result.with_name("final.ckpt")
        seconds = json.loads(result.read_text()).get("seconds", {})
        if final.exists() and "fit" in seconds:
            found.append(final.stat().st_mtime - seconds["fit"])
    return found if len(found) > 1 else []


def time_workers(checkout: Path, folder: Path) -> dict[str, Cost]:
    """Workers of one process, which measures them itself."""
    script = Path(__file__).with_name("startup_workers.py")
    with (folder / "workers.txt").open("w+b") as output:
        process = start([sys.executable, "-P", str(script), str(checkout)], folder, output)
        try:
            process.wait(PATIENCE)
        finally:
            end(process)
        output.seek(0)
        text = output.read().decode()
    if process.returncode != 0:
        raise RuntimeError(text[-2000:])
    found: dict[str, Cost] = json.loads(text.splitlines()[-1])
    return found


def time_imports(checkout: Path, folder: Path) -> dict[str, float]:
    """Milliseconds of a worker's imports by package, each module's own."""
    for module in JOB_MODULES:
        code = f"import sys; sys.path.insert(0, {str(checkout)!r}); import {module}"
        ran = subprocess.run(
            [sys.executable, "-P", "-X", "importtime", "-c", code],
            cwd=folder,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if ran.returncode == 0:
            break
    else:
        raise RuntimeError(ran.stderr[-2000:])
    by_package: Counter[str] = Counter()
    for line in ran.stderr.splitlines():
        if found := re.match(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", line):
            by_package[_package(found[2])] += int(found[1])
    return {name: microseconds / 1000 for name, microseconds in by_package.most_common()}


def _package(module: str) -> str:
    top, _, rest = module.partition(".")
    if top in ("hybrid_swin", "search"):
        return "our own"
    below = rest.partition(".")[0]
    return f"{top}.{below}" if top == "torch" and below in ("_dynamo", "_inductor") else top


def measure(checkouts: Mapping[str, Path], rounds: int) -> dict[str, Any]:
    """All measures of all checkouts, taking turns."""
    found: dict[str, Any] = {name: {"rounds": [], "imports": {}} for name in checkouts}
    for index in range(rounds):
        turn = list(checkouts.items())
        for name, checkout in turn if index % 2 == 0 else reversed(turn):
            with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
                folder = Path(scratch)
                one = {HELP: time_help(checkout, folder)}
                one |= time_workers(checkout, folder)
                one |= time_study(checkout, folder)
            found[name]["rounds"].append(one)
            print(f"round {index + 1}, {name}: {json.dumps(one)}", flush=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        for name, checkout in checkouts.items():
            time_imports(checkout, Path(scratch))  # so that all is compiled and in memory
            found[name]["imports"] = time_imports(checkout, Path(scratch))
    return found


def medians(rounds: Sequence[Mapping[str, Cost]], what: str) -> Cost:
    """Of one measure over the rounds."""
    return {
        kind: statistics.median(one[what][kind] for one in rounds if what in one)
        for kind in ("wall", "cpu")
    }


def tables(report: Mapping[str, Any]) -> str:
    """The report as Markdown."""
    found: Mapping[str, Any] = report["checkouts"]
    names = list(found)
    whats = list(dict.fromkeys(what for name in names for what in found[name]["rounds"][0]))
    lines = [
        "# Start-up",
        "",
        f"`{report['command']}`; {report['hardware']}; torch {report['versions']['torch']}, "
        f"Lightning {report['versions']['lightning']}. Load when it began: {report['load']:.1f} "
        f"processes. Medians over rounds ({report['rounds']}), in seconds by the clock "
        "(CPU seconds of all processes).",
        "",
        f"| from the start to | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for what in whats:
        cells = [_cell(medians(found[name]["rounds"], what)) for name in names]
        lines.append(f"| {what} | {' | '.join(cells)} |")
    now = medians(found["now"]["rounds"], STUDY)["wall"]
    then = medians(found["now"]["rounds"], WORKERS[-1])["cpu"]
    lines += [
        "",
        f"First training step now: {now:.1f} s (aim on 2 idle cores: {AIM:g}). A worker after the "
        f"first: {then:.2f} CPU seconds (aim: {AIM_NEXT:g}).",
        "",
        "Rows from the workers on are measured from asking for a worker to its beginning a job; "
        "the study's rows, from Enter.",
        "",
        "## A worker's imports",
        "",
        "Milliseconds by package; `-X importtime` makes them slower than they are.",
        "",
        f"| package | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    packages = dict.fromkeys(p for name in names for p in list(found[name]["imports"])[:12])
    for package in packages:
        cells = [f"{found[name]['imports'].get(package, 0.0):.0f}" for name in names]
        lines.append(f"| {package} | {' | '.join(cells)} |")
    totals = [f"{sum(found[name]['imports'].values()):.0f}" for name in names]
    lines.append(f"| all | {' | '.join(totals)} |")
    return "\n".join([*lines, ""])


def _cell(cost: Cost) -> str:
    cpu = "" if cost["cpu"] != cost["cpu"] else f" ({cost['cpu']:.2f})"
    return f"{cost['wall']:.2f}{cpu}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Take turns, measure, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--checkout", type=Path, help="another version, measured as well")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "startup")
    options = parser.parse_args(arguments)
    checkouts = {"before": options.checkout.resolve()} if options.checkout else {}
    load = os.getloadavg()[0]
    report = {
        "command": "python -m benchmarks.startup"
        + (f" --checkout {options.checkout.name}" if options.checkout else "")
        + f" --rounds {options.rounds}",
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores, one thread a worker",
        "versions": {name: version(name) for name in ("torch", "lightning")},
        "load": load,
        "rounds": options.rounds,
        "checkouts": measure({**checkouts, "now": HERE}, options.rounds),
    }
    write_report(options.out, report, tables(report))


if __name__ == "__main__":
    main()
