"""What all figures share: colours, panels, labels that do not overlap, files of few bytes."""

import textwrap
from collections.abc import Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hybrid_swin.inspection.palette import GREY as GREY
from hybrid_swin.inspection.palette import PALETTE as PALETTE

BLACK, BLUE, RED = PALETTE[:3]
FINALISTS = PALETTE[1:]  # one per candidate; further ones share the last
PALE = "#b4b4b4"
_VECTORS = 1_000  # more points than that become one picture inside the SVG

LEFT, PANEL, TALL, GAP = 0.75, 3.9, 3.1, 0.25  # inches
_LINE = 0.19
_SHORT, LONG = 34, 84  # letters of a label beside others, and on a line of its own


def lay_out(
    figure: Figure, title: str, caption: str, count: int = 1, right: float = 0.15, below: float = 0
) -> list[Axes]:
    """Panels side by side, a title that says what they show, a caption below.

    Args:
        figure: gets its size here.
        title: in one sentence or two.
        caption: what holds for all that is drawn.
        count: panels; one is wider than each of several.
        right: inches beside the last one, for labels.
        below: inches between them and the caption, for a legend.
    """
    wide = PANEL if count > 1 else 1.6 * PANEL
    width = LEFT + count * wide + (count - 1) * GAP + right
    head = textwrap.wrap(title, int(width / 0.085), break_on_hyphens=False)
    foot = textwrap.wrap(caption, int(width / 0.059), break_on_hyphens=False)
    bottom = 0.55 + below + 0.1 + 0.15 * len(foot)
    height = 0.2 + _LINE * len(head) + TALL + bottom
    figure.set_size_inches(width, height)
    figure.text(
        0.1 / width, 1 - 0.08 / height, "\n".join(head), fontsize=10, weight="bold", va="top"
    )
    figure.text(0.1 / width, 0.06 / height, "\n".join(foot), fontsize=7.5, va="bottom")
    panels = []
    for place in range(count):
        box = (LEFT + place * (wide + GAP)) / width, bottom / height, wide / width, TALL / height
        axes = figure.add_axes(box)
        axes.tick_params(labelsize=8)
        axes.grid(color="#e8e8e8", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        if place:
            axes.tick_params(labelleft=False)
        panels.append(axes)
    return panels


def add_legend(figure: Figure, axes: Axes, columns: int) -> None:
    """What has a label in one panel, below all of them."""
    handles, labels = axes.get_legend_handles_labels()
    height, box = figure.get_figheight(), axes.get_position()
    legend = figure.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(0.1 / figure.get_figwidth(), box.y0 - 0.45 / height),
        borderaxespad=0,
        fontsize=7.5,
        frameon=False,
        ncols=columns,
    )
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)  # lines that are pale where many cross


def legend_columns(labels: Sequence[str], most: int) -> int:
    """So many, or one where a label is too long for that."""
    return most if all(len(label) <= _SHORT for label in labels) else 1


def legend_height(entries: int, columns: int) -> float:
    """Inches that so many entries take."""
    return 0.16 * -(-entries // columns)


def label_right(axes: Axes, labels: Sequence[tuple[float, str, str]]) -> None:
    """Write (height, text, colour) beside a panel, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    inch = (high - low) / TALL
    heights = spread([y for y, _, _ in labels], 0.145 * inch, low, high)
    edge = axes.get_yaxis_transform()
    for (y, text, colour), height in zip(labels, heights, strict=True):
        axes.plot(
            [1, 1.02], [y, height], transform=edge, color=colour, linewidth=0.7, clip_on=False
        )
        axes.text(1.025, height, text, transform=edge, color=colour, fontsize=7.5, va="center")


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move places apart to at least ``gap`` from each other, as little as can be, within limits."""
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    blocks: list[list[float]] = []  # those that touch, less what the ones below them take
    for rank, place in enumerate(order):
        blocks.append([wanted[place] - rank * gap])
        while len(blocks) > 1 and fmean(blocks[-2]) >= fmean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    highest = high - (len(wanted) - 1) * gap
    moved = [max(low, min(highest, fmean(block))) for block in blocks for _ in block]
    places = [0.0] * len(wanted)
    for rank, place in enumerate(order):
        places[place] = moved[rank] + rank * gap
    return places


def is_many(points: int) -> bool:
    """Whether so many points are drawn as a picture, to keep the file small."""
    return points > _VECTORS


def set_limits(axes: Sequence[Axes], scores: Sequence[float]) -> None:
    """The same range of scores in all panels, with room above and below."""
    low, high = min(scores), max(scores)
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    for panel in axes:
        panel.set_ylim(low - room, high + room)


def short(text: str, length: int = _SHORT) -> str:
    """A label cut to fit."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
