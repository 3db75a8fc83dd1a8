"""What a person sees while a study runs: one line a worker, the best so far, the time left."""

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from hybrid_swin.system.console import Console
from hybrid_swin.system.files import natural_order
from search.records.runs import RunResult, RunSpec

_REFRESH = 4  # a second


class Terminal:
    """Live progress on a terminal; one plain line for each ended run elsewhere.

    Args:
        console: where to write.
        total: runs to come, those that are there already included.
        monitor: the objective's metric.
        mode: whether more or less of it is better.
        slots: workers at work at once.
    """

    def __init__(self, console: Console, total: int, monitor: str, mode: str, slots: int) -> None:
        self._console = console
        self._monitor, self._mode, self._slots = monitor, mode, slots
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=32),
            TextColumn("{task.completed}/{task.fields[of]}", markup=False),
            TextColumn("{task.fields[left]}", markup=False),
            console=console,
            auto_refresh=False,
        )
        self._task = self._bar.add_task("runs", total=total, of=str(total), left="")
        self._total, self._of, self._ended = total, str(total), 0
        self._best: tuple[float, str] | None = None
        self._workers: dict[str, tuple[RunSpec, Mapping[str, Any], float]] = {}
        self._seconds: list[float] = []
        self._live = Live(
            get_renderable=self._render,
            console=console,
            refresh_per_second=_REFRESH,
            transient=True,
        )

    def __enter__(self) -> "Terminal":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def expect(
        self, total: int, by_folder: Mapping[str, int] | None = None, about: bool = False
    ) -> None:
        """Change how many runs there are to be, or about how many."""
        self._total, self._of = total, f"{'about ' * about}{total}"
        self._bar.update(self._task, total=total, of=self._of)

    def started(self, spec: RunSpec, worker: str) -> None:
        """A worker has begun a run."""
        self._workers[worker] = (spec, {}, time.monotonic())

    def epoch(self, spec: RunSpec, worker: str, data: Mapping[str, Any]) -> None:
        """A run has ended an epoch."""
        begun = self._workers.get(worker, (spec, {}, time.monotonic()))[2]
        self._workers[worker] = (spec, data, begun)

    def finished(self, spec: RunSpec, result: RunResult, worker: str) -> None:
        """A run has ended; without a worker it had ended before this start."""
        self._ended += 1
        begun = self._workers.pop(worker, None)
        if begun is not None:
            self._seconds.append(time.monotonic() - begun[2])
        self._note_best(spec, result)
        self._bar.update(self._task, completed=self._ended, left=self._left())
        if not self._console.is_terminal and worker:
            self._print(self._line(spec, result))

    def note(self, text: str) -> None:
        """Something that a person should know."""
        self._print(text, "yellow")

    def _print(self, text: str, style: str = "") -> None:
        """A line as it is: labels, paths and errors are no markup."""
        self._console.print(Text(" ".join(text.splitlines()), style), soft_wrap=True)

    def _note_best(self, spec: RunSpec, result: RunResult) -> None:
        if result.score is None or spec.stage == "final" or result.state != "complete":
            return
        sign = 1 if self._mode == "max" else -1
        if self._best is None or sign * result.score > sign * self._best[0]:
            self._best = (result.score, f"{spec.label} ({spec.key})")

    def _line(self, spec: RunSpec, result: RunResult) -> str:
        score = "-" if result.score is None else f"{result.score:.4f}"
        how = "" if result.state == "complete" else f", {result.state}"
        why = f": {result.error}" if result.state == "failed" else ""
        return (
            f"[{self._ended}/{self._of}] {spec.key} {spec.label}: {self._monitor} {score}, "
            f"{result.epochs} epochs, {result.seconds.get('total', 0.0):.1f} s{how}{why}"
            f"{self._left(', ')}"
        )

    def _left(self, before: str = "") -> str:
        """The time left, from the runs so far: stopped ones make it shorter than it looks."""
        if not self._seconds or self._ended >= self._total:
            return ""
        mean = sum(self._seconds) / len(self._seconds)
        seconds = mean * (self._total - self._ended) / self._slots
        return f"{before}about {duration(seconds)} left"

    def _render(self) -> Group:
        table = Table.grid(padding=(0, 2))
        for name, (spec, data, _) in sorted(self._workers.items(), key=_by_number):
            epoch = f"epoch {data['epoch']}/{data['epochs']}" if data else "starting"
            score = f"{self._monitor} {data['score']:.4f}" if data else ""
            table.add_row(
                Text(name, style="dim"),
                Text(spec.key),
                Text(" ".join(spec.label.splitlines()), style="cyan"),
                Text(epoch),
                Text(score),
            )
        best = "" if self._best is None else f"best so far: {self._best[0]:.4f} {self._best[1]}"
        return Group(table, self._bar, Text(best, style="green"))


def _by_number(item: tuple[str, Any]) -> tuple[Any, ...]:
    return natural_order(item[0])


def duration(seconds: float) -> str:
    """A time in words, as exact as a person needs."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
