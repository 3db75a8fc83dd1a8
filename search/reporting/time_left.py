"""The time left of a study or comparison: `status` and the progress line tell the same."""

from collections import Counter, defaultdict
from collections.abc import Mapping

_WHOLE = "complete"  # trainings to their end, of whatever kind


class TimeTaken:
    """What ended runs took, by their kind, and what the runs to come take by that."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._timed: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def add(self, key: str, state: str, seconds: float) -> None:
        """Learn from a run that has ended.

        Args:
            key: of the run, which begins with its kind, such as ``trials/0007``.
            state: how it ended.
            seconds: of its training; 0 if unknown.
        """
        kind = key.partition("/")[0]
        self._counts[kind] += 1
        kinds = [kind] if seconds else []
        if seconds and state == "complete" and kind != "references":
            kinds.append(_WHOLE)
        for one in kinds:
            self._timed[one] += 1
            self._seconds[one] += seconds

    def left(self, expected: Mapping[str, int], total: int, slots: int) -> tuple[float | None, str]:
        """Seconds until the end, None if unknown, and what they are estimated from.

        Args:
            expected: runs by kind, as far as that is known.
            total: all runs that there will be.
            slots: trainings at once.
        """
        left = max(0, total - self._counts.total())
        if not left:
            return None, ""
        if not self._timed[_WHOLE]:
            return None, "no training has run to its end yet"
        known = {kind: count - self._counts[kind] for kind, count in expected.items()}
        others = left - sum(max(0, count) for count in known.values())
        seconds, spoken = 0.0, []
        for kind, count in {**known, "others" if known else "runs": others}.items():
            if count > 0 and kind != "references":
                timed = kind if self._timed[kind] else _WHOLE
                mean = self._seconds[timed] / self._timed[timed]
                seconds += count * mean
                spoken.append(f"{kind}: {count} of {mean:.3g} s")
        return seconds / slots, f"{', '.join(spoken)} as so far, {slots} at once"
