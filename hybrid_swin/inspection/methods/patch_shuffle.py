"""`patch_shuffle`: what a network still knows when an image's patches have changed places."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast, final

from torch import Tensor

from hybrid_swin.errors import InputError
from hybrid_swin.inspection.measures.degradation import draw_curve, measured
from hybrid_swin.inspection.measures.patch_grids import check_grid, orders, shuffle, spread_grids
from hybrid_swin.inspection.methods import Inspection
from hybrid_swin.inspection.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@final
class PatchShuffle(Inspection):
    """Accuracy when the patches of a G x G grid are put into a random order, image by image.

    Reported as (accuracy - chance) / (clean accuracy - chance). What is left at a grid can be known
    from patches of that size wherever they stand: a bag of patches that are aligned with the grid
    loses nothing.

    Args:
        grids: patches a side, such as ``2-4-8``; ``auto`` takes up to four that fit the image,
            down to the size of a token.
        gmacs: billions of multiply-accumulates to spend; they limit the images, of which at least
            16 are used.

    Source: Intriguing Properties of Vision Transformers, 2021, https://arxiv.org/abs/2105.10497
    (which reports the accuracy itself, and takes one order for a whole batch); on bags of patches:
    Approximating CNNs with Bag-of-local-Features models works surprisingly well on ImageNet, 2019,
    https://arxiv.org/abs/1904.00760
    """

    needs_labels = True

    def __init__(self, grids: str = "auto", gmacs: float = 500.0) -> None:
        self.grids = grids
        self.gmacs = gmacs

    def measure(self, subject: Subject) -> dict[str, Any]:
        """Rows: one a grid, 1 (the whole image) first."""
        size = cast(tuple[int, int], tuple(subject.images.shape[-2:]))
        if self.grids == "auto":
            grids = spread_grids(size, subject.model.variant.patch_size, 4)
        else:
            grids = [check_grid(g, size, "patch_shuffle") for g in _whole_numbers(self.grids)]
        grids = [1, *sorted(set(grids) - {1})]
        steps = [
            (
                {"grid": grid, "patch_pixels": [size[0] // grid, size[1] // grid]},
                partial(_shuffle, seed=subject.seed, grid=grid),
            )
            for grid in grids
        ]
        about = {
            "what": "What is left of the accuracy when an image's patches change places.",
            "units": "share of the accuracy above chance; grid in patches a side",
        }
        return measured(
            subject, self.gmacs, about, steps, lambda row: f"{row['grid']} x {row['grid']} patches"
        )

    def draw(self, numbers: Mapping[str, Any], figure: "Figure") -> None:
        """What is left against the grid."""
        rows = numbers["rows"]

        def prepare(axes: "Axes") -> None:
            names = [
                "whole" if r["grid"] == 1 else f"{r['grid']} x {r['grid']}\n{_pixels(r)} px"
                for r in rows
            ]
            axes.set_xticks(range(len(rows)), names)
            axes.set_xlabel("patches that are shuffled, and their size")

        draw_curve(numbers, figure, range(len(rows)), prepare)


def _shuffle(images: Tensor, indices: range, seed: int, grid: int) -> Tensor:
    return shuffle(images, orders(seed, grid, indices), grid)


def _pixels(row: Mapping[str, Any]) -> str:
    height, width = row["patch_pixels"]
    return str(height) if height == width else f"{height} x {width}"


def _whole_numbers(text: str) -> list[int]:
    parts = text.split("-")
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        raise InputError(
            f"patch_shuffle: grids {text!r} is not a list of whole numbers; write 2-4-8, or auto"
        )
    return [int(part) for part in parts]
