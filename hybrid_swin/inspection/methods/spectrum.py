"""`spectrum`: which spatial frequencies a branch lets pass, and its share of high ones."""

import math
from collections import defaultdict
from collections.abc import Mapping
from statistics import fmean
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from torch import Tensor

from hybrid_swin.inspection.measures import fourier
from hybrid_swin.inspection.measures.attention import period_of
from hybrid_swin.inspection.measures.branch_hooks import recorded
from hybrid_swin.inspection.measures.intervals import mean_interval
from hybrid_swin.inspection.measures.sampling import limited_note, subset
from hybrid_swin.inspection.methods import Inspection
from hybrid_swin.inspection.palette import (
    GREY,
    block_label,
    looks,
    margins,
    name_blocks,
    side_by_side,
)
from hybrid_swin.inspection.subject import BranchPlace, Subject
from hybrid_swin.network.branches._window_attention import WindowAttention

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_Style = Mapping[str, tuple[str, str]]  # colour and marker of a branch
_TICKS = {0: "0", 0.5: "π/2", 1: "π", math.sqrt(2): "√2 π"}


@final
class Spectrum(Inspection):
    """Transfer by radial frequency of every branch, and its share of high frequencies.

    ``T(f) = E log|F(out)| - E log|F(in)|`` over images and channels, averaged over rings of equal
    frequency; the share is the power above pi/2 over all power but that of frequency 0. Input and
    output are those of the branch itself: without residual and, but for a norm of its own, norms.

    Windows of M tokens repeat along an axis with period p = M; strided ones (`grid`) with p = H/M,
    H the padded side. This shows as peaks at the multiples of 2 pi / p (dips, where attention just
    averages over a window): ``tiling_excess`` is how far T rises there above what lies between. An
    axis counts where whole periods, more than one, tile it; None if none does.

    Maps under 8 x 8 tokens have too few frequencies and are refused.

    Args:
        images: that are used at most.

    Source: after How Do Vision Transformers Work?, 2022, https://arxiv.org/abs/2202.06709
    """

    def __init__(self, images: int = 32) -> None:
        self.images = images

    @torch.no_grad()
    def measure(self, subject: Subject) -> dict[str, Any]:
        """Rows: one per branch, with ``frequency`` and ``transfer`` as lists."""
        used = subset(subject, max(1, self.images))
        undefined, watched = [], []
        for branch in used.branches():
            if min(branch.place.grid) < fourier.SMALLEST_SIDE:
                height, width = branch.place.grid
                reason = f"its map of {height} x {width} tokens is smaller than 8 x 8"
                undefined.append(branch.undefined(reason))
            else:
                watched.append(branch)
        seen = {branch.module: _Seen() for branch in watched}
        with recorded({module: s.add for module, s in seen.items()}):
            for images, _ in used.batches() if watched else ():
                used.model(images)
        rows = []
        for branch in watched:
            row = seen[branch.module].row(branch)
            if row is None:
                reason = "its input or output is the same at every token of every image"
                undefined.append(branch.undefined(reason))
            else:
                rows.append(row)
        notes = limited_note(subject, used, "images")
        if any(row["tiling_excess"] is not None for row in rows):
            notes.append(
                "Dotted lines mark multiples of 2 pi / p where windows repeat every p tokens "
                "(period, by axis): peaks and dips there come from the tiling, not from the images."
            )
        return {
            "what": "Which spatial frequencies each branch lets pass (T above 0: strengthens).",
            "summary": _summary(rows),
            "units": "frequency in radians per token; T in nats of amplitude; shares from 0 to 1",
            "images": len(used.images),
            "rows": rows,
            "undefined": undefined,
            "notes": notes,
        }

    def draw(self, numbers: Mapping[str, Any], figure: "Figure") -> None:
        """T by frequency, a panel per stage; below, the share of high frequencies by block."""
        rows = numbers["rows"]
        stages = sorted({row["stage"] for row in rows})
        figure.set_layout_engine("constrained")
        figure.set_size_inches(max(6.0, 0.8 + 2.9 * len(stages)), 5.6)
        grid = figure.add_gridspec(2, len(stages), height_ratios=[3, 2])
        style = looks(row["branch"] for row in rows)
        first = None
        for column, stage in enumerate(stages):
            axes = figure.add_subplot(grid[0, column], sharey=first)
            first = first or axes
            _draw_stage(axes, [row for row in rows if row["stage"] == stage], style)
            height, width = next(row["grid"] for row in rows if row["stage"] == stage)
            axes.set_title(f"stage {stage}: {height} x {width} tokens", fontsize="medium")
        if first is not None:
            first.set_ylabel("transfer T(f), nats")
        below = figure.add_subplot(grid[1, :])
        _draw_shares(below, rows, style)
        known: dict[Any, Any] = {}
        for axes in figure.axes:
            known |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        figure.legend(
            known.values(), known.keys(), loc="outside upper left", ncols=4, frameon=False
        )


