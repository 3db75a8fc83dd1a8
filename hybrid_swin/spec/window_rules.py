"""How windows lie on a map: their size, their shift and the padding, as numbers (no torch).

Libraries agree on maps that are larger than the window on both sides and that it divides. On other
maps each has rules of its own, which are options of `w_msa` and `sw_msa`.
"""

from typing import Literal, NamedTuple

Grid = tuple[int, int]
Window = int | Grid  # tokens of a window: one number if its sides are equal, else (height, width)
SmallMap = Literal["shrink", "square", "pad", "fixed"]
Shift = Literal["none", "axis", "map", "always", "fixed"]
Roll = Literal["padded", "bare"]


class WindowLayout(NamedTuple):
    """The windows of one block on one map. Equal layouts make equal functions of equal weights."""

    window: Grid  # tokens of a window, (height, width)
    shift: Grid  # tokens by which the map is rolled up and to the left
    padded: Grid  # size of the map after padding, right and below, to whole windows
    pads_first: bool  # whether it is padded before it is rolled; true if the order is the same


def lay_windows(
    size: Grid,
    window: Grid,
    small_map: SmallMap = "shrink",
    shift: Shift = "none",
    roll: Roll = "padded",
    nominal: Grid | None = None,
) -> WindowLayout:
    """Lay windows on a map.

    Args:
        size: of the map, in tokens.
        window: nominal size.
        small_map: what a window does on a map with a side shorter than it: ``shrink`` to that side,
            axis by axis; be ``square``, as wide as the shortest side of both; keep its size, for
            which the map is ``pad`` ded; or keep the size that is ``fixed`` by shrinking it to the
            nominal map.
        shift: where windows are shifted by half their size: nowhere; on each ``axis`` along which
            there is more than one window; on both axes, unless one window covers the ``map`` along
            one of them; ``always``; or where ``axis`` would shift them on the nominal map
            (``fixed``).
        roll: whether the ``padded`` map is rolled, or the ``bare`` one before it is padded.
        nominal: size of the map for which the network was made; this map's if not given.
    """
    nominal = size if nominal is None else nominal
    fitted = fit_window(nominal if small_map == "fixed" else size, window, small_map)
    several = size[0] > fitted[0], size[1] > fitted[1]
    if shift == "fixed":
        there = fit_window(nominal, window, small_map)
        several = nominal[0] > there[0], nominal[1] > there[1]
    elif shift == "always":
        several = True, True
    elif shift == "none" or (shift == "map" and not all(several)):
        several = False, False
    by = (fitted[0] // 2 if several[0] else 0, fitted[1] // 2 if several[1] else 0)
    whole = padded(size, fitted)
    mixes = any(_order_counts(*axis) for axis in zip(size, whole, fitted, by, strict=True))
    return WindowLayout(fitted, by, whole, roll == "padded" or not mixes)


def fit_window(size: Grid, window: Grid, small_map: SmallMap) -> Grid:
    """The window on a map with a side that may be shorter than it."""
    if small_map == "pad":
        return window
    if small_map == "square" and (size[0] < window[0] or size[1] < window[1]):
        side = min(*window, *size)
        return side, side
    return min(window[0], size[0]), min(window[1], size[1])


def _order_counts(side: int, whole: int, window: int, shift: int) -> bool:
    """Whether it matters along an axis if it is padded or rolled first.

    Only the last window differs. It holds the padding and what was rolled around; where each is
    half a window, they only change places, and neither attends to the other.
    """
    halves = whole - side == shift == window - shift
    return bool(shift) and whole != side and not halves


def overlap_margin(window: Grid, overlap: float) -> Grid:
    """How far keys reach beyond a window on each side: half of ``overlap`` windows, rounded."""
    rows, columns = (int(side * overlap / 2 + 0.5) for side in window)
    return rows, columns


class RegionLayout(NamedTuple):
    """The regions of `routing` on a map."""

    region: Grid  # tokens of one, (height, width)
    padded: Grid  # size of the map after padding, right and below, to whole regions
    total: int  # regions


def lay_regions(size: Grid, regions: int) -> RegionLayout:
    """At most so many regions per side, none of which lies outside the map."""
    region = -(-size[0] // regions), -(-size[1] // regions)
    whole = padded(size, region)
    return RegionLayout(region, whole, (whole[0] // region[0]) * (whole[1] // region[1]))


def padded(size: Grid, window: Grid) -> Grid:
    """The size rounded up to whole windows."""
    height, width = (-(-s // w) * w for s, w in zip(size, window, strict=True))
    return height, width


def sides_of(window: Window) -> Grid:
    """Height and width of a window, in tokens."""
    height, width = window if isinstance(window, tuple | list) else (window, window)
    return height, width


def window_of(sides: Grid) -> Window:
    """A window as it is written: one number if its sides are equal."""
    return sides[0] if sides[0] == sides[1] else sides


def spell_size(size: Window) -> str:
    """``7`` for a window of equal sides, ``7x9`` for any pair of height and width."""
    return "x".join(map(str, size)) if isinstance(size, tuple) else str(size)
