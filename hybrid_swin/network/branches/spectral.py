"""`spectral`: a filter as large as the map, applied as a product of spectra.

Shapes: B batch, H height, W width, C channels.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.cost import Cost, Grid, Window, linear
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.tracing import sides


class Spectral(Branch):
    """Global filter (GFNet): each channel is convolved with a learned kernel of the map's size.

    ``irfft2(filter ⊙ rfft2(x))``, then a linear layer. The filter has a complex number for each
    frequency and channel. The product is a circular convolution: what leaves the map on one side
    comes in on the other. The transforms run in float32 at least.

    The filter is learned for the nominal grid, and samples a continuous spectrum that other grids
    sample at other frequencies. GFNet's code interpolates these samples (bicubic). Here they are
    exact: the kernel, ``irfft2(filter)``, keeps its size in tokens. On a larger map there are zeros
    around it, on a smaller one it wraps around.

    ``kernel`` is the control that takes its reach away: a filter that is the spectrum of a learned
    k x k kernel makes the same layer local, a circular depthwise convolution. 0 is the whole map.

    GFNet's block has no linear layer and no residual behind the filter, but a norm, which makes the
    scale of the filter's first weights (.02 there) count for nothing.

    Parameters 2H(⌊W/2⌋ + 1)C + C² + C, or k²C + C² + C; MACs NC² for N = HW tokens. Those are the
    linear layer's: costs count matrix products, and a Fourier transform is none. Its work, which
    grows as NC log N, shows in measured times alone. ``torch.compile`` leaves it to PyTorch's own
    kernels, and warns of that.

    Source: Global Filter Networks for Image Classification, 2021, https://arxiv.org/abs/2107.00645
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        kernel: Literal[0, 3, 5, 7, 11] = 0,
    ) -> None:
        super().__init__()
        self.nominal = grid_size
        if kernel:
            self.kernel = nn.Parameter(torch.empty(kernel, kernel, dim))
        else:
            self.complex_weight = nn.Parameter(torch.empty(*_half(grid_size), dim, 2))
        self.is_local = kernel > 0
        self.proj = nn.Linear(dim, dim)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """As PyTorch's convolutions, whose squared gain is 1/3 for a kernel of any size."""
        if self.is_local:
            nn.init.uniform_(self.kernel, -1 / len(self.kernel), 1 / len(self.kernel))
        else:
            nn.init.normal_(self.complex_weight, std=6**-0.5)  # real and imaginary: 1/6 + 1/6

    def resize(self, window_size: Window, grid_size: Grid) -> None:
        """Take another nominal grid, on which the filter computes what it does there now."""
        before, self.nominal = self.nominal, grid_size
        if not self.is_local and grid_size != before:
            old = self.complex_weight
            resized = self.fitted("complex_weight", old.detach(), before)
            self.complex_weight = nn.Parameter(resized, old.requires_grad)

    @classmethod
    def table_window(cls, window_size: Window, grid_size: Grid, **_: Any) -> Grid:
        """The nominal map, whose size the filter has."""
        return grid_size

    def sized_weights(self) -> dict[str, Grid]:
        """The filter, unless it is local."""
        return {} if self.is_local else {"complex_weight": self.nominal}

    def fitted(self, name: str, weight: Tensor, before: Grid) -> Tensor:
        """A filter of another map, for this one: its kernel keeps its size in tokens."""
        resized = torch.view_as_real(_on_map(_kernel(weight, before), self.nominal))
        return resized.to(weight.dtype).contiguous()

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Filter each channel. (B, H, W, C) -> (B, H, W, C)."""
        size = sides(x)
        spectrum = torch.fft.rfft2(_exact(x), dim=(1, 2)) * self.filter(size)
        return torch.fft.irfft2(spectrum, s=size, dim=(1, 2)).to(x.dtype)

    def filter(self, size: Grid) -> Tensor:
        """The filter for a map of this size, complex. (H, ⌊W/2⌋ + 1, C)."""
        if self.is_local:
            kernel = _exact(self.kernel)
        else:
            if size == self.nominal:
                return torch.view_as_complex(_exact(self.complex_weight))
            kernel = _kernel(self.complex_weight, self.nominal)
        return _on_map(kernel, size)

    @classmethod
    def cost(
        cls, dim: int, num_heads: int, window_size: Window, grid_size: Grid, kernel: int = 0
    ) -> Cost:
        """The filter counts as parameters only."""
        height, half = _half(grid_size)
        filter = Cost(kernel**2 * dim if kernel else 2 * height * half * dim)
        return filter + linear(grid_size[0] * grid_size[1], dim, dim)


def _half(size: Grid) -> Grid:
    """Frequencies of a real map: those of the other half are their conjugates."""
    return size[0], size[1] // 2 + 1


def _exact(x: Tensor) -> Tensor:
    """In float32 at least: there are no transforms in half precision on a CPU."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _kernel(weight: Tensor, size: Grid) -> Tensor:
    """The kernel of a filter for a map of this size, offsets from -r to r along both axes."""
    filter = torch.view_as_complex(_exact(weight))
    kernel = torch.fft.irfft2(filter, s=size, dim=(0, 1))
    return _centred(_centred(kernel, 0), 1)


def _on_map(kernel: Tensor, size: Grid) -> Tensor:
    """The filter of a kernel for a map of this size, complex. (H, ⌊W/2⌋ + 1, C)."""
    for axis, side in enumerate(size):
        kernel = _wrapped(kernel, axis, side)
    return torch.fft.rfft2(kernel, dim=(0, 1))


def _centred(kernel: Tensor, axis: int) -> Tensor:
    """A circular kernel along an axis, from offset 0 on, as offsets -r to r.

    If the number of offsets is even, the last one is as far to the left as to the right: each side
    gets half of it.
    """
    side = kernel.shape[axis]
    kernel = kernel.roll(side // 2, axis)
    if side % 2:
        return kernel
    end, rest = torch.split(kernel, [1, side - 1], axis)
    return torch.cat([end / 2, rest, end / 2], axis)


def _wrapped(kernel: Tensor, axis: int, side: int) -> Tensor:
    """The offsets -r to r of a kernel along an axis, on a circle of ``side`` tokens from 0 on."""
    length = kernel.shape[axis]
    padding = [0, 0] * (kernel.ndim - axis)
    padding[-1] = -length % side
    kernel = torch.unflatten(F.pad(kernel, padding), axis, (-1, side)).sum(axis)
    return kernel.roll(-(length // 2), axis)
