"""How a study or comparison stands: what has ended, what runs, what is left and how long."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hybrid_swin.errors import InputError, few
from hybrid_swin.system.files import natural_order
from search.records.ended import RunSummary
from search.records.nearby import hint_of_studies
from search.records.progress import Progress, read_progress
from search.records.runs import PLACES
from search.records.settings import SETTINGS_FILE, read_study
from search.records.study_folder import RECEIPT
from search.reporting.status.lock_holder import find_holder
from search.reporting.status.run_scan import Failure, Runs
from search.reporting.time_left import TimeTaken, UnderWay
from search.settings.comparison import ComparisonSettings
from search.settings.experiment import ObjectiveSettings
from search.settings.study import StudySettings

_LAST = 5  # results shown
_NAMED = 3  # machines
_SEARCHED = ("trials", "baselines")

Experiment = StudySettings | ComparisonSettings
Activity = Literal["running", "finished", "not running", "unknown"]


@dataclass(frozen=True)
class Group:
    """The runs of one kind; ``expected`` is None if the folder does not tell."""

    ended: int
    expected: int | None
    states: dict[str, int]


@dataclass(frozen=True)
class Training:
    """What is being trained; epoch and score are None until the first epoch has ended.

    ``seconds`` since it began, and since its last epoch ended; ``node`` is empty if unknown.
    """

    key: str
    label: str
    node: str
    worker: str
    seconds: float
    seconds_since_epoch: float | None
    epoch: int | None
    epochs: int | None
    score: float | None


@dataclass(frozen=True)
class NodeUse:
    """A machine: how many trainings it has room for, how many it does, and which these are."""

    name: str
    slots: int
    busy: int
    idle: int
    running: tuple[str, ...]  # keys of runs


@dataclass(frozen=True)
class Result:
    """A run that has ended; ``ago`` in seconds."""

    key: str
    label: str
    state: str
    score: float | None
    epochs: int
    ago: float


@dataclass(frozen=True)
class Status:
    """How an experiment stands."""

    name: str  # of the study or comparison
    folder: str  # where it lies
    kind: Literal["study", "comparison"]  # which of both it is
    activity: Activity  # whether a process runs it
    process: int | None  # the number of the one that runs it, or did last
    host: str  # where that process runs, or did; empty if unknown
    monitor: str  # the objective
    ended: int  # runs that have ended
    total: int | None  # how many there will be, as far as is known
    about: bool  # whether that is an estimate
    groups: dict[str, Group]  # by the folder that the runs of one kind have
    training: tuple[Training, ...]  # what is being trained, or was when the process ended
    nodes: tuple[NodeUse, ...]  # machines of a study that runs; none if they are unknown
    waiting: tuple[str, ...]  # keys of runs that were asked for and are not being trained
    why_waiting: str  # why these do, or why nothing has begun yet; empty if nothing waits
    failures: tuple[Failure, ...]  # attempts that were lost or failed
    lost: dict[str, int]  # how many of these, by reason
    unreadable: tuple[str, ...]  # runs whose result cannot be read
    best: Result | None  # the best single run to its end, of a study
    best_of: int  # how many such runs it is the best of
    training_seconds: float  # of all ended runs, summed over workers
    seconds_left: float | None  # an estimate; None if unknown
    basis: str  # of that estimate, in words
    last: tuple[Result, ...]  # the runs that ended last
    damaged: tuple[str, ...] = ()  # what cannot be read beside results, one sentence each


def is_study(folder: Path) -> bool:
    """Whether a folder is that of a study or comparison, also one that is about to begin."""
    return (folder / SETTINGS_FILE).exists() or (folder / "lock").exists()


class Watcher:
    """Looks at one folder, as often as asked.

    Raises InputError if neither is there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._runs = Runs(folder)
        if not is_study(folder):
            raise InputError(
                f"there is no study or comparison at {folder}"
                + (hint_of_studies(folder) or "; give the folder of one, such as runs/digits")
            )

    def look(self) -> Status:
        """How it stands now. What cannot be read is left out, never an error."""
        damage: list[str] = []
        settings = self._settings(damage)
        holder = find_holder(self._folder)
        progress = read_progress(self._folder, damage)
        self._runs.refresh()
        now, runs = time.time(), self._runs
        comparison = isinstance(settings, ComparisonSettings)
        objective = settings.objective if settings else ObjectiveSettings()
        total = self._total(progress)
        groups = self._groups(_expected(settings, progress))
        known = {k: group.expected for k, group in groups.items() if group.expected is not None}
        if total is None:
            total = sum(known.values()) if known else None
        left = None if total is None else max(0, total - len(runs.summaries))
        complete = [run for run in runs.summaries.values() if _is_candidate(run)]
        sign = -1.0 if objective.mode == "min" else 1.0
        best = max(complete, key=lambda run: sign * (run.score or 0.0), default=None)
        last = sorted(runs.summaries.values(), key=lambda run: run.when)[-_LAST:]
        taken = TimeTaken()
        for run in runs.summaries.values():
            taken.add(run.key, run.state, run.seconds)
        activity = _activity(holder.alive, left)
        training = self._training(progress, now)
        under_way = [] if activity == "not running" else [_under_way(run) for run in training]
        slots = _slots(settings, progress)
        seconds_left, basis = taken.left(known, total or 0, slots, under_way)
        queue = sorted(set(runs.waiting) - {run.key for run in training}, key=natural_order)
        failures = sorted(runs.failures, key=lambda failure: natural_order(failure.key))
        return Status(
            name=settings.name if settings else self._folder.name,
            folder=str(self._folder),
            kind="comparison" if comparison else "study",
            activity=activity,
            process=holder.process,
            host=holder.host,
            monitor=objective.monitor,
            ended=len(runs.summaries),
            total=total,
            about=total is not None and progress.about,
            groups=groups,
            training=training,
            nodes=_nodes(progress, training) if activity in ("running", "unknown") else (),
            waiting=tuple(queue),
            why_waiting=_why_waiting(activity, progress, bool(queue)),
            failures=tuple(failures),
            lost=dict(Counter(failure.reason for failure in failures).most_common()),
            unreadable=tuple(sorted(runs.unreadable, key=natural_order)),
            best=None if best is None or comparison else self._result(best, now),
            best_of=0 if comparison else len(complete),
            training_seconds=sum(run.seconds for run in runs.summaries.values()),
            seconds_left=seconds_left,
            basis=basis,
            last=tuple(self._result(run, now) for run in reversed(last)),
            damaged=tuple(damage),
        )

    def _settings(self, damage: list[str]) -> Experiment | None:
        """The settings, unless they are damaged; none while a study is just beginning."""
        try:
            return read_study(self._folder) if (self._folder / SETTINGS_FILE).exists() else None
        except InputError as error:
            damage.append(str(error))
            return None

    def _total(self, progress: Progress) -> int | None:
        """How many runs there will be, by the coordinator, or by its receipt if that says less."""
        if progress.total is not None:
            return progress.total
        closed = not self._runs.waiting and (self._folder / RECEIPT).exists()
        return len(self._runs.summaries) if closed else None

    def _groups(self, expected: Mapping[str, int]) -> dict[str, Group]:
        states: dict[str, Counter[str]] = {place.partition("/")[0]: Counter() for place in PLACES}
        for run in self._runs.summaries.values():
            states[_kind(run)][run.state] += 1
        sums = {kind: sum(counts.values()) for kind, counts in states.items()}
        return {
            kind: Group(sums[kind], expected.get(kind), dict(counts))
            for kind, counts in states.items()
            if sums[kind] or expected.get(kind)
        }

    def _training(self, progress: Progress, now: float) -> tuple[Training, ...]:
        waiting = sorted(set(progress.running) & set(self._runs.waiting), key=natural_order)
        return tuple(
            Training(
                key=key,
                label=self._runs.label(key),
                node=running.node,
                worker=running.worker,
                seconds=max(0.0, now - (running.since or now)),
                seconds_since_epoch=(
                    None if running.last_epoch is None else max(0.0, now - running.last_epoch)
                ),
                epoch=running.epoch,
                epochs=running.epochs,
                score=running.score,
            )
            for key, running in ((key, progress.running[key]) for key in waiting)
        )

    def _result(self, run: RunSummary, now: float) -> Result:
        label, ago = self._runs.label(run.key), max(0.0, now - run.when)
        return Result(run.key, label, run.state, run.score, run.epochs, ago)


