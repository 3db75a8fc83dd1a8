"""Gates behind a fusion, ``w_msa+mdta:sum(gate=se)``: each channel of its output, weighed.

They read the whole map: a block with one carries global information, whatever its branches see.
So their control is the same gate behind a single branch, ``w_msa:sum(gate=se)``. All start as the
identity, and work on maps of any size.

Shapes: B batch, H height, W width, C channels.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hybrid_swin.cost import Cost, linear

OUTPUT_GATE = "output_gate"  # its name within a mixer
_EPSILON = 1e-6


class OutputGate(nn.Module):
    """One factor for each channel of each image (abstract). (B, H, W, C) -> the same."""

    def __init__(self, dim: int) -> None:
        super().__init__()

    def factors(self, x: Tensor) -> Tensor:
        """What multiplies the channels. (B, H, W, C) -> (B, 1, 1, C)."""
        raise NotImplementedError  # abstract

    def start(self) -> None:
        """Set the parameters so that the gate is the identity."""
        raise NotImplementedError  # abstract

    @classmethod
    def cost(cls, dim: int) -> Cost:
        """Closed-form cost, on a map of any size."""
        raise NotImplementedError  # abstract


class SqueezeExcitation(OutputGate):
    """``x ⊙ 2 sigmoid(W₂ ReLU(W₁ mean(x) + b₁) + b₂)``, the mean over the map.

    W₁ narrows to C/16, or to 4. In the paper the factor is the sigmoid itself, and W₂ starts at
    random. Here W₂ and b₂ start at 0, so that all channels pass at first.

    2Cd + C + d parameters for a width of d.

    Source: Squeeze-and-Excitation Networks, 2017, https://arxiv.org/abs/1709.01507
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.reduce = nn.Linear(dim, _width(dim))
        self.expand = nn.Linear(_width(dim), dim)
        self.start()

    def start(self) -> None:
        """The factors are 2 sigmoid(0) = 1."""
        nn.init.zeros_(self.expand.weight)
        nn.init.zeros_(self.expand.bias)

    def factors(self, x: Tensor) -> Tensor:
        """From 0 to 2. (B, H, W, C) -> (B, 1, 1, C)."""
        hidden = F.relu(self.reduce(x.mean(dim=(1, 2), keepdim=True)))
        return 2 * self.expand(hidden).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        return x * self.factors(x)

    @classmethod
    def cost(cls, dim: int) -> Cost:
        """Two linear layers on one token."""
        return linear(1, dim, _width(dim)) + linear(1, _width(dim), dim)


class EfficientChannelAttention(OutputGate):
    """``x ⊙ 2 sigmoid(w * mean(x))``: a filter of k taps along the channels' means.

    Channels beyond the first and the last are 0. k is the paper's for C channels: log₂(C)/2 + 1/2,
    cut to a whole number, and one more where that is even. In the paper the factor is the sigmoid
    itself, and w starts at random; here w starts at 0.

    k parameters.

    Source: ECA-Net: Efficient Channel Attention for Deep Convolutional Neural Networks, 2019,
    https://arxiv.org/abs/1910.03151
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        taps = _taps(dim)
        self.filter = nn.Conv1d(1, 1, taps, padding=taps // 2, bias=False)
        self.start()

    def start(self) -> None:
        """The factors are 2 sigmoid(0) = 1."""
        nn.init.zeros_(self.filter.weight)

    def factors(self, x: Tensor) -> Tensor:
        """From 0 to 2. (B, H, W, C) -> (B, 1, 1, C)."""
        filtered_B1C = self.filter(x.mean(dim=(1, 2))[:, None])
        return 2 * filtered_B1C[:, None].sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        return x * self.factors(x)

    @classmethod
    def cost(cls, dim: int) -> Cost:
        """A filter along the channels."""
        return Cost(_taps(dim), dim * _taps(dim), dim)


class GlobalResponseNorm(OutputGate):
    """``x + w ⊙ x ⊙ N(x) + b`` with ``N_c = ‖x_c‖ / (mean_c ‖x_c‖ + 1e-6)``, norms over the map.

    w and b start at 0, as in the paper, where it stands inside the MLP.

    2C parameters.

    Source: ConvNeXt V2: Co-designing and Scaling ConvNets with Masked Autoencoders, 2023,
    https://arxiv.org/abs/2301.00808
    """

    def __init__(self, dim: int) -> None:
        super().__init__(dim)
        self.weight = nn.Parameter(torch.empty(dim))
        self.bias = nn.Parameter(torch.empty(dim))
        self.start()

    def start(self) -> None:
        """The factors are 1, and nothing is added."""
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)

    def reset_parameters(self) -> None:
        """First weights, which are the start."""
        self.start()

    def factors(self, x: Tensor) -> Tensor:
        """In float32 at least, where squares cannot overflow. (B, H, W, C) -> (B, 1, 1, C)."""
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        norm = torch.linalg.vector_norm(wide, dim=(1, 2), keepdim=True)
        share = norm / (norm.mean(dim=-1, keepdim=True) + _EPSILON)
        return (1 + self.weight * share).to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        return x * self.factors(x) + self.bias.to(x.dtype)

    @classmethod
    def cost(cls, dim: int) -> Cost:
        """Parameters only, since there is no matrix product."""
        return Cost(parameters=2 * dim)


GATES: dict[str, type[OutputGate]] = {
    "se": SqueezeExcitation,
    "eca": EfficientChannelAttention,
    "grn": GlobalResponseNorm,
}


def gate_output(mixer: nn.Module, gate: str, dim: int) -> None:
    """Put a gate behind a mixer, which keeps its class and the names of its parameters."""
    mixer.add_module(OUTPUT_GATE, GATES[gate](dim))
    mixer.register_forward_hook(_gated)


def gate_behind(mixer: nn.Module) -> OutputGate | None:
    """The gate behind a mixer, if there is one."""
    gate = getattr(mixer, OUTPUT_GATE, None)
    return gate if isinstance(gate, OutputGate) else None


def _gated(mixer: Any, inputs: Any, out: Tensor) -> Tensor:
    """The hook; a function of the module, so that copies and pickles of a mixer have it too."""
    gated: Tensor = mixer.output_gate(out)
    return gated


def _width(dim: int) -> int:
    return max(dim // 16, 4)


def _taps(dim: int) -> int:
    return int(math.log2(dim) / 2 + 0.5) // 2 * 2 + 1
