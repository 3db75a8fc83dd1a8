"""`occlusion`: how much a token changes when a patch at some distance comes from another image."""

from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hybrid_swin.errors import InputError
from hybrid_swin.inspection.measures.branch_hooks import block_maps
from hybrid_swin.inspection.measures.gradient_fields import distances
from hybrid_swin.inspection.measures.intervals import mean_interval
from hybrid_swin.inspection.measures.sampling import limited_note, subset
from hybrid_swin.inspection.methods import Inspection, Place, Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PATCHES_A_SIDE = 14  # of the image, where nothing else is asked


class Occlusion(Inspection):
    """Influence by distance, for the output tokens of every block.

    ``I(d) = E ‖z_t(x) - z_t(x')‖`` where x' is x with one patch from another image, at the same
    place, and d is the distance from the middle of the patch to the middle of the token t. One
    changed image gives the influence on all tokens at once, so the mean is over images, patches
    and tokens. ``relative`` is I(d) over the mean length of a token. Influence is exactly 0 where
    the patch is out of the token's reach (``untouched`` is the share of such tokens).

    Unlike a gradient this speaks of changes as large as those between images. The source covers a
    patch with grey, and looks at the class's probability and at feature maps.

    Args:
        images: so many of the subject's images, drawn by its seed, are changed; intervals are over
            images.
        patches: changed places an image, one at a time.
        patch: pixels per side, a multiple of the variant's patch_size; 0 takes a 14th of the image.

    Source: after Visualizing and Understanding Convolutional Networks, 2013, section 4.2,
    https://arxiv.org/abs/1311.2901
    """

    def __init__(self, images: int = 16, patches: int = 2, patch: int = 0) -> None:
        for name, number, least in (("images", images, 2), ("patches", patches, 1)):
            if number < least:
                raise InputError(f"occlusion: {name} must be at least {least}; got {number}")
        if patch < 0:
            raise InputError(f"occlusion: patch must be at least 0 pixels; got {patch}")
        self.images, self.patches, self.patch = images, patches, patch

    def measure(self, subject: Subject) -> dict[str, Any]:
        """One row for each block and distance; in ``blocks`` the mean distance and the reach."""
        used = subset(subject, self.images)
        count = len(used.images)
        if count < 2:
            raise InputError("occlusion takes patches from other images; give at least 2 images")
        side = self._side(used)
        places = used.blocks()
        curves = [_Curve(place, side) for place in places]
        generator = np.random.default_rng(used.seed)
        unchanged = 0
        with torch.no_grad():
            for start in range(0, count, used.batch_size):
                chosen = np.arange(start, min(start + used.batch_size, count))
                clean_BCHW = used.images[chosen]
                clean = block_maps(used, clean_BCHW)
                for _ in range(self.patches):
                    changed_BCHW, corners = _replace(used, chosen, side, generator)
                    differs = (changed_BCHW != clean_BCHW).flatten(1).any(dim=1).numpy()
                    unchanged += int((~differs).sum())
                    changed = block_maps(used, changed_BCHW)
                    for curve, before, after in zip(curves, clean, changed, strict=True):
                        curve.add(chosen, before, after, corners, differs)
        if unchanged == count * self.patches:
            raise InputError("all images are alike where patches were exchanged; give other images")
        notes = limited_note(subject, used, "images")
        if unchanged:
            notes.append(
                f"{unchanged} of {count * self.patches} exchanged patches were alike in both "
                "images and do not count."
            )
        blocks = [curve.block() for curve in curves]
        return {
            "what": "How much a token changes when a patch at some distance comes from another "
            "image.",
            "units": "pixels; influence over the mean length of a token",
            "images": count,
            "patch": side,
            "rows": [row for curve in curves for row in curve.rows()],
            "blocks": blocks,
            "undefined": [],
            "notes": notes,
            "summary": "mean distance of influence: "
            + "; ".join(
                f"stage {last['stage']}: {last['mean_distance']:.0f} px"
                for last in {block["stage"]: block for block in blocks}.values()
            ),
        }

    def draw(self, numbers: Mapping[str, Any], figure: "Figure") -> None:
        """Influence against distance, a panel per stage, a line per block, without exact zeros."""
        import matplotlib

        rows = numbers["rows"]
        stages = sorted({row["stage"] for row in rows})
        figure.set_size_inches(max(4.6, 3.1 * len(stages) + 0.6), 3.6)
        axes = figure.subplots(1, len(stages), squeeze=False, sharey=True)[0]
        colours = matplotlib.colormaps["viridis"]
        for axis, stage in zip(axes, stages, strict=True):
            here = [row for row in rows if row["stage"] == stage]
            names = list(dict.fromkeys(row["block"] for row in here))
            for index, name in enumerate(names):
                points = [row for row in here if row["block"] == name and row["relative"] > 0]
                colour = colours(0.9 * index / max(1, len(names) - 1))
                at = [row["distance"] for row in points]
                low = [max(row["relative_low"], row["relative"] * 1e-2) for row in points]
                high = [row["relative_high"] for row in points]
                value = [row["relative"] for row in points]
                label = f"block {index}: {points[0]['word'] if points else ''}"
                axis.plot(at, value, "o-", ms=3, color=colour, label=label)
                axis.fill_between(at, low, high, color=colour, alpha=0.15)
            axis.set_yscale("log")
            axis.set_title(f"stage {stage}", fontsize=10)
            axis.set_xlabel("distance from the patch (pixels)")
            axis.set_xlim(left=0)
            axis.grid(color="#dddddd", linewidth=0.6)
            axis.legend(fontsize=7)
        axes[0].set_ylabel("change over a token's length")
        figure.set_layout_engine("tight")

    def _side(self, subject: Subject) -> int:
        """Pixels a side of the exchanged patch: whole input tokens, so that none is cut."""
        unit, shorter = subject.model.patch_embed.patch_size, min(subject.images.shape[-2:])
        if shorter < unit:
            height, width = subject.images.shape[-2:]
            raise InputError(
                f"occlusion exchanges patches of whole tokens, {unit} x {unit} pixels (patch_size) "
                f"at least; got images of {height} x {width}; give larger images"
            )
        if not self.patch:
            return int(unit * max(1, round(shorter / unit / _PATCHES_A_SIDE)))
        if self.patch % unit or self.patch > shorter:
            raise InputError(
                f"occlusion: patch {self.patch} must be a multiple of patch_size {unit} and at "
                f"most {shorter // unit * unit} pixels"
            )
        return self.patch


