"""Does a study come to the same end whatever happens to it? Random faults, and the same command.

Command: ``python -m benchmarks.chaos --forked`` (about 40 minutes on 2 cores). Each fault strikes a
tiny study of real trainings at a random moment, counted in finished runs and epochs. Then the same
command is given until it ends well, and all is compared with a study that ran undisturbed: the
leaderboard's digest, every run's result, the readings of the test split, Optuna's trials; nothing
may be left (processes, temporary files), and each process ends with one message.

Prints one line per fault, writes ``benchmarks/results/chaos.json`` and ``.md``; exit code 1 if any
fault does harm. ``--forked`` starts studies as the tests do, without their imports.
"""

import argparse
import json
import os
import platform
import random
import re
import shutil
import signal
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.chaos_doors import Doors
from benchmarks.chaos_faults import Fault, can_mount, faults
from benchmarks.chaos_places import Place, places, resume
from benchmarks.chaos_plugins import plugin_faults
from benchmarks.chaos_report import RESULTS, merged, read_report, tables
from benchmarks.chaos_slurm_faults import slurm_faults
from benchmarks.chaos_study import (
    SETTINGS,
    Calm,
    Scene,
    calm,
    complaints,
    go_on,
    messages,
    wait_until_gone,
)
from benchmarks.writing import write_report

_BETWEEN = 4  # checkpoints after the last finished run, at most


@dataclass
class Outcome:
    """What came of one fault."""

    number: int
    place: str
    fault: str
    moment: str
    detail: str = ""
    seconds: float = 0.0
    starts: int = 0
    complaints: list[str] = field(default_factory=list)

    @property
    def line(self) -> str:
        """For the terminal."""
        how = "; ".join(self.complaints) if self.complaints else "as if nothing had happened"
        what = f"{self.fault} ({self.detail})" if self.detail else self.fault
        return f"{self.number:3} {self.place:9} {what}, {self.moment}: {how} [{self.seconds:.0f} s]"


