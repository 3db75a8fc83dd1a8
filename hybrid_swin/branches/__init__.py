"""Token mixers, one file each. A file's name is the branch's word.

To add one, write a file here (or a plug-in anywhere) with one class that derives from ``Branch``.
"""

from typing import ClassVar

from torch import Tensor, nn

from hybrid_swin.cost import Cost, Grid


class Branch(nn.Module):
    """A token mixer: ``forward(x) = proj(mix(x))``, without residual and first norm.

    ``__init__`` takes ``dim`` (channels), ``num_heads``, ``window_size`` (tokens), ``grid_size``
    (nominal tokens, height and width) and then the branch's own options, typed, with defaults.
    Any height and width of at least 1 must work, nominal or not.
    """

    gates_values: ClassVar[bool] = False
    """Whether ``mix`` can multiply its values by another branch's gate."""

    proj: nn.Module

    def mix(self, x: Tensor, value_gate: Tensor | None = None) -> Tensor:
        """Exchange information between tokens. (B, H, W, C) -> (B, H, W, C).

        ``value_gate`` (B, C) multiplies the values where ``gates_values`` is true.
        """
        raise NotImplementedError  # abstract

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, H, W, C)."""
        out: Tensor = self.proj(self.mix(x))
        return out

    @classmethod
    def cost(cls, dim: int, num_heads: int, window_size: int, grid_size: Grid) -> Cost:
        """Closed-form cost of this branch; takes the branch's options as well."""
        raise NotImplementedError  # abstract

    def no_weight_decay(self) -> set[str]:
        """Own parameters that weight decay must leave alone though they have two dimensions."""
        return set()
