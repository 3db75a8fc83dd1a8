"""`similarity`: how alike the representations of all blocks are.

Shapes: N images, D features, L layers.
"""

import math
from collections.abc import Mapping
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal, final

import torch
from torch import Tensor

from hybrid_swin.errors import InputError
from hybrid_swin.inspection.measures.branch_hooks import block_maps
from hybrid_swin.inspection.methods import Inspection
from hybrid_swin.inspection.palette import block_label
from hybrid_swin.inspection.subject import Place, Subject

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FEWEST = 4  # images, for the debiased estimate
_COLUMNS = 16384  # features at a time, so that no copy in float64 is large
_CAVEAT = (
    "CKA can be moved far without changing what the network computes (few far-off images, or "
    "directions that later layers ignore, can dominate it): read it as a description."
)


@final
class Similarity(Inspection):
    """Debiased CKA, in float64, between the outputs of all blocks over the images.

    1 means the same representation up to rotation and scale, 0 an unrelated one; chance may take
    the estimate a little below 0. Of N images, Gram matrices of N x N are compared.

    Args:
        features: what represents an image. ``pooled``: the mean over tokens, as the head sees the
            last block; ``flat``: the whole map, position by position, which costs memory for all
            maps of a minibatch at once.
        minibatch: images that are compared at a time; the (unbiased) HSIC is averaged over
            minibatches, and a rest of fewer than 4 images is left out. 0: all at once.

    Source: Similarity of Neural Network Representations Revisited, 2019,
    https://arxiv.org/abs/1905.00414; Do Wide and Deep Networks Learn the Same Things?, 2020,
    https://arxiv.org/abs/2010.15327; on the caveat: Reliability of CKA as a Similarity Measure in
    Deep Learning, 2022, https://arxiv.org/abs/2210.16156
    """

    def __init__(self, features: Literal["pooled", "flat"] = "pooled", minibatch: int = 0) -> None:
        if minibatch < 0 or 0 < minibatch < _FEWEST:
            raise InputError(
                f"similarity: minibatch {minibatch} is too small; give at least {_FEWEST} images, "
                "or 0 for all at once"
            )
        self.features = features
        self.minibatch = minibatch

    @torch.no_grad()
    def measure(self, subject: Subject) -> dict[str, Any]:
        """Rows: one per block, with ``cka`` to every block, in order (None if undefined)."""
        places = subject.blocks()
        count = len(subject.images)
        numbers: dict[str, Any] = {
            "what": f"Debiased CKA between the outputs of all blocks ({self.features} features).",
            "units": "1: the same up to rotation and scale; 0: unrelated",
            "images": count,
            "rows": [],
            "undefined": [],
            "notes": [_CAVEAT],
        }
        if count < _FEWEST:
            reason = f"{count} image(s); the debiased estimate needs at least {_FEWEST}"
            numbers["undefined"].append({"block": "all", "branch": None, "reason": reason})
            return numbers
        hsic_LL, batches, used = self._hsic(subject, places)
        cka_LL = align(hsic_LL / batches)
        if used < count:
            numbers["notes"].append(f"The last {count - used} image(s) fill no minibatch of 4.")
        alike = [[float(v) if math.isfinite(v) else None for v in row] for row in cka_LL.tolist()]
        for place, row in zip(places, alike, strict=True):
            if row[len(numbers["rows"])] is None:
                reason = "its output is the same for all images, as far as the estimate can tell"
                numbers["undefined"].append({"block": place.name, "branch": None, "reason": reason})
            numbers["rows"].append(place.named | {"cka": row})
        return numbers | {"summary": _summary(numbers["rows"])}

    def _hsic(self, subject: Subject, places: list[Place]) -> tuple[Tensor, int, int]:
        """The sum of HSIC over minibatches (L, L), their number, and the images used."""
        total = torch.zeros(len(places), len(places), dtype=torch.float64)
        batches = used = 0
        size = self.minibatch or len(subject.images)
        for images in torch.split(subject.images, size):
            if len(images) < _FEWEST:
                break
            kept: list[list[Tensor]] = [[] for _ in places]
            for part in torch.split(images, subject.batch_size):
                for layer, x in zip(kept, block_maps(subject, part), strict=True):
                    layer.append(self._represent(x))
            total += debiased_hsic(torch.stack([gram(torch.cat(layer)) for layer in kept]))
            batches, used = batches + 1, used + len(images)
        return total, batches, used

    def _represent(self, x_BHWC: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, features) on the CPU."""
        return (x_BHWC.mean(dim=(1, 2)) if self.features == "pooled" else x_BHWC.flatten(1)).cpu()

    def draw(self, numbers: Mapping[str, Any], figure: "Figure") -> None:
        """A heat map with the caveat under it."""
        rows = numbers["rows"]
        figure.set_layout_engine("constrained")
        figure.set_size_inches(6, 5.8)
        axes = figure.add_subplot()
        known = [[math.nan if v is None else v for v in row["cka"]] for row in rows]
        image = axes.imshow(known, vmin=0, vmax=1, cmap="viridis", origin="lower")
        labels = [block_label(row) for row in rows]
        step = -(-len(labels) // 14)
        axes.set_xticks(range(0, len(labels), step), labels[::step])
        axes.set_yticks(range(0, len(labels), step), labels[::step])
        for i in range(1, len(rows)):
            if rows[i]["stage"] != rows[i - 1]["stage"]:
                axes.axhline(i - 0.5, color="white", lw=1)
                axes.axvline(i - 0.5, color="white", lw=1)
        axes.set_xlabel("block (stage.index, from 0)")
        axes.set_ylabel("block")
        axes.set_title(f"{numbers['images']} images", fontsize="medium")
        figure.colorbar(image, ax=axes, label="debiased CKA (below 0 shown as 0)", shrink=0.8)
        figure.supxlabel("\n".join(wrap(_CAVEAT, 90)), fontsize="small")


def _summary(rows: list[dict[str, Any]]) -> str:
    """First to last block, and the pair of neighbours that differ most."""
    if len(rows) < 2 or rows[0]["cka"][-1] is None:
        return ""
    text = f"first and last block {rows[0]['cka'][-1]:.2f}"
    steps = [
        (row["cka"][index + 1], row["block"], rows[index + 1]["block"])
        for index, row in enumerate(rows[:-1])
        if row["cka"][index + 1] is not None
    ]
    if not steps:
        return text
    value, one, other = min(steps)
    return f"{text}; of neighbours least {value:.2f}, {one} and {other}"


def gram(features_ND: Tensor) -> Tensor:
    """X Xᵀ with a zero diagonal, in float64. (N, D) -> (N, N).

    The features are centred first: the estimator does it anyway, but rounding would not.
    """
    total = torch.zeros(len(features_ND), len(features_ND), dtype=torch.float64)
    for part in torch.split(features_ND, _COLUMNS, dim=1):
        x = part.double()
        x = x - x.mean(dim=0)
        total += x @ x.T
    return total.fill_diagonal_(0)


def debiased_hsic(grams_LNN: Tensor) -> Tensor:
    """The unbiased estimate of HSIC between all pairs of layers. (L, N, N) -> (L, L).

        HSIC1(K, L) = [tr(KL) + 1ᵀK1 · 1ᵀL1 / ((n-1)(n-2)) - 2/(n-2) · 1ᵀKL1] / (n(n-3))

    for K and L with zero diagonals. Raises ValueError for fewer than 4 images.

    Source: Feature Selection via Dependence Maximization, 2012,
    https://www.jmlr.org/papers/v13/song12a.html; Do Wide and Deep Networks Learn the Same Things?,
    2020, https://arxiv.org/abs/2010.15327
    """
    n = grams_LNN.shape[-1]
    if n < 4:
        raise ValueError(f"{n} images; the debiased estimate needs at least 4")
    flat = grams_LNN.flatten(1)
    rows_LN = grams_LNN.sum(dim=-1)
    sums_L = rows_LN.sum(dim=-1)
    total = flat @ flat.T + torch.outer(sums_L, sums_L) / ((n - 1) * (n - 2))
    total = total - 2 / (n - 2) * (rows_LN @ rows_LN.T)
    return total / (n * (n - 3))


def align(hsic_LL: Tensor) -> Tensor:
    """CKA(K, L) = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)). (L, L); NaN where a root is not."""
    own_L = hsic_LL.diagonal()
    roots = torch.where(own_L > 0, own_L, torch.nan).sqrt()
    return hsic_LL / torch.outer(roots, roots)
