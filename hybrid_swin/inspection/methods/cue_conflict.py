"""`cue_conflict`: does a network follow the texture or the arrangement where they disagree?"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from hybrid_swin.data.sources.cue_conflict import CLASS_NAMES, MODES, CueConflictSource, Mode
from hybrid_swin.errors import InputError
from hybrid_swin.inspection.measures.intervals import proportion
from hybrid_swin.inspection.methods import Inspection
from hybrid_swin.inspection.palette import COLOURS, GREY, in_percent, margins
from hybrid_swin.inspection.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TURN = 6  # images in which all pairs of classes come once
_MODE_NAMES = {
    "agree": "both\nagree",
    "texture": "texture\nalone",
    "arrangement": "arrangement\nalone",
    "conflict": "conflict:\nby arrangement",
}


@final
class CueConflict(Inspection):
    """Share of global decisions, n_global / (n_global + n_local), on images of conflicting cues.

    For a network that was trained on the data source ``cue_conflict``, whose images it makes
    itself: the subject's own images are not used. n_global counts the images of mode ``conflict``
    that are classified by their arrangement, n_local those by their texture; what is classified as
    neither is left out, and told. 1: only the arrangement counts, 0: only the texture. Accuracies
    with both cues and with either alone stand beside it: they tell a preference for a cue from the
    inability to see the other.

    Images are normalised by the mean and standard deviation of images whose cues agree, as in
    training.

    Args:
        images: of each mode, rounded up to a multiple of 6.
        grid: of the training's images, as all that follow: see the data source. The pixels of a
            cell follow from the size of the images.
        reach: likewise.
        side: likewise.
        margin: likewise.
        purity: likewise.
        amplitude: likewise.
        brightness: likewise.
        noise: likewise.
        seed: of the images; they are of the split ``validation``, so that a look into a network
            never reads its test images.

    Source: ImageNet-trained CNNs are biased towards texture, 2018,
    https://arxiv.org/abs/1811.12231 (shape bias, there for photographs)
    """

    def __init__(
        self,
        images: int = 600,
        grid: int = 8,
        reach: int = 5,
        side: int = 3,
        margin: int = 0,
        purity: float = 0.6,
        amplitude: float = 0.5,
        brightness: float = 1.0,
        noise: float = 0.3,
        seed: int = 0,
    ) -> None:
        if images < 1:
            raise InputError(f"cue_conflict: images must be at least 1; got {images}")
        self.images = -(-images // _TURN) * _TURN
        self.grid = grid
        self.options: dict[str, Any] = {
            "grid": grid,
            "reach": reach,
            "side": side,
            "margin": margin,
            "purity": purity,
            "amplitude": amplitude,
            "brightness": brightness,
            "noise": noise,
            "seed": seed,
        }
        self._source("agree", cell=2)  # refuse now what cannot be

    def measure(self, subject: Subject) -> dict[str, Any]:
        """Rows: all conflicting images, then by arrangement. ``modes``: accuracy of each mode."""
        numbers: dict[str, Any] = {
            "what": "Whether the arrangement or the texture decides where they disagree.",
            "units": "share of the decisions for either cue: 1 arrangement, 0 texture",
            "images": self.images,
            "modes": [],
            "rows": [],
            "undefined": [],
            "notes": [],
        }
        reason = self._why_not(subject)
        reasons = [reason] if reason else []
        if not reasons:
            predicted = self._predict(subject)
            numbers["modes"] = [
                {"mode": mode}
                | proportion(int((p == self._label(mode)).sum()), self.images).named("accuracy")
                for mode, p in predicted.items()
            ]
            if numbers["modes"][0]["accuracy_low"] > 1 / len(CLASS_NAMES):
                rows = self._rows(predicted["conflict"])
                numbers |= {"rows": rows, "summary": _summary(rows[0])}
                undecided = [row["arrangement"] for row in rows if row["global_share"] is None]
                reasons = [f"arrangement {n}: no image follows either cue" for n in undecided]
            else:
                reasons = ["the network is not surely above chance even where both cues agree"]
        numbers["undefined"] = [{"block": None, "branch": None, "reason": r} for r in reasons]
        return numbers

    def _why_not(self, subject: Subject) -> str | None:
        if not subject.trained:
            return "the network is not trained"
        if subject.class_names is None:
            return (
                "the images shown carry no class names, by which a network of cue_conflict is "
                "known; leave out --data, or give --data cue_conflict"
            )
        if subject.class_names != CLASS_NAMES:
            return (
                "the network was not trained on the data source cue_conflict (its classes are not "
                f"{', '.join(repr(name) for name in CLASS_NAMES)})"
            )
        height, width = subject.images.shape[-2:]
        if subject.images.shape[1] != 1 or height != width:
            return (
                f"images of shape {tuple(subject.images.shape[1:])}; cue_conflict makes (1, H, H)"
            )
        if height % self.grid or height // self.grid % 2:
            return (
                f"images of {height} pixels are not {self.grid} cells of an even number of pixels; "
                "give the training's grid as an option"
            )
        return None

    @torch.no_grad()
    def _predict(self, subject: Subject) -> dict[Mode, NDArray[np.int64]]:
        """The predicted class of every image of every mode."""
        index = np.arange(self.images)
        cell = subject.images.shape[-1] // self.grid
        pixels = {mode: self._source(mode, cell).images("validation", index)[0] for mode in MODES}
        mean = pixels["agree"].mean(dtype=np.float64)
        std = pixels["agree"].std(dtype=np.float64)
        predictions: dict[Mode, NDArray[np.int64]] = {}
        for mode, images in pixels.items():
            x = torch.from_numpy(((images - mean) / (std or 1)).astype(np.float32))[:, None]
            batches = torch.split(x, subject.batch_size)
            classes = [subject.model(b.to(subject.device)).argmax(dim=1).cpu() for b in batches]
            predictions[mode] = torch.cat(classes).numpy()
        return predictions

    def _rows(self, predicted: NDArray[np.int64]) -> list[dict[str, Any]]:
        cues = self._source("conflict", cell=2).cues(np.arange(self.images))
        rows = []
        for k, name in [(None, "all"), *enumerate(CLASS_NAMES)]:
            of = slice(None) if k is None else cues.arrangement == k
            rows.append(
                {"arrangement": name if k is None else name.split(" + ")[0]}
                | decisions(predicted[of], cues.arrangement[of], cues.texture[of])
            )
        return rows

    def _label(self, mode: Mode) -> NDArray[np.int64]:
        return self._source(mode, cell=2).cues(np.arange(self.images)).arrangement

    def _source(self, mode: Mode, cell: int) -> CueConflictSource:
        return CueConflictSource(mode, cell=cell, **self.options)

    def draw(self, numbers: Mapping[str, Any], figure: "Figure") -> None:
        """Accuracy by mode; below, which cue decides."""
        figure.set_layout_engine("constrained")
        figure.set_size_inches(6.5, 4.8)
        above, below = figure.subplots(2, 1)
        _draw_modes(above, numbers["modes"])
        _draw_decisions(below, numbers["rows"])


def decisions(
    predicted: NDArray[np.int64], arrangement: NDArray[np.int64], texture: NDArray[np.int64]
) -> dict[str, Any]:
    """How often either cue decides, and n_global / (n_global + n_local); None without a decision.

    Classes (N,): those that a network names, and those of the two cues, which never agree.
    """
    by_arrangement = int((predicted == arrangement).sum())
    by_texture = int((predicted == texture).sum())
    decided = by_arrangement + by_texture
    row: dict[str, Any] = {
        "images": len(predicted),
        "by_arrangement": by_arrangement,
        "by_texture": by_texture,
        "by_neither": len(predicted) - decided,
    }
    if decided:
        return row | proportion(by_arrangement, decided).named("global_share")
    return row | {"global_share": None, "global_share_low": None, "global_share_high": None}


def _summary(row: Mapping[str, Any]) -> str:
    """Of the row over all images."""
    if row["global_share"] is None:
        return "no image is classified by either cue"
    low, high = row["global_share_low"], row["global_share_high"]
    return (
        f"the arrangement decides {row['global_share']:.0%} [{low:.0%}, {high:.0%}], else the "
        f"texture; neither in {row['by_neither'] / row['images']:.0%} of the images"
    )


def _draw_modes(axes: "Axes", modes: list[Mapping[str, Any]]) -> None:
    for i, row in enumerate(modes):
        error = margins(row, "accuracy")
        axes.errorbar(i, row["accuracy"], error, fmt="o", capsize=3, color=COLOURS[0])
    axes.axhline(1 / len(CLASS_NAMES), color=GREY, lw=0.8, ls=":")
    axes.text(
        len(modes) - 0.45, 1 / len(CLASS_NAMES), "chance", color=GREY, va="bottom", ha="right"
    )
    axes.set_xticks(
        range(len(modes)), [_MODE_NAMES[row["mode"]] for row in modes], fontsize="small"
    )
    axes.set_xlim(-0.5, len(modes) - 0.4)
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel("accuracy")
    in_percent(axes.yaxis)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_decisions(axes: "Axes", rows: list[Mapping[str, Any]]) -> None:
    visible_rows = [row for row in reversed(rows) if row["global_share"] is not None]
    for i, row in enumerate(visible_rows):
        value, error = row["global_share"], margins(row, "global_share")
        colour = "black" if row["arrangement"] == "all" else COLOURS[1]
        axes.errorbar(value, i, xerr=error, fmt="o", capsize=3, color=colour)
        neither = row["by_neither"] / row["images"]
        axes.text(1.05, i, f"neither: {neither:.0%}", va="center", fontsize="small", color=GREY)
    axes.axvline(0.5, color=GREY, lw=0.8, ls=":")
    axes.set_yticks(range(len(visible_rows)), [row["arrangement"] for row in visible_rows])
    axes.set_ylim(-0.6, len(visible_rows) - 0.4)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel("decisions: texture (0) or arrangement (1), 95% interval")
    axes.spines[["top", "right"]].set_visible(False)
