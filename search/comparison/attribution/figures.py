"""Effects of blocks by stage as a heat map: colour is the effect, hatched is not shown."""

import re
from functools import partial
from pathlib import Path

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hybrid_swin.system.figure_files import write_figure
from search.comparison.attribution.model import Attribution, Effect
from search.statistics.formatting import interval_text, is_share, points

COLOURS = "RdBu"  # told apart by the colour-blind; red hurts, blue helps where more is better
CELL = (1.75, 0.62)  # inches


def draw_effects(attribution: Attribution, figure: Figure) -> None:
    """Stages by words, and where there are interactions a panel for each pair of stages."""
    pairs = sorted({effect.stage for effect in attribution.interactions})
    blocks = [[(e.word[0], e.stage[0], e) for e in attribution.effects]]
    for pair in pairs:
        effects = [e for e in attribution.interactions if e.stage == pair]
        blocks.append([(e.word[0], e.word[1], e) for e in effects])
    shapes = [(_names(b, 0), _names(b, 1)) for b in blocks]
    rows = [len(words) for words, _ in shapes]
    columns = max(len(across) for _, across in shapes)
    longest = max(len(word) for words, _ in shapes for word in words)
    margin = min(4.5, 0.6 + 0.078 * longest)
    head, gap = 0.95, 0.2
    width = margin + columns * CELL[0] + 1.0
    height = 0.3 + sum(head + n * CELL[1] for n in rows) + gap * (len(rows) - 1) + 0.75
    figure.set_size_inches(width, height)
    extreme = max(abs(e.estimate) for block in blocks for _, _, e in block) or 1.0
    scale = Normalize(-extreme, extreme)
    top = height - 0.3
    for place, block in enumerate(blocks):
        words, across = shapes[place]
        tall, wide = len(words) * CELL[1], len(across) * CELL[0]
        top -= head
        axes = figure.add_axes((margin / width, (top - tall) / height, wide / width, tall / height))
        title = "effect by stage" if place == 0 else f"{pairs[place - 1][0]} (down) x "
        title += "" if place == 0 else f"{pairs[place - 1][1]} (across), beyond the sum"
        _panel(axes, block, words, across, scale, attribution, title)
        top -= tall + gap
    unit = "percentage points" if is_share(attribution.monitor) else attribution.monitor
    figure.text(
        0.1 / width,
        0.12 / height,
        f"{attribution.monitor}, {unit}, with intervals "
        f"({100 * (1 - attribution.level):.4g}% together); "
        f"hatched: not shown (Holm, {100 * attribution.level:.3g}%)",
        fontsize=8,
    )


def save_svg(attribution: Attribution, path: Path) -> None:
    """Write the heat map; the same numbers give the same file."""
    write_figure(path, partial(draw_effects, attribution))


def _panel(
    axes: Axes,
    block: list[tuple[str, str, Effect]],
    words: list[str],
    across: list[str],
    scale: Normalize,
    attribution: Attribution,
    title: str,
) -> None:
    colours = colormaps[COLOURS if attribution.mode == "max" else f"{COLOURS}_r"]
    for word, column, effect in block:
        x, y = across.index(column), words.index(word)
        colour = colours(float(scale(effect.estimate)))
        axes.add_patch(Rectangle((x, y), 1, 1, facecolor=colour, edgecolor="white", linewidth=1.5))
        if not effect.is_shown:
            grey = Rectangle((x, y), 1, 1, facecolor="#e8e8e8", edgecolor="#c4c4c4", hatch="////")
            grey.set_linewidth(0)
            axes.add_patch(grey)
        dark = effect.is_shown and abs(effect.estimate) > 0.6 * float(scale.vmax or 1)
        interval = interval_text(effect.low, effect.high, attribution.monitor)
        for text, size, down in (
            (points(effect.estimate, attribution.monitor), 10, 0.34),
            (interval, 7.5, 0.72),
        ):
            box = (
                None if effect.is_shown else {"facecolor": "#f4f4f4", "edgecolor": "none", "pad": 1}
            )
            axes.text(
                x + 0.5,
                y + down,
                text,
                ha="center",
                va="center",
                fontsize=size,
                color="white" if dark else "black",
                bbox=box,
            )
    axes.set_xlim(0, len(across))
    axes.set_ylim(len(words), 0)
    axes.set_xticks(
        [i + 0.5 for i in range(len(across))], [_folded(name) for name in across], fontsize=8
    )
    axes.set_yticks([i + 0.5 for i in range(len(words))], words, fontsize=8)
    axes.tick_params(length=0)
    axes.xaxis.tick_top()
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title(title, fontsize=9, loc="left", pad=8)


def _folded(word: str, length: int = 22) -> str:
    """Long block words on several lines, broken behind +, : and blanks."""
    lines = [""]
    for part in re.split(r"(?<=[+: ])", word):
        if lines[-1] and len(lines[-1]) + len(part) > length:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _names(block: list[tuple[str, str, Effect]], place: int) -> list[str]:
    return list(dict.fromkeys(str(cell[place]) for cell in block))
