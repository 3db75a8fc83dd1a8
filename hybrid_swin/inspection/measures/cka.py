"""Similarity of representations: debiased centred kernel alignment, in float64.

Shapes: N images, D features, L layers.
"""

import torch
from torch import Tensor

_COLUMNS = 16384  # features at a time, so that no copy in float64 is large


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

    for K and L with zero diagonals.

    Raises:
        ValueError: fewer than 4 images.

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