class Chaos:
    """Strikes; keeps what undisturbed studies came to."""

    def __init__(self, root: Path, doors: Doors) -> None:
        self._root, self._doors = root, doors
        self._calm: dict[str, Calm] = {}

    def calm(self, fault: Fault) -> Calm:
        """The undisturbed study beside a fault, run once."""
        name = json.dumps(fault.calm_changes, sort_keys=True)
        if name not in self._calm:
            settings = SETTINGS | dict(fault.calm_changes)
            scene = Scene(self._root / f"calm-{len(self._calm)}", self._doors, settings)
            if fault.calm_changes:
                fault.prepare(scene)
            try:
                self._calm[name] = calm(scene)
            finally:
                scene.close()
        return self._calm[name]

    def strike(self, number: int, fault: Fault, place: Place, draw: random.Random) -> Outcome:
        """Let one fault happen, and look."""
        begin = time.monotonic()
        root = self._root / f"fault-{number}"
        root.mkdir(parents=True)
        expected = self.calm(fault)
        scene = Scene(root, self._doors, SETTINGS | fault.changes(root))
        fault.prepare(scene)
        last = len(expected.results) - 2
        runs = draw.randint(last // 2 if fault.late else 0, last)
        epochs = draw.randint(0, _BETWEEN)
        outcome = Outcome(number, place.name, fault.name, f"after {runs} runs and {epochs} epochs")
        with ExitStack() as stack:
            stack.callback(scene.close)
            if fault.setting is not None:
                stack.enter_context(fault.setting(scene))
            try:
                outcome.complaints = self._act(scene, fault, place, draw, runs, epochs, outcome)
            except Exception as error:
                outcome.complaints.append(f"{type(error).__name__}: {error}")
            outcome.starts = len(scene.processes)
            outcome.seconds = time.monotonic() - begin
        if not outcome.complaints:
            shutil.rmtree(root, ignore_errors=True)
        return outcome

    def _act(
        self,
        scene: Scene,
        fault: Fault,
        place: Place,
        draw: random.Random,
        runs: int,
        epochs: int,
        outcome: Outcome,
    ) -> list[str]:
        first = place.begin(scene, *fault.arguments)
        if fault.waits and scene.wait_for(runs, epochs, first):
            end = time.monotonic() + 20
            while not place.ready(scene) and first.code is None and time.monotonic() < end:
                time.sleep(0.01)
        outcome.detail = fault.strike(scene, place, first, draw) or "MISSED"
        place.restore(scene)
        begin = lambda: place.begin(scene, *fault.arguments)  # noqa: E731
        found = []
        if first.wait(fault.patience) is None:
            found.append(f"did not end: {first.text.strip()[-300:]}")
            resume(scene)
            first.struck = True
            first.kill()
        outcome.detail += f"; exit code {first.code}"
        found += go_on(scene, begin)
        found += place.settle(scene)
        found += wait_until_gone(scene)
        if found:
            return found + messages(scene)
        return complaints(scene, self.calm(fault), fault.odd, fault.why)


def drawn(
    number: int, draw: random.Random, chosen: list[Place], known: list[Fault], only: str
) -> list[tuple[Fault, Place]]:
    """So many faults: every kind in a random order, and again, each in one of its places."""
    pairs = [
        (fault, place)
        for fault in known
        for place in chosen
        if fault.happens_in(place) and re.search(only, fault.name)
    ]
    found: list[tuple[Fault, Place]] = []
    while len(found) < number:
        found += draw.sample(pairs, len(pairs))
    return found[:number]


def _command(options: argparse.Namespace) -> str:
    """The command line, without folders of this machine."""
    words = ["python -m benchmarks.chaos"]
    words += [f"--{name}" for name in ("forked", "short") if getattr(options, name)]
    words += [f"--{n} {getattr(options, n)}" for n in ("faults", "seed", "places")]
    return " ".join([*words, *([f"--only '{options.only}'"] if options.only else [])])


def main() -> None:
    """Strike, look, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--faults", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--places", default="local,agents,ray,slurm,slurm-job")
    parser.add_argument("--only", default="", help="faults whose names match this pattern")
    parser.add_argument("--forked", action="store_true", help="start studies without imports")
    parser.add_argument("--short", action="store_true", help="pauses of 2 seconds")
    parser.add_argument("--root", type=Path, help="folder for the studies; kept where one fails")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--add", action="store_true", help="keep what the report holds already")
    options = parser.parse_args()
    # A shell lets background jobs ignore Ctrl-C, nohup the end of the terminal; studies inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    draw = random.Random(options.seed)  # noqa: S311  # no secret
    root = options.root or Path(tempfile.mkdtemp(prefix="chaos-"))
    doors = Doors(options.forked)
    there = places()
    chosen = [there[name] for name in options.places.split(",")]
    skipped = {place.name: place.missing() for place in chosen if place.missing()}
    for name, why in skipped.items():
        print(f"{name} is left out: {why}", flush=True)
    chosen = [place for place in chosen if place.name not in skipped]
    known = [*faults(not options.short, can_mount(root / "disk")), *plugin_faults()]
    known += slurm_faults(not options.short)
    chaos, outcomes = Chaos(root, doors), []
    try:
        for number, (fault, place) in enumerate(
            drawn(options.faults, draw, chosen, known, options.only)
        ):
            one = chaos.strike(number, fault, place, random.Random(f"{options.seed} {number}"))  # noqa: S311
            print(one.line, flush=True)
            outcomes.append(one)
    except KeyboardInterrupt:
        print("interrupted; what is known is written", flush=True)
    finally:
        doors.close()
        for place in chosen:
            place.close()
    report = {
        "commands": [_command(options)],
        "mended": [],
        "hardware": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"torch": version("torch")},
        "skipped": skipped,
        "outcomes": list(map(asdict, outcomes)),
    }
    if options.add:
        report = merged(read_report(options.out), report)
    write_report(options.out, report, tables(report))
    if any(one.complaints for one in outcomes):
        print(f"the folders of those that did harm are in {root}")
        raise SystemExit(1)
    shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