def _summary(rows: list[dict[str, Any]]) -> str:
    shares: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        shares[row["branch"]].append((row["high_share_in"], row["high_share_out"]))
    parts = [
        f"{name} {fmean(i for i, _ in pairs):.2f} to {fmean(o for _, o in pairs):.2f}"
        for name, pairs in sorted(shares.items())
    ]
    return f"power above half the highest frequency, in to out: {', '.join(parts)}" if parts else ""


class _Seen:
    """Sums over images for one branch."""

    def __init__(self) -> None:
        self.transfer: Tensor | float = 0.0  # (H, W), summed over images
        self.count = 0
        self.shares: tuple[list[float], list[float]] = ([], [])

    def add(self, x_BHWC: Tensor, y_BHWC: Tensor) -> None:
        """Note one batch; images without a spectrum (all zero) are left out."""
        power_in, power_out = fourier.power(x_BHWC.float()), fourier.power(y_BHWC.float())
        difference = fourier.transfer(power_in, power_out)
        fine = difference.isfinite().all(dim=(1, 2))
        self.transfer = self.transfer + difference[fine].sum(dim=0, dtype=torch.float64)
        self.count += int(fine.sum())
        for shares, power in zip(self.shares, (power_in, power_out), strict=True):
            share = fourier.high_share(power)
            shares += share[share.isfinite()].tolist()

    def row(self, branch: BranchPlace) -> dict[str, Any] | None:
        """The numbers, or None if no image has a spectrum."""
        if not self.count or not all(self.shares):
            return None
        place = branch.place
        transfer_HW = torch.as_tensor(self.transfer).cpu() / self.count
        ring_HW, frequency_R = fourier.rings(*transfer_HW.shape)
        bare = branch.bare
        period = period_of(bare, place.grid) if isinstance(bare, WindowAttention) else None
        before, after = (mean_interval(np.array(s)) for s in self.shares)
        return {
            **branch.named,
            "grid": list(place.grid),
            "frequency": frequency_R.tolist(),
            "transfer": fourier.ring_means(transfer_HW, ring_HW).tolist(),
            "period": list(period) if period else None,
            "tiling_excess": fourier.tiling_excess(transfer_HW, period) if period else None,
            **before.named("high_share_in"),
            **after.named("high_share_out"),
        }


def _draw_stage(axes: "Axes", rows: list[Mapping[str, Any]], style: _Style) -> None:
    for name in sorted({row["branch"] for row in rows}):
        own = [row for row in rows if row["branch"] == name]
        frequency = [f / math.pi for f in own[0]["frequency"]]
        for row in own:
            axes.plot(frequency, row["transfer"], color=style[name][0], lw=0.6, alpha=0.6)
        mean = [fmean(values) for values in zip(*(row["transfer"] for row in own), strict=True)]
        axes.plot(frequency, mean, color=style[name][0], lw=2, label=name)
    for at in tiling_lines(rows):
        axes.axvline(at, color=GREY, lw=0.8, ls=":")
    axes.axhline(0, color=GREY, lw=0.8)
    axes.set_xticks(list(_TICKS), list(_TICKS.values()))
    axes.set_xlabel("frequency, radians per token")
    axes.spines[["top", "right"]].set_visible(False)


def tiling_lines(rows: list[Mapping[str, Any]]) -> list[float]:
    """Where windows peak, in units of pi: 2k/p for each period p that tiles an axis of its map."""
    periods = {
        period
        for row in rows
        for side, period in zip(row["grid"], row["period"] or row["grid"], strict=True)
        if fourier.tiled(side, period)
    }
    return sorted({2 * k / period for period in periods for k in range(1, period // 2 + 1)})


def _draw_shares(axes: "Axes", rows: list[Mapping[str, Any]], style: _Style) -> None:
    labels = list({row["block"]: block_label(row) for row in rows}.values())
    at = {block: i for i, block in enumerate(dict.fromkeys(row["block"] for row in rows))}
    for row, x in side_by_side(rows, at):
        colour, marker = style[row["branch"]]
        axes.plot(x, row["high_share_in"], "_", color=GREY, ms=9, mew=1.5, label="branch input")
        value, error = row["high_share_out"], margins(row, "high_share_out")
        axes.errorbar(x, value, error, fmt=marker, ms=5, capsize=2, color=colour)
    name_blocks(axes, labels)
    axes.set_ylim(0, 1)
    axes.set_xlabel("block (stage.index, from 0)")
    axes.set_ylabel("power above π/2")
    axes.spines[["top", "right"]].set_visible(False)
