"""What of a study or comparison is done already, in seconds at a pace: it is not planned again."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from search.launch.hours.pace import Pace
from search.launch.hours.pilots import SplitSizes
from search.records.runs import FinishedRun, RunSpec, iter_runs


@dataclass(frozen=True)
class EndedWork:
    """Runs that have ended, and what they take at a pace, by what they are for."""

    runs: int = 0
    trials: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)  # of baselines, search and finals


def ended_work(folder: Path, pace: Pace, sizes: Callable[[RunSpec], SplitSizes]) -> EndedWork:
    """The runs in a folder; ``sizes`` gives the images of one."""
    seconds = dict.fromkeys(("baselines", "search", "finals"), 0.0)
    runs, trials = 0, 0
    for spec, result in _finished_runs(folder):
        runs += 1
        trials += spec.kind == "trial" and spec.stage == "search"
        if spec.kind == "reference":
            continue
        split, final = sizes(spec), spec.stage == "final"
        part = "finals" if final else "baselines" if spec.kind == "baseline" else "search"
        took = pace.training(
            spec.cost["macs"],
            result.epochs,
            split.epoch,
            split.validation,
            split.test if final else 0,
        )
        seconds[part] += took
    return EndedWork(runs, trials, seconds)


def _finished_runs(folder: Path) -> Iterator[FinishedRun]:
    for spec, result in iter_runs(folder, []):
        if result is not None:
            yield spec, result
