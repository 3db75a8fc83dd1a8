"""`receptive_field`: how far around itself a token looks, by stage."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hybrid_swin.cost import Grid
from hybrid_swin.errors import InputError
from hybrid_swin.inspection.measures.gradient_fields import (
    Map,
    gradient_mass,
    mass_deviations,
    mass_radii,
    pooled,
    token_centre,
    unit_vectors,
)
from hybrid_swin.inspection.measures.sampling import limited_note, subset
from hybrid_swin.inspection.measures.token_support import Supports, pixel_box
from hybrid_swin.inspection.methods import Inspection, Place, Subject
from hybrid_swin.inspection.palette import COLOURS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELLS = 56  # a side of the maps that are kept
_DECADES = 4  # of the colour scale
_BATCH = 4  # images at once: a pass with gradients keeps every activation


class ReceptiveField(Inspection):
    """Effective receptive field: where the gradient of one token of each stage lies in the image.

    ``R(p) = E_x Σ_c |∂⟨v, z_t(x)⟩/∂x_{c,p}|`` with z_t a token behind the stage's last block and v
    a random unit vector for each image. Reported are the radii around the token's middle that hold
    50% and 90% of the mass, its standard deviation by axis, and the exact support: the pixels that
    can influence the token at all, whatever the weights.

    The source takes the gradient of one output, and counts the pixels whose share is not small
    beside the middle's; radii of mass need no threshold.

    Args:
        images: so many of the subject's images, drawn by its seed, are averaged.
        row: where the token stands, as a share of the map's height.
        column: the same of its width.

    Source: after Understanding the Effective Receptive Field in Deep Convolutional Neural Networks,
    2016, https://arxiv.org/abs/1701.04128
    """

    def __init__(self, images: int = 8, row: float = 0.5, column: float = 0.5) -> None:
        if images < 1:
            raise InputError(f"receptive_field: images must be at least 1; got {images}")
        for name, share in (("row", row), ("column", column)):
            if not 0 <= share <= 1:
                raise InputError(f"receptive_field: {name} must be from 0 to 1; got {share:g}")
        self.images, self.row, self.column = images, row, column

    def measure(self, subject: Subject) -> dict[str, Any]:
        """One row per stage: radii and deviations in pixels, support, and the map itself."""
        used = subset(subject, self.images)
        places = list({place.stage: place for place in used.blocks()}.values())  # the last of each
        tokens = [self._token(place.grid) for place in places]
        masses = _gradient_masses(used, tokens)
        size = (subject.images.shape[-2], subject.images.shape[-1])
        supports = Supports(subject.model, places[0].grid, subject.seed)
        rows, undefined = [], []
        for place, token, mass in zip(places, tokens, masses, strict=True):
            support = supports.of(place.stage, token)
            box = pixel_box(support, subject.model.variant, size)
            if not mass.sum():
                reason = "its gradient is zero everywhere"
                undefined.append({"block": place.name, "branch": "", "reason": reason})
                continue
            rows.append(_row(place, token, mass, box))
        return {
            "what": "Where in the image the gradient of one token of each stage lies.",
            "units": "pixels; shares of the gradient's mass",
            "image_size": list(size),
            "images": len(used.images),
            "rows": rows,
            "undefined": undefined,
            "notes": limited_note(subject, used, "images") + _notes(rows, size),
            "summary": "; ".join(
                f"stage {row['stage']}: half of the gradient within {row['radius_50']:.0f} px, 90% "
                f"within {row['radius_90']:.0f} px, {row['support']['share']:.0%} of the pixels in "
                "reach"
                for row in rows
            ),
        }

    def draw(self, numbers: Mapping[str, Any], figure: "Figure") -> None:
        """A heat map a stage, with the circles of 50% and 90% and the box of the support."""
        from matplotlib.colors import LogNorm
        from matplotlib.patches import Circle, Rectangle

        rows = numbers["rows"]
        height, width = numbers["image_size"]
        figure.set_size_inches(max(4.6, 2.9 * len(rows) + 1.0), 3.6)
        figure.set_layout_engine("constrained")
        axes = figure.subplots(1, len(rows), squeeze=False)[0]
        norm = LogNorm(10.0**-_DECADES, 1)
        for axis, row in zip(axes, rows, strict=True):
            mass = np.array(row["map"])
            mass = np.ma.masked_less_equal(mass / mass.max(), 0)
            cells, side = mass.shape, row["cell"]
            extent = (-0.5, cells[1] * side - 0.5, cells[0] * side - 0.5, -0.5)
            image = axis.imshow(
                mass.clip(10.0**-_DECADES), norm=norm, cmap="viridis", extent=extent
            )
            for share, style in ((50, "-"), (90, "--")):
                circle = Circle(row["centre"][::-1], row[f"radius_{share}"], fill=False, ec="white")
                circle.set(ls=style, lw=1.4, label=f"{share}% of the mass")
                axis.add_patch(circle)
            (top, bottom), (left, right) = row["support"]["rows"], row["support"]["columns"]
            box = Rectangle((left - 0.5, top - 0.5), right - left + 1, bottom - top + 1, fill=False)
            box.set(ec=COLOURS[1], lw=2, ls=":", label="support", clip_on=False)
            axis.add_patch(box)
            axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), xlabel="column (pixels)")
            axis.set_facecolor("#dddddd")
            axis.set_title(
                f"stage {row['stage']}: 50% in {row['radius_50']:.1f}, 90% in "
                f"{row['radius_90']:.1f} px",
                fontsize=9,
            )
        axes[0].set_ylabel("row (pixels)")
        figure.colorbar(image, ax=list(axes), label="gradient over its largest", shrink=0.8)
        handles, labels = axes[0].get_legend_handles_labels()
        legend = figure.legend(
            handles, labels, loc="outside lower center", ncols=3, fontsize=8, facecolor="#888888"
        )
        for text in legend.get_texts():
            text.set_color("white")

    def _token(self, grid: Grid) -> Grid:
        row, column = (
            min(int(share * side), side - 1)
            for share, side in zip((self.row, self.column), grid, strict=True)
        )
        return row, column


def _gradient_masses(subject: Subject, tokens: list[Grid]) -> list[Map]:
    """R of one token of each stage, summed over images."""
    generator = torch.Generator().manual_seed(subject.seed)
    masses: list[Map] = []
    for start in range(0, len(subject.images), _BATCH):
        chosen = subject.images[start : start + _BATCH]
        images = chosen.to(subject.device).requires_grad_()
        with torch.enable_grad():
            maps: Any = subject.model.forward_intermediates(
                images, output_fmt="NHWC", intermediates_only=True
            )
        batch = []
        for stage, (out, token) in enumerate(zip(maps, tokens, strict=True)):
            directions = unit_vectors(len(images), out.shape[-1], generator).to(out)
            keep = stage + 1 < len(tokens)
            batch.append(gradient_mass(images, out, token, directions, keep))
        masses = [a + b for a, b in zip(masses, batch, strict=True)] if masses else batch
    return masses


def _row(place: Place, token: Grid, mass: Map, support: dict[str, Any]) -> dict[str, Any]:
    centre = token_centre(token, place.stride, place.middle)
    half, most = mass_radii(mass, centre, (0.5, 0.9))
    deviations = mass_deviations(mass)
    cells, side = pooled(mass / mass.sum(), _CELLS)
    return {
        "stage": place.stage,
        "block": place.name,
        "token": list(token),
        "centre": list(centre),
        "stride": place.stride,
        "radius_50": half,
        "radius_90": most,
        "deviation_rows": deviations[0],
        "deviation_columns": deviations[1],
        "support": support,
        "cell": side,
        "map": [[float(f"{value:.5g}") for value in line] for line in cells.tolist()],
    }


def _notes(rows: list[dict[str, Any]], size: Grid) -> list[str]:
    notes = ["The image's border cuts a field off: radii are of what lies inside of the image."]
    if any(row["support"]["share"] == 1 for row in rows):
        notes.append(
            "A support of 100% says that every pixel can have some influence, not that it has much."
        )
    if any(side % 2 == 0 for side in size):
        notes.append("On an even grid no token is in the middle; distances are from the token's.")
    return notes
