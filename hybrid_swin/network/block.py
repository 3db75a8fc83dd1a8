"""One transformer block, and the mixer that a block word stands for."""

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from hybrid_swin.cost import Grid, Window
from hybrid_swin.network.branches import Branch
from hybrid_swin.network.fusions import BranchMaker, Fusion
from hybrid_swin.network.layers import is_bare, is_unwatched
from hybrid_swin.network.output_gates import gate_output
from hybrid_swin.network.whole_batch import for_batch
from hybrid_swin.spec.block_words import BlockWord, arguments_of, gate_of, own_window
from hybrid_swin.spec.registry import load
from hybrid_swin.spec.stage import Norm


def build_mixer(
    word: BlockWord,
    dim: int,
    num_heads: int,
    window_size: Window,
    grid_size: Grid,
    norm_branches: bool = False,
) -> Branch | Fusion:
    """The module of a block word; a single branch stands bare, so plain Swin's names are timm's."""
    makers = [
        BranchMaker(part, own_window(part, window_size), grid_size, norm_branches)
        for part in word.branches
    ]
    if word.is_bare:
        return makers[0](dim, num_heads)
    part, gate = word.joined_by, gate_of(word.joined_by)
    options = arguments_of("fusion", part)
    mixer = cast(Fusion, load("fusion", part.name)(dim, num_heads, makers, **options))
    if gate != "none":
        gate_output(mixer, gate, dim)
    return mixer


class DropPath(nn.Module):
    """Drop a whole residual branch for a sample, with probability ``rate``, in training.

    What is kept is divided by ``1 - rate``, so the expectation stays.

    Source: Deep Networks with Stochastic Depth, 2016, https://arxiv.org/abs/1603.09382 (which drops
    it for a whole batch, and multiplies by ``1 - rate`` at test; this is timm's way)
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    @property
    def rate(self) -> float:
        """The probability; set it to change it."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._rate, self._drops = rate, rate > 0
        # A compiled block holds for one value of each number that it reads, but for all of arrays:
        # blocks that differ only in their rates then share it. These are not buffers, which
        # ``to_empty`` would empty and no file could fill.
        self._arrays = tuple(np.array(n, dtype=np.float32) for n in (rate, 1.0 - rate))

    def forward(self, x: Tensor) -> Tensor:
        """(B, ...) -> (B, ...)."""
        if not self.training or not self._drops:
            return x
        rate, share = self._numbers()
        ones = [1] * (x.ndim - 1)
        drawn = for_batch(lambda batch: torch.rand(batch, *ones, device=x.device), x.shape[0])
        kept = drawn >= rate
        return x * (kept / share).to(x.dtype)

    def _numbers(self) -> tuple[float, float] | tuple[Tensor, Tensor]:
        """What is dropped and what is kept, as shares of all samples."""
        if torch.compiler.is_dynamo_compiling() and not torch.compiler.is_exporting():
            rate, share = self._arrays
            return torch.from_numpy(rate), torch.from_numpy(share)
        return self.rate, 1.0 - self.rate


class Mlp(nn.Module):
    """Two linear layers with a GELU between.

    The GELU overwrites its input where no gradient needs it and nobody can see it: a twenty-fifth
    of a Swin's forward pass on a CPU.
    """

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        hidden = self.fc1(x)
        if not torch.is_grad_enabled() and is_unwatched() and self._is_bare():
            hidden = torch.ops.aten.gelu_(hidden, approximate=self.act.approximate)
        else:
            hidden = self.act(hidden)
        return self.fc2(hidden)

    def _is_bare(self) -> bool:
        """Whether the first layer's output is fresh, and goes nowhere but into the GELU."""
        return is_bare(self.fc1, nn.Linear) and is_bare(self.act, nn.GELU)


class ResidualNorm(nn.LayerNorm):
    """The layer norm behind a mixer or an MLP, on its residual branch: starts at 0.

    A block then starts as the identity, and a deep network with as much signal as a shallow one.

    Source: Swin Transformer V2: Scaling Up Capacity and Resolution, 2021,
    https://arxiv.org/abs/2111.09883 (``_init_respostnorm`` in the authors' code)
    """

    def reset_parameters(self) -> None:
        """Weight and bias to 0."""
        self.start_at(0.0)

    def start_at(self, weight: float) -> None:
        """Set the weight to a number, and the bias to 0."""
        nn.init.constant_(self.weight, weight)
        nn.init.zeros_(self.bias)


class LayerScale(nn.Module):
    """A learned factor of each channel, that starts at ``init``. (..., C) -> (..., C).

    Small at first, it lets a deep network start near the identity.

    Source: Going Deeper with Image Transformers (CaiT), 2021, https://arxiv.org/abs/2103.17239
    """

    def __init__(self, dim: int, init: float) -> None:
        super().__init__()
        self.init = init
        self.gamma = nn.Parameter(torch.empty(dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The factors to their start."""
        nn.init.constant_(self.gamma, self.init)

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        return x * self.gamma


class Block(nn.Module):
    """Mixer and MLP, each with a norm and a residual. (B, H, W, C) -> (B, H, W, C).

    ``norm`` says where the norms stand:

    - ``pre``: ``x + mixer(norm(x))``, then ``x + mlp(norm(x))``, as in Swin;
    - ``post``: ``x + norm(mixer(x))``, then ``x + norm(mlp(x))``, as in Swin Transformer V2
      (2021, https://arxiv.org/abs/2111.09883); these norms start at 0 (see `ResidualNorm`);
    - ``branch``: as ``pre``, but each of several branches has a norm of its own.

    With ``layer_scale`` above 0 what the mixer and the MLP add is multiplied by a `LayerScale` that
    starts there, behind the norm of ``post``, which then starts at 1.
    """

    def __init__(
        self,
        word: BlockWord,
        dim: int,
        num_heads: int,
        window_size: Window,
        grid_size: Grid,
        mlp_ratio: float,
        drop_path: float,
        norm: Norm = "pre",
        layer_scale: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm_after = norm == "post"
        norm_branches = norm == "branch" and len(word.branches) > 1
        make_norm = ResidualNorm if self.norm_after and not layer_scale else nn.LayerNorm
        self.norm1 = nn.Identity() if norm_branches else make_norm(dim)
        self.attn = build_mixer(word, dim, num_heads, window_size, grid_size, norm_branches)
        self.ls1 = LayerScale(dim, layer_scale) if layer_scale else nn.Identity()
        self.norm2 = make_norm(dim)
        self.mlp = Mlp(dim, round(dim * mlp_ratio))
        self.ls2 = LayerScale(dim, layer_scale) if layer_scale else nn.Identity()
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        if self.norm_after:
            x = x + self.drop_path(self.ls1(self.norm1(self.attn(x))))
            return x + self.drop_path(self.ls2(self.norm2(self.mlp(x))))
        x = x + self.drop_path(self.ls1(self.attn(self.norm1(x))))
        return x + self.drop_path(self.ls2(self.mlp(self.norm2(x))))
