"""Where the constellations of the reach task may stand: its geometry, apart from any pixel.

Units are cells. A constellation is four blocks of s x s cells at the corners of a square whose
sides, from a cell to its partner, are r cells.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.errors import InputError

Cells = NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """A grid of n x n cells and what stands on it.

    Args:
        grid: cells per side, n.
        reach: cells from a cell to its partners, r.
        side: cells per side of a block, s; s² bits of evidence.
        constellations: number of constellations M, a perfect square.
        margin: empty cells along each border, m.
        source: whose task it is, for messages.

    Raises:
        InputError: such constellations do not fit, with what would.
    """

    grid: int
    reach: int
    side: int = 1
    constellations: int = 1
    margin: int = 0
    source: str = "constellation"

    def __post_init__(self) -> None:
        why = next(self._reasons(), "")
        if why:
            raise InputError(f"{self.source}: {why}")

    def _reasons(self) -> Iterator[str]:
        leasts = {"grid": 2, "reach": 1, "side": 1, "constellations": 1, "margin": 0}
        for name, least in leasts.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                yield f"{name} must be a whole number of at least {least}; got {value!r}"
        if self.side > self.reach:
            yield (
                f"side {self.side} is above reach {self.reach}, so that blocks would overlap; "
                f"choose a side of at most {self.reach}"
            )
        root = isqrt(self.constellations)
        if root * root != self.constellations:
            yield (
                f"constellations {self.constellations} is not a perfect square; choose {root**2} "
                f"or {(root + 1) ** 2}"
            )
        inside = self.grid - 2 * self.margin
        if inside < 1 or inside % root:
            yield (
                f"the interior, grid {self.grid} less twice the margin {self.margin}, has {inside} "
                f"cells per side, which {root} x {root} constellations cannot share; choose a grid "
                f"of {2 * self.margin} and a multiple of {root}"
            )
        need = self.reach + self.side
        if self.room < need:
            yield (
                f"reach {self.reach} and side {self.side} need {need} cells per side, but each of "
                f"the {root} x {root} sub-squares has {self.room}; choose a grid of at least "
                f"{2 * self.margin + root * need}, or less reach, side or margin"
            )

    @property
    def room(self) -> int:
        """Cells a side of the sub-square that each constellation has for itself."""
        return (self.grid - 2 * self.margin) // isqrt(self.constellations)

    @property
    def places(self) -> int:
        """Offsets along one axis at which a constellation fits into its sub-square."""
        return self.room - self.reach - self.side + 1

    def origins(self) -> Cells:
        """The first cell (y, x) of each sub-square. -> (M, 2)."""
        root = range(isqrt(self.constellations))
        return np.array(
            [[self.margin + self.room * i for i in place] for place in product(root, root)]
        )

    def corners(self) -> Cells:
        """Cells (y, x) from a constellation's offset. -> (2, 2, s², 2), at [u, v, k].

        k = (dy, dx) counts the cells of a block; u = 1 is the lower row of blocks, v = 1 the right
        column.
        """
        steps = range(self.side)
        return np.array(
            [
                [
                    [[dy + u * self.reach, dx + v * self.reach] for dy in steps for dx in steps]
                    for v in (0, 1)
                ]
                for u in (0, 1)
            ]
        )
