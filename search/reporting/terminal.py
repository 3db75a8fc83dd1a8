"""What a person sees while a study runs: one line per worker, the best so far, the time left.

Of more workers than the terminal has lines for, the first are shown.

Elsewhere than on a terminal (a pipe, CI, a log of Slurm): one line each few seconds, less often as
a study grows long.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from hybrid_swin.errors import few
from hybrid_swin.system.console import Console
from hybrid_swin.system.files import natural_order
from search.records.runs import RunResult, RunSpec
from search.reporting.time_left import TimeTaken, UnderWay
from search.statistics.formatting import score_phrase, seconds_text

_REFRESH = 4  # a second
_OTHER_LINES = 3  # of the display, beside those of workers
# Seconds between two lines elsewhere: the first ones, the share of the time so far, at most.
_LEAST, _SHARE, _MOST = 5.0, 1 / 60, 300.0
_QUIET = 6  # times as long while no run has ended


class Terminal:
    """Live progress on a terminal; plain lines with counts and the time left elsewhere.

    Args:
        total: runs to come, those that are there already included.
        slots: tells how many trainings run at once now.
    """

    def __init__(
        self, console: Console, total: int, monitor: str, mode: str, slots: Callable[[], int]
    ) -> None:
        self._console = console
        self._monitor, self._mode, self._slots = monitor, mode, slots
        self._total, self._of, self._num_finished = total, str(total), 0
        self._best: tuple[float, str] | None = None
        self._workers: dict[str, tuple[RunSpec, Mapping[str, Any]]] = {}
        self._times: dict[str, tuple[float, float]] = {}  # of a run's begin and last word, by key
        self._taken, self._expected = TimeTaken(), dict[str, int]()
        self._begun = self._last_line = time.monotonic()
        self._has_news = False  # whether a run has ended since the last line
        self._last_best: tuple[float, str] | None = None  # that a line has named
        self._states: Counter[str] = Counter()
        self._errors: set[str] = set()
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
        elif self._has_news:
            self._tell()

    def expect(
        self, total: int, by_folder: Mapping[str, int] | None = None, about: bool = False
    ) -> None:
        """Change how many runs there are to be, or about how many."""
        self._total, self._of = total, f"{'about ' * about}{total}"
        self._expected = dict(by_folder or {})

    def started(self, spec: RunSpec, worker: str) -> None:
        """A worker has begun a run, perhaps one that was lost elsewhere."""
        others = self._workers.items()
        self._workers = {name: run for name, run in others if run[0].key != spec.key}
        self._workers[worker] = (spec, {})
        self._times[spec.key] = (time.monotonic(), time.monotonic())

    def epoch(self, spec: RunSpec, worker: str, data: Mapping[str, Any]) -> None:
        """A run has ended an epoch."""
        self._workers[worker] = (spec, data)
        now = time.monotonic()
        self._times[spec.key] = (self._times.get(spec.key, (now, now))[0], now)
        self._tell_in_time()

    def waits(self, spec: RunSpec) -> None:
        """A run waits for a worker again."""
        self._workers = {
            worker: run for worker, run in self._workers.items() if run[0].key != spec.key
        }

    def finished(self, spec: RunSpec, result: RunResult, worker: str) -> None:
        """A run has ended; without a worker it had ended before this start."""
        self._num_finished += 1
        self._workers.pop(worker, None)
        self._taken.add(spec.key, result.state, result.seconds.get("total", 0.0))
        self._note_best(spec, result)
        self._states[result.state] += 1
        if worker:
            self._has_news = True
            self._tell_failure(spec, result)
            self._tell_in_time()

    def note(self, text: str) -> None:
        """Something that a person should know."""
        self._print(text, "yellow")

    def tick(self) -> None:
        """Time has passed."""
        self._tell_in_time()

    def _print(self, text: str, style: str = "") -> None:
        """A line as it is: labels, paths and errors are not markup."""
        self._console.print(Text(" ".join(text.splitlines()), style), soft_wrap=True)

    def _note_best(self, spec: RunSpec, result: RunResult) -> None:
        if result.score is None or spec.stage == "final" or result.state != "complete":
            return
        sign = 1 if self._mode == "max" else -1
        if self._best is None or sign * result.score > sign * self._best[0]:
            self._best = (result.score, f"{spec.label} ({spec.key})")

    def _tell_in_time(self) -> None:
        """A line elsewhere than on a terminal, if the last one is long enough ago."""
        now = time.monotonic()
        pause = max(_LEAST, _SHARE * (now - self._begun)) * (1 if self._has_news else _QUIET)
        pause = min(pause, _MOST)
        if not self._console.is_terminal and now - self._last_line >= pause:
            self._tell()

    def _tell(self) -> None:
        """What has changed since the last line; if no run has ended, how far those at work are."""
        news, best = self._has_news, self._best if self._best != self._last_best else None
        self._last_line, self._has_news, self._last_best = time.monotonic(), False, self._best
        names = ("stopped", "diverged", "infeasible", "failed")
        counts = [f"{self._states[name]} {name}" for name in names if self._states[name]]
        parts = [
            f"[{self._num_finished}/{self._of}] {', '.join(counts)}".strip(),
            f"best so far {self._score(best[0])} {best[1]}" if best else "",
            "" if news else self._at_work(),
            self._left(),
        ]
        self._print(", ".join(filter(None, parts)))

    def _at_work(self) -> str:
        """The first runs at work: ``trials/0003 at epoch 2/9``."""
        runs = sorted(self._workers.items(), key=_by_number)
        epochs = (
            f"at epoch {data['epoch']}/{data['epochs']}" if data else "starting"
            for _, (_, data) in runs
        )
        keys = (spec.key for _, (spec, _) in runs)
        return few(map(" ".join, zip(keys, epochs, strict=True)), 2) if runs else ""

    def _tell_failure(self, spec: RunSpec, result: RunResult) -> None:
        """Why a run failed, at once elsewhere than on a terminal; each reason once."""
        new = result.error not in self._errors
        if result.state in ("infeasible", "failed") and new and not self._console.is_terminal:
            self._errors.add(result.error or "")
            how = "failed" if result.state == "failed" else "is infeasible"
            self._print(f"{spec.key} {spec.label} {how}: {result.error}")

    def _score(self, value: float) -> str:
        return score_phrase(value, self._monitor)

    def _left(self) -> str:
        """The time left, as `status` tells it."""
        now = time.monotonic()
        running = [
            UnderWay(
                spec.key,
                now - self._times[spec.key][0],
                now - self._times[spec.key][1],
                data["epoch"] / data["epochs"] if data else 0.0,
            )
            for spec, data in self._workers.values()
        ]
        slots = self._slots()
        seconds, _ = self._taken.left(self._expected, self._total, slots, running)
        return "" if seconds is None else f"about {seconds_text(seconds)} left"

    def _render(self) -> Group:
        table = Table.grid(padding=(0, 2))
        workers = sorted(self._workers.items(), key=_by_number)
        room = max(1, self._console.height - _OTHER_LINES)
        rows = workers if len(workers) <= room else workers[: room - 1]
        for name, (spec, data) in rows:
            epoch = f"epoch {data['epoch']}/{data['epochs']}" if data else "starting"
            score = f"{self._monitor} {self._score(data['score'])}" if data else ""
            table.add_row(
                Text(name, style="dim"),
                Text(spec.key),
                Text(" ".join(spec.label.splitlines()), style="cyan"),
                Text(epoch),
                Text(score),
            )
        if more := len(workers) - len(rows):
            table.add_row("", Text(f"and {more} more", style="dim"))
        bar = Table.grid(padding=(0, 1))
        done = ProgressBar(self._total, self._num_finished, width=32)
        bar.add_row("runs", done, Text(f"{self._num_finished}/{self._of}"), Text(self._left()))
        best = self._best and f"best so far: {self._score(self._best[0])} {self._best[1]}"
        return Group(table, bar, Text(best or "", style="green"))


def _by_number(item: tuple[str, Any]) -> tuple[Any, ...]:
    return natural_order(item[0])
