"""What a network costs: parameters, multiply-accumulates and activations, in closed form.

One MAC is one multiplication with its addition (2 FLOPs), counted for one image and for matrix
products and convolutions only, as the field's tables do. Activations are the elements that those
write (Designing Network Design Spaces, 2020, https://arxiv.org/abs/2003.13678).
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybrid_swin.block_words import BlockWord
from hybrid_swin.registry import load

if TYPE_CHECKING:
    from hybrid_swin.variant import Stage, Variant

Grid = tuple[int, int]


@dataclass(frozen=True)
class Cost:
    """Parameters (numbers), MACs and activations (both for one image). Costs add."""

    parameters: int = 0
    macs: int = 0
    activations: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.parameters + other.parameters,
            self.macs + other.macs,
            self.activations + other.activations,
        )

    def to_dict(self) -> dict[str, int]:
        """The three numbers by name."""
        return {
            "parameters": self.parameters,
            "macs": self.macs,
            "activations": self.activations,
        }


def linear(tokens: int, inputs: int, outputs: int, bias: bool = True) -> Cost:
    """A Linear, or a 1x1 convolution, on so many tokens."""
    return Cost(inputs * outputs + bias * outputs, tokens * inputs * outputs, tokens * outputs)


def depthwise(tokens: int, channels: int, kernel: int, bias: bool = True) -> Cost:
    """A depthwise k x k convolution of stride 1 that keeps the grid."""
    return Cost(
        channels * kernel**2 + bias * channels, tokens * channels * kernel**2, tokens * channels
    )


def layer_norm(channels: int) -> Cost:
    """A LayerNorm: parameters only, since it is no matrix product."""
    return Cost(parameters=2 * channels)


def mixer_cost(
    word: BlockWord, dim: int, num_heads: int, window_size: int, grid_size: Grid
) -> Cost:
    """The token mixer of one block: its branches and their fusion."""

    def of_branch(index: int, width: int, heads: int) -> Cost:
        part = word.branches[index]
        branch = load("branch", part.name)
        cost: Cost = branch.cost(width, heads, window_size, grid_size, **part.kwargs)
        return cost

    if len(word.branches) == 1:
        return of_branch(0, dim, num_heads)
    fusion = load("fusion", word.joined_by.name)
    makers = [
        lambda width, heads, i=i: of_branch(i, width, heads) for i in range(len(word.branches))
    ]
    cost: Cost = fusion.cost(dim, num_heads, grid_size, makers, **word.joined_by.kwargs)
    return cost


def count_cost(variant: "Variant") -> Cost:
    """Parameters, MACs and activations of a whole variant, without building it."""
    tokens = math.prod(variant.grids[0])
    width = variant.stages[0].width
    patch = variant.in_channels * variant.patch_size**2
    total = linear(tokens, patch, width) + layer_norm(width)
    for index, stage in enumerate(variant.stages):
        if index:
            total += _merging_cost(variant, index)
        for word in variant.block_words[index]:
            total += _block_cost(variant, stage, word, variant.grids[index])
    width = variant.stages[-1].width
    total += layer_norm(width)
    return total + linear(1, width, variant.num_classes) if variant.num_classes else total


def _merging_cost(variant: "Variant", index: int) -> Cost:
    before, after = variant.stages[index - 1].width, variant.stages[index].width
    tokens = math.prod(variant.grids[index])
    return layer_norm(4 * before) + linear(tokens, 4 * before, after, bias=False)


def _block_cost(variant: "Variant", stage: "Stage", word: BlockWord, grid: Grid) -> Cost:
    width, hidden = stage.width, round(stage.width * variant.mlp_ratio)
    tokens = math.prod(grid)
    return (
        layer_norm(width)
        + mixer_cost(word, width, stage.num_heads, variant.window_size, grid)
        + layer_norm(width)
        + linear(tokens, width, hidden)
        + linear(tokens, hidden, width)
    )
