"""What each branch adds to its mixer's output, and the gates that weigh it on the way.

Shapes: B images, H height, W width, C channels, n branches.
"""

from collections.abc import Sequence
from functools import reduce
from operator import add

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.network.fusions import Fusion
from hybrid_swin.network.fusions.cascade import Cascade
from hybrid_swin.network.fusions.concat import Concat
from hybrid_swin.network.fusions.gate import Gate
from hybrid_swin.network.fusions.scale import Scale
from hybrid_swin.network.fusions.selective import Selective
from hybrid_swin.network.fusions.split import Split
from hybrid_swin.network.fusions.sum import Sum
from hybrid_swin.network.layers import is_bare


def gates(fusion: Fusion, outs: Sequence[Tensor]) -> list[Tensor] | None:
    """The weight of each branch, as it multiplies (B, H, W, C); None where there is none."""
    if isinstance(fusion, Gate):
        return list(fusion.gates(outs).unbind(dim=-2))
    if isinstance(fusion, Selective):
        pooled_BC = reduce(add, (out.mean(dim=(1, 2)) for out in outs))
        return list(fusion.gates(pooled_BC)[:, None, None].unbind(dim=3))
    if isinstance(fusion, Scale):
        return [scale_C.expand(1, 1, 1, -1) for scale_C in fusion.scales]
    return None


def contributions(fusion: Fusion, outs: Sequence[Tensor]) -> list[Tensor] | None:
    """The terms that sum up to the mixer's output (but for a bias), one a branch.

    ``sum`` and ``cascade``: b_i itself; ``gate``, ``selective``, ``scale``: g_i b_i; ``concat`` and
    ``split``: W_i b_i, with W_i the columns of the projection that belong to the branch. None for
    other fusions, such as ``cross``, whose output is no such sum.
    """
    if isinstance(fusion, Sum | Cascade):
        return list(outs)
    weights = gates(fusion, outs)
    if weights is not None:
        return [weight * out for weight, out in zip(weights, outs, strict=True)]
    if isinstance(fusion, Concat | Split):
        if not is_bare(fusion.join, nn.Linear):
            return _answers(fusion.join, outs)
        widths = [out.shape[-1] for out in outs]
        columns = torch.split(fusion.join.weight, widths, dim=1)
        return [F.linear(out, part) for out, part in zip(outs, columns, strict=True)]
    return None


def _answers(join: nn.Module, outs: Sequence[Tensor]) -> list[Tensor]:
    """What a layer adds for each of its inputs alone, to what it gives for zeros."""
    zeros = [torch.zeros_like(out) for out in outs]
    nothing: Tensor = join(torch.cat(zeros, dim=-1))
    alone = ([*zeros[:i], out, *zeros[i + 1 :]] for i, out in enumerate(outs))
    return [join(torch.cat(parts, dim=-1)) - nothing for parts in alone]
