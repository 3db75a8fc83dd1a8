"""What a network costs: parameters, multiply-accumulates and activations, in closed form.

One MAC is one multiplication with its addition (2 FLOPs), counted for one image and for matrix
products and convolutions only, as the field's tables do. Activations are the elements that those
write (Designing Network Design Spaces, 2020, https://arxiv.org/abs/2003.13678).
"""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hybrid_swin.cost.formulas import load_formulas as load
from hybrid_swin.cost.formulas import load_gate
from hybrid_swin.errors import InputError
from hybrid_swin.errors.plain_text import message_of
from hybrid_swin.spec import registry
from hybrid_swin.spec.block_words import BlockWord, Part, arguments_of, gate_of, own_window
from hybrid_swin.spec.branch_shapes import check_branch
from hybrid_swin.spec.stems import conv_layers
from hybrid_swin.spec.window_rules import Grid as Grid  # for branches
from hybrid_swin.spec.window_rules import Window as Window
from hybrid_swin.spec.window_rules import sides_of

if TYPE_CHECKING:
    from hybrid_swin.spec.stage import Stage
    from hybrid_swin.spec.variant import Variant


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

    def __sub__(self, other: "Cost") -> "Cost":
        return self + other * -1

    def __mul__(self, count: int) -> "Cost":
        return Cost(self.parameters * count, self.macs * count, self.activations * count)

    def to_dict(self) -> dict[str, int]:
        """The three numbers by name."""
        return asdict(self)

    def relative_to(self, other: "Cost") -> dict[str, float]:
        """By what share each number exceeds the other's, left out where that is 0."""
        return {k: getattr(self, k) / v - 1 for k, v in other.to_dict().items() if v}


def linear(tokens: int, inputs: int, outputs: int, bias: bool = True) -> Cost:
    """A Linear, or a 1x1 convolution, on so many tokens."""
    return Cost(inputs * outputs + bias * outputs, tokens * inputs * outputs, tokens * outputs)


def depthwise(tokens: int, channels: int, kernel: Window, bias: bool = True) -> Cost:
    """A depthwise k x k convolution of stride 1 that keeps the grid."""
    area = math.prod(sides_of(kernel))
    return Cost(channels * area + bias * channels, tokens * channels * area, tokens * channels)


def convolution(tokens: int, inputs: int, outputs: int, kernel: int, bias: bool = True) -> Cost:
    """A k x k convolution that gives so many tokens."""
    return Cost(
        inputs * outputs * kernel**2 + bias * outputs,
        tokens * inputs * outputs * kernel**2,
        tokens * outputs,
    )


def layer_norm(channels: int) -> Cost:
    """A LayerNorm: parameters only, since it is not a matrix product."""
    return Cost(parameters=2 * channels)


@contextmanager
def blame_plugin(part: Part, window_size: Window) -> Iterator[None]:
    """Name the plug-in that fails because it takes a window for one number, where it has two."""
    try:
        yield
    except TypeError as error:
        if not isinstance(window_size, tuple) or not registry.plugin_hash("branch", part.name):
            raise
        raise InputError(
            f"plug-in {part.name!r} fails with window_size {list(window_size)} "
            f"({message_of(error)}); it may take one number only: choose windows of equal sides, "
            "or let it take (height, width)"
        ) from error


@dataclass(frozen=True)
class BranchCost:
    """What a branch of a block costs at the width and heads that a fusion gives it."""

    part: Part
    window_size: Window
    grid_size: Grid
    normed: bool
    made_for: Grid | None = None  # the map that fixes its parameters, if it runs on another

    @property
    def _class(self) -> Any:
        return load("branch", self.part.name)

    @property
    def _options(self) -> dict[str, Any]:
        return arguments_of("branch", self.part)

    @property
    def gates_values(self) -> bool:
        """Whether the branch's values can be gated."""
        return bool(self._class.gates_values)

    def __call__(self, dim: int, num_heads: int) -> Cost:
        """The whole branch, with its own norm where it has one."""
        cost = self._cost(dim, num_heads, self.grid_size)
        if self.made_for is not None:
            parameters = self._cost(dim, num_heads, self.made_for).parameters
            cost = replace(cost, parameters=parameters)
        return cost + layer_norm(dim) if self.normed else cost

    def _cost(self, dim: int, num_heads: int, grid_size: Grid) -> Cost:
        check_branch(self.part, dim, num_heads, "its block")
        with blame_plugin(self.part, self.window_size):
            cost: Cost = self._class.cost(
                dim, num_heads, self.window_size, grid_size, **self._options
            )
        return cost

    def without_projection(self, dim: int, num_heads: int) -> Cost:
        """The branch without its last projection."""
        projection: Cost = self._class.projection_cost(dim, self.grid_size, **self._options)
        return self(dim, num_heads) - projection

    @property
    def padded(self) -> Grid:
        """How large the branch makes the map by zeros that it then takes for tokens."""
        sizes = self.window_size, self.grid_size
        grid: Grid = self._class.padded_grid(*sizes, **self._options)
        return grid

    def on(self, grid_size: Grid) -> "BranchCost":
        """The same branch, made for this map, on another."""
        sizes = self.window_size, self.grid_size
        window = self._class.fitted_window(*sizes, **self._options)
        made_for = self.made_for or self.grid_size
        return replace(self, window_size=window, grid_size=grid_size, made_for=made_for)


