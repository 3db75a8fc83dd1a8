"""Token mixers, one file each. A file's name is the branch's word.

To add one, write a file here (or a plug-in anywhere) with one class that derives from ``Branch``.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor, nn

from hybrid_swin import cost as costs  # not its `linear`: a branch's file here has that name
from hybrid_swin.cost import Cost, Grid, Window
from hybrid_swin.network.resizing import resize_table
from hybrid_swin.spec.window_rules import lay_windows, sides_of


class Branch(nn.Module):
    """A token mixer: ``forward(x) = proj(mix(x))``, without residual and first norm.

    ``__init__`` takes ``dim`` (channels), ``num_heads``, ``window_size`` (tokens: one number if
    both sides are equal, else height and width; ``window_rules.sides_of`` gives two of either),
    ``grid_size`` (nominal tokens, height and width) and then the branch's own options, typed, with
    defaults. Any height and width of at least 1 must work, nominal or not.
    """

    gates_values: ClassVar[bool] = False
    """Whether ``mix`` can multiply its values by another branch's gate; stated in the class's own
    body, since it is read without running it."""

    has_windows: ClassVar[bool] = False
    """Whether it lays windows: a word may then name a window of the branch's own instead of the
    stage's, ``w_msa(window_size=7x9)``. Stated in the class's own body as well."""

    limits: ClassVar[Mapping[str, tuple[float, float]]] = {}
    """The least and the most of options that are numbers. Stated in the class's own body as well;
    words with others are refused before anything is built."""

    min_width: ClassVar[int] = 1
    """The channels that it needs at least. Stated in the class's own body as well."""

    divides_heads: ClassVar[tuple[str, ...]] = ()
    """Options that are to divide its heads, or 0 for a number of its own. Stated likewise."""

    mixes_by: ClassVar[tuple[str, ...] | None] = None
    """Options without which (all of them false) no token's output depends on another token; none
    of them if it never does, None if it always does. Stated in the class's own body as well."""

    has_projection: ClassVar[bool] = True
    """Whether ``proj`` is a linear layer; otherwise it gives back what it gets."""

    chooses: ClassVar[bool] = False
    """Whether ``mix`` chooses tokens, so that a change in the last digit can change the output."""

    proj: nn.Module

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Exchange information between tokens. (B, H, W, C) -> (B, H, W, C).

        ``value_gate`` (B, C) multiplies the values where ``gates_values`` is true.
        """
        raise NotImplementedError  # abstract

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        return self.proj(self.mix(x))

    @classmethod
    def cost(cls, dim: int, num_heads: int, window_size: Window, grid_size: Grid) -> Cost:
        """Closed-form cost of this branch; takes the branch's options as well."""
        raise NotImplementedError  # abstract

    @classmethod
    def projection_cost(cls, dim: int, grid_size: Grid, **options: Any) -> Cost:
        """The share of ``proj`` in ``cost``, which a fusion with its own projection saves."""
        tokens = grid_size[0] * grid_size[1]
        return costs.linear(tokens, dim, dim) if cls.has_projection else Cost()

    def give_up_projection(self) -> None:
        """Leave the last projection to a fusion that has its own."""
        self.proj = nn.Identity()

    def padded(self, size: Grid) -> Grid:
        """How large the branch makes a map of this size by zeros that it then takes for tokens."""
        return size

    @classmethod
    def padded_grid(cls, window_size: Window, grid_size: Grid, **options: Any) -> Grid:
        """The same for the nominal grid, without building anything."""
        return grid_size

    @classmethod
    def fitted_window(cls, window_size: Window, grid_size: Grid, **options: Any) -> Window:
        """The window as it is on the nominal grid, for maps of other sizes too."""
        return window_size

    @classmethod
    def table_window(cls, window_size: Window, grid_size: Grid, **options: Any) -> Grid:
        """The window whose (2h-1)(2w-1) offsets are the rows of its table of position biases."""
        return lay_windows(grid_size, sides_of(window_size)).window

    def bias_tables(self) -> dict[str, Grid]:
        """Own tables of position biases by name, with the windows whose offsets are their rows."""
        return {}

    def sized_weights(self) -> dict[str, Grid]:
        """Own weights that are as large as the window or the map, with that window or map."""
        return self.bias_tables()

    def fitted(self, name: str, weight: Tensor, before: Grid) -> Tensor:
        """One of these, of another window or map, for the present one: as ``resize`` makes it."""
        return resize_table(weight, before, self.sized_weights()[name])

    def resize(self, window_size: Window, grid_size: Grid) -> None:
        """Take another window and another nominal grid, in place; most branches know neither."""

    def no_weight_decay(self) -> set[str]:
        """Own parameters that weight decay must leave alone though they have two dimensions."""
        return set()


class NormedBranch(Branch):
    """A branch with a layer norm of its own before it. (B, H, W, C) -> (B, H, W, C)."""

    def __init__(self, branch: Branch, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.branch = branch

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Normalise, then mix. (B, H, W, C) -> (B, H, W, C)."""
        return self.branch.mix(self.norm(x), value_gate)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        return self.branch(self.norm(x))

    def give_up_projection(self) -> None:
        """Leave the last projection to a fusion that has its own."""
        self.branch.give_up_projection()

    def padded(self, size: Grid) -> Grid:
        """What the branch behind the norm says."""
        return self.branch.padded(size)
