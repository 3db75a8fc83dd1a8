"""Ways to join several branches into one mixer, one file each. A file's name is the fusion's word.

To add one, write a file here (or a plug-in anywhere) with one class that derives from ``Fusion``.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import add
from typing import ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn

from hybrid_swin.cost import BranchCost, Cost, Grid, Window, blame_plugin
from hybrid_swin.network.branches import Branch, NormedBranch
from hybrid_swin.spec.block_words import Part, arguments_of
from hybrid_swin.spec.branch_shapes import check_branch
from hybrid_swin.spec.registry import load

CostMaker = BranchCost  # its name for fusions of others


class BranchMaker(NamedTuple):
    """Makes a branch of a block at the width and heads that a fusion gives it."""

    part: Part
    window_size: Window
    grid_size: Grid
    normed: bool

    @property
    def gates_values(self) -> bool:
        """Whether the branch's values can be gated."""
        return bool(load("branch", self.part.name).gates_values)

    def __call__(self, dim: int, num_heads: int) -> Branch:
        """The branch, behind a norm of its own where it has one."""
        cls = load("branch", self.part.name)
        check_branch(self.part, dim, num_heads, "its block")
        sizes = dim, num_heads, self.window_size, self.grid_size
        with blame_plugin(self.part, self.window_size):
            branch: Branch = cls(*sizes, **arguments_of("branch", self.part))
        return NormedBranch(branch, dim) if self.normed else branch


class Fusion(nn.Module):
    """Several branches as one mixer. (B, H, W, C) -> (B, H, W, C).

    ``__init__`` takes ``dim``, ``num_heads``, ``makers`` (one per branch, which a fusion calls with
    the width and heads that it wants) and then the fusion's own options, typed, with defaults.
    It keeps the branches in ``self.branches``.
    """

    min_branches: ClassVar[int] = 2
    max_branches: ClassVar[int | None] = None
    ordered: ClassVar[bool] = False
    """Whether ``a+b`` and ``b+a`` are different networks."""
    symmetric: ClassVar[bool] = False
    """Whether it treats all branches alike, by their names as well: they may change places."""
    per_branch: ClassVar[tuple[str, ...]] = ()
    """Options that hold one value per branch, written ``1-3``."""
    heads_per_branch: ClassVar[bool] = False
    """Whether each branch needs at least one attention head of its own."""
    halves_heads: ClassVar[bool] = False
    """Whether heads get half their channels, which must then be even in number."""
    limits: ClassVar[Mapping[str, tuple[float, float]]] = {}
    """The least and the most of options that are numbers; words with others are refused."""
    needs_value_gate: ClassVar[bool] = False
    """Whether one branch's values must be such that they can be gated."""

    branches: nn.ModuleList

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        raise NotImplementedError  # abstract

    def start(self) -> None:
        """Set the fusion's own parameters to their start; called last in the initialisation."""

    def identity_start(self, base: int) -> bool:
        """Set weights so that the mixer computes what branch ``base`` alone computes.

        Every parameter stays trainable. Returns False, and changes nothing, where impossible.
        """
        return False

    def no_weight_decay(self) -> set[str]:
        """Own parameters that weight decay must leave alone though they have two dimensions."""
        return set()

    @classmethod
    def cost(cls, dim: int, num_heads: int, grid_size: Grid, makers: Sequence[BranchCost]) -> Cost:
        """Closed-form cost, branches included; takes the fusion's options as well."""
        raise NotImplementedError  # abstract


def branches_of(mixer: nn.Module) -> list[nn.Module]:
    """A mixer's branches in the order of its word, without the norms before them."""
    branches = list(mixer.branches) if isinstance(mixer, Fusion) else [mixer]
    return [branch.branch if isinstance(branch, NormedBranch) else branch for branch in branches]


def total(terms: Iterable[Tensor]) -> Tensor:
    """The sum of maps of one shape."""
    return reduce(add, terms)


def silence(branches: nn.ModuleList, base: int) -> bool:
    """Zero the last linear layer of every branch but ``base``; False where one has none.

    Its input is not zero, so its gradient is not either, and the branch learns from step 1.
    """
    others = [cast(Branch, b) for i, b in enumerate(branches) if i != base]
    layers = [_last_linear(branch) for branch in others]
    if any(layer is None for layer in layers):
        return False
    with torch.no_grad():
        for layer in layers:
            for parameter in cast(nn.Linear, layer).parameters():
                parameter.zero_()
    return True


def _last_linear(branch: Branch) -> nn.Linear | None:
    if isinstance(branch, NormedBranch):
        return _last_linear(branch.branch)
    if isinstance(branch.proj, nn.Linear):
        return branch.proj
    linears = [m for m in branch.modules() if isinstance(m, nn.Linear)]
    return linears[-1] if linears else None
