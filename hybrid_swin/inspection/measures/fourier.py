"""Spectra of maps of tokens: what a branch lets pass, at which spatial frequency.

Frequencies are in radians per token, from -pi to pi on each axis; f is their length, from 0 (the
mean of a map) over pi (along an axis, every other token) to pi sqrt(2) (along the diagonal).

Shapes: B images, H height, W width, C channels; R rings of equal width in f.
"""

import math

import torch
from torch import Tensor

from hybrid_swin.cost import Grid

SMALLEST_SIDE = 8
"""Below it a map has too few frequencies for a curve."""
HIGH = math.pi / 2
"""Where high frequencies begin."""
_FLOOR = 1e-12  # of a map's strongest amplitude: what is weaker is rounding (in float64)


def power(x_BHWC: Tensor) -> Tensor:
    """|F(x)|^2 of every channel over space. (B, H, W, C) -> (B, H, W, C), frequency 0 first."""
    return torch.fft.fft2(x_BHWC, dim=(1, 2)).abs().square()


def log_amplitude(power_BHWC: Tensor) -> Tensor:
    """E log|F| over the channels that are not all zero. (B, H, W, C) -> (B, H, W).

    Amplitudes below rounding, 1e-12 of the channel's strongest in float64 (1e-6 in float32), count
    as that much: a logarithm of 0 would swamp the mean. NaN for an image that is all zero.
    """
    floor = _FLOOR if power_BHWC.dtype == torch.float64 else math.sqrt(_FLOOR)
    peak_B11C = power_BHWC.amax(dim=(1, 2), keepdim=True)
    lives = peak_B11C > 0
    limited = power_BHWC.maximum(peak_B11C * floor**2)
    logs = torch.where(lives, limited, 1.0).log().div_(2)
    return logs.sum(dim=-1) / lives.sum(dim=-1)


def transfer(before_BHWC: Tensor, after_BHWC: Tensor) -> Tensor:
    """T(f) = E log|F(y)| - E log|F(x)| of ``power`` before and after. (B, H, W).

    0 where all passes, negative where it is damped. The means run over each side's own channels, so
    the two may differ in channels; not finite for an image that is all zero on either side. The
    source has E log|F| along the diagonal, less its value at frequency 0, of each map alone.

    Source: after How Do Vision Transformers Work?, 2022, https://arxiv.org/abs/2202.06709
    """
    return log_amplitude(after_BHWC) - log_amplitude(before_BHWC)


def radii(height: int, width: int) -> Tensor:
    """The length f of every frequency, in the order of ``power``. (H, W) float64."""
    vertical = 2 * math.pi * torch.fft.fftfreq(height, dtype=torch.float64)
    horizontal = 2 * math.pi * torch.fft.fftfreq(width, dtype=torch.float64)
    return torch.hypot(vertical[:, None], horizontal[None, :])


def rings(height: int, width: int) -> tuple[Tensor, Tensor]:
    """The ring of each frequency, (H, W) int64, and the mean f of each ring, (R,).

    A ring is as wide as the coarser axis resolves, 2 pi / min(H, W); the first holds frequency 0
    alone.
    """
    f_HW = radii(height, width)
    ring_HW = (f_HW * min(height, width) / (2 * math.pi)).round().long()
    ring_HW[(ring_HW == 0) & (f_HW > 0)] = 1  # on maps that are not square
    counts = torch.bincount(ring_HW.flatten())
    sums = torch.bincount(ring_HW.flatten(), weights=f_HW.flatten())
    return ring_HW, sums / counts


def ring_means(values_HW: Tensor, ring_HW: Tensor) -> Tensor:
    """The mean of a map of frequencies over each ring. (H, W) -> (R,)."""
    flat, ring = values_HW.double().flatten(), ring_HW.flatten()
    return torch.bincount(ring, weights=flat) / torch.bincount(ring)


def high_share(power_BHWC: Tensor) -> Tensor:
    """Power above pi/2 over all power but that of frequency 0, over all channels. (B,).

    White noise has 1 - pi/16 = .804 there. NaN for an image whose every channel is constant.
    """
    f_HW = radii(*power_BHWC.shape[1:3]).to(power_BHWC.device)
    power_BHW = power_BHWC.sum(dim=-1, dtype=torch.float64)
    everything = power_BHW.sum(dim=(1, 2)) - power_BHW[:, 0, 0]
    constant = everything <= 1e-12 * power_BHW[:, 0, 0]
    share = power_BHW[:, f_HW > HIGH + 1e-9].sum(dim=1) / everything
    return torch.where(constant, math.nan, share)


def tiled(side: int, period: int) -> bool:
    """Whether a period repeats along an axis: whole, more than once, and longer than a token."""
    return 1 < period < side and side % period == 0


def tiling_excess(transfer_HW: Tensor, period: Grid) -> float | None:
    """How far T rises, along the tiled axes, at the multiples of 2 pi / p that periods of p make.

    The mean of T there minus its mean between them, frequency 0 left out. None if no axis is
    tiled.
    """
    at, between = [], []
    lines = (transfer_HW[:, 0], transfer_HW[0])
    for line, side, own in zip(lines, transfer_HW.shape, period, strict=True):
        if not tiled(side, own):
            continue
        step = side // own
        index = torch.arange(1, side // 2 + 1)
        at.append(line[index[index % step == 0]])
        between.append(line[index[index % step != 0]])
    if not at:
        return None
    return float(torch.cat(at).mean() - torch.cat(between).mean())
