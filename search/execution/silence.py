"""How long nothing may be heard from a training: learnt from what comparable ones took.

A training that hangs looks like one that is slow. What tells them apart is what others needed for
the same step: to begin, for an epoch, to end. Before one has been seen to do a step, nothing is
expected of the others.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from search.records.runs import RunSpec
from search.statistics.formatting import seconds_text

# Seconds between two looks at the clock after which this process itself must have stood still (it
# was stopped, or the machine was): no silence of others then.
_PAUSE = 60.0

Step = tuple[str, ...]


@dataclass
class _Watched:
    spec: RunSpec
    since: float  # the last word, or the pause after it
    step: Step
    epoch: int | None = None  # the last that it has ended


class Silence:
    """Listens to attempts, and knows which of them have been silent for too long.

    A step may take ``factor`` times the slowest one seen, and always ``minutes``. What costs more
    than all that was seen, in multiply-accumulates or in steps per epoch, may take longer in
    proportion. Steps are comparable on the same data. No step may take more than ``most`` minutes,
    also where none has been seen.

    Args:
        factor: times the slowest comparable step.
        minutes: the least that is waited for anything.
        most: the most, in minutes.
    """

    def __init__(self, factor: float, minutes: float, most: float = math.inf) -> None:
        self._factor, self._least, self._most = factor, minutes * 60, most * 60
        self._watched: dict[str, _Watched] = {}
        # by step, then by (macs, batch size): the slowest one, in seconds
        self._seen: dict[Step, dict[tuple[float, int], float]] = {}
        self._clock: float | None = None

    def begin(self, spec: RunSpec, now: float, attempt: int = 1, trained: bool = False) -> None:
        """An attempt has begun.

        Args:
            spec: what it trains; references, which train nothing, are not watched.
            now: seconds, by any clock that only goes forward.
            attempt: its number.
            trained: an earlier attempt ended the training: what is left is to measure it.
        """
        self._tick(now)
        if spec.recipe is None:
            return
        images = str(spec.image_rungs[0]) if spec.image_rungs else ""
        if images and attempt > 1:  # at which of the rungs it goes on is not known here
            images = f"again {spec.key}"
        step = _end(spec) if trained else _step(spec, "begin", images)
        self._watched[spec.key] = _Watched(spec, now, step)

    def epoch(self, key: str, data: Mapping[str, Any], now: float) -> None:
        """A training has ended an epoch; ``data`` is what its worker says of it."""
        watched = self._hear(key, now)
        if watched is None:
            return
        images, epoch = str(data.get("images") or ""), data.get("epoch")
        last = epoch is not None and epoch == data.get("epochs")
        watched.epoch = epoch
        if not last:
            watched.step = _step(watched.spec, "epoch", images)
        elif images:  # of a training on few images: another training follows
            watched.step = _step(watched.spec, "begin", f"after {images}")
        else:
            watched.step = _end(watched.spec)

    def done(self, key: str, now: float) -> None:
        """An attempt has ended well."""
        watched = self._watched.get(key)
        if watched is not None and watched.step == _end(watched.spec):
            self._hear(key, now)
        self.forget(key)

    def forget(self, key: str) -> None:
        """Watch an attempt no longer."""
        self._watched.pop(key, None)

    def has_ended_an_epoch(self, key: str) -> bool:
        """Whether the present attempt has."""
        watched = self._watched.get(key)
        return watched is not None and watched.epoch is not None

    def overdue(self, now: float) -> Iterator[tuple[str, str]]:
        """Runs whose attempt has been silent for too long, with what to say of it."""
        self._tick(now)
        for key, watched in list(self._watched.items()):
            silent = now - watched.since
            if silent > self._most:
                yield key, _beyond(watched, silent, self._most)
                continue
            if silent <= self._least:
                continue
            slowest = self._slowest(watched)
            if slowest is not None and silent > self._factor * slowest:
                yield key, _sentence(watched, silent, slowest)

    def _hear(self, key: str, now: float) -> _Watched | None:
        """Learn from a step that has ended."""
        self._tick(now)
        watched = self._watched.get(key)
        if watched is None:
            return None
        seen = self._seen.setdefault(watched.step, {})
        work = _work(watched.spec)
        seen[work] = max(seen.get(work, 0.0), now - watched.since)
        watched.since = now
        return watched

    def _slowest(self, watched: _Watched) -> float | None:
        """Seconds that this step may be expected to take at most; None if none was seen."""
        seen = self._seen.get(watched.step)
        if not seen and watched.step[0] == "epoch":
            # The first epoch lies between the beginning and the first word.
            seen = self._seen.get(("begin", *watched.step[1:]))
        if not seen:
            return None
        macs, batch = _work(watched.spec)
        in_proportion = (
            seconds * max(1.0, macs / other_macs) * max(1.0, other_batch / batch)
            for (other_macs, other_batch), seconds in seen.items()
        )
        return max(*seen.values(), min(in_proportion))

    def _tick(self, now: float) -> None:
        """Do not count a time in which this process heard nothing because it stood still."""
        pause = 0.0 if self._clock is None else now - self._clock
        self._clock = now
        if pause > _PAUSE:
            for watched in self._watched.values():
                watched.since = min(now, watched.since + pause)


def _step(spec: RunSpec, name: str, images: str) -> Step:
    return (name, json.dumps(spec.data, sort_keys=True), images)


def _end(spec: RunSpec) -> Step:
    """From the last epoch to the result; final trainings read the test images as well."""
    return (f"end of {spec.stage}", json.dumps(spec.data, sort_keys=True))


def _work(spec: RunSpec) -> tuple[float, int]:
    """Multiply-accumulates for one image, and the batch size."""
    return max(1.0, float(spec.cost.get("macs", 1))), int((spec.recipe or {}).get("batch_size", 1))


def _sentence(watched: _Watched, silent: float, slowest: float) -> str:
    return (
        f"it hung: nothing was heard for {silent / 60:.0f} minutes {_place(watched)}, where "
        f"comparable runs take at most {seconds_text(slowest)}"
    )


def _beyond(watched: _Watched, silent: float, most: float) -> str:
    return (
        f"it hung: nothing was heard for {silent / 60:.0f} minutes {_place(watched)}; "
        f"workers.epoch_minutes allows {most / 60:g}"
    )


def _place(watched: _Watched) -> str:
    name = watched.step[0]
    if name == "epoch":
        return f"after epoch {watched.epoch}"
    if name.startswith("end"):
        return "while it was measured"
    return "before its first epoch" if watched.epoch is None else "after its last epoch"
