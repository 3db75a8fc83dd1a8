"""Accuracy of a network on images that are degraded step by step, and the curve's figure."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from hybrid_swin.inspection.measures.intervals import Estimate, proportion, relative_accuracy
from hybrid_swin.inspection.measures.sampling import (
    affordable,
    limited_note,
    subset,
    why_no_accuracy,
)
from hybrid_swin.inspection.palette import COLOURS, GREY, in_percent
from hybrid_swin.inspection.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Degrade = Callable[[Tensor, range], Tensor]
"""Images (B, C, H, W) and their indices among the subject's, to images of the same shape."""


@torch.no_grad()
def read(subject: Subject, degrade: Degrade | None) -> list[bool]:
    """Whether each image is classified rightly, degraded or, with None, as it is."""
    right: list[bool] = []
    for images, labels in subject.batches():
        if labels is None:
            raise ValueError("accuracy needs labels")
        start = len(right)
        if degrade is not None:
            images = degrade(images, range(start, start + len(images)))
        right += (subject.model(images).argmax(dim=1) == labels).tolist()
    return right


def curve(subject: Subject, steps: Sequence[tuple[Mapping[str, Any], Degrade]]) -> dict[str, Any]:
    """``rows`` (the clean images first), ``undefined``, ``chance`` and ``images``.

    Each row holds what names its step, ``accuracy`` and ``relative`` = (accuracy - chance) /
    (clean accuracy - chance), each with its 95% interval. Chance is 1 / classes. Nothing is
    degraded where the clean accuracy is not beyond doubt above chance and above what always
    answering the commonest class of these images gets: what is there to lose?

    ``steps`` are what names each step, and what it does to images. The first changes nothing.
    """
    numbers: dict[str, Any] = {
        "images": len(subject.images), "chance": None, "rows": [], "undefined": []
    }  # fmt: skip
    reason = why_no_accuracy(subject)
    if reason is None:
        chance = 1 / subject.model.num_classes
        clean = read(subject, None)
        accuracy = proportion(sum(clean), len(clean))
        numbers |= {"chance": chance, "clean": accuracy.named("accuracy")}
        commonest = float(cast(Tensor, subject.labels).bincount().max()) / len(subject.images)
        if accuracy.low > max(chance, commonest):
            whole = Estimate(1.0, 1.0, 1.0)
            for index, (name, degrade) in enumerate(steps):
                after = read(subject, degrade) if index else clean
                left = relative_accuracy(clean, after, chance) if index else whole
                share = proportion(sum(after), len(after))
                numbers["rows"].append(
                    dict(name) | share.named("accuracy") | left.named("relative")
                )
            return numbers
        reason = (
            f"the accuracy on whole images, {accuracy.value:.3f} (95% from {accuracy.low:.3f}), is "
            f"not surely above chance, {chance:.3f}"
        )
        if commonest > chance:
            reason += f", and above always answering the commonest class, {commonest:.3f}"
    numbers["undefined"].append({"block": None, "branch": None, "reason": reason})
    return numbers


def measured(
    subject: Subject,
    gmacs: float,
    about: Mapping[str, Any],
    steps: Sequence[tuple[Mapping[str, Any], Degrade]],
    name: Callable[[Mapping[str, Any]], str],
) -> dict[str, Any]:
    """The numbers of an inspection whose rows are a curve.

    Billions of multiply-accumulates limit the images; ``name`` is a row's in the summary.
    """
    used = subset(subject, affordable(subject, gmacs, len(steps)))
    numbers = curve(used, steps)
    parts = [f"{name(row)} {row['relative']:.2f}" for row in numbers["rows"][1:]]
    summary = f"left of the accuracy above chance: {', '.join(parts)}" if parts else ""
    notes = limited_note(subject, used, "gmacs")
    return {**about, **numbers, "summary": summary, "notes": notes}


def draw_curve(
    numbers: Mapping[str, Any],
    figure: "Figure",
    places: Sequence[float],
    prepare: Callable[["Axes"], None],
) -> None:
    """What is left of the accuracy, with its interval; on the right, the accuracy itself."""
    figure.set_layout_engine("constrained")
    figure.set_size_inches(6, 4)
    axes = figure.add_subplot()
    rows = numbers["rows"]
    values, lows, highs = ([row[f"relative{end}"] for row in rows] for end in ("", "_low", "_high"))
    axes.fill_between(places, lows, highs, color=COLOURS[0], alpha=0.2, lw=0, label="95% interval")
    axes.plot(places, values, "o-", color=COLOURS[0])
    axes.axhline(0, color=GREY, lw=0.8)
    axes.axhline(1, color=GREY, lw=0.8, ls=":")
    axes.set_ylabel("accuracy above chance that is left")
    axes.set_ylim(min(-0.05, *lows), max(1.05, *highs))
    prepare(axes)
    chance, clean = numbers["chance"], rows[0]["accuracy"]
    right = axes.secondary_yaxis(
        "right",
        functions=(
            lambda left: chance + (clean - chance) * left,
            lambda accuracy: (accuracy - chance) / (clean - chance),
        ),
    )
    right.set_ylabel("accuracy")
    in_percent(right.yaxis)
    axes.spines["top"].set_visible(False)
    axes.set_title(f"{numbers['images']} images; chance {100 * chance:.3g}%", fontsize="medium")
    axes.legend(frameon=False)
