"""The time left of a study or comparison: `status` and the progress line tell the same."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_WHOLE = "complete"  # trainings to their end, of whatever kind
_UNTIMED = "references"  # take no time that counts


@dataclass(frozen=True)
class UnderWay:
    """A training that runs.

    Attributes:
        key: of the run.
        seconds: since it began.
        silent: of these, since its last epoch ended.
        share: of its epochs that have ended.
    """

    key: str
    seconds: float
    silent: float = 0.0
    share: float = 0.0


class TimeTaken:
    """What ended runs took, by their kind, and what the runs to come take by that."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._timed: Counter[str] = Counter()
        self._stopped: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def add(self, key: str, state: str, seconds: float) -> None:
        """Learn from a run that has ended.

        Args:
            key: of the run, which begins with its kind, such as ``trials/0007``.
            state: how it ended.
            seconds: of its training; 0 if unknown.
        """
        kind = _kind(key)
        self._counts[kind] += 1
        self._stopped[kind] += state == "stopped"
        kinds = [kind] if seconds else []
        if seconds and state == "complete" and kind != _UNTIMED:
            kinds.append(_WHOLE)
        for one in kinds:
            self._timed[one] += 1
            self._seconds[one] += seconds

    def left(
        self,
        expected: Mapping[str, int],
        total: int,
        slots: int,
        running: Iterable[UnderWay] = (),
    ) -> tuple[float | None, str]:
        """Seconds until the end, None if unknown, and what they are estimated from.

        All trainings to come share the slots, and the longest of them takes its time whatever their
        number. Nothing is said before as many have ended as run at once: the first ones to end are
        the short ones.

        Args:
            expected: runs by kind, as far as that is known.
            total: all runs that there will be.
            slots: trainings at once.
            running: those that are under way; they are of the runs to come.
        """
        left = max(0, total - self._counts.total())
        if not left:
            return None, ""
        if why := self._why_unknown(min(slots, left)):
            return None, why
        known = {kind: count - self._counts[kind] for kind, count in expected.items()}
        rest = "others" if known else "runs"
        counts = {**known, rest: left - sum(max(0, count) for count in known.values())}
        begun: defaultdict[str, list[UnderWay]] = defaultdict(list)
        for run in running:
            begun[_kind(run.key) if _kind(run.key) in known else rest].append(run)
        work, longest, spoken = 0.0, 0.0, []
        for kind, count in counts.items():
            if count > 0 and kind != _UNTIMED:
                mean = self._mean(kind)
                to_come = [self._rest(run, mean) for run in begun[kind][:count]]
                to_come += [mean] * (count - len(to_come))
                work, longest = work + sum(to_come), max(longest, *to_come)
                spoken.append(f"{kind}: {count} of {mean:.3g} s")
        shared = work / slots
        basis = f"{', '.join(spoken)} as so far, {slots} at once"
        if longest > shared:
            basis += f"; the longest takes {longest:.3g} s more"
        return max(shared, longest), basis

    def _why_unknown(self, at_once: int) -> str:
        if not self._timed[_WHOLE]:
            return "no training has run to its end yet"
        if not at_once:
            return "no worker is there"
        trained = self._timed.total() - self._timed[_WHOLE] - self._timed[_UNTIMED]
        if trained < at_once:
            return f"{trained} trainings have ended, and {at_once} run at once"
        return ""

    def _mean(self, kind: str) -> float:
        timed = kind if self._timed[kind] else _WHOLE
        return self._seconds[timed] / self._timed[timed]

    def _rest(self, run: UnderWay, mean: float) -> float:
        """Seconds that a training goes on: by its own epochs, unless a rung may still stop it."""
        may_stop = self._stopped[_kind(run.key)] > 0 and run.seconds < mean
        if run.share and not may_stop:
            pace = (run.seconds - run.silent) / run.share
            return max(0.0, pace * (1 - run.share) - run.silent)
        return max(0.0, mean - run.seconds)


def _kind(key: str) -> str:
    return key.partition("/")[0]
