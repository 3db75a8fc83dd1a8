"""The Pareto front and the volume that it dominates: pure functions, for any number of objectives.

A point with a coordinate that is missing (None) or not finite is on no front and dominates nothing.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

Direction = Literal["max", "min"]
Point = Sequence[float | None]
_Losses = tuple[float, ...]


class Front:
    """A front that grows point by point; each point comes with what it stands for."""

    def __init__(self, directions: Sequence[Direction]) -> None:
        self._directions = directions
        self._kept: list[tuple[_Losses, Any]] = []

    def add(self, point: Point, item: Any) -> bool:
        """Take in a point; whether it is on the front."""
        losses = _losses(point, self._directions)
        if losses is None or any(_dominates(other, losses) for other, _ in self._kept):
            return False
        self._kept = [kept for kept in self._kept if not _dominates(losses, kept[0])]
        self._kept.append((losses, item))
        return True

    @property
    def items(self) -> list[Any]:
        """What the points of the front stand for, in the order in which they came."""
        return [item for _, item in self._kept]


def front(points: Sequence[Point], directions: Sequence[Direction]) -> list[int]:
    """Places of the points that no other dominates: as good in everything and better in something.

    Equal points do not dominate each other: all of them are on the front, or none.
    """
    optima = Front(directions)
    for place, point in enumerate(points):
        optima.add(point, place)
    return optima.items


def hypervolume(
    points: Sequence[Point], reference: Sequence[float], directions: Sequence[Direction]
) -> float:
    """Volume of all that some point dominates and that is better than the reference in everything.

    Exact, by slices along the last objective; quick for fronts of hundreds of points of two or
    three objectives. Points that are not better than the reference in everything add nothing.

    Source: Hypervolume indicator by slicing objectives: A Faster Algorithm for Calculating
    Hypervolume, 2006, https://doi.org/10.1109/TEVC.2005.851275
    """
    corner = _losses(reference, directions)
    if corner is None:
        raise ValueError(f"the reference point {tuple(reference)} is not finite")
    inside = [
        losses
        for point in points
        if (losses := _losses(point, directions)) and all(map(float.__lt__, losses, corner))
    ]
    return _volume(inside, corner)


def _volume(points: Sequence[_Losses], corner: _Losses) -> float:
    """The same for losses, all of them inside."""
    if len(corner) == 2:  # a staircase
        volume, lowest = 0.0, corner[1]
        for x, y in sorted(points):
            if y < lowest:
                volume += (corner[0] - x) * (lowest - y)
                lowest = y
        return volume
    least: Sequence[Direction] = ["min"] * len(corner)
    points = sorted({points[place] for place in front(points, least)}, key=lambda point: point[-1])
    if len(corner) == 1:
        return sum(corner[0] - point[0] for point in points)
    ends = [*(point[-1] for point in points[1:]), corner[-1]]
    return math.fsum(
        (end - point[-1]) * _volume([p[:-1] for p in points[: place + 1]], corner[:-1])
        for place, (point, end) in enumerate(zip(points, ends, strict=False))
        if end > point[-1]
    )


def _losses(point: Point, directions: Sequence[Direction]) -> _Losses | None:
    """A point with less being better everywhere; None if a coordinate is unknown."""
    losses = []
    for value, direction in zip(point, directions, strict=True):
        if value is None or not math.isfinite(value):
            return None
        losses.append(-float(value) if direction == "max" else float(value))
    return tuple(losses)


def _dominates(one: _Losses, other: _Losses) -> bool:
    return one != other and all(map(float.__le__, one, other))