def _kind(run: RunSummary) -> str:
    return run.key.partition("/")[0]


def _is_candidate(run: RunSummary) -> bool:
    return run.state == "complete" and run.score is not None and _kind(run) in _SEARCHED


def _expected(settings: Experiment | None, progress: Progress) -> dict[str, int]:
    """How many runs of each kind a study comes to; empty for a comparison.

    By the coordinator, or by the settings where it tells nothing.
    """
    if progress.by_folder:
        return progress.by_folder
    if not isinstance(settings, StudySettings):
        return {}
    trials, baselines, finalists = settings.trials, len(settings.baselines), settings.finalists
    arms = 2 if settings.sampler.random_search else 1
    expected = {
        "trials": trials,
        "baselines": baselines,
        "finalists": (baselines + arms * min(finalists.top, trials)) * max(finalists.looks),
        "references": int(settings.data.class_path is None),
    }
    if not settings.sampler.random_search:  # else only the coordinator knows
        expected["random"] = finalists.random
    return expected


def _nodes(progress: Progress, training: Sequence[Training]) -> tuple[NodeUse, ...]:
    running: dict[str, list[str]] = {node.name: [] for node in progress.nodes}
    for run in training:
        running.get(run.node, []).append(run.key)
    return tuple(
        NodeUse(
            node.name, node.slots, node.busy, max(0, node.slots - node.busy), (*running[node.name],)
        )
        for node in sorted(progress.nodes, key=lambda node: natural_order(node.name))
    )


def _why_waiting(activity: Activity, progress: Progress, has_queue: bool) -> str:
    if activity in ("not running", "finished"):
        return "it is not running" if has_queue else ""
    if progress.waiting or not has_queue:
        return progress.waiting
    starting = [node.name for node in progress.nodes if node.slots > node.busy]
    return f"workers start on {few(starting, _NAMED)}" if starting else "no free slot"


def _activity(alive: bool | None, left: int | None) -> Activity:
    if alive:
        return "running"
    if left == 0:
        return "finished"
    return "unknown" if alive is None else "not running"


def _under_way(run: Training) -> UnderWay:
    if run.seconds_since_epoch is None or not run.epoch or not run.epochs:
        return UnderWay(run.key, run.seconds)
    return UnderWay(run.key, run.seconds, run.seconds_since_epoch, run.epoch / run.epochs)


def _slots(settings: Experiment | None, progress: Progress) -> int:
    if progress.slots is not None:
        return progress.slots
    count = settings.workers.count if settings else None
    return count if isinstance(count, int) and count > 0 else 1