def mixer_cost(
    word: BlockWord,
    dim: int,
    num_heads: int,
    window_size: Window,
    grid_size: Grid,
    norm_branches: bool = False,
) -> Cost:
    """The token mixer of one block: its branches, with norms of their own or not, and fusion."""
    makers = [
        BranchCost(part, own_window(part, window_size), grid_size, norm_branches)
        for part in word.branches
    ]
    if word.is_bare:
        return makers[0](dim, num_heads)
    part, gate = word.joined_by, gate_of(word.joined_by)
    options = arguments_of("fusion", part)
    cost: Cost = load("fusion", part.name).cost(dim, num_heads, grid_size, makers, **options)
    return cost if gate == "none" else cost + load_gate(gate).cost(dim)


def count_cost(variant: "Variant") -> Cost:
    """Parameters, MACs and activations of a whole variant, without building it."""
    stages = variant.stages
    total = stem_cost(variant, stages[0].width)
    for index, stage in enumerate(stages):
        if index:
            total += merging_cost(variant, index, stages[index - 1].width, stage.width)
        total += blocks_cost(variant, index, stage)
        total += mlps_cost(variant, index, stage.width, variant.mlp_ratio)
    return total + head_cost(variant, stages[-1].width)


def stem_cost(variant: "Variant", width: int) -> Cost:
    """The stem, to a width."""
    if variant.stem == "patch":
        tokens = math.prod(variant.grids[0])
        patch = convolution(tokens, variant.in_channels, width, variant.patch_size)
        return patch + layer_norm(width)
    total, inputs, sides = Cost(), variant.in_channels, variant.image_size
    for channels, stride in conv_layers(width, variant.patch_size):
        sides = -(-sides[0] // stride), -(-sides[1] // stride)
        total += convolution(math.prod(sides), inputs, channels, 3) + layer_norm(channels)
        inputs = channels
    return total


def merging_cost(variant: "Variant", index: int, before: int, after: int) -> Cost:
    """Patch merging into stage ``index``, from one width to another."""
    tokens = math.prod(variant.grids[index])
    return _merging_cost(variant.merging, variant.merging_norm, tokens, before, after)


@lru_cache(2**16)  # the width solver asks for the same widths for each network that it matches
def _merging_cost(merging: str, place: str, tokens: int, before: int, after: int) -> Cost:
    inputs = 4 * before if merging == "linear" else before
    norm = layer_norm(after if place == "post" else inputs)
    if merging == "conv":
        return norm + convolution(tokens, inputs, after, 3)
    return norm + linear(tokens, inputs, after, bias=False)


def blocks_cost(variant: "Variant", index: int, stage: "Stage") -> Cost:
    """Blocks of stage ``index`` without MLPs, if it had the width and the heads of ``stage``."""
    grid, window = variant.grids[index], variant.window_sizes[index]
    total = Cost()
    for word, count in Counter(variant.block_words[index]).items():
        norm_branches = stage.norms_branches(word)
        mixer = mixer_cost(word, stage.width, stage.num_heads, window, grid, norm_branches)
        norms = layer_norm(stage.width if norm_branches else 2 * stage.width)
        scales = Cost(parameters=2 * stage.width if variant.layer_scale else 0)
        total += (mixer + norms + scales) * count
    return total


def mlps_cost(variant: "Variant", index: int, width: int, mlp_ratio: float) -> Cost:
    """The MLPs of all blocks of stage ``index``, if it had this width."""
    tokens, hidden = math.prod(variant.grids[index]), round(width * mlp_ratio)
    mlp = linear(tokens, width, hidden) + linear(tokens, hidden, width)
    return mlp * variant.stages[index].depth


def head_cost(variant: "Variant", width: int) -> Cost:
    """The last norm, and the classifier where there is one."""
    norm = layer_norm(width)
    return norm + linear(1, width, variant.num_classes) if variant.num_classes else norm
