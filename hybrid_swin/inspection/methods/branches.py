"""`branches`: what each branch contributes to its block, and what is lost without it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch

from hybrid_swin.inspection.measures.ablation import AblationScores, ablate
from hybrid_swin.inspection.measures.branch_statistics import BranchFacts, observe
from hybrid_swin.inspection.measures.intervals import (
    Estimate,
    mean_interval,
    paired_change,
    proportion,
)
from hybrid_swin.inspection.measures.sampling import (
    affordable,
    limited_note,
    subset,
    why_no_accuracy,
)
from hybrid_swin.inspection.methods import Inspection
from hybrid_swin.inspection.palette import (
    GREY,
    block_label,
    in_percent,
    looks,
    margins,
    name_blocks,
    side_by_side,
)
from hybrid_swin.inspection.subject import BranchPlace, Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_Rows = Sequence[Mapping[str, Any]]
_Style = Mapping[str, tuple[str, str]]  # colour and marker of a branch


@final
class Branches(Inspection):
    """Size, gates and worth of every branch: norm shares, and accuracy with it mean-ablated.

    For each image and block, over the block's branches j:

    - ``share``: ||b_i|| / Σ_j ||b_j|| of what the branches give to the fusion;
    - ``joined_share``: the same of the terms that add up to the mixer's output, after gates, scales
      or projection (see ``contributions``);
    - ``update``: ||what the mixer adds|| / ||what it is added to||, of the block as a whole;
    - ``gate``: the weight that the fusion gives to the branch, where it has such weights, times
      that of a gate behind it (``gate=se``), where there is one.

    Ablation puts in place of b_i its mean over images and places, channel by channel, and reads the
    accuracy on the same images: once for each branch alone, once for all branches of one name
    together. A single branch is the block's whole mixer.

    Args:
        gmacs: billions of multiply-accumulates to spend on ablation; they limit the images, of
            which at least 16 are used.
    """

    def __init__(self, gmacs: float = 500.0) -> None:
        self.gmacs = gmacs

    def measure(self, subject: Subject) -> dict[str, Any]:
        """Rows: one per branch. ``together``: one per branch name. ``clean``: the whole network."""
        branches = subject.branches()
        reason = why_no_accuracy(subject)
        used = subset(subject, affordable(subject, self.gmacs, _passes(branches, reason)))
        facts = observe(used)
        rows = [_row(branch, facts[branch.place.name]) for branch in branches]
        undefined = [
            branch.undefined(
                "no branch of the block gives more than zeros, so there is nothing to share"
            )
            for branch, row in zip(branches, rows, strict=True)
            if row["share"] is None
        ]
        numbers: dict[str, Any] = {
            "what": "What each branch contributes to its block, and what is lost without it.",
            "units": "shares from 0 to 1; changes of accuracy from -1 to 1, of loss in nats",
            "images": len(used.images),
            "clean": None,
            "together": [],
            "rows": rows,
            "undefined": undefined,
            "notes": limited_note(subject, used, "gmacs"),
        }
        if any(row["gate"] is not None for row in rows):
            numbers["notes"].append(
                "Gates are descriptive only: a gate can shrink while its branch's weights grow, "
                "and the network stays the same."
            )
        if reason is None:
            self._ablate(used, branches, facts, numbers)
        else:
            undefined.append({"block": "all", "branch": "all", "reason": f"ablation: {reason}"})
        return numbers | {"summary": _summary(numbers)}

    def _ablate(
        self,
        used: Subject,
        branches: list[BranchPlace],
        facts: Mapping[str, BranchFacts],
        numbers: dict[str, Any],
    ) -> None:
        """Add what is lost without each branch, and without all of a name."""
        means = {b.module: facts[b.place.name].mean(b.index) for b in branches}
        names = sorted({b.name for b in branches})
        groups = [{b.module: means[b.module] for b in branches if b.name == n} for n in names]
        alone = [(b.place, {b.module: means[b.module]}) for b in branches]
        whole, single, together = ablate(used, alone, groups)
        right = proportion(sum(whole.right), len(whole.right))
        loss = float(np.mean(whole.loss))
        numbers["clean"] = right.named("accuracy") | {"loss": loss}
        for row, reading in zip(numbers["rows"], single, strict=True):
            row |= _change(whole, reading)
        numbers["together"] = [
            {"branch": name, "blocks": len(group)} | _change(whole, reading)
            for name, group, reading in zip(names, groups, together, strict=True)
        ]
        numbers["notes"].append(
            "Ablation tells what this network, as trained, does without a branch; trained without "
            "it, another network might do as well. Intervals are 95%, for new images."
        )

    def draw(self, numbers: Mapping[str, Any], figure: "Figure") -> None:
        """Shares, gates and sizes by block; below, accuracy without each branch."""
        from matplotlib.lines import Line2D

        rows: _Rows = numbers["rows"]
        blocks = list(dict.fromkeys(row["block"] for row in rows))
        at = {block: i for i, block in enumerate(blocks)}
        labels = list({row["block"]: block_label(row) for row in rows}.values())
        shared = [row for row in rows if row["share"] is not None and len(rows) > len(blocks)]
        gated = [row for row in rows if row["gate"] is not None]
        ablated = bool(numbers["together"])
        panels = [
            (_draw_shares, shared),
            (_draw_gates, gated),
            (_draw_updates, rows),
            (_draw_ablation, rows if ablated else []),
        ]
        panels = [(draw, panel_rows) for draw, panel_rows in panels if panel_rows]
        together: _Rows = numbers["together"]
        heights = [2.0] * len(panels) + [0.7 + 0.25 * len(together)] * ablated
        figure.set_size_inches(8, sum(heights) + 0.6)
        figure.set_layout_engine("constrained")
        grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
        style = looks(row["branch"] for row in rows)
        for index, (draw, panel_rows) in enumerate(panels):
            axes = figure.add_subplot(grid[index])
            draw(axes, panel_rows, at, style)
            name_blocks(axes, labels)
            axes.spines[["top", "right"]].set_visible(False)
            if index == len(panels) - 1:
                axes.set_xlabel("block (stage.index, from 0)")
        if ablated:
            _draw_together(figure.add_subplot(grid[len(panels)]), together, style)
        handles = [
            Line2D([], [], color=colour, marker=marker, lw=5, ms=7, mec="white", label=name)
            for name, (colour, marker) in style.items()
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=4, frameon=False)


def _summary(numbers: Mapping[str, Any]) -> str:
    """What is lost without each branch, where that is known; else its mean share."""
    losses = [
        f"without {row['branch']} {_in_points(row['accuracy_change'])} points "
        f"[{_in_points(row['accuracy_change_low'])}, {_in_points(row['accuracy_change_high'])}]"
        for row in numbers["together"]
    ]
    if losses:
        return "; ".join(losses)
    shares: dict[str, list[float]] = defaultdict(list)
    for row in numbers["rows"]:
        if row["share"] is not None:
            shares[row["branch"]].append(row["share"])
    means = [f"{name} {fmean(values):.2f}" for name, values in sorted(shares.items())]
    return f"mean share of the block's sum: {', '.join(means)}" if means else ""


def _in_points(change: float) -> str:
    return f"{100 * change:+.1f}"


def _row(branch: BranchPlace, facts: BranchFacts) -> dict[str, Any]:
    row = branch.named
    row |= _shares("share", facts.norms, branch.index)
    row |= _shares("joined_share", facts.joined, branch.index)
    row |= mean_interval(facts.update).named("update")
    weights = facts.gates[branch.index]
    flat = torch.cat([w.flatten() for w in weights]) if weights else None
    row["gate"] = None if flat is None else float(flat.mean())
    row["gate_spread"] = None if flat is None else float(flat.std(correction=0))
    return row


def _shares(name: str, norms: list[list[float]], index: int) -> dict[str, float | None]:
    """The share of one branch: mean over images and interval; None if there is none."""
    norms_nN = np.array(norms)
    total_N = norms_nN.sum(axis=0)
    some_N = total_N > 0
    if not some_N.any():
        return {name: None, f"{name}_low": None, f"{name}_high": None}
    share = mean_interval(norms_nN[index, some_N] / total_N[some_N])
    inside = Estimate(share.value, max(0.0, share.low), min(1.0, share.high))
    return dict(inside.named(name))


def _change(whole: AblationScores, reading: AblationScores) -> dict[str, Any]:
    """What an ablation changes. Logits that do not move leave no doubt: no interval is needed."""
    none = Estimate(0.0, 0.0, 0.0)
    accuracy = paired_change(whole.right, reading.right) if reading.moved else none
    loss = mean_interval(np.subtract(reading.loss, whole.loss))
    return (
        accuracy.named("accuracy_change")
        | loss.named("loss_change")
        | {"largest_logit_change": reading.moved}
    )


def _passes(branches: list[BranchPlace], reason: str | None) -> float:
    """How often the network is run as a whole: blocks late in it cost little."""
    if reason is not None:
        return 1.0
    order: dict[str, int] = defaultdict(lambda: len(order))
    position = [order[b.place.name] for b in branches]
    rest = sum(1 - p / len(order) for p in position)
    return 2 + len({b.name for b in branches}) + rest


def _draw_shares(axes: "Axes", rows: _Rows, at: Mapping[str, int], style: _Style) -> None:
    bottom = dict.fromkeys(at, 0.0)
    joined = all(row["joined_share"] is not None for row in rows)
    for row in rows:
        share = row["joined_share" if joined else "share"]
        place = row["block"]
        axes.bar(
            at[place], share, 0.8, bottom=bottom[place], color=style[row["branch"]][0], ec="white"
        )
        bottom[place] += share
    axes.set_ylim(0, 1)
    axes.set_ylabel("norm share\n" + ("in the sum" if joined else "into the fusion"))


def _draw_gates(axes: "Axes", rows: _Rows, at: Mapping[str, int], style: _Style) -> None:
    _points(axes, rows, at, style, "gate", lambda row: [[row["gate_spread"]]] * 2)
    axes.axhline(1, color=GREY, lw=0.8)
    axes.set_ylabel("gate: mean, spread\n(descriptive)")


def _draw_updates(axes: "Axes", rows: _Rows, at: Mapping[str, int], style: _Style) -> None:
    for block, row in {row["block"]: row for row in rows}.items():
        error = margins(row, "update")
        axes.errorbar(at[block], row["update"], error, fmt="o", ms=4, color="black", capsize=2)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("update of\nthe block")


def _draw_ablation(axes: "Axes", rows: _Rows, at: Mapping[str, int], style: _Style) -> None:
    _points(axes, rows, at, style, "accuracy_change", lambda row: margins(row, "accuracy_change"))
    axes.axhline(0, color=GREY, lw=0.8)
    axes.set_ylabel("accuracy change\nwithout the branch")
    in_percent(axes.yaxis)


def _draw_together(axes: "Axes", together: _Rows, style: _Style) -> None:
    for i, row in enumerate(reversed(together)):
        colour, marker = style[row["branch"]]
        value, error = row["accuracy_change"], margins(row, "accuracy_change")
        axes.errorbar(value, i, xerr=error, fmt=marker, ms=5, capsize=2, color=colour)
    axes.axvline(0, color=GREY, lw=0.8)
    names = [f"{row['branch']} ({row['blocks']} blocks)" for row in reversed(together)]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlabel("accuracy change without all branches of a name, 95% interval")
    in_percent(axes.xaxis)
    axes.spines[["top", "right"]].set_visible(False)


def _points(
    axes: "Axes", rows: _Rows, at: Mapping[str, int], style: _Style, name: str, errors: Any
) -> None:
    """A point a branch with its interval, the branches of a block side by side."""
    for row, x in side_by_side(rows, at):
        colour, marker = style[row["branch"]]
        axes.errorbar(x, row[name], errors(row), fmt=marker, ms=4, capsize=2, color=colour)