class _Curve:
    """Collects the influence on the tokens of one block, by image and distance."""

    def __init__(self, place: Place, patch: int) -> None:
        self._place = place
        self._step = max(place.stride, patch)  # of distance
        self._patch = patch
        # By step of distance: means by image, shares of tokens without change, mean distances.
        self._values: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        self._still: dict[int, list[float]] = defaultdict(list)
        self._at: dict[int, list[float]] = defaultdict(list)
        self._lengths: list[float] = []
        self._weighted, self._total, self._farthest = 0.0, 0.0, 0.0

    def add(
        self,
        images: NDArray[np.int64],
        before: Tensor,
        after: Tensor,
        corners: NDArray[np.int64],
        differs: NDArray[np.bool_],
    ) -> None:
        """Read the maps (B, H, W, C) of images before and after patches at ``corners`` (B, 2)."""
        influence_BHW = (after - before).cpu().double().norm(dim=-1).numpy()
        # A difference whose square underflows is one all the same.
        touched_BHW = (after != before).any(dim=-1).cpu().numpy()
        self._lengths += before.cpu().double().norm(dim=-1).mean(dim=(1, 2)).tolist()
        for index in np.flatnonzero(differs):
            far = token_distances(self._place, corners[index], self._patch)
            self._add_one(int(images[index]), influence_BHW[index], touched_BHW[index], far)

    def _add_one(
        self,
        image: int,
        influence: NDArray[np.float64],
        touched: NDArray[np.bool_],
        far: NDArray[np.float64],
    ) -> None:
        steps = np.floor(far / self._step + 0.5).astype(int)
        for step in np.unique(steps).tolist():
            here = steps == step
            self._values[step][image].append(float(influence[here].mean()))
            self._still[step].append(float(1 - touched[here].mean()))
            self._at[step].append(float(far[here].mean()))
        self._weighted += float((influence * far).sum())
        self._total += float(influence.sum())
        if touched.any():
            self._farthest = max(self._farthest, float(far[touched].max()))

    def block(self) -> dict[str, Any]:
        """Distances of the block as a whole."""
        return self._place.named | {
            "mean_distance": self._weighted / self._total if self._total else 0.0,
            "farthest": self._farthest,
        }

    def rows(self) -> list[dict[str, Any]]:
        """One row a distance."""
        length = float(np.mean(self._lengths))
        rows = []
        for step in sorted(self._values):
            by_image = [float(np.mean(means)) for means in self._values[step].values()]
            estimate = mean_interval(by_image)
            rows.append(
                self._place.named
                | {
                    "distance": float(np.mean(self._at[step])),
                    "from": max(0.0, (step - 0.5) * self._step),
                    "to": (step + 0.5) * self._step,
                    **estimate.named("influence"),
                    "relative": estimate.value / length,
                    "relative_low": estimate.low / length,
                    "relative_high": estimate.high / length,
                    "untouched": float(np.mean(self._still[step])),
                    "images": len(by_image),
                }
            )
        return rows


def token_distances(place: Place, corner: NDArray[np.int64], patch: int) -> NDArray[np.float64]:
    """Distance of every token's middle from a patch's middle, in pixels. (H, W) of the block."""
    row, column = ((at + (patch - 1) / 2 - place.middle) / place.stride for at in corner)
    return distances(place.grid, (row, column)) * place.stride


def _replace(
    subject: Subject,
    chosen: NDArray[np.int64],
    side: int,
    generator: np.random.Generator,
) -> tuple[Tensor, NDArray[np.int64]]:
    """Images with one patch from another one, and the patches' upper left corners in pixels."""
    unit = subject.model.patch_embed.patch_size
    count = len(subject.images)
    others = (chosen + generator.integers(1, count, len(chosen))) % count
    height, width = subject.images.shape[-2:]
    places = [(length - side) // unit + 1 for length in (height, width)]
    corners = np.stack([generator.integers(0, n, len(chosen)) * unit for n in places], axis=1)
    changed_BCHW = subject.images[chosen].clone()
    for index, (top, left) in enumerate(corners):
        window = (slice(None), slice(top, top + side), slice(left, left + side))
        changed_BCHW[index][window] = subject.images[others[index]][window]
    return changed_BCHW, corners
