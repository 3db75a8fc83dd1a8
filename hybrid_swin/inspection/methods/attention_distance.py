"""`attention_distance`: how far apart the tokens are that attend to each other, by head."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from hybrid_swin.errors import InputError
from hybrid_swin.inspection.measures.attention import Layout, attention_taps, layout_of
from hybrid_swin.inspection.measures.intervals import mean_interval
from hybrid_swin.inspection.measures.sampling import limited_note, subset
from hybrid_swin.inspection.methods import BranchPlace, Inspection, Subject
from hybrid_swin.inspection.palette import COLOURS
from hybrid_swin.network.branches._window_attention import WindowAttention

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BETWEEN_CHANNELS = "attends between channels, not between places"
_REASONS = {
    "mdta": _BETWEEN_CHANNELS,
    "xca": _BETWEEN_CHANNELS,
    "channel_group": _BETWEEN_CHANNELS,
    "pooled": "attends to means over regions, which stand at no single place",
    "agent": "attends by way of agents, which stand at no single place",
    "linear": "computes no weights of tokens on each other",
}
_OTHERWISE = "shows no attention that can be read: only branches derived from WindowAttention do"
_COLOURS = dict(zip(("w_msa", "sw_msa", "grid"), COLOURS, strict=False))


class AttentionDistance(Inspection):
    """Mean attention distance of each head of window attentions, beside that of even attention.

    ``D_h = mean_q Σ_k A_h[q, k] · stride · ‖pos_q - pos_k‖`` with positions on the map as it came,
    before rolling and striding. Queries and keys that are padding do not count: the rest of a
    query's weights is scaled to add up to 1, and what padding took is reported; a query that puts
    all of it on padding has no distance and is left out. ``ratio`` is D_h over the distance of
    attention spread evenly over all keys that a query may attend to: 1 uses the window evenly, less
    is local. With windows of M x M tokens, D_h <= √2 (M - 1) stride.

    Args:
        images: so many of the subject's images, drawn by its seed, are averaged; intervals are over
            images.

    Source: An Image is Worth 16x16 Words, 2020, appendix D.7, https://arxiv.org/abs/2010.11929
    """

    def __init__(self, images: int = 16) -> None:
        if images < 1:
            raise InputError(f"attention_distance: images must be at least 1; got {images}")
        self.images = images

    def measure(self, subject: Subject) -> dict[str, Any]:
        """One row per head: distance with its 95% interval, that of even attention, their ratio."""
        used = subset(subject, self.images)
        readers, undefined = [], []
        for branch in used.branches():
            if isinstance(branch.bare, WindowAttention):
                readers.append(_Reader(branch, branch.bare))
            else:
                reason = _REASONS.get(branch.name.partition("(")[0], _OTHERWISE)
                undefined.append(branch.undefined(reason))
        with attention_taps({one.module: one.take for one in readers}), torch.no_grad():
            for images, _ in used.batches():
                used.model(images)
        rows = []
        for reader in readers:
            new_rows, lost = reader.rows()
            rows += new_rows
            undefined += lost
        notes = limited_note(subject, used, "images")
        if any(row["padding_share"] > 0 for row in rows):
            notes.append(
                "Some windows hold padding; the weights on it (padding_share) are left out."
            )
        if any("register_share" in row for row in rows):
            notes.append(
                "Registers stand at no place; the weights on them (register_share) are left out."
            )
        if any(row["ratio"] is None for row in rows):
            notes.append("A window of one token has no distance to compare with.")
        return {
            "what": "How far apart tokens attend, by head, and how far they would if they attended "
            "evenly.",
            "units": "pixels",
            "images": len(used.images),
            "rows": rows,
            "undefined": undefined,
            "notes": notes,
            "summary": _summary(rows, undefined),
        }

    def draw(self, numbers: Mapping[str, Any], figure: "Figure") -> None:
        """Each head a dot with its interval, by block; a bar where even attention would be."""
        rows = numbers["rows"]
        columns = list(dict.fromkeys((row["block"], row["branch"]) for row in rows))
        figure.set_size_inches(max(4.5, 0.55 * len(columns) + 2.2), 4.2)
        axis = figure.subplots()
        labelled: set[str] = set()
        for at, column in enumerate(columns):
            heads = [row for row in rows if (row["block"], row["branch"]) == column]
            name = column[1].partition("(")[0]
            spread = np.linspace(-0.28, 0.28, len(heads)) if len(heads) > 1 else np.zeros(1)
            colour = _COLOURS.get(name, COLOURS[3])
            for offset, row in zip(spread, heads, strict=True):
                label = "_" if name in labelled else f"{name}, a head"
                labelled.add(name)
                x, low, high = at + offset, row["distance_low"], row["distance_high"]
                axis.plot(x, row["distance"], "o", markersize=3.5, color=colour, label=label)
                axis.vlines(x, low, high, color=colour, linewidth=0.8)
            label = "_" if at else "even attention"
            axis.hlines(heads[0]["uniform"], at - 0.4, at + 0.4, color="#444444", label=label)
        axis.set_xticks(range(len(columns)), [_tick(*column) for column in columns], fontsize=8)
        axis.tick_params(axis="x", rotation=90 if len(columns) > 4 else 0)
        axis.set(xlabel="stage.block branch", ylabel="mean attention distance (pixels)")
        axis.set_ylim(bottom=0)
        axis.grid(axis="y", color="#dddddd", linewidth=0.6)
        axis.set_axisbelow(True)
        axis.legend(fontsize=8)
        figure.set_layout_engine("tight")


class _Reader:
    """Collects the distances of one branch, image by image."""

    def __init__(self, place: BranchPlace, module: WindowAttention) -> None:
        self._place, self.module = place, module
        self._layout = layout_of(module, place.place.grid)
        self._far = pair_distances(self._layout, place.place.stride)
        self._distances: list[Tensor] = []
        self._padding: list[Tensor] = []
        self._registers: list[Tensor] = []

    def take(self, attention: Tensor) -> None:
        """Read the attention of a batch. (B, G, K, N, N + n)."""
        tokens = self._layout.real.shape[1]
        attention, on_registers = attention.cpu().tensor_split((tokens,), dim=-1)
        if on_registers.numel():
            self._registers.append(mean_weight(on_registers, self._layout))
        self._distances.append(mean_distance(attention, self._layout, self._far))
        self._padding.append(padding_share(attention, self._layout))

    def rows(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """One row per head, and the heads that have no distance in any image."""
        values_NK = torch.cat(self._distances).numpy()
        padding_K = torch.cat(self._padding).mean(dim=0).tolist()
        on_K = torch.cat(self._registers).mean(dim=0).tolist() if self._registers else []
        uniform = even_distance(self._layout, self._far)
        rows, undefined = [], []
        for head, values in enumerate(values_NK.T):
            defined = values[np.isfinite(values)]
            if not len(defined):
                reason = f"puts all weight of head {head} on padding, in every image"
                if not np.isfinite(padding_K[head]):
                    reason = f"has no finite attention in head {head}"
                undefined.append(self._place.undefined(reason))
                continue
            estimate = mean_interval(defined)
            rows.append(
                {
                    "block": self._place.place.name,
                    "stage": self._place.place.stage,
                    "branch": self._place.name,
                    "head": head,
                    **estimate.named("distance"),
                    "uniform": uniform,
                    "ratio": estimate.value / uniform if uniform else None,
                    "padding_share": padding_K[head],
                    **({"register_share": on_K[head]} if on_K else {}),
                }
            )
        return rows, undefined


def pair_distances(layout: Layout, stride: int) -> Tensor:
    """Distance between the tokens of each window, in pixels, on the map as it came. (G, N, N)."""
    at = layout.positions.double() * stride
    return torch.cdist(at, at, compute_mode="donot_use_mm_for_euclid_dist")


def mean_distance(attention: Tensor, layout: Layout, far: Tensor) -> Tensor:
    """D_h of each image, over queries and keys that are not padding. (B, G, K, N, N) -> (B, K).

    Queries whose every weight is on padding do not count; NaN where an image has no other.
    """
    allowed = layout.allowed.to(attention)
    total = torch.einsum("bgkqn,gqn->bgkq", attention, allowed * far.to(attention))
    weight = torch.einsum("bgkqn,gqn->bgkq", attention, allowed)
    counts = weight != 0
    means = total / weight.where(counts, 1)
    means, counts = (x.double().permute(1, 3, 0, 2)[layout.real] for x in (means, counts))
    return means.sum(dim=0) / counts.sum(dim=0)


def padding_share(attention: Tensor, layout: Layout) -> Tensor:
    """The weight on padding in each image, a mean over queries. (B, G, K, N, N) -> (B, K)."""
    return mean_weight(attention * (~layout.real)[:, None, None].to(attention), layout)


def mean_weight(attention: Tensor, layout: Layout) -> Tensor:
    """The weight on some keys in each image, a mean over queries. (B, G, K, N, n) -> (B, K)."""
    return attention.sum(dim=-1).double().permute(1, 3, 0, 2)[layout.real].mean(dim=0)


def even_distance(layout: Layout, far: Tensor) -> float:
    """The same for weights spread evenly over the keys that each query may attend to."""
    total = (layout.allowed * far).sum(dim=-1) / layout.allowed.sum(dim=-1).clamp_min(1)
    return float(total[layout.real].mean())


def _summary(rows: list[dict[str, Any]], undefined: list[dict[str, Any]]) -> str:
    if not rows:
        reasons = {f"{u['branch']} {u['reason']}" for u in undefined}
        return f"undefined: {'; '.join(sorted(reasons))}"
    by_stage = []
    for stage in sorted({row["stage"] for row in rows}):
        heads = [row for row in rows if row["stage"] == stage]
        distances = [row["distance"] for row in heads]
        ratios = [row["ratio"] for row in heads if row["ratio"] is not None]
        share = f" ({np.mean(ratios):.2f} of even attention)" if ratios else ""
        by_stage.append(f"stage {stage}: {np.mean(distances):.1f} px{share}")
    return "mean over heads: " + "; ".join(by_stage)


def _tick(block: str, branch: str) -> str:
    _, stage, _, index = block.split(".")
    return f"{stage}.{index} {branch.partition('(')[0]}"
