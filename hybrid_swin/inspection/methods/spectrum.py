"""`spectrum`: which spatial frequencies a branch lets pass, and its share of high ones."""

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
from hybrid_swin.inspection.subject import BranchPlace, Subject
from hybrid_swin.network.branches._window_attention import WindowAttention

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@final
class Spectrum(Inspection):
    """Transfer by radial frequency of every branch, and its share of high frequencies.

    ``T(f) = E log|F(out)| - E log|F(in)|`` over images and channels, averaged over rings of equal
    frequency; the share is the power above pi/2 over all power but that of frequency 0. Input and
    output are those of the branch itself: without residual and, but for a norm of its own, norms.

    Windows of M tokens repeat along an axis with period p = M; strided ones (`grid`) with p = H/M,
    H the padded side. This shows as peaks at the multiples of 2 pi / p (dips, where attention just
    averages over a window): ``tiling_excess`` is how far T rises there above what lies between. An
    axis counts where whole periods, more than one, tile it; None where none does.

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
        from hybrid_swin.inspection.figures.spectrum import draw_spectrum

        draw_spectrum(numbers, figure)


def _summary(rows: list[dict[str, Any]]) -> str:
    shares: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in rows:
        shares[row["branch"]].append((row["high_share_in"], row["high_share_out"]))
    said = [
        f"{name} {fmean(i for i, _ in pairs):.2f} to {fmean(o for _, o in pairs):.2f}"
        for name, pairs in sorted(shares.items())
    ]
    return f"power above half the highest frequency, in to out: {', '.join(said)}" if said else ""


class _Seen:
    """Sums over images for one branch."""

    def __init__(self) -> None:
        self.transfer: Tensor | float = 0.0  # (H, W), summed over images
        self.count = 0
        self.shares: tuple[list[float], list[float]] = ([], [])

    def add(self, x_BHWC: Tensor, y_BHWC: Tensor) -> None:
        """Note one batch; images without a spectrum (all zero) are left out."""
        power_in, power_out = fourier.power(x_BHWC.float()), fourier.power(y_BHWC.float())
        difference = fourier.log_amplitude(power_out) - fourier.log_amplitude(power_in)
        fine = difference.isfinite().all(dim=(1, 2))
        self.transfer = self.transfer + difference[fine].sum(dim=0, dtype=torch.float64)
        self.count += int(fine.sum())
        for shares, power in zip(self.shares, (power_in, power_out), strict=True):
            share = fourier.high_share(power)
            shares += share[share.isfinite()].tolist()

    def row(self, branch: BranchPlace) -> dict[str, Any] | None:
        """The numbers, or None where no image has a spectrum."""
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
