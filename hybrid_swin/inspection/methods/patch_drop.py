"""`patch_drop`: what a network still knows when patches of an image are covered."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, cast, final

from torch import Tensor

from hybrid_swin.errors import InputError
from hybrid_swin.inspection.measures.degradation import draw_curve, measured
from hybrid_swin.inspection.measures.patch_grids import check_grid, cover, fitting_grids, orders
from hybrid_swin.inspection.methods import Inspection
from hybrid_swin.inspection.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_USUAL = 14  # patches a side: 16 pixels each at 224


@final
class PatchDrop(Inspection):
    """Accuracy when a share of an image's patches is filled with the images' mean colour.

    Reported as (accuracy - chance) / (clean accuracy - chance). Patches are drawn at random, image
    by image; what is covered at a share stays covered at the larger ones.

    Args:
        shares: of the patches that are covered, such as ``0.25-0.5``, between 0 and 1.
        grid: patches a side; 0 takes what fits the image and is nearest to 14.
        gmacs: billions of multiply-accumulates to spend; they limit the images, of which at least
            16 are used.

    Source: Intriguing Properties of Vision Transformers, 2021, https://arxiv.org/abs/2105.10497
    (which makes patches black, reports the accuracy itself, and draws anew for each share)
    """

    needs_labels = True

    def __init__(
        self, shares: str = "0.25-0.5-0.75-0.9", grid: int = 0, gmacs: float = 500.0
    ) -> None:
        self.shares = shares
        self.grid = grid
        self.gmacs = gmacs

    def measure(self, subject: Subject) -> dict[str, Any]:
        """Rows: one a share, 0 (the whole image) first."""
        size = cast(tuple[int, int], tuple(subject.images.shape[-2:]))
        token = subject.model.variant.patch_size
        grid = self.grid or min(fitting_grids(size, token), key=lambda grid: abs(grid - _USUAL))
        check_grid(grid, size, "patch_drop")
        counts = {0} | {round(share * grid**2) for share in _shares(self.shares)}
        fill = subject.images.mean(dim=(0, 2, 3))
        steps = [
            (
                {"share": count / grid**2, "patches": count},
                partial(_cover, seed=subject.seed, grid=grid, count=count, fill=fill),
            )
            for count in sorted(counts)
        ]
        about = {
            "what": "What is left of the accuracy when patches are covered by the mean colour.",
            "units": "share of the accuracy above chance; share of the patches covered",
            "grid": grid,
            "patch_pixels": [size[0] // grid, size[1] // grid],
        }
        return measured(
            subject, self.gmacs, about, steps, lambda row: f"{row['share']:.0%} covered"
        )

    def draw(self, numbers: Mapping[str, Any], figure: "Figure") -> None:
        """What is left against the share that is covered."""

        def prepare(axes: "Axes") -> None:
            height, width = numbers["patch_pixels"]
            axes.set_xlabel(f"share of the patches of {height} x {width} pixels that is covered")
            axes.set_xlim(-0.02, 1.02)

        draw_curve(numbers, figure, [row["share"] for row in numbers["rows"]], prepare)


def _cover(
    images: Tensor, indices: range, seed: int, grid: int, count: int, fill: Tensor
) -> Tensor:
    return cover(images, orders(seed, grid, indices), grid, count, fill)


def _shares(text: str) -> list[float]:
    try:
        shares = [float(part) for part in text.split("-")]
    except ValueError:
        shares = [-1.0]
    if not all(0 < share < 1 for share in shares):
        raise InputError(
            f"patch_drop: shares {text!r} is not a list of numbers between 0 and 1; "
            "write it as 0.25-0.5"
        )
    return shares
