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
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

from benchmarks.chaos_doors import Doors, Process
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

_MOST_STARTS = 3  # until a moment is reached
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
        return self.strikes(number, [fault], place, draw)[0]

    def strikes(
        self, number: int, these: Sequence[Fault], place: Place, draw: random.Random
    ) -> list[Outcome]:
        """Let faults happen to one study, one after another, and look at its end."""
        begin, fault = time.monotonic(), these[0]
        root = self._root / f"fault-{number}"
        root.mkdir(parents=True)
        expected = self.calm(fault)
        scene = Scene(root, self._doors, SETTINGS | fault.changes(root))
        fault.prepare(scene)
        last = len(expected.results) - 2
        late = last // 2 if any(one.late for one in these) else 0
        moments = sorted((draw.randint(late, last), draw.randint(0, _BETWEEN)) for _ in these)
        outcomes = [
            Outcome(number + index, place.name, one.name, f"after {runs} runs and {epochs} epochs")
            for index, (one, (runs, epochs)) in enumerate(zip(these, moments, strict=True))
        ]
        with ExitStack() as stack:
            stack.callback(scene.close)
            if fault.setting is not None:
                stack.enter_context(fault.setting(scene))
            try:
                found = self._act(scene, these, place, draw, moments, outcomes)
            except Exception as error:
                found = [f"{type(error).__name__}: {error}"]
            for outcome in outcomes:
                outcome.complaints = found
                outcome.starts = len(scene.processes)
                outcome.seconds = (time.monotonic() - begin) / len(outcomes)
        if not found:
            shutil.rmtree(root, ignore_errors=True)
        return outcomes

    def _act(
        self,
        scene: Scene,
        these: Sequence[Fault],
        place: Place,
        draw: random.Random,
        moments: Sequence[tuple[int, int]],
        outcomes: Sequence[Outcome],
    ) -> list[str]:
        fault = these[0]

        def begin() -> Process:
            return place.begin(scene, *fault.arguments)

        process = begin()
        for one, moment, outcome in zip(these, moments, outcomes, strict=True):
            if one.waits and (process := _reach(scene, moment, process, begin)).code is None:
                end = time.monotonic() + 20
                while not place.ready(scene) and process.code is None and time.monotonic() < end:
                    time.sleep(0.01)
            outcome.detail = one.strike(scene, place, process, draw) or "MISSED"
            place.restore(scene)
        found = []
        if process.wait(fault.patience) is None:
            found.append(f"did not end: {process.text.strip()[-300:]}")
            resume(scene)
            process.struck = True
            process.kill()
        outcomes[-1].detail += f"; exit code {process.code}"
        found += go_on(scene, begin)
        found += place.settle(scene)
        found += wait_until_gone(scene)
        if found:
            return found + messages(scene)
        return complaints(scene, self.calm(fault), fault.odd, fault.why)


def _reach(
    scene: Scene, moment: tuple[int, int], process: Process, begin: Callable[[], Process]
) -> Process:
    """Wait for a moment of the study, which an earlier fault may have ended: then it goes on."""
    for _ in range(_MOST_STARTS):
        if scene.wait_for(*moment, process) or process.code in (0, None):
            break
        process = begin()
    return process


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


def grouped(pairs: Sequence[tuple[Fault, Place]], size: int) -> Iterator[tuple[list[Fault], Place]]:
    """Faults that strike one study: the first of any kind, and others that need nothing of it."""
    waiting = list(pairs)
    while waiting:
        first, place = waiting.pop(0)
        group = [first]
        for pair in [*waiting]:
            goes_on = first.waits and len(group) < size  # else it lasts until the study's end
            if goes_on and pair[1] is place and pair[0].is_plain:
                waiting.remove(pair)
                group.append(pair[0])
        yield group, place


def _command(options: argparse.Namespace) -> str:
    """The command line, without folders of this machine."""
    words = ["python -m benchmarks.chaos"]
    words += [f"--{name}" for name in ("forked", "short") if getattr(options, name)]
    words += [f"--{n} {getattr(options, n)}" for n in ("faults", "seed", "places")]
    words += [f"--together {options.together}"] if options.together > 1 else []
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
    parser.add_argument("--together", type=int, default=1, help="faults that strike one study")
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
    chaos = Chaos(root, doors)
    outcomes: list[Outcome] = []
    ended = ""
    try:
        pairs = drawn(options.faults, draw, chosen, known, options.only)
        for group, place in grouped(pairs, options.together):
            own = random.Random(f"{options.seed} {len(outcomes)}")  # noqa: S311
            for one in chaos.strikes(len(outcomes), group, place, own):
                print(one.line, flush=True)
                outcomes.append(one)
    except KeyboardInterrupt:
        print("interrupted; what is known is written", flush=True)
        ended = f" (interrupted after {len(outcomes)})"
    finally:
        doors.close()
        for place in chosen:
            place.close()
    report = {
        "commands": [_command(options) + ended],
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
