"""What an architecture can reach on the reach task: from what its tokens see, whatever its weights.

Legend of shapes: T tokens of the last map, n cells per side, P offsets along one axis,
k = s² cells.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hybrid_swin.data.synthetic.layout import Layout
from hybrid_swin.errors import InputError

if TYPE_CHECKING:
    from hybrid_swin.spec.variant import Variant

# Two corners (u, v) of one side: they tell the classes apart, which two at a diagonal do not.
_SIDES = (((0, 0), (0, 1)), ((1, 0), (1, 1)), ((0, 0), (1, 0)), ((0, 1), (1, 1)))


@dataclass(frozen=True)
class Ceiling:
    """How often a network sees what it needs, and what that allows. See ``ceiling``.

    P is the share of all placements in which some token's support contains two cells of one bit on
    one side of their constellation. ``bound`` is that of any network whose logits are sums over
    tokens (mean pooling and a linear head), with one constellation; it is 1 with several.
    """

    seen: float  # P
    accuracy: float  # 1/2 + P/2: of a network that guesses where no token sees such a pair
    bound: float  # 3/4 + P/4


def ceiling(layout: Layout, seen: NDArray[np.bool_]) -> Ceiling:
    """The ceiling of an architecture, exact over all placements.

    Without a pair in any token's support, each token's answer has the same mean in both classes:
    negating all bits maps what it sees in one class onto what it sees in the other. So a network
    whose answer ignores where things stand is at chance there. One whose tokens know their place
    (in their window, by the position biases; near a border, by zero padding) can do better in
    principle, since equal means do not make equal laws: its logit may be 0, 0 in one class and
    1, -1 in the other, and a threshold just under 0 is right in 3/4 of the cases. It cannot be more
    with one constellation: the logits of a bit pattern and of its negative have equal sums in both
    classes, so the four cannot all be on their right side.

    The ceiling is not tight either: a token may see a pair and be unable to tell where it stands,
    as in channel attention, which sees everything and carries no position.

    ``seen`` (T, n n) tells whether a token of the last map sees a cell, row by row.
    """
    counts = seen.astype(np.float32)
    together = counts.T @ counts > 0.5  # (n n, n n): whether some token sees both
    places = np.arange(layout.places)
    y, x = np.meshgrid(places, places, indexing="ij")
    offsets = np.stack([y, x], axis=-1).reshape(-1, 1, 2)  # (P², 1, 2)
    corners = layout.corners()
    none_seen = 1.0
    for origin in layout.origins():
        any_pair = np.zeros(len(offsets), np.bool_)
        for first, second in _SIDES:
            one, other = (
                np.ravel_multi_index(
                    tuple(np.moveaxis(origin + offsets + corners[corner], -1, 0)),
                    (layout.grid, layout.grid),
                )
                for corner in (first, second)
            )  # (P², k)
            any_pair |= together[one, other].any(axis=1)
        none_seen *= 1 - float(any_pair.mean())  # constellations are placed independently
    share = 1 - none_seen
    bound = 0.75 + share / 4 if layout.constellations == 1 else 1.0
    return Ceiling(share, 0.5 + share / 2, bound)


def cells_seen(pixels: NDArray[np.bool_], cells: int, cell: int) -> NDArray[np.bool_]:
    """Which of the cells, row by row, each token sees: any of its pixels. (T, H, W) -> (T, n n).

    ``cells`` is n; ``cell`` has so many pixels per side.
    """
    side = cells * cell
    blocks = pixels[:, :side, :side].reshape(-1, cells, cell, cells, cell)
    return blocks.any(axis=(2, 4)).reshape(-1, cells**2)


def variant_ceiling(variant: "Variant", layout: Layout, cell: int) -> Ceiling:
    """The ceiling of a variant, from the exact support of its tokens.

    A cell has ``cell`` pixels per side. Raises InputError for a variant that takes images of
    another size.
    """
    side = layout.grid * cell
    if variant.image_size != (side, side):
        height, width = variant.image_size
        raise InputError(
            f"the variant takes images of {height} x {width} pixels, but {layout.grid} cells of "
            f"{cell} pixels make {side} x {side}; set image_size: {side} in the variant"
        )
    return ceiling(layout, cells_seen(_pixels(variant), layout.grid, cell))


@lru_cache(maxsize=64)
def _pixels(variant: "Variant") -> NDArray[np.bool_]:
    """Which pixels each token sees, kept: comparisons ask for each network once per layout."""
    from hybrid_swin.inspection.measures.token_support import pixel_support, token_support
    from hybrid_swin.network.model import HybridSwin

    support = token_support(HybridSwin(variant)).reshape(-1, *variant.grids[0])
    return pixel_support(support, variant)
