"""Mixup and CutMix: each image of a batch mixed with the one that lies opposite.

With λ drawn once per batch, images x, their classes as target vectors t, and x' and t' of the batch
in reverse order::

    mixup    x̃ = λ x + (1 - λ) x'                                λ ~ Beta(mixup, mixup)
    CutMix   x̃ = x, but x' in a box of the share 1 - λ           λ ~ Beta(cutmix, cutmix)
             t̃ = λ t + (1 - λ) t'

A CutMix box has the image's shape and its centre is uniform over the pixels; what lies outside is
cut off, and λ is then the share of pixels that remain. This is timm's ``Mixup`` of mode ``batch``,
and ``mixup_target``; the middle image of an odd batch meets itself.

Sources: mixup: Beyond Empirical Risk Minimization, 2017, https://arxiv.org/abs/1710.09412
CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features, 2019,
https://arxiv.org/abs/1905.04899
timm/data/mixup.py in https://github.com/huggingface/pytorch-image-models

Shapes: B batch, C channels, H height, W width.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Beta, Gamma

_LEAST_ALPHA = 0.01  # of which torch's Beta draws as it should


class Mix(NamedTuple):
    """How one batch is mixed, whatever the size of its images."""

    kept: float  # λ as drawn
    centre: tuple[float, float] | None = None  # of CutMix's box, as shares of height and width


def draw_mix(
    mixup: float, cutmix: float, probability: float, switch_probability: float
) -> Mix | None:
    """How to mix the next batch, or None not to. Draws from torch's generator of the CPU.

    Args:
        mixup: parameter of mixup's Beta distribution; 0 for no mixup.
        cutmix: of CutMix's; 0 for no CutMix.
        probability: of mixing a batch at all.
        switch_probability: of CutMix, where both are above 0.
    """
    mixes, switches = torch.rand(2).tolist()
    cuts = cutmix > 0 and (mixup == 0 or switches < switch_probability)
    alpha = cutmix if cuts else mixup
    if alpha == 0 or mixes >= probability:
        return None
    kept = _beta(alpha)
    if not cuts:
        return Mix(kept)
    down, right = torch.rand(2).tolist()
    return Mix(kept, (down, right))


def _beta(alpha: float) -> float:
    """A draw of Beta(alpha, alpha), which is the share of one of two Gamma(alpha) draws.

    Below 0.01 both round to 0 more and more often, and torch's Beta returns a half. Their
    logarithms do not: Gamma(a) is Gamma(a + 1) U^(1/a), with U uniform.
    """
    if alpha >= _LEAST_ALPHA:
        return float(Beta(alpha, alpha, validate_args=False).sample())
    one = torch.tensor(1.0, dtype=torch.float64)
    first, second = Gamma(alpha + one, one).sample((2,)).log()
    ratio = torch.rand(2, dtype=torch.float64).log().diff() / alpha
    return float((first - second - ratio).sigmoid())


def mixed(images: Tensor, opposite: Tensor, mix: Mix) -> tuple[Tensor, float]:
    """Images with those that lie opposite of each, and the share λ that is kept.

    (B, C, H, W), (B, C, H, W) -> (B, C, H, W).
    """
    if mix.centre is None:
        return opposite.lerp(images, mix.kept), mix.kept
    height, width = images.shape[2:]
    share = math.sqrt(1 - mix.kept)
    top, bottom = _cut(height, share, mix.centre[0])
    left, right = _cut(width, share, mix.centre[1])
    out = images.clone()
    out[:, :, top:bottom, left:right] = opposite[:, :, top:bottom, left:right]
    return out, 1 - (bottom - top) * (right - left) / (height * width)


def _cut(length: int, share: float, place: float) -> tuple[int, int]:
    """Where a box around the pixel at ``place`` begins and ends along an axis."""
    size, middle = int(length * share), int(length * place)
    return max(0, middle - size // 2), min(length, middle + (size + 1) // 2)
