"""What an output token's gradient says of where it looks: the map, its radii and its spread.

Shapes: B images, C channels of a map, H and W pixels of the images or tokens of a map.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hybrid_swin.cost import Grid

Map = NDArray[np.float64]
Point = tuple[float, float]


def unit_vectors(count: int, channels: int, generator: torch.Generator) -> Tensor:
    """Directions spread evenly over the sphere. (count, channels)."""
    drawn = torch.randn(count, channels, generator=generator)
    return drawn / drawn.norm(dim=1, keepdim=True)


def gradient_mass(
    images: Tensor, out_BHWC: Tensor, token: Grid, directions_BC: Tensor, keep_graph: bool = False
) -> Map:
    """Sum over images of ``Σ_c |∂⟨v, z_t(x)⟩/∂x_{c,p}|``. (H, W) of the images.

    The map z was computed from them with gradients; ``token`` is the row and column of t. The
    directions v must not be all ones: behind a layer norm the sum over channels is a constant, and
    its gradient exactly 0. ``keep_graph`` if another call will differentiate the same computation.
    """
    value = (out_BHWC[:, token[0], token[1]] * directions_BC).sum()
    (gradient,) = torch.autograd.grad(value, images, retain_graph=keep_graph)
    return gradient.abs().sum(dim=(0, 1)).cpu().double().numpy()


def token_centre(token: Grid, stride: int, middle: float) -> Point:
    """The middle of a token in pixels, row and column: the middle of pixel (0, 0) is (0, 0).

    ``middle`` is that of the first token. On an even grid no token has its middle in the image's.
    """
    row, column = (index * stride + middle for index in token)
    return row, column


def distances(size: Grid, centre: Point) -> Map:
    """Distance of every pixel's middle from a point, in pixels. (H, W)."""
    rows, columns = (np.arange(side) - at for side, at in zip(size, centre, strict=True))
    return np.hypot(rows[:, None], columns[None, :])


def mass_radii(mass: Map, centre: Point, shares: Sequence[float]) -> list[float]:
    """The least radii, in pixels, that hold so large shares of the (linear) mass.

    RepLKNet's tool takes log10(x + 1) before it looks for the square that holds a share, so that
    its areas are not of mass.
    """
    far = distances((mass.shape[0], mass.shape[1]), centre).ravel()
    order = np.argsort(far, kind="stable")
    held = np.cumsum(mass.ravel()[order])
    # All of the mass may come out a rounding error short of it.
    indices = np.searchsorted(held, np.array(shares) * held[-1] * (1 - 1e-12))
    return [float(far[order[index]]) for index in np.minimum(indices, len(far) - 1)]


def mass_deviations(mass: Map) -> Point:
    """Standard deviation of the mass along rows and along columns, in pixels."""
    deviations = []
    for axis in (1, 0):
        weights = mass.sum(axis=axis) / mass.sum()
        at = np.arange(len(weights))
        mean = float(weights @ at)
        deviations.append(float(np.sqrt(weights @ (at - mean) ** 2)))
    return deviations[0], deviations[1]


def pooled(mass: Map, most: int) -> tuple[Map, int]:
    """At most ``most`` cells per side, each the sum of a square of pixels; and its side."""
    side = -(-max(mass.shape) // most)
    height, width = (-(-length // side) for length in mass.shape)
    whole = np.zeros((height * side, width * side))
    whole[: mass.shape[0], : mass.shape[1]] = mass
    return whole.reshape(height, side, width, side).sum(axis=(1, 3)), side
