"""How many of a study's slots are busy, on paper: the coordinator's order of work, played out.

Trial i is asked for when the results of the first i - lookahead + 1 are told, in their order. Each
takes the coordinator ``service`` seconds, one after another. Slots take trials in that order.
"""

import heapq
from collections.abc import Sequence
from random import Random


def busy_share(slots: int, lookahead: int, service: float, seconds: Sequence[float]) -> float:
    """Share of the slots that have a job, from the second trial of each to the last that begins.

    ``seconds`` are what the trials take; there must be more than twice as many as slots.
    """
    free = [0.0] * slots
    begins: list[float] = []
    told: list[float] = []  # when this result and all before it are there
    handed = 0.0
    for index, length in enumerate(seconds):
        ready = told[index - lookahead] if index >= lookahead else 0.0
        handed = max(handed, ready) + service
        begin = max(handed, heapq.heappop(free))
        heapq.heappush(free, begin + length)
        begins.append(begin)
        told.append(max(begin + length, told[-1] if told else 0.0))
    first, last = begins[2 * slots], begins[-1]
    runs = zip(begins, seconds, strict=True)
    worked = sum(max(0.0, min(begin + long, last) - max(begin, first)) for begin, long in runs)
    return worked / (slots * (last - first))


def halved(trials: int, longest: float, factor: int, rungs: int, seed: int = 0) -> list[float]:
    """Seconds of trials of which each rung lets one in ``factor`` go on, drawn at random."""
    lengths = [longest / factor ** (rungs - rung) for rung in range(rungs + 1)]
    shares = [(factor - 1) / factor ** (rung + 1) for rung in range(rungs)] + [factor**-rungs]
    return Random(seed).choices(lengths, shares, k=trials)  # noqa: S311  # no secret
