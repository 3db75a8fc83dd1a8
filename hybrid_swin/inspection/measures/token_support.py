"""Which input tokens can influence a token at all: exact, whatever the weights.

For others: ``token_support(model, grid) -> bool (tokens_out, tokens_in)`` of the final map, and
``Supports(model, grid).of(stage, token) -> bool (height, width)`` of one token of any block.

A network's support is the support of its parts, one after the other. Of one part (a block, or the
merging between stages) it is where the gradient of ``Σ_t ⟨v_t, z_t(x)⟩`` is not zero, with the sum
over the tokens that count so far, v and x random and every weight random, in float64. Part by part
no gradient can die away over the depth; random vectors leave no way for terms to cancel, as they do
behind a layer norm when channels are added up.

Shapes: B tokens asked for, H and W tokens, C channels.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hybrid_swin.cost import Grid
from hybrid_swin.network.merging import PoolMerging
from hybrid_swin.network.model import HybridSwin
from hybrid_swin.spec.stems import pixels_seen
from hybrid_swin.spec.variant import Variant

#: Share of a part's largest gradient under which it counts as none. Swin's masks of shifted windows
#: are logits of -100, which leave exp(-100) = 4e-44 of attention; what a part lets through is far
#: above it at the weights that are drawn here.
NONE = 1e-30
_NOISE = 0.02  # as in Swin's initialisation
_CHUNK_VALUES = 2**21  # of a map that is differentiated at once


class _Part(NamedTuple):
    module: nn.Module
    channels: int
    grid: Grid  # of the map before it


class Supports:
    """The supports of one network, whose own weights do not matter, for several questions.

    ``grid`` is that of the input tokens, pixels over ``patch_size``; the variant's own if None.
    """

    def __init__(self, model: HybridSwin, grid: Grid | None = None, seed: int = 0) -> None:
        variant, (height, width) = model.variant, grid or model.variant.grids[0]
        self.grids = variant.grids_of((height * variant.patch_size, width * variant.patch_size))
        self._depths = [stage.depth for stage in variant.stages]
        self._parts = _parts(variant, self.grids, seed)
        self._seed = seed

    def of(self, stage: int, token: Grid, index: int | None = None) -> NDArray[np.bool_]:
        """Which input tokens can influence one token behind a block. (height, width).

        ``token`` is a row and a column on the stage's map, ``index`` the block within the stage, or
        None for its last one.
        """
        last = self._depths[stage] - 1
        before = sum(self._depths[:stage]) + stage  # a merging before each stage but one
        count = before + 1 + (last if index is None else index)
        targets = np.zeros((1, *self.grids[stage]), dtype=bool)
        targets[0, token[0], token[1]] = True
        return self.through(targets, count)[0]

    def through(self, targets: NDArray[np.bool_], count: int | None = None) -> NDArray[np.bool_]:
        """Go from part ``count`` or the last to the first, keeping which tokens still count."""
        for part in reversed(self._parts[:count]):
            targets = part_support(part.module, part.channels, part.grid, targets, self._seed)
        return targets


def token_support(model: HybridSwin, grid: Grid | None = None, seed: int = 0) -> NDArray[np.bool_]:
    """Which input tokens can influence each token of the final map. (tokens_out, tokens_in)."""
    supports = Supports(model, grid, seed)
    height, width = supports.grids[-1]
    tokens = height * width
    targets = np.eye(tokens, dtype=bool).reshape(tokens, height, width)
    return supports.through(targets).reshape(tokens, -1)


def part_support(
    part: nn.Module, channels: int, grid: Grid, targets: NDArray[np.bool_], seed: int = 0
) -> NDArray[np.bool_]:
    """Which tokens before a part can influence any of the targets. (B, H', W') -> (B, H, W).

    The part maps (B, H, W, C) to (B, H', W', C'), in float64; ``grid`` is (H, W).
    """
    generator = torch.Generator().manual_seed(seed)
    height, width = grid
    x_HWC = torch.randn(height, width, channels, generator=generator, dtype=torch.float64)
    step = max(1, _CHUNK_VALUES // x_HWC.numel())
    chunks = []
    for start in range(0, len(targets), step):
        wanted = torch.from_numpy(targets[start : start + step])
        x = x_HWC.expand(len(wanted), -1, -1, -1).clone().requires_grad_()
        with torch.enable_grad():
            out = part(x)
            directions = torch.randn(out.shape[1:], generator=generator, dtype=torch.float64)
            total = (out * directions * wanted[..., None]).sum()
            (gradient,) = torch.autograd.grad(total, x)
        size = gradient.abs().amax(dim=-1)
        chunks.append((size > NONE * size.amax(dim=(1, 2), keepdim=True)).numpy())
    return np.concatenate(chunks)


def pixel_support(support: NDArray[np.bool_], variant: Variant) -> NDArray[np.bool_]:
    """Pixels that input tokens come from, by the stem. (..., H, W) -> (..., H p, W p)."""
    patch = variant.patch_size
    first, last = pixels_seen(variant.stem, patch)
    for axis in (-2, -1):
        tokens = np.moveaxis(support, axis, -1)
        pixels = np.zeros((*tokens.shape[:-1], tokens.shape[-1] * patch), np.bool_)
        for offset in range(first, last + 1):
            steps, within = divmod(offset, patch)  # of whole patches, and pixels of one
            kept = tokens[..., max(-steps, 0) : tokens.shape[-1] - max(steps, 0)]
            start = max(steps, 0) * patch + within
            pixels[..., start::patch][..., : kept.shape[-1]] |= kept
        support = np.moveaxis(pixels, -1, axis)
    return support


def pixel_box(support: NDArray[np.bool_], variant: Variant, image_size: Grid) -> dict[str, Any]:
    """Where input tokens lie in the image: first and last pixel by axis, and share of all."""
    pixels = pixel_support(support, variant)[: image_size[0], : image_size[1]]
    rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
    return {
        "rows": [int(rows[0]), int(rows[-1])] if len(rows) else [],
        "columns": [int(columns[0]), int(columns[-1])] if len(columns) else [],
        "share": float(pixels.mean()),
    }


def _parts(variant: Variant, grids: Sequence[Grid], seed: int) -> list[_Part]:
    """What stands between the input tokens and the last map, with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = HybridSwin(variant).to(torch.float64).eval().requires_grad_(False)
    _randomise(model.parameters(), seed)
    parts = []
    for index, (stage, layer) in enumerate(zip(variant.stages, model.layers, strict=True)):
        if index:
            merging = cast(nn.Module, layer.downsample)
            if isinstance(merging, PoolMerging):  # any token may be the largest
                merging.largest = torch.logsumexp
            parts.append(_Part(merging, variant.stages[index - 1].width, grids[index - 1]))
        blocks = cast(nn.Sequential, layer.blocks)
        parts += [_Part(block, stage.width, grids[index]) for block in blocks]
    return parts


def _randomise(parameters: Iterable[Tensor], seed: int) -> None:
    """Make no weight zero and saturate no softmax, whatever the parts start from.

    Matrices and filters are drawn anew; what may be a scale or a bias gets noise.
    """
    generator = torch.Generator().manual_seed(seed)
    for parameter in parameters:
        noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        if parameter.ndim >= 2:
            parameter.copy_(noise * parameter[0].numel() ** -0.5)
        else:
            parameter.add_(noise * _NOISE)
