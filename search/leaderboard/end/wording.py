"""Words that the answers of studies and comparisons share."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hybrid_swin.training.metric_facts import bounds_of
from search.statistics.formatting import points, unit

WIDE = 0.25  # share of a metric's scale: an interval with such a difference tells nothing
NAMED = 3  # rows, arms or causes that are written out


@dataclass(frozen=True)
class Credit:
    """What the controls of a gain say, by the parts that these lack.

    Args:
        helps: parts without which it is shown worse.
        idle: parts without which it is not shown different.
        equal: parts without which it is shown equal.
        hurts: parts without which it is shown better.
        size: ``explains`` if a control of its size may do as well, ``refuted`` if it is shown to be
            worse; empty if there is none.
        control: the control of its size.
        unknown: parts of which the interval is so wide that it tells nothing (`tells_nothing`).
    """

    helps: Sequence[str] = ()
    idle: Sequence[str] = ()
    equal: Sequence[str] = ()
    hurts: Sequence[str] = ()
    size: str = ""
    control: str = ""
    unknown: Sequence[str] = ()

    def text(self, name: str) -> str:
        """A clause on the gain of a row or an arm; empty if no control says anything."""
        parts = [
            _part(self.helps, "is shown to help", "are shown to help"),
            _part(self.idle, "gets no credit", "get no credit"),
            _adds(self.unknown),
            _part(self.equal, "is shown not to matter", "are shown not to matter"),
            _part(self.hurts, "is shown to hurt", "are shown to hurt"),
        ]
        if self.size == "explains":
            parts.append(f"size alone may explain it (it is not shown ahead of {self.control})")
        elif self.size:
            parts.append("size alone does not explain it")
        clause = ", ".join(filter(None, parts))
        return f"of the gain of {name}, {clause}" if clause else ""


def _part(parts: Sequence[str], one: str, several: str) -> str:
    return f"its {listed(parts)} {one if len(parts) == 1 else several}" if parts else ""


def _adds(parts: Sequence[str]) -> str:
    adds = "adds" if len(parts) == 1 else "add"
    return f"what its {listed(parts)} {adds} is not known" if parts else ""


def tells_nothing(low: float | None, high: float | None, monitor: str) -> bool:
    """Whether an interval of a difference is so wide that nothing is known of it.

    So it is if it holds a difference of a quarter of the metric's scale, and where there is none.
    """
    if low is None or high is None:
        return True
    least, most = bounds_of(monitor) or (0.0, math.inf)
    return max(abs(low), abs(high)) >= WIDE * (most - least)


def size_text(
    ahead: float, low: float | None, high: float | None, monitor: str, behind: bool = False
) -> str:
    """By how much something is ahead: ``5.4 points [3.0, 7.8]``; of what is behind the size only.

    Args:
        ahead: in the objective's unit; negative if it is behind.
        low: its interval, with ``high``.
        high: see ``low``.
        monitor: the objective.
        behind: whether the text says that it is behind.
    """
    sign = -1 if behind else 1
    size = f"{points(sign * ahead, monitor, sign=False)}{unit(monitor)}"
    if low is None or high is None:
        return size
    ends = sorted((sign * low, sign * high))
    return f"{size} [{', '.join(points(end, monitor, sign=False) for end in ends)}]"


def could_text(detectable: Sequence[float], many: str, monitor: str) -> str:
    """What could have been found, where nothing was.

    Args:
        detectable: of each difference asked the least true one that is found four times in five.
        many: seeds and images in words.
        monitor: the objective.
    """
    if not detectable:
        return f"with {many} no difference could be tested"
    size = found_text(detectable, monitor)
    if not size:
        return f"{many} could not have found any difference, however large"
    return f"{many} would have found a true difference of {size}, four times in five"


def found_text(detectable: Sequence[float], monitor: str) -> str:
    """How large true differences must be to be found: from the least to the largest, and half.

    ``1.8 points``; ``7.9 to 16.7 points (half of 6 up to 10.2)``; ``8.6 points (in 2 of 3
    none, however large)``. Those that no true difference could reach, since the metric ends before,
    are counted. Empty if all are.
    """
    low, high = bounds_of(monitor) or (0.0, math.inf)
    within = sorted(d for d in detectable if d < high - low)
    if not within:
        return ""
    count, lost = len(detectable), len(detectable) - len(within)
    ends = [points(d, monitor, sign=False) for d in (within[0], within[-1])]
    span = ends[0] if ends[0] == ends[1] else " to ".join(ends)
    middle = (count - 1) // 2  # at least half of all are found up to here
    details = []
    half = points(within[middle], monitor, sign=False) if middle < len(within) else ends[0]
    if half not in ends:
        details.append(f"half of {count} up to {half}")
    if lost:
        details.append(f"in {lost} of {count} none, however large")
    return f"{span}{unit(monitor)}" + (f" ({'; '.join(details)})" if details else "")


def listed(items: Iterable[str]) -> str:
    """``a, b and c``."""
    *first, last = list(items)
    return f"{', '.join(first)} and {last}" if first else last


def more(items: Sequence[object]) -> str:
    """What follows a list of which the first few are named."""
    return f" and {len(items) - NAMED} more" if len(items) > NAMED else ""


def capital(text: str) -> str:
    """With a capital first."""
    return text[:1].upper() + text[1:]
