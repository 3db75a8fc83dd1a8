"""Asking for trials ahead of need, in a thread of its own.

A proposal may take a tenth of a second and more; meanwhile results come in and jobs go out. One
thread does all that touches Optuna, in order, so nothing there needs a lock, and what is asked does
not depend on when. What an earlier run of the study asked already is only read, at once and before
there is a thread: two that read small files hold each other up.
"""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import ParamSpec, Self, TypeVar

from search.records.runs import RunResult, RunSpec
from search.study.candidates import Candidates
from search.study.rungs import Cutoffs
from search.study.sampling.study import OptunaStudy

P = ParamSpec("P")
T = TypeVar("T")


class Proposals:
    """Trials that were asked and are not yet there; until its end nobody else may use the study."""

    def __init__(self, study: OptunaStudy, candidates: Candidates) -> None:
        self._study = study
        self._candidates = candidates
        self._thread = ThreadPoolExecutor(1, "study")
        self._apart = False  # whether the thread has begun
        self._trials: deque[Future[RunSpec | None]] = deque()
        self._reports: deque[Future[None]] = deque()
        self._used_up = False

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._trials)

    def ask(
        self, index: int, cutoffs: Cutoffs, image_rungs: Sequence[int], imported_from: str = ""
    ) -> None:
        """Ask for trial ``index``, after all that was asked and told before."""
        self._apart = self._apart or not self._study.knows(index)
        self._trials.append(self._do(self._ask, index, cutoffs, image_rungs, imported_from))

    def tell(
        self,
        index: int,
        result: RunResult,
        values: Sequence[float] | None,
        curve: Sequence[tuple[int, float]],
    ) -> None:
        """Tell how trial ``index`` ended."""
        self._reports.append(self._do(self._study.tell, index, result.state, values, curve))

    def next(self, timeout: float) -> list[RunSpec | None]:
        """The trials that are there, in order; None if the space holds no further one.

        Waits at most ``timeout`` seconds for the first. Raises what asking or telling raised.
        """
        while self._reports and self._reports[0].done():
            self._reports.popleft().result()
        if self._trials and timeout:
            wait([self._trials[0]], timeout)
        ready = []
        while self._trials and self._trials[0].done():
            ready.append(self._trials.popleft().result())
        return ready

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Drop what has not begun, and wait for what has, but not for a storage that is away."""
        self._study.close()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def finish(self) -> None:
        """Wait until all that was told has arrived. Raises what telling raised."""
        while self._reports:
            self._reports.popleft().result()

    def _do(self, call: Callable[P, T], *given: P.args, **named: P.kwargs) -> Future[T]:
        if self._apart:
            return self._thread.submit(call, *given, **named)
        done: Future[T] = Future()
        done.set_result(call(*given, **named))
        return done

    def _ask(
        self, index: int, cutoffs: Cutoffs, image_rungs: Sequence[int], imported_from: str
    ) -> RunSpec | None:
        if self._used_up:
            return None
        draw = self._study.ask(index, self._candidates.judge)
        if draw is None:
            self._used_up = True
            return None
        return self._candidates.trial(draw, cutoffs, image_rungs, imported_from)
