"""The colours of all figures, and labels that those of inspections share.

Source: Color Universal Design (Okabe and Ito), 2008, https://jfly.uni-koeln.de/color/: told apart
by colour-blind readers.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any

PALETTE = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#A6761D")
COLOURS = (*PALETTE[1:7], PALETTE[0], PALETTE[7])  # of categories: black comes late
GREY = "#767676"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def looks(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """A colour and a marker for each distinct name, by the alphabet; they repeat after eight."""
    pairs = cycle(zip(COLOURS, MARKERS, strict=True))
    return dict(zip(sorted(set(names)), pairs, strict=False))


def margins(row: Mapping[str, Any], name: str) -> list[list[float]]:
    """From a value down and up to the ends of its interval, as ``errorbar`` takes them."""
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    return [[value - low], [high - value]]


def block_label(row: Mapping[str, Any]) -> str:
    """A block's place in short: ``2.5`` is the block of index 5 in the stage of index 2."""
    return f"{row['stage']}.{row['index']}"


def name_blocks(axes: Any, labels: list[str]) -> None:
    """Name the places 0, 1, ... of a horizontal axis by blocks, leaving some out where crowded."""
    step = -(-len(labels) // 16)
    axes.set_xticks(range(0, len(labels), step), labels[::step])
    axes.set_xlim(-0.6, len(labels) - 0.4)


def side_by_side(
    rows: Sequence[Mapping[str, Any]], at: Mapping[str, int]
) -> Iterator[tuple[Mapping[str, Any], float]]:
    """Each row of a branch with its place: the branches of a block stand around the block's."""
    for row in rows:
        count = 1 + max(other["branch_index"] for other in rows if other["block"] == row["block"])
        yield row, at[row["block"]] + 0.5 * ((row["branch_index"] + 0.5) / count - 0.5)


def in_percent(axis: Any) -> None:
    """Write the shares on an axis in percent, as tables and sentences have them."""
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0))
